#!/usr/bin/env bash
# Rebuilds the bundled reader and model from nothing: `make model`. Resumable: every step goes on where it stopped.
# The recordings (speechocean762, vctk-p239, ...) are read from ../shared/data; see training/banking_en/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
DATA=../shared/data # named by training/configs/banking-en.toml too
VOICE=${VOICE:-kokoro-bf_emma}
edgevoice=.venv/bin/edgevoice
python=.venv/bin/python

if [[ ! -f $DATA/speechocean762/manifest.csv ]]; then
  echo "There are no recordings in $DATA. training/banking_en/README.md says which belong there." >&2
  exit 1
fi

# what reads finished sentences comes from its makers, by name, version and sha256
$python scripts/silero.py
$python -m export.moonshine --output models/moonshine-tiny --force

$edgevoice train synthesise --sentences training/banking_en/sentences.csv --output corpus/banking-en --hours 20 --seed 1
# first the sounds, hearing whole sentences, which is learnt faster; then to hear in chunks, which is what runs live
$edgevoice train joint --config training/configs/banking-en.toml --output runs/banking-en
$edgevoice train joint --config training/configs/banking-en.toml --streaming --model runs/banking-en \
  --output runs/banking-en-streaming --set trainer.max_steps=4000 --set trainer.learning_rate=5e-4 \
  --set trainer.warmup_steps=150 --set trainer.evaluate_every=250 \
  --set data.lead_s=0.4 --set data.tail_s=0.5 --set data.cut_others=0.15
$edgevoice train calibrate runs/banking-en-streaming --data corpus/banking-en/manifest.csv --false-accept-rate 0.02

mkdir -p runs/extras
$python -m training.language_model --sentences training/banking_en/sentences.csv --split train --output runs/words.arpa.gz
$python -m training.sample_call --voice "$VOICE" --output runs/extras/sample_call.flac
$edgevoice export runs/banking-en-streaming --output models/banking-en --extras runs/extras --language-model runs/words.arpa.gz --precision fp32 --licence Apache-2.0 --language en --force
# how sure words are, by real people: made-up voices are heard too well
$python -m training.confidence models/banking-en --write \
  --data "$DATA/speechocean762/manifest.csv" --data "$DATA/librispeech-test-other/manifest.csv" \
  --data "$DATA/commonvoice-deltas/manifest.csv" --data "$DATA/wuw-telephone/manifest.csv" \
  --data "$DATA/vctk-p239/manifest.csv" --data "$DATA/precise-words/manifest.csv"
$python -m training.reading_confidence models/moonshine-tiny --model models/banking-en --write \
  --data "$DATA/commonvoice-deltas/manifest.csv" --data "$DATA/speechocean762/manifest.csv" \
  --data "$DATA/wuw-telephone/manifest.csv" --data "$DATA/vctk-p239/manifest.csv" --data "$DATA/fsdd/manifest.csv" \
  --data "$DATA/wake-words/manifest.csv" --data "$DATA/precise-words/manifest.csv"
$edgevoice bench accuracy models/banking-en --live 400 --output runs/accuracy.json \
  --data corpus/banking-en/manifest.csv \
  --data "$DATA/speechocean762/manifest.csv" \
  --data "$DATA/librispeech-test-other/manifest.csv" \
  --data "$DATA/vctk-p239/manifest.csv" \
  --data "$DATA/ljspeech-32/manifest.csv" \
  --data "$DATA/precise-words/manifest.csv" \
  --data "$DATA/wake-words/manifest.csv"
$python -m export.card models/banking-en --template training/banking_en/card.md --figures runs/accuracy.json \
  --sample "$($python -m training.sample_call --describe "$VOICE")"
$python scripts/readme_figures.py
