"""Clips to the input of heatmap networks: sampled, augmented, cropped and drawn, a whole batch at once.

Two kernels: one finds the crop and puts every joint on its map (points, a few kB a clip), one draws them
(`heatmap.render`). `points` stops before the second, for drawing on a GPU (`heatmap_torch.render`).
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from poses.layout import Layout
from poses.sampling import Convention
from skeleton_models.augment import Augment, Draw, Stream, draw, no_draw
from skeleton_models.clip_arrays import ClipArrays, ModelBatch, PackedClips, pack
from skeleton_models.frame_sampling import Sampling, test_positions, training_positions
from skeleton_models.heatmap import UINT8_SCALE, Drawing, joint_drawing, limb_drawing, render
from skeleton_models.heatmap_crop import CropRules
from skeleton_models.heatmap_lanes import LINE
from skeleton_models.heatmap_points import PointSetting, map_points
from skeleton_models.random_keys import Keys, uniform

CUTS: dict[Convention, float] = {"pyskl": 1e-3, "mmaction2": 1e-4}
DTYPES = {"float32": torch.float32, "float16": torch.float16, "uint8": torch.uint8}


def new_volume(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Memory that is not zeroed; numpy asks the system for large pages, which come five times faster."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + LINE, np.uint8)
    first = -memory.ctypes.data % LINE  # `heatmap_lanes.stream` writes whole lines
    return torch.from_numpy(memory[first : first + size]).view(dtype).view(shape)


@dataclass
class _Canvas:
    """Memory of a volume, `drawn` as in `heatmap.render`; `watch` sees torch write to what was lent."""

    memory: NDArray[np.generic]
    drawn: NDArray[np.int16]
    lent: weakref.ref[NDArray[np.generic]] | None = None
    watch: Tensor | None = None
    version: int = 0

    @property
    def free(self) -> bool:
        return self.lent is None or self.lent() is None


class Canvases:
    """Memory for batches that is used again as soon as nobody holds them, nor a part of them.

    New memory costs ten times the drawing: the system hands it out page by page. And what was drawn is known,
    so the next batch clears only that. Free memory that a batch does not fit is given back. For one thread at
    a time. Batches are to be read; if torch changes one in place it is noticed, at the price of clearing all
    of it, but a change through numpy is not.
    """

    def __init__(self) -> None:
        self._kept: list[_Canvas] = []

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[Tensor, NDArray[np.int16]]:
        """A volume of this shape (rows, C, T, H, W), and which lines of its maps may not be zero."""
        canvas = next((one for one in self._kept if self._fits(one, shape, dtype)), None)
        if canvas is None:
            self._kept = [one for one in self._kept if not one.free]
            memory = new_volume(shape, dtype).zero_().numpy()
            canvas = _Canvas(memory, np.zeros((*shape[:3], 2), np.int16))
            self._kept.append(canvas)
        elif canvas.watch is not None and canvas.watch._version != canvas.version:
            canvas.drawn[..., 0], canvas.drawn[..., 1] = 0, shape[3]
        memory = canvas.memory[: shape[0]]  # torch holds this array as long as it needs the memory
        canvas.lent = weakref.ref(memory)
        with torch.inference_mode(False):  # whose tensors do not count
            x = torch.from_numpy(memory)
            canvas.watch = x.detach()  # counts with x how often torch has written
            canvas.watch.set_()  # type: ignore[call-overload]
        canvas.version = canvas.watch._version
        return x, canvas.drawn[: shape[0]]

    @staticmethod
    def _fits(canvas: _Canvas, shape: tuple[int, ...], dtype: torch.dtype) -> bool:
        own = canvas.memory.shape
        same = own[1:] == shape[1:] and canvas.memory.itemsize == dtype.itemsize
        return canvas.free and same and own[0] >= shape[0]


@dataclass(frozen=True)
class HeatmapInput:
    """Builds (N, C, T, H, W) batches, C joints or limbs; plain settings, no state.

    A clip of 3D joints is projected along the line of sight (orthographic): in training from the direction
    that `augment` turns it to, about `view_yaw_deg`; in evaluation from `view_yaw_deg`. Its box is then
    scaled to 1000 pixels, so that `augment.scale_range` changes nothing; the random crop does. So is the box
    of a 2D clip whose frame is below 10 pixels: its coordinates have another unit. In two
    dimensions the augmentation works about the middle of the persons' box, whose longer side is the unit,
    before the crop that was found without it. Mirroring comes last, as in PYSKL: x becomes W - x in
    training, W - 1 - x (the volume reversed) for the mirrored test clips, of both toolboxes.

    Attributes:
        layout: the joint set of the clips.
        frames: T.
        size_hw: height and width of the maps in training.
        kind: what is drawn.
        sigma: of the Gaussians, in pixels of the map.
        dtype: of the batch; uint8 holds round(255 * value), which `to_float` undoes on the device.
        convention: whose test clips, evaluation geometry and score cut (1e-3 or 1e-4).
        test_hw: of the maps in evaluation; 8/7 of size_hw if None (64 for 56, as published).
        limbs: to draw instead of the layout's, for networks trained with others.
        sampling: see `frame_sampling.training_positions`; `linear` is not for heatmaps.
        test_clips: views of a clip in evaluation; they share one crop, as published.
        test_flip: as many again, mirrored.
        augment: of training.
        crop: the crop's rules; `middle` follows the convention.
        random_crop: training takes a random part of the crop.
        view_yaw_deg: from where 3D clips are seen.
        threads: that share the rows of a batch.

    Raises:
        ValueError: a setting that does not exist or a number out of range; all are named at once.
    """

    layout: Layout
    frames: int = 48
    size_hw: tuple[int, int] = (56, 56)
    kind: Literal["joint", "limb"] = "joint"
    sigma: float = 0.6
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    convention: Convention = "pyskl"
    test_hw: tuple[int, int] | None = None
    limbs: tuple[tuple[int, int], ...] | None = None
    sampling: Sampling = "uniform"
    test_clips: int = 1
    test_flip: bool = False
    augment: Augment = field(default_factory=lambda: Augment(flip_probability=0.5))
    crop: CropRules = field(default_factory=CropRules)
    random_crop: bool = True
    view_yaw_deg: float = 0.0
    threads: int = 1

    def __post_init__(self) -> None:
        numbers = {"frames": self.frames, "test_clips": self.test_clips, "threads": self.threads}
        numbers["size_hw"], numbers["test_hw"] = min(self.size_hw), min(self.test_size_hw)
        problems = [f"{name} must be at least 1, got {n}" for name, n in numbers.items() if n < 1]
        choices = {"kind": ("joint", "limb"), "dtype": tuple(DTYPES), "convention": tuple(CUTS),
                   "sampling": ("uniform", "sorted", "window")}  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                problems.append(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.augment.drop_axis_probability:
            problems.append("drop_axis_probability is for graphs; a map without an axis shows nothing")
        if problems:
            raise ValueError("heatmap input: " + "; ".join(problems))
        self.drawing  # noqa: B018  raises what is wrong with sigma or limbs

    @property
    def test_size_hw(self) -> tuple[int, int]:
        """Height and width of the maps in evaluation."""
        return self.test_hw or (round(self.size_hw[0] * 8 / 7), round(self.size_hw[1] * 8 / 7))

    @property
    def views(self) -> int:
        """Rows a clip in evaluation."""
        return self.test_clips * (1 + self.test_flip)

    @cached_property
    def drawing(self) -> Drawing:
        """What is drawn."""
        cut = CUTS[self.convention]
        if self.kind == "joint":
            return joint_drawing(self.layout, self.sigma, cut)
        return limb_drawing(self.layout, self.sigma, cut, self.limbs)

    def channels(self, dimensions: int = 2) -> int:
        """C of the batches: a network's `in_channels`."""
        return len(self.drawing.pairs)

    def batch(
        self, clips: Sequence[ClipArrays], keys: Keys | None, out: Tensor | Canvases | None = None
    ) -> ModelBatch:
        """The batch of some clips.

        Args:
            clips: at least one, all of 2 or all of 3 dimensions; a clip without persons becomes zeros.
            keys: (N,) one a clip for training (`random_keys.clip_keys`), or None for evaluation.
            out: written instead of a new tensor: at least as many rows, the right shape and type; `x` is
                its beginning. Or where to take one: new memory costs far more than drawing.

        Raises:
            ValueError: clips of another layout, or a tensor that does not fit.
        """
        points = self._points(clips, keys)
        size_hw = self.test_size_hw if keys is None else self.size_hw
        views = 1 if keys is not None else self.views
        rows = len(clips) * views
        shape = (rows, self.channels(), self.frames, *size_hw)
        drawn = None
        if out is None:
            out = new_volume(shape, DTYPES[self.dtype])
        elif isinstance(out, Canvases):
            out, drawn = out.take(shape, DTYPES[self.dtype])
        elif out.dtype != DTYPES[self.dtype] or out.shape[1:] != shape[1:] or len(out) < rows:
            raise ValueError(
                f"out must be {self.dtype} of shape {shape} or longer, got {out.dtype}, {tuple(out.shape)}"
            )
        row = np.arange(len(points), dtype=np.int64)
        target, mirrored = row, np.full(len(row), -1, np.int64)
        if views > self.test_clips > 0 and keys is None:
            target = row + row // self.test_clips * self.test_clips
            mirrored = target + self.test_clips
        x = out[:rows]
        render(
            points,
            self.drawing,
            x.numpy(),
            target=target,
            mirrored=mirrored,
            drawn=drawn,
            threads=self.threads,
        )
        return ModelBatch(x=x, views=views)

    def pieces(self, clip: ClipArrays, views_at_once: int) -> Iterator[ModelBatch]:
        """The evaluation rows of one clip, a few at a time: together the rows of `batch([clip], None)`.

        Ten test clips and their mirror images are 267 MB in float32. Each piece holds some test clips and
        then their mirror images, so the order differs from that of `batch`; each says its own `views`.

        Args:
            clip: whose views.
            views_at_once: rows of a piece at most; at least a test clip and its mirror image are made.
        """
        points = self._points([clip], None)
        step = max(1, views_at_once // (1 + self.test_flip))
        for first in range(0, self.test_clips, step):
            some = points[first : first + step]
            row = np.arange(len(some), dtype=np.int64)
            shape = (len(some) * (1 + self.test_flip), self.channels(), self.frames, *self.test_size_hw)
            x = new_volume(shape, DTYPES[self.dtype])
            mirrored = row + len(some) if self.test_flip else None
            render(some, self.drawing, x.numpy(), mirrored=mirrored, threads=self.threads)
            yield ModelBatch(x=x, views=len(x))

    def points(self, clips: Sequence[ClipArrays], keys: Keys | None) -> Tensor:
        """(N * test_clips, M, T, V, 3) float32: x and y on the map, and score, for `heatmap_torch.render`.

        M is the largest number of persons. Mirrored test clips are not among the rows: the renderer makes
        them. Arguments as in `batch`.
        """
        return torch.from_numpy(self._points(clips, keys))

    def to_float(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """A batch's values in 0..1, on the batch's device."""
        return x.to(dtype) / UINT8_SCALE if x.dtype == torch.uint8 else x.to(dtype)

    def _points(self, clips: Sequence[ClipArrays], keys: Keys | None) -> NDArray[np.float32]:
        packed = pack(clips, len(self.layout.joints))
        if keys is None:
            positions = np.concatenate(
                [
                    test_positions(self.sampling, int(n), self.frames, self.test_clips, self.convention)
                    for n in packed.frames
                ]
            )
            return map_points(packed, positions, no_draw(len(positions), *self._sizes(packed)), None,
                              self._setting(self.test_size_hw))  # fmt: skip
        if len(keys) != len(clips):
            raise ValueError(f"expected one key a clip ({len(clips)}), got {len(keys)}")
        drawn = self._draw(keys, packed.xyz.shape[1])
        positions = training_positions(self.sampling, keys, packed.frames, self.frames, drawn)
        return map_points(packed, positions, drawn, keys, self._setting(self.size_hw))

    def _sizes(self, packed: PackedClips) -> tuple[int, int]:
        return packed.xyz.shape[1], len(self.layout.joints)

    @cached_property
    def _only_flips(self) -> bool:
        return self.augment == Augment(flip_probability=self.augment.flip_probability)

    def _draw(self, keys: Keys, dimensions: int) -> Draw:
        """`augment.draw`, by a shorter way where clips are only mirrored, as published."""
        if not self._only_flips or dimensions != 2:
            return draw(self.augment, keys, self.layout, dimensions)
        flip = uniform(keys, Stream.FLIP, 1)[:, 0] < self.augment.flip_probability
        drawn = no_draw(len(keys), dimensions, len(self.layout.joints))
        drawn.linear[flip, :, 0] *= -1
        return drawn._replace(flip=flip)

    def _setting(self, size_hw: tuple[int, int]) -> PointSetting:
        return PointSetting(
            mirror=self._mirror,
            vertical=2 if self.augment.vertical == "z" else 1,
            plain=self._only_flips,
            yaw=np.deg2rad(self.view_yaw_deg),
            size=np.array([*self.test_size_hw, *size_hw], np.int64),
            rules=self.crop._replace(middle=self.convention == "mmaction2"),
            random_crop=self.random_crop,
        )

    @cached_property
    def _mirror(self) -> NDArray[np.int64]:
        return np.array(self.layout.mirror, np.int64)
