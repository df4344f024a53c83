"""edgevoice: live captions and spoken intents in a terminal, offline, from one's own Wav2Vec2-family models."""

import os

__version__ = "0.1.0"

# onnxruntime 1.29 and later report usage to their maker unless this is set before the import
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# numpy's BLAS threads spin while they wait: at every update that costs ten times what the features themselves do
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
