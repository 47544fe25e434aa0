"""A model that needs no weights, and videos that tell it what to do by their colour.

Worker processes import this module by name, so that tests can hand them `build_fake`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pose_extract.estimator import FrameBgr, FramePeople
from pose_extract.settings import ExtractSettings
from poses.layout import get_layout

SETTINGS = ExtractSettings(model="fake", layout="coco17")
GREY, EMPTY, CRASH, HANG, RAISE = (128, 128, 128), (0, 0, 0), (0, 0, 255), (255, 0, 0), (0, 255, 0)
"""BGR: a person, nobody, abort the process, never answer, raise."""


def write_video(path: Path, colour_bgr: tuple[int, int, int] = GREY, frames: int = 12, fps: int = 25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=path.suffix.lstrip(".").replace("mkv", "matroska")) as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, fps)
        image = np.full((48, 64, 3), colour_bgr, np.uint8)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class FakeClip:
    """One person in every frame, where the colour says so."""

    def __init__(self, seconds_per_frame: float) -> None:
        self._pause_s = seconds_per_frame
        self._frame = 0

    def push(self, frames_bgr: Sequence[FrameBgr]) -> list[FramePeople]:
        return [self._answer(frame) for frame in frames_bgr]

    def finish(self) -> list[FramePeople]:
        return []

    def _answer(self, frame_bgr: FrameBgr) -> FramePeople:
        if self._pause_s:
            time.sleep(self._pause_s)
        blue, green, red = (int(value) for value in frame_bgr[24, 32])
        if red > 200 and green < 60:
            os.abort()
        if blue > 200 and green < 60:
            time.sleep(3600)
        if green > 200 and red < 60:
            raise RuntimeError("the fake model was asked to fail")
        if red < 60:
            return FramePeople.nobody(17)
        self._frame += 1
        xy_px = np.full((1, 17, 2), 10.0 + self._frame, np.float32)
        xy_px[..., 1] += np.arange(17)
        box = np.array([[8, 8, 40, 40]], np.float32)
        return FramePeople(xy_px, np.full((1, 17), 0.75, np.float32), box, np.ones(1, np.float32))


class FakeEstimator:
    batch = 4
    weights: dict[str, str] = {"fake": "0" * 64}  # noqa: RUF012
    runtime = "fake"

    def __init__(self, seconds_per_frame: float = 0.0) -> None:
        self.layout = get_layout("coco17")
        self._pause_s = seconds_per_frame

    def start_clip(self) -> FakeClip:
        return FakeClip(self._pause_s)


def build_fake(settings: ExtractSettings) -> FakeEstimator:
    return FakeEstimator()


def build_slow(settings: ExtractSettings) -> FakeEstimator:
    return FakeEstimator(seconds_per_frame=0.004)


class ColourBlindClip(FakeClip):
    """One person in every frame, whatever it shows."""

    def _answer(self, frame_bgr: FrameBgr) -> FramePeople:
        return super()._answer(np.full((48, 64, 3), GREY, np.uint8))


class ColourBlindEstimator(FakeEstimator):
    def start_clip(self) -> ColourBlindClip:
        return ColourBlindClip(0.0)


def build_colour_blind(settings: ExtractSettings) -> ColourBlindEstimator:
    return ColourBlindEstimator()


def build_broken(settings: ExtractSettings) -> FakeEstimator:
    raise RuntimeError("the weights are broken")


def build_seeing_gpus(settings: ExtractSettings) -> FakeEstimator:
    """Says which GPUs its process may see; slow, so that no worker does all the clips."""
    estimator = FakeEstimator(seconds_per_frame=0.05)
    estimator.runtime = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    return estimator
