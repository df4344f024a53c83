"""Optimum configurations for what Optimum cannot export by itself: Wav2Vec2-BERT, and our encoder with two heads.

Both take one input and no attention mask: live audio is decoded one window at a time, without padding.
"""

from __future__ import annotations

from typing import Any

from optimum.exporters.onnx.config import OnnxConfig
from optimum.utils import NormalizedConfig
from optimum.utils.input_generators import DummyAudioInputGenerator

CTC_OUTPUT, INTENT_OUTPUT = "ctc_logits", "intent_logits"


class FrameInputGenerator(DummyAudioInputGenerator):  # type: ignore[misc]
    """Random features laid out as Wav2Vec2-BERT takes them: [batch, frames, features]."""

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Any:
        """A random input of the given name."""
        if input_name == "input_values":
            return super().generate(input_name, framework, int_dtype, float_dtype)
        shape = [self.batch_size, 100, self.normalized_config.frame_size]
        return self.random_float_tensor(shape=shape, min_value=-1, max_value=1, framework=framework, dtype=float_dtype)


class SpeechOnnxConfig(OnnxConfig):  # type: ignore[misc]
    """One audio input; logits of one head, or of both."""

    NORMALIZED_CONFIG_CLASS = NormalizedConfig.with_args(frame_size="feature_projection_input_dim", allow_new=True)
    DUMMY_INPUT_GENERATOR_CLASSES = (FrameInputGenerator,)
    DEFAULT_ONNX_OPSET = 18

    def __init__(self, config: Any, *, input_name: str, heads: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(config, task="feature-extraction", **kwargs)
        self.input_name, self.heads = input_name, heads

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """The one input and its dynamic axes."""
        return {self.input_name: {0: "batch_size", 1: "sequence_length"}}

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """The logits and their dynamic axes."""
        axes = {CTC_OUTPUT: {0: "batch_size", 1: "frames"}, INTENT_OUTPUT: {0: "batch_size"}}
        if len(self.heads) == 2:
            return axes
        return {"logits": axes[CTC_OUTPUT if self.heads == ("ctc",) else INTENT_OUTPUT]}


def needs_own_config(model: Any) -> bool:
    """Whether Optimum has no exporter for this model."""
    return model.config.model_type in ("edgevoice-joint", "wav2vec2-bert")


def own_config(model: Any) -> SpeechOnnxConfig:
    """Our configuration for a joint model or a Wav2Vec2-BERT with one head."""
    if model.config.model_type == "edgevoice-joint":
        encoder = model.encoder
        return SpeechOnnxConfig(encoder.config, input_name=encoder.main_input_name, heads=("ctc", "intent"))
    heads = ("ctc",) if "CTC" in type(model).__name__ else ("intent",)
    return SpeechOnnxConfig(model.config, input_name=model.main_input_name, heads=heads)
