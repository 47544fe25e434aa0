"""PYSKL's sample pipeline for PoseC3D in plain numpy: the reference that our heatmaps are timed against.

Written from what that pipeline does, step by step as it does it: a copy of the annotation, one frame from
each of 48 segments after a Python loop over all frames that counts persons, the box around all persons,
resize, random crop, resize, flip, a Gaussian at a time, channels to the front, a tensor, and a batch
stacked from samples.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from poses.layout import Layout

Sample = dict[str, Any]


@dataclass(frozen=True)
class PysklHeatmaps:
    """The pipeline's settings; defaults are those of the published recipes.

    Attributes:
        layout: joints, limbs and mirror pairs.
        limbs: draw limbs instead of joints.
        frames: of a clip.
        test_clips: of a video, and their mirror images; 0 is training.
        sigma: of the Gaussians.
        cut: what scores less is not drawn.
    """

    layout: Layout
    limbs: bool = False
    frames: int = 48
    test_clips: int = 0
    sigma: float = 0.6
    cut: float = 1e-3

    def sample(self, annotation: Sample, rng: np.random.Generator) -> Tensor:
        """(C, T, H, W) of training, or (2 * test_clips, C, T, H, W)."""
        sample = copy.deepcopy(annotation)
        self.sample_frames(sample, rng)
        sample["keypoint"] = sample["keypoint"][:, sample["frame_inds"]].astype(np.float32)
        sample["keypoint_score"] = sample["keypoint_score"][:, sample["frame_inds"]].astype(np.float32)
        compact(sample)
        if self.test_clips:
            resize(sample, 64, 64)
        else:
            resize_short_side(sample, 64)
            random_resized_crop(sample, rng)
            resize(sample, 56, 56)
            self.flip(sample, rng)
        maps = self.draw(sample)  # (all frames, C, H, W)
        if self.test_clips:
            order = np.arange(maps.shape[1])
            order[:] = self._mirrored_channels()
            maps = np.concatenate([maps, maps[..., ::-1][:, order]])
        maps = maps.reshape(-1, max(self.test_clips, 1), self.frames, *maps.shape[1:])
        maps = np.transpose(maps, (0, 1, 3, 2, 4, 5))
        tensor = torch.from_numpy(maps.reshape(-1, *maps.shape[2:]))
        return tensor if self.test_clips else tensor[0]

    def batch(self, annotations: list[Sample], rng: np.random.Generator) -> Tensor:
        """(N, C, T, H, W), or (N, views, C, T, H, W)."""
        return torch.stack([self.sample(annotation, rng) for annotation in annotations])

    def sample_frames(self, sample: Sample, rng: np.random.Generator) -> None:
        """Frame numbers of one training clip, or of all test clips one after another."""
        frames, length = sample["total_frames"], self.frames
        chosen = []
        for clip in range(max(self.test_clips, 1)):
            if frames < length:
                start = clip * frames // max(self.test_clips, 1) if self.test_clips else rng.integers(frames)
                chosen.append(np.arange(start, start + length))
            elif frames < 2 * length:
                skips = np.zeros(length + 1, np.int64)
                skips[rng.choice(length + 1, frames - length, replace=False)] = 1
                chosen.append(np.arange(length) + np.cumsum(skips)[:-1])
            else:
                bounds = np.array([i * frames // length for i in range(length + 1)])
                chosen.append(bounds[:length] + rng.integers(np.diff(bounds)))
        indices = np.mod(np.concatenate(chosen), frames)
        # Frames beside a change in the number of persons are marked; with whole frames nothing comes of it.
        keypoint = sample["keypoint"]
        persons = [len(keypoint)] * frames
        for frame in range(frames):
            last = len(keypoint) - 1
            while last >= 0 and np.all(np.abs(keypoint[last, frame]) < 1e-5):
                last -= 1
            persons[frame] = last + 1
        changes = [False] * frames
        for frame in range(1, frames - 1):
            if persons[frame] != persons[frame - 1]:
                changes[frame] = changes[frame - 1] = True
            if persons[frame] != persons[frame + 1]:
                changes[frame] = changes[frame + 1] = True
        marked = np.array([changes[frame] for frame in indices])
        sample["frame_inds"] = (marked * indices + (1 - marked) * indices).astype(np.float32).astype(int)

    def flip(self, sample: Sample, rng: np.random.Generator) -> None:
        """Mirror the clip, one time in two."""
        if rng.random() < 0.5:
            x = sample["keypoint"][..., 0]
            x[x != 0] = sample["img_shape"][1] - x[x != 0]
            order = list(self.layout.mirror)
            sample["keypoint"] = sample["keypoint"][:, :, order]
            sample["keypoint_score"] = sample["keypoint_score"][:, :, order]

    def draw(self, sample: Sample) -> NDArray[np.float32]:
        """(frames, C, H, W), one Gaussian at a time."""
        keypoint, score = sample["keypoint"], sample["keypoint_score"]
        channels = len(self.layout.limbs) if self.limbs else len(self.layout.joints)
        maps = np.zeros([keypoint.shape[1], channels, *sample["img_shape"]], np.float32)
        for frame in range(keypoint.shape[1]):
            points, values = keypoint[:, frame], score[:, frame]
            if self.limbs:
                for limb, (a, b) in enumerate(self.layout.limbs):
                    for person in range(len(points)):
                        self._limb(maps[frame, limb], points[person], values[person], a, b)
            else:
                for joint in range(channels):
                    for person in range(len(points)):
                        self._spot(maps[frame, joint], points[person, joint], values[person, joint])
        return maps

    def _spot(self, plane: NDArray[np.float32], centre: NDArray[np.float32], value: np.float32) -> None:
        if value < self.cut:
            return
        window = self._window(plane, centre, centre)
        if window is None:
            return
        x, y, place = window
        patch = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2 / self.sigma**2) * value
        plane[place] = np.maximum(plane[place], patch)

    def _limb(
        self, plane: NDArray[np.float32], points: NDArray[np.float32], values: NDArray[np.float32],
        a: int, b: int,
    ) -> None:  # fmt: skip
        start, end, value = points[a], points[b], min(values[a], values[b])
        if value < self.cut:
            return
        window = self._window(plane, np.minimum(start, end), np.maximum(start, end))
        if window is None:
            return
        x, y, place = window
        from_start = (x - start[0]) ** 2 + (y - start[1]) ** 2
        from_end = (x - end[0]) ** 2 + (y - end[1]) ** 2
        length = (start[0] - end[0]) ** 2 + (start[1] - end[1]) ** 2
        if length < 1:
            self._spot(plane, start, values[a])
            return
        along = (from_start - from_end + length) / 2.0 / length
        before, behind = along <= 0, along >= 1
        between = 1 - before - behind
        position = np.stack([x + np.zeros_like(y), y + np.zeros_like(x)], axis=-1)
        foot = start + np.stack([along, along], axis=-1) * (end - start)
        off = position - foot
        off = off[:, :, 0] ** 2 + off[:, :, 1] ** 2
        distance = before * from_start + behind * from_end + between * off
        plane[place] = np.maximum(plane[place], np.exp(-distance / 2.0 / self.sigma**2) * value)

    def _window(
        self, plane: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[slice, slice]] | None:
        """Columns (w,), rows (h, 1) and the part of the map within 3 sigma of a box; None if outside."""
        reach = 3 * self.sigma
        x_0, x_1 = max(int(low[0] - reach), 0), min(int(high[0] + reach) + 1, plane.shape[1])
        y_0, y_1 = max(int(low[1] - reach), 0), min(int(high[1] + reach) + 1, plane.shape[0])
        x = np.arange(x_0, x_1, 1, np.float32)
        y = np.arange(y_0, y_1, 1, np.float32)
        if not (len(x) and len(y)):
            return None
        return x, y[:, None], (slice(y_0, y_1), slice(x_0, x_1))

    def _mirrored_channels(self) -> list[int]:
        if not self.limbs:
            return list(self.layout.mirror)
        place = {frozenset(limb): index for index, limb in enumerate(self.layout.limbs)}
        return [
            place[frozenset((self.layout.mirror[a], self.layout.mirror[b]))] for a, b in self.layout.limbs
        ]


def compact(sample: Sample, padding: float = 0.25, threshold: int = 10) -> None:
    """Crop to the square box around all joints of all frames, a quarter wider and higher."""
    keypoint = sample["keypoint"]
    keypoint[np.isnan(keypoint)] = 0.0
    x, y = keypoint[..., 0], keypoint[..., 1]
    x_0, y_0 = np.min(x[x != 0], initial=np.inf), np.min(y[y != 0], initial=np.inf)
    x_1, y_1 = np.max(x[x != 0], initial=-np.inf), np.max(y[y != 0], initial=-np.inf)
    if x_1 - x_0 < threshold or y_1 - y_0 < threshold:
        return
    centre = ((x_1 + x_0) / 2, (y_1 + y_0) / 2)
    half_w, half_h = (x_1 - x_0) / 2 * (1 + padding), (y_1 - y_0) / 2 * (1 + padding)
    half_h = max(half_w, half_h)
    half_w = max(half_h, half_w)
    x_0, x_1 = int(centre[0] - half_w), int(centre[0] + half_w)
    y_0, y_1 = int(centre[1] - half_h), int(centre[1] + half_h)
    x[x != 0] -= x_0
    y[y != 0] -= y_0
    sample["img_shape"] = (y_1 - y_0, x_1 - x_0)


def resize(sample: Sample, height: int, width: int) -> None:
    """To a size, whatever the ratio."""
    old_h, old_w = sample["img_shape"]
    sample["img_shape"] = (height, width)
    sample["keypoint"] = sample["keypoint"] * np.array([width / old_w, height / old_h], np.float32)


def resize_short_side(sample: Sample, short: int) -> None:
    """Keep the ratio."""
    height, width = sample["img_shape"]
    scale = short / min(height, width)
    resize(sample, int(height * scale + 0.5), int(width * scale + 0.5))


def random_resized_crop(sample: Sample, rng: np.random.Generator) -> None:
    """56 to 100 % of the area, ratio 3/4 to 4/3; the middle square if ten draws do not fit."""
    height, width = sample["img_shape"]
    ratios = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3), size=10))
    areas = rng.uniform(0.56, 1.0, size=10) * (height * width)
    widths = np.round(np.sqrt(areas * ratios)).astype(int)
    heights = np.round(np.sqrt(areas / ratios)).astype(int)
    for w, h in zip(widths, heights, strict=True):
        if h <= height and w <= width:
            left, top = rng.integers(width - w + 1), rng.integers(height - h + 1)
            break
    else:
        w = h = min(height, width)
        left, top = (width - w) // 2, (height - h) // 2
    sample["img_shape"] = (int(h), int(w))
    sample["keypoint"] = sample["keypoint"] - np.array([left, top, left + w, top + h])[:2]
