"""What the user asked for, in one frozen record that travels to every worker and into the cache."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class ExtractSettings:
    """Everything that decides what is written for a clip.

    Attributes:
        model: a name of `pose_extract.zoo.MODELS`, never `auto` (that is resolved before).
        layout: joint layout of the cache.
        detector: a name of `pose_extract.zoo.DETECTORS`, or None where the model finds people itself.
        max_persons: people kept per clip, main subject first.
        detect_every_frames: a detector looks again after this many frames, and sooner on doubt.
        flip_test: average each crop with its mirror image (twice the cost).
        device: `auto`, `cpu`, `cuda`, `cuda:N`, `coreml`, `directml`, `openvino` or `tensorrt`.
        mmpose_config: with `mmpose`, the config file.
        mmpose_checkpoint: with `mmpose`, the checkpoint file.
    """

    model: str
    layout: str
    detector: str | None = None
    max_persons: int = 2
    detect_every_frames: int = 10
    flip_test: bool = False
    device: str = "auto"
    mmpose_config: str | None = None
    mmpose_checkpoint: str | None = None

    def recorded(self) -> dict[str, str | int | bool | None]:
        """What changes results, so not the device: a cache holds one combination of these."""
        values = asdict(self)
        del values["device"]
        return values
