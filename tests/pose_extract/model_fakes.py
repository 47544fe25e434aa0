"""Stand-ins for loaded models, with scripted answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from poses.layout import Layout


class FakeSession:
    """An `OnnxSession` that answers with given arrays and remembers what it was fed."""

    def __init__(self, *outputs: NDArray, names: Sequence[str] = ("dets", "labels")) -> None:
        self.path = Path("fake.onnx")
        self.provider = "CPUExecutionProvider"
        self.input_names = ["input"]
        self.input_shapes: list[list[int | str | None]] = [["batch", 3, "height", "width"]]
        self.output_names = list(names[: len(outputs)])
        self.outputs = list(outputs)
        self.fed: list[NDArray] = []

    def run(self, inputs: Mapping[str, NDArray]) -> list[NDArray]:
        self.fed.append(inputs["input"].copy())
        return self.outputs


TWO_JOINTS = Layout("two", ("left_hand", "right_hand"), (0, 0), ((0, 1),), (1, 0))


def frame_number(frame_bgr: NDArray[np.uint8]) -> int:
    return int(frame_bgr[0, 0, 0])


def numbered_frames(count: int, hw: tuple[int, int] = (240, 320)) -> list[NDArray[np.uint8]]:
    frames = [np.zeros((*hw, 3), np.uint8) for _ in range(count)]
    for number, frame in enumerate(frames):
        frame[0, 0, 0] = number
    return frames


class ScriptedDetector:
    """Boxes as a function of the frame's number; counts its looks."""

    def __init__(self, boxes: Callable[[int], Sequence[tuple[Sequence[float], float]]]) -> None:
        self._boxes = boxes
        self.looked_at: list[int] = []

    def detect(self, frame_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        number = frame_number(frame_bgr)
        self.looked_at.append(number)
        seen = sorted(self._boxes(number), key=lambda box: -box[1])
        return (
            np.array([box for box, _ in seen], np.float32).reshape(-1, 4),
            np.array([score for _, score in seen], np.float32),
        )


class ScriptedPose:
    """Two joints, at the left and right edge of the box unless the script says otherwise."""

    layout = TWO_JOINTS

    def __init__(
        self, score: Callable[[int, NDArray], float] = lambda number, box: 0.9, shift_px: float = 0.0
    ) -> None:
        self._score, self._shift_px = score, shift_px
        self.posed: list[list[int]] = []

    def estimate(
        self, frames_bgr: Sequence[NDArray[np.uint8]], boxes_px: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        answers = []
        self.posed.append([])
        for frame, boxes in zip(frames_bgr, boxes_px, strict=True):
            self.posed[-1] += [frame_number(frame)] * len(boxes)
            middle = (boxes[:, 1] + boxes[:, 3]) / 2
            xy_px = np.stack(
                [np.stack([boxes[:, 0], middle], axis=1), np.stack([boxes[:, 2], middle], axis=1)], axis=1
            )
            score = np.array([[self._score(frame_number(frame), box)] * 2 for box in boxes], np.float32)
            answers.append(((xy_px + self._shift_px).astype(np.float32), score.reshape(-1, 2)))
        return answers
