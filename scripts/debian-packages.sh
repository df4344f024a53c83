#!/usr/bin/env bash
# Installs the Debian packages that edgevoice needs, by name: `debian-packages.sh demo|test`.
# PYTHON names the Python that will make the environment.
# Uses apt-get where it may; otherwise prints the one command to run. Without its packages the demo goes on (only the
# microphone needs PortAudio); the tests do not.
set -euo pipefail

goal=${1:-}
runtime=(libportaudio2)
tests=(pulseaudio pulseaudio-utils libasound2-plugins espeak-ng flite tmux zsh fish
  chromium chromium-driver dbus-daemon libnotify-bin)
case $goal in
  demo) wanted=("${runtime[@]}") ;;
  test) wanted=("${runtime[@]}" "${tests[@]}") ;;
  *) echo "usage: $0 demo|test" >&2; exit 2 ;;
esac

say() { echo "packages: $*" >&2; }

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "this is no Debian or Ubuntu; install what corresponds to: ${wanted[*]}"
  exit 0
fi

# Debian keeps part of Python's own venv in a package of its own
python=${PYTHON:-python3}
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  wanted+=("$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])' 2>/dev/null || echo python3-venv)")
fi

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $state == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo >/dev/null && sudo --non-interactive true 2>/dev/null && as_root=(sudo --non-interactive)
fi

if [[ $EUID -eq 0 || ${#as_root[@]} -gt 0 ]]; then
  say "installing ${missing[*]}"
  install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends)
  # the lists of a fresh machine are empty or old: fetch them only if the first try needs it
  if "${install[@]}" "${missing[@]}" >/dev/null 2>&1 ||
    { "${as_root[@]}" apt-get update >/dev/null && "${install[@]}" "${missing[@]}" >/dev/null; }; then
    exit 0
  fi
  say "apt-get could not install them"
fi

say "please run: sudo apt-get install ${missing[*]}"
if [[ $goal == demo ]]; then
  say "going on without; only the microphone needs them"
  exit 0
fi
exit 1
