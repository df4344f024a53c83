"""What a wrong file, flag or folder gets: one sentence with the way out, and nothing left behind."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

import bench.cli
import export.cli
import training.cli
from edgevoice.asr.bundle import FeatureSettings
from edgevoice.cli import main
from edgevoice.errors import ConfigError, EdgeVoiceError, ModelError, UsageError
from tests.architectures import encoder, features
from tests.checkpoints import captions
from tests.small import TINY_BERT, TINY_WAV2VEC2, small_corpus, tiny_recipe
from training.checkpoint import load_features, save_features
from training.config import load_config
from training.loading import load_checkpoint
from training.manifest import read_manifest
from training.models import read_config
from training.run import train
from training.vocabulary import canonical, frames_needed, spell, text_of


def rewritten(manifest: Path, **changes: str) -> Path:
    """The manifest with the same cells in every row."""
    rows = list(csv.DictReader(manifest.open(newline="", encoding="utf-8")))
    with manifest.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*rows[0], *(set(changes) - set(rows[0]))])
        writer.writeheader()
        writer.writerows({**row, **changes} for row in rows)
    return manifest


def test_a_failed_command_is_one_line_without_a_traceback(tmp_path, capfd):
    """Through the command line that users have."""
    output = tmp_path / "run"
    assert main(["train", "ctc", "--data", str(tmp_path / "no.csv"), "--output", str(output)]) == 2
    said = capfd.readouterr().err
    assert "no.csv cannot be read" in said
    assert "Traceback" not in said
    assert not output.exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "has no rows"),
        ("text,split\nx,train\n", "no column 'path' .it has text, split."),
        ("path,split\n,train\n", "Line 2 .* names no file"),
        ("path,split\na.wav,train\n", r"manifest\.csv, line 2: .*a\.wav \(column path\) is not there"),
        ("path,split,duration_s\na.wav,train,long\n", "Line 2 .* 'long', which is no number"),
        ("path,split,duration_s\na.wav,train,1\nb.wav,train,nan\n", "Line 3 .* 'nan', which is no number"),
        ("path,split\0\n", "cannot be read|has no rows"),
    ],
)
def test_a_wrong_manifest_is_explained(tmp_path, content, complaint):
    """With the line, where there is one."""
    file = tmp_path / "manifest.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=complaint):
        read_manifest(file)


def test_short_and_long_rows_and_a_byte_order_mark_do_no_harm(tmp_path):
    """A row may end early or have a cell too many; spreadsheets put a mark in front of the first column."""
    file = tmp_path / "manifest.csv"
    file.write_text("path,split,duration_s,text,intent\na.wav,train,1\nb.wav, dev ,2,Hello,x,more\n", "utf-8-sig")
    first, second = read_manifest(file)
    assert (first.text, first.intent, first.split) == ("", "", "train")
    assert (second.text, second.intent, second.split) == ("hello", "x", "dev")


@pytest.mark.parametrize(
    ("recipe", "assignment", "complaint"),
    [
        ("", "max_steps=3", "is no assignment"),
        ("", "trainer.max_steps=many", r"trainer.max_steps: 'many' is no int"),
        ("", "trainer.max_steps=0", "trainer.max_steps: 0 is not more than 0"),
        ("", "trainer.epochs=-1", "trainer.epochs: -1 is less than 0"),
        ("", "trainer.seed=-1", "trainer.seed: -1 is less than 0"),
        ("", "trainer.save_total_limit=0", "trainer.save_total_limit: 0 is less than 1"),
        ("", "trainer.average_decay=2", "trainer.average_decay: 2 is not from 0 to less than 1"),
        ("", "data.dev_share=1", "data.dev_share: 1 is not from 0 to less than 1"),
        ("", "data.maximum_s=0.1", "data.maximum_s: 0.1 is not more than data.minimum_s"),
        ("", "augmentation.speed_probability=7", "augmentation.speed_probability: 7 is not from 0 to 1"),
        ("", "augmentation.speed_range=[0.0, 1.0]", "augmentation.speed_range: 0 is not more than 0"),
        ("", "trainer.weight_decay=nan", "trainer.weight_decay: nan is no finite number"),
        ("", "trainer.learning_rate=inf", "trainer.learning_rate: inf is no finite number"),
        ("", "trainer.epochs=nan", "trainer.epochs: nan is no finite number"),
        ("", "trainer.batch_seconds=inf", "trainer.batch_seconds: inf is no finite number"),
        ("", "data.crop_s=nan", "data.crop_s: nan is no finite number"),
        ("", "augmentation.snr_range=[0.0, inf]", "augmentation.snr_range: inf is no finite number"),
        ("", "model.regularisation.mask_time_prob=nan", "model.regularisation.mask_time_prob: nan is no finite number"),
        ("", f"trainer.max_steps={'9' * 400}", "trainer.max_steps: inf is no finite number"),
        ("", "data.cut_others=1.5", "data.cut_others: 1.5 is not from 0 to less than 1"),
        ("", "model.regularisation.hidden_size=8", "'hidden_size' is neither dropout nor masking"),
        ("", "trainer.evaluate_by_epoch=yes", "trainer.evaluate_by_epoch: 'yes' is neither true nor false"),
        ("", "trainer.precision=double", "trainer.precision: 'double' is none of 'auto', 'fp32', 'bf16', 'fp16'"),
        ("", "data.sources=a.csv", "data.sources: 'a.csv' is no list"),
        ("", "model.checkpoint.name=x", "model.checkpoint: .* is no str"),
        ("model = 3", "data.noise=x", "model: 3 is no table"),
        ("model = 3", "model.checkpoint=x", "model is no section"),
        ("", "augmentation.speed_range=[1.0]", r"augmentation.speed_range: \[1.0\] is no range"),
        ("model = ", "data.noise=x", "cannot be read"),
        ("\udcff", "data.noise=x", "cannot be read"),
    ],
)
def test_a_wrong_recipe_names_the_key(tmp_path, recipe, assignment, complaint):
    """In one sentence."""
    file = tmp_path / "recipe.toml"
    file.write_bytes(recipe.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=complaint):
        load_config(file, [assignment])


def test_every_recipe_that_comes_along_is_known_by_its_name():
    """And `small` needs no file but the user's own manifest."""
    assert load_config(Path("banking-en")).trainer.best_metric == "eval_banking-en_wer"
    small = load_config(Path("small"))
    assert (small.data.sources, small.data.noise, small.trainer.best_metric) == ((), "", "")
    assert small.model.encoder == load_config(Path("banking-en")).model.encoder


