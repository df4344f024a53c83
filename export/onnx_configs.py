"""What Optimum cannot export by itself, registered with it: Wav2Vec2-BERT, and our encoder with two heads.

Both take one input and no attention mask: live audio is decoded one window at a time, without padding.
"""

from __future__ import annotations

from typing import Any

from optimum.exporters.onnx.config import OnnxConfig
from optimum.exporters.tasks import TasksManager
from optimum.utils import NormalizedConfig
from optimum.utils.input_generators import DummyAudioInputGenerator

OPSET = 18
CTC_OUTPUT, INTENT_OUTPUT = "ctc_logits", "intent_logits"
JOINT_TASK = "feature-extraction"
"""What our encoder with two heads is registered for: Optimum knows no task that has both."""

_AXES = {CTC_OUTPUT: {0: "batch_size", 1: "frames"}, INTENT_OUTPUT: {0: "batch_size"}}
_register = TasksManager.create_register("onnx")


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


@_register("wav2vec2-bert", "automatic-speech-recognition", "audio-classification")
class FramesOnnxConfig(OnnxConfig):  # type: ignore[misc]
    """Frames of features in, logits of one head out."""

    NORMALIZED_CONFIG_CLASS = NormalizedConfig.with_args(frame_size="feature_projection_input_dim", allow_new=True)
    DUMMY_INPUT_GENERATOR_CLASSES = (FrameInputGenerator,)
    DEFAULT_ONNX_OPSET = 18

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """The one input and its dynamic axes."""
        frames = hasattr(self._config, "feature_projection_input_dim")
        return {"input_features" if frames else "input_values": {0: "batch_size", 1: "sequence_length"}}

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """The logits and their dynamic axes."""
        return {"logits": _AXES[INTENT_OUTPUT if self.task == "audio-classification" else CTC_OUTPUT]}


@_register("edgevoice-joint", JOINT_TASK)
class JointOnnxConfig(FramesOnnxConfig):
    """What the encoder takes, logits of both heads out."""

    def __init__(self, config: Any, task: str = JOINT_TASK, **kwargs: Any) -> None:
        super().__init__(config.encoder_config(), task=task, **kwargs)

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """The logits and their dynamic axes."""
        return _AXES


def joint_config(model: Any) -> OnnxConfig:
    """What is registered for a model with two heads. Optimum's own entry cannot be asked for it: it looks for the name
    of a library in the module of the model's class."""
    constructor = TasksManager.get_exporter_config_constructor(
        exporter="onnx", task=JOINT_TASK, model_type=model.config.model_type, library_name="transformers"
    )
    return constructor(model.config)
