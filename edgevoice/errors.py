"""One family of errors. Each message is one sentence that names what is wrong and ends with the way out."""

from __future__ import annotations

from collections.abc import Callable


class EdgeVoiceError(Exception):
    """Anything edgevoice reports to its user. `exit_code` is what the command line returns for it."""

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what.rstrip(".")
        self.remedy = remedy.rstrip(".")
        super().__init__(f"{self.what}. {self.remedy}." if remedy else f"{self.what}.")


class ConfigError(EdgeVoiceError):
    """A wrong setting, flag or file of settings."""

    exit_code = 2


class UsageError(EdgeVoiceError):
    """A command that cannot be carried out as typed."""

    exit_code = 2


class AudioError(EdgeVoiceError):
    """Audio that cannot be read, or a device that cannot be opened."""


class DeviceNotFoundError(AudioError, LookupError):
    """No input device of that name or number."""

    exit_code = 2


class PortAudioMissingError(AudioError, ImportError):
    """The PortAudio library is not on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "The PortAudio library was not found, so no microphone can be opened",
            "Install it: 'apt install libportaudio2' (Debian, Ubuntu), 'dnf install portaudio' (Fedora) or "
            "'pacman -S portaudio' (Arch)",
        )


class ModelError(EdgeVoiceError):
    """A model bundle that is missing, damaged or of a kind this version cannot run."""


class ModelAwayError(ModelError):
    """A model that runs on another machine, which cannot be reached for now; what failed can be tried again.

    Args:
        what: as for every error.
        remedy: as for every error.
        wait: waits at most so many seconds for the model and tells whether it is back.
    """

    def __init__(self, what: str, remedy: str, wait: Callable[[float], bool]) -> None:
        super().__init__(what, remedy)
        self.wait = wait


class ProviderError(ModelError):
    """The requested execution provider cannot be used."""


class MissingExtraError(EdgeVoiceError, ImportError):
    """A part of edgevoice whose optional dependencies are not installed."""

    exit_code = 2

    def __init__(self, command: str, extra: str) -> None:
        super().__init__(
            f"'edgevoice {command}' needs packages that are not installed",
            f"Install them: pip install 'edgevoice[{extra}]', or in a checkout: pip install -e '.[{extra}]'",
        )