@pytest.mark.parametrize(
    ("encoder", "assignment", "complaint"),
    [
        ({}, "data.lead_s=0", "nothing to train"),
        ({**TINY_BERT, "model_type": "parrot"}, "data.lead_s=0", "encoder is not known"),
        ({**TINY_BERT, "num_hidden_layer": 3}, "data.lead_s=0", "unknown key 'num_hidden_layer'"),
        (TINY_BERT, "model.features.stride=2", "320 values a frame and 160"),
        (TINY_WAV2VEC2, "model.features.kind=log_mel", "raw audio and 160"),
        (TINY_BERT, "trainer.best_metric=eval_other_wer", "Choose from eval_small_wer, eval_small_cer"),
        (TINY_BERT, "trainer.lr_scheduler_type=steep", "trainer does not fit"),
        (TINY_BERT, "data.noise=no.csv", "no.csv cannot be read"),
        (TINY_BERT, "data.repeat={large = 2}", "data.repeat names the set 'large'. The sets are small"),
        (
            encoder("whisper"),
            "data.lead_s=0",
            "The recipe's encoder is a whisper, which cannot be trained for captions",
        ),
        (TINY_BERT, "model.checkpoint=no/checkpoint/here", "There is no checkpoint 'no/checkpoint/here'"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing(tmp_path, encoder, assignment, complaint):
    """Everything is checked before the folder is made."""
    manifest = small_corpus(tmp_path)
    config = tiny_recipe(manifest, {"model_type": "wav2vec2-bert", **encoder} if encoder else TINY_BERT, assignment)
    if not encoder:
        config.model.encoder.clear()
    with pytest.raises(EdgeVoiceError, match=complaint):
        train("ctc", config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_clip_that_is_not_there_is_found_before_training(tmp_path):
    """Not after an hour, when its batch comes; its line and column are named."""
    manifest = rewritten(small_corpus(tmp_path), path="gone.wav", duration_s="2")
    with pytest.raises(ConfigError, match=r"manifest\.csv, line 2: .*gone\.wav \(column path\) is not there"):
        train("ctc", tiny_recipe(manifest, TINY_BERT), tmp_path / "run")
    (manifest.parent / "gone.wav").write_text("no recording", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 2: .*gone\.wav cannot be read: Format not recognised"):
        train("ctc", tiny_recipe(manifest, TINY_BERT), tmp_path / "run")


@pytest.mark.parametrize(
    ("kind", "task", "complaint"),
    [
        ("whisper", "ctc", "is a whisper, which cannot be trained for captions. Use it with 'edgevoice train intent'"),
        ("mctct", "intent", "is a mctct, which cannot be trained for intents. Use it with 'edgevoice train ctc'"),
    ],
)
def test_a_checkpoint_of_the_wrong_kind_is_told_what_it_is(tmp_path, kind, task, complaint):
    """And which command takes it."""
    other = "intent" if task == "ctc" else "ctc"
    recipe = tiny_recipe(small_corpus(tmp_path), encoder(kind), "trainer.max_steps=1", *features(kind))
    train(other, recipe, tmp_path / "other")
    again = tiny_recipe(small_corpus(tmp_path), {}, f"model.checkpoint={tmp_path / 'other'}")
    with pytest.raises(EdgeVoiceError, match=re.escape(complaint)):
        train(task, again, tmp_path / "run")


@pytest.mark.parametrize("kind", ["whisper", "audio-spectrogram-transformer"])
def test_what_cannot_have_captions_cannot_be_joint(tmp_path, kind):
    """From a recipe or from a checkpoint; nothing is written."""
    recipe = tiny_recipe(small_corpus(tmp_path), encoder(kind), "trainer.max_steps=1", *features(kind))
    with pytest.raises(EdgeVoiceError, match=r"cannot be trained for captions\. Use it with 'edgevoice train intent'"):
        train("joint", recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_bundle_in_place_of_a_checkpoint(capfd):
    """What it is, and what takes it."""
    assert main(["train", "predict", "models/banking-en", "a.wav"]) == 1
    assert "'models/banking-en' is a bundle, not a checkpoint. Run it with" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("runs/nowhere", "There is no folder 'nowhere' in 'runs'. Name a folder"),
        ("small/manifest.csv", "'small/manifest.csv' is a file, and a checkpoint is a folder"),
        (
            "models/banking-en",
            "There is no folder 'models/banking-en' here. The model that comes along is 'banking-en'",
        ),
        ("runs/no where", "There is no checkpoint 'runs/no where', since there is no such folder"),
        ("me/model", "There is no folder 'me/model' here; and if it is a hub id, .* not in the cache"),
    ],
)
def test_a_mistyped_checkpoint_is_told_from_one_of_the_hub(tmp_path, monkeypatch, name, complaint):
    """Before the data are read: here there are none."""
    small_corpus(tmp_path)
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EdgeVoiceError, match=complaint):
        train("ctc", tiny_recipe(tmp_path / "no.csv", {}, f"model.checkpoint={name}"), tmp_path / "run")


def test_code_that_lies_beside_weights_is_not_run(tmp_path):
    """Nor is anybody asked whether it should be."""
    folder = tmp_path / "evil"
    folder.mkdir()
    auto = {"AutoConfig": "evil.Config", "AutoModelForCTC": "evil.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}), encoding="utf-8")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"feature_extractor_type": "Evil", "auto_map": {"AutoFeatureExtractor": "evil.Extractor"}})
    )
    clip = next(Path("export/clips").glob("*.ogg")).resolve()
    for arguments in (["predict", folder, clip], ["ctc", "--model", folder, "--data", small_corpus(tmp_path)]):
        output = ["--output", tmp_path / "run"] if arguments[0] == "ctc" else []
        command = [Path(sys.executable).with_name("edgevoice"), "train", *arguments, *output]
        ended = subprocess.run(command, input="y\ny\ny\n", capture_output=True, text=True, timeout=100, check=False)
        assert ended.returncode == 1
        assert "Do you wish" not in ended.stdout + ended.stderr
        assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert not (tmp_path / "ran").exists()


def test_code_that_stands_for_attention_is_not_fetched(tmp_path):
    """A configuration may name a repository of programs, which `trust_remote_code` does not cover."""
    config = {**TINY_WAV2VEC2, "architectures": ["Wav2Vec2ForCTC"], "_attn_implementation": "somebody/kernel"}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(EdgeVoiceError, match="wants to run code of 'somebody/kernel'"):
        read_config(str(tmp_path))


@pytest.mark.parametrize("text", ["[]", "7", '"model"', "null", '["wav2vec2"]'])
def test_a_configuration_that_is_no_object_is_one_sentence(tmp_path, text):
    """JSON, but not of a model."""
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"has no configuration \(config\.json\) that can be read"):
        read_config(str(tmp_path))


@pytest.mark.parametrize("text", ["[]", "null"])
def test_a_feature_extractor_that_is_no_object_is_one_sentence(tmp_path, text):
    (tmp_path / "preprocessor_config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"has no feature extractor"):
        load_features(str(tmp_path))


@pytest.mark.parametrize("kind", ["waveform", "log_mel"])
def test_a_checkpoint_of_another_sampling_rate_is_refused(tmp_path, kind):
    """Both sides of the comparison would hear it at the wrong one."""
    save_features(FeatureSettings(kind=kind), tmp_path)
    file = tmp_path / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sampling_rate": 8000}), encoding="utf-8")
    with pytest.raises(ModelError, match="hears audio of 8000 Hz"):
        load_features(str(tmp_path))


def test_a_missing_tokenizer_says_which_file(tmp_path):
    """And not what a library makes of a path that is None."""
    captions(tmp_path)
    for name in ("vocab.json", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer: .* holds no vocab\.json and no tokenizer\.json"):
        load_checkpoint(str(tmp_path))


def test_weights_that_are_a_pickle_are_not_loaded(tmp_path):
    """Whatever it would do: safetensors only."""
    train("ctc", tiny_recipe(small_corpus(tmp_path), TINY_WAV2VEC2, "trainer.max_steps=1"), tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").rename(tmp_path / "run" / "pytorch_model.bin")
    shutil.rmtree(tmp_path / "run" / "checkpoint-1")
    again = tiny_recipe(small_corpus(tmp_path), {}, f"model.checkpoint={tmp_path / 'run'}")
    with pytest.raises(EdgeVoiceError, match=r"has no weights \(model\.safetensors\)"):
        train("ctc", again, tmp_path / "again")


MEMORY = """
import resource, sys
import torch, transformers.trainer, datasets, sklearn.metrics, training.run  # what is loaded anyway does not count
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 900 * 2**20,) * 2)
from edgevoice.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="not Linux")
def test_out_of_memory_names_the_batch_and_what_to_try(tmp_path):
    """In a process that may not have more."""
    encoder = {**TINY_WAV2VEC2, "conv_dim": [512, 512, 512]}
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in encoder.items())
    (tmp_path / "recipe.toml").write_text(
        f"[model.encoder]\n{lines}[trainer]\nbatch_seconds = 400.0\n", encoding="utf-8"
    )
    command = [sys.executable, "-c", MEMORY, "train", "ctc", "--config", str(tmp_path / "recipe.toml")]
    command += ["--data", str(small_corpus(tmp_path)), "--output", str(tmp_path / "run")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "2"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=110, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert re.search(r"Out of memory on a batch of \d+ clips, \d+ samples each", ended.stderr), ended.stderr
    assert "--set trainer.batch_seconds=200 --set trainer.gradient_accumulation_steps=2" in ended.stderr


def test_out_of_memory_while_measuring_does_not_blame_the_training_batches(tmp_path, monkeypatch):
    """Which have nothing to do with it."""
    forward = Wav2Vec2ForCTC.forward

    @functools.wraps(forward)
    def too_large(self, *arguments, **named):
        if not self.training:
            raise MemoryError
        return forward(self, *arguments, **named)

    monkeypatch.setattr(Wav2Vec2ForCTC, "forward", too_large)
    recipe = tiny_recipe(small_corpus(tmp_path), TINY_WAV2VEC2, "trainer.max_steps=1", "trainer.evaluate_every=1")
    with pytest.raises(EdgeVoiceError, match=r"Out of memory while measuring 8 clips, \d+ samples each") as caught:
        train("ctc", recipe, tmp_path / "run")
    assert "batch_seconds" not in str(caught.value)


def test_more_text_than_frames_is_left_out(tmp_path):
    """CTC needs a frame for each token and one between two that are equal."""
    assert (frames_needed([]), frames_needed([1, 2]), frames_needed([1, 1, 2])) == (0, 2, 4)
    manifest = rewritten(small_corpus(tmp_path), text="far more than anybody can say " * 40)
    for tiny in (TINY_BERT, TINY_WAV2VEC2):
        with pytest.raises(ConfigError, match="more text than the model has frames"):
            train("ctc", tiny_recipe(manifest, tiny), tmp_path / "run")


def test_dev_clips_of_unknown_intents_are_no_figure(tmp_path):
    """Where none is left there is nothing to choose a checkpoint by."""
    manifest = small_corpus(tmp_path)
    text = manifest.read_text(encoding="utf-8")
    for known in ("short", "long"):
        text = "\n".join(
            line.replace(f",{known},", ",strange,") if ",dev" in line else line for line in text.split("\n")
        )
    manifest.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="has an intent that is trained"):
        train("intent", tiny_recipe(manifest, TINY_WAV2VEC2), tmp_path / "run")


def test_a_run_does_not_go_on_with_another_vocabulary_or_size(tmp_path):
    """What was learnt would be read with the wrong letters; the run stays as it was."""
    manifest = small_corpus(tmp_path)
    run = tmp_path / "run"
    short = ("trainer.max_steps=2", "trainer.evaluate_every=2")
    train("ctc", tiny_recipe(manifest, TINY_BERT, *short), run)
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match="the model's size would be another"):
        train("ctc", tiny_recipe(manifest, {**TINY_BERT, "hidden_size": 16}, *short), run)
    rewritten(manifest, text="žluťoučký kůň")
    with pytest.raises(UsageError, match="the vocabulary"):
        train("ctc", tiny_recipe(manifest, TINY_BERT, *short), run)
    with pytest.raises(UsageError, match="the task"):
        train("joint", tiny_recipe(manifest, TINY_BERT, *short), run)
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_a_vocabulary_of_capitals_spells_lower_case_texts(tmp_path):
    """The English checkpoints of the hub have one."""
    file = tmp_path / "vocab.json"
    file.write_text('{"<pad>": 0, "<unk>": 1, "|": 2, "\'": 3, "A": 4, "B": 5}', encoding="utf-8")
    tokenizer = Wav2Vec2CTCTokenizer(str(file), bos_token=None, eos_token=None, pad_token="<pad>", unk_token="<unk>")
    spell(tokenizer, ["ab'a b"]).save_pretrained(tmp_path / "saved")
    again = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "saved")
    for each in (tokenizer, again):
        assert text_of(each("ab'a b")["input_ids"], canonical(each)[0]) == "AB'A B"
    with pytest.raises(ConfigError, match="no letter of the texts"):
        spell(Wav2Vec2CTCTokenizer(str(file), bos_token=None, eos_token=None, pad_token="<pad>"), ["привет"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no/checkpoint/here", "-o", "bundle"], "There is no checkpoint 'no/checkpoint/here'"),
        (["empty", "-o", "bundle"], "checkpoint 'empty' has no configuration"),
        (["empty", "-o", "file"], "file is no folder"),
        (["empty", "-o", ".", "--force"], "cannot be replaced by a bundle"),
        (["empty", "-o", "bundle", "--extras", "no"], "no folder no"),
        (["empty", "-o", "bundle", "--clips", "no.csv"], "no.csv cannot be read"),
        (["empty", "-o", "bundle", "--precision", "fp8"], "Unknown precision"),
        (["empty", "-o", "bundle", "--threshold", "7"], "is no probability"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(tmp_path, monkeypatch, arguments, complaint):
    """One sentence, and no bundle."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("file").write_text("mine", encoding="utf-8")
    with pytest.raises(EdgeVoiceError, match=complaint):
        export.cli.main(arguments)
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "file"}


def test_a_checkpoint_without_a_tokenizer_is_explained_and_one_within_a_run_has_its_runs(tmp_path):
    """`checkpoint-2` of a run holds the weights only; the rest lies in the folder above."""
    train("ctc", tiny_recipe(small_corpus(tmp_path), TINY_BERT, "trainer.max_steps=2"), tmp_path / "run")
    middle = tmp_path / "run" / "checkpoint-2"
    assert export.cli.main([str(middle), "-o", str(tmp_path / "bundle"), "--precision", "fp32"]) == 0
    middle.rename(tmp_path / "alone")
    with pytest.raises(EdgeVoiceError, match=r"has no (tokenizer|feature extractor)"):
        export.cli.main([str(tmp_path / "alone"), "-o", str(tmp_path / "other")])
    assert not (tmp_path / "other").exists()


def test_bench_does_not_measure_what_it_could_not_write(tmp_path):
    """It says so before, not after, an hour."""
    with pytest.raises(UsageError, match="There is no folder"):
        bench.cli.main(["accuracy", "no", "--data", "no.csv", "--output", str(tmp_path / "no" / "figures.json")])


def test_ctrl_c_ends_a_training_that_the_same_command_goes_on_with(tmp_path):
    """Exit code 130, one line with what to do, and a whole checkpoint to go on from."""
    recipe = {
        "model.encoder": TINY_BERT,
        "model.features": {"kind": "log_mel", "normalise": "running", "stride": 4},
        "trainer": {"max_steps": 100_000, "evaluate_every": 5, "batch_seconds": 20.0},
    }
    lines = [
        f"[{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items()) for name, keys in recipe.items()
    ]
    (tmp_path / "recipe.toml").write_text("".join(lines), encoding="utf-8")
    run = tmp_path / "run"
    command = [Path(sys.executable).with_name("edgevoice"), "train", "ctc", "--config", tmp_path / "recipe.toml"]
    command += ["--data", small_corpus(tmp_path), "--output", run]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as training_run:
        while training_run.poll() is None and not list(run.glob("checkpoint-*/trainer_state.json")):
            time.sleep(0.1)
        training_run.send_signal(signal.SIGINT)
        said = training_run.communicate(timeout=60)[1]
    assert training_run.returncode == 130, said
    assert "the same command goes on" in said
    assert "Traceback" not in said


def test_an_unknown_task_is_wrong_usage(capsys):
    """As argparse says it."""
    with pytest.raises(SystemExit, match="2"):
        training.cli.main(["dictation", "--output", "run"])
    assert "invalid choice" in capsys.readouterr().err
