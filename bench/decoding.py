"""What the ways of decoding give and cost: greedy, beam search, and with words to expect, on the same audio.

The language model is made here, of the texts of the train splits that are not said in the recordings. Hot words are
what a user would list: rarer words of the recordings, among as many that are not said. Encoder and decoders take turns
on every clip, so that the ratios of their CPU time hold on a busy machine.

python -m bench.decoding BUNDLE --data DIR/manifest.csv [--data ...] --texts OTHER/manifest.csv [--texts ...]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from edgevoice.asr.beam import BeamSearch
from edgevoice.asr.bundle import Manifest, load_bundle
from edgevoice.asr.confidence import ConfidenceMap
from edgevoice.asr.ctc import GreedySearch
from edgevoice.asr.decoder import Decoder, Search
from edgevoice.asr.hotwords import HotWords, Phrase
from edgevoice.asr.model import AcousticModel
from edgevoice.asr.ngram import NgramScorer, read_arpa
from edgevoice.asr.scorer import Together, WordList
from edgevoice.asr.spelling import Spelling
from edgevoice.config import AsrSettings
from edgevoice.errors import ModelError
from training.decoded import load_audio
from training.language_model import write_arpa
from training.manifest import read_manifest
from training.metrics import error_rates

HOT = 40
"""Hot words that are said, and as many that are not."""
RARE = 100
"""Words as common as the hundred commonest need no list."""


def searches(manifest: Manifest, texts: Sequence[str], phrases: Sequence[Phrase]) -> dict[str, Search]:
    """What is compared, by name."""
    settings = AsrSettings()
    words = Counter(word for text in texts for word in text.split())
    with tempfile.TemporaryDirectory() as folder:
        write_arpa(texts, Path(folder) / "texts.arpa", order=2)
        model = read_arpa(Path(folder) / "texts.arpa")
    known = [phrase.text for phrase in phrases]
    hot = HotWords(phrases)
    grams = NgramScorer(model, settings.language_model_weight, settings.word_bonus, known)
    scorers = {
        "beam": None,
        f"beam, {len(phrases)} hot words": hot,
        "beam, word list": WordList(words),
        "beam, 2-grams": grams,
        "beam, 2-grams and hot words": Together([hot, grams]),
    }
    vocabulary, blank, width = manifest.vocabulary, manifest.blank, settings.beam_width
    found: dict[str, Search] = {"greedy": GreedySearch(vocabulary, blank)}
    return found | {name: BeamSearch(vocabulary, blank, each, width=width) for name, each in scorers.items()}


def choose_hot_words(said: Sequence[str], texts: Sequence[str], manifest: Manifest) -> tuple[set[str], set[str]]:
    """Words that are said in the recordings, and words that are not."""
    spelling, chance = Spelling(manifest.vocabulary), random.Random(0)
    counts = Counter(word for text in texts for word in text.split())
    common = {word for word, _ in counts.most_common(RARE)}
    heard = {word for text in said for word in text.split()}

    def chosen(words: set[str]) -> set[str]:
        usable = sorted(w for w in words - common if len(w) >= 5 and spelling.writes(w))
        return set(chance.sample(usable, min(HOT, len(usable))))

    return chosen(heard), chosen(counts.keys() - heard)


def measure(bundle: Path, data: Path, texts: Sequence[str]) -> list[str]:
    """A Markdown table for one data set with a dev split."""
    model = AcousticModel(load_bundle(bundle), AsrSettings(provider="cpu", threads=1))
    clips = [clip for clip in read_manifest(data) if clip.split == "dev" and clip.text]
    said = [clip.text for clip in clips]
    texts = [text for text in texts if text not in set(said)]
    there, elsewhere = choose_hot_words(said, texts, model.manifest)
    weight = AsrSettings().hotword_weight
    ways = searches(model.manifest, texts, [Phrase(word, weight) for word in sorted(there | elsewhere)])
    heard: dict[str, list[str]] = {name: [] for name in ways}
    spent, seconds = defaultdict[str, float](float), 0.0
    for clip in clips:
        samples = load_audio(clip.path)
        seconds += clip.duration_s
        start = time.process_time()
        log_probs = model.encode(samples).log_probs
        spent["encoder"] += time.process_time() - start
        if log_probs is None:
            raise ModelError(f"The model '{model.manifest.name}' writes no captions", "Choose one that does")
        for name, search in ways.items():
            start = time.process_time()
            words = Decoder(search, ConfidenceMap()).words(log_probs, model.frame_seconds, 0.0)
            spent[name] += time.process_time() - start
            heard[name].append(" ".join(word.word for word in words))
    cost = f"the encoder takes {1000 * spent['encoder'] / seconds:.1f} ms of CPU a second of audio"
    lines = [
        f"{clips[0].dataset}: {len(clips)} clips, {seconds / 60:.1f} minutes; {cost}\n",
        "| | WER | CER | hot words found | of those written, right | ms a second | of the encoder |",
        "|---" * 7 + "|",
    ]
    for name in ways:
        rates = error_rates(said, heard[name])
        found, right = _hot(said, heard[name], there | elsewhere)
        cost = f"{1000 * spent[name] / seconds:.2f} | {spent[name] / spent['encoder']:.1%}"
        lines.append(f"| {name} | {rates['wer']:.1%} | {rates['cer']:.1%} | {found} | {right} | {cost} |")
    return lines


def _hot(said: Sequence[str], heard: Sequence[str], words: set[str]) -> tuple[str, str]:
    spoken = written = both = 0
    for one, other in zip(said, heard, strict=True):
        there, here = (Counter(word for word in text.split() if word in words) for text in (one, other))
        spoken, written, both = spoken + there.total(), written + here.total(), both + (there & here).total()
    return f"{both} of {spoken}", f"{both} of {written}"


def run(arguments: Sequence[str]) -> int:
    """Runs the command line; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True, help="recordings to decode: dev split")
    parser.add_argument("--texts", type=Path, action="append", required=True, help="texts to expect: train split")
    options = parser.parse_args(arguments)
    texts = [clip.text for file in options.texts for clip in read_manifest(file) if clip.split == "train" and clip.text]
    for data in options.data:
        print("\n".join(measure(options.bundle, data, texts)), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
