"""Tiny clips of frames: a square that moves across noise, to another side in each class."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_clip import FrameClip, FramesRgb
from fidget.training.recipe import Recipe, parse_recipe
from protocols.label_tree import LabelTree
from protocols.protocol import Protocol, Split

SIDES = LabelTree("sides", ("rest", "move left", "move right"))


def frames_of_clip(number: int, frames: int = 12, height: int = 36, width: int = 48) -> FramesRgb:
    """(T, H, W, 3); class `number % 3` rests, moves left or moves right."""
    rng = np.random.default_rng(number)
    pictures = rng.integers(0, 60, (frames, height, width, 3), dtype=np.uint8)
    for time in range(frames):
        path = time / max(frames - 1, 1)
        share = (0.5, 1 - path, path)[number % 3]
        x, y = int(share * (width - 12)), int(rng.integers(8, height - 16))
        pictures[time, y : y + 10, x : x + 10] = 220, 80 + 10 * (number % 5), 40
    return pictures


class ArrayClips:
    """Clips in memory; what `VideoClips` is to videos."""

    def __init__(self, clips: Mapping[str, FramesRgb], failed: Mapping[str, str] | None = None) -> None:
        self.where = "memory"
        self.problems = dict(failed or {})
        self.remarks: dict[str, str] = {}
        self.without_person: tuple[str, ...] = ()
        self.status = {name: "ok" for name in clips} | {name: "failed" for name in self.problems}
        self.checksums: dict[str, object] = {name: hash(one.tobytes()) for name, one in clips.items()}
        self.checksums |= dict.fromkeys(self.problems)
        self.cache_hash = "0123456789abcdef"
        self.simulated = False
        self.persons: dict[str, NDArray[np.float32]] = {}
        self._clips = clips

    def read(self, clip_id: str) -> FrameClip:
        pictures = self._clips[clip_id]
        shape = pictures.shape[1:3]
        return FrameClip(clip_id, len(pictures), shape, lambda k: pictures[k], self.persons.get(clip_id))


def array_clips(count: int = 18, **kind: int) -> ArrayClips:
    """Clips `clip00`, `clip01`, ... of different lengths."""
    return ArrayClips({f"clip{n:02d}": frames_of_clip(n, 8 + n % 6, **kind) for n in range(count)})


def frame_protocol(count: int = 18, val: int = 3, test: int = 3) -> Protocol:
    """The first clips train, then those of val and test."""
    numbers = np.split(np.arange(count), [count - val - test, count - test])
    splits = {
        name: Split(tuple(f"clip{n:02d}" for n in part), tuple(int(n) % 3 for n in part))
        for name, part in zip(("train", "val", "test"), numbers, strict=True)
        if len(part)
    }
    return Protocol("sides", SIDES, splits)


FRAME_RECIPE = """
name = "tiny_frames"
[model]
name = "tsm_r50"
options = { width = 8, depths = [1, 1, 1, 1] }
[input]
form = "frames"
frames = 4
size = 32
[augment]
crop = "multi_scale"
flip_probability = 0.5
[train]
epochs = 2
batch_size = 4
learning_rate = 0.01
threads = 1
"""


def frame_recipe(*overrides: str) -> Recipe:
    """A narrow TSM on four frames of 32 pixels."""
    return parse_recipe(FRAME_RECIPE, "tiny_frames", overrides)


def write_video(path: Path, pictures: FramesRgb, fps: int = 12) -> Path:
    """An mp4 of MPEG-4 part 2, which every build of PyAV can write."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.height, stream.width, stream.pix_fmt = pictures.shape[1], pictures.shape[2], "yuv420p"
        stream.bit_rate = 2_000_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
