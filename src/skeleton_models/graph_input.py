"""Clips to the input of graph networks: sampled, normalised and augmented joints, bones and their motion."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from poses.layout import Layout
from poses.sampling import Convention
from skeleton_models.augment import Augment, Draw, draw, no_draw
from skeleton_models.clip_arrays import BatchMemory, ClipArrays, ModelBatch, PackedClips, pack
from skeleton_models.frame_sampling import SAMPLINGS, Sampling, test_positions, training_positions
from skeleton_models.graph import bone_pairs
from skeleton_models.graph_normalise import (
    NORMALISATIONS,
    Anchors,
    Landmarks,
    Normalise,
    find_anchors,
    landmarks,
)
from skeleton_models.graph_placing import Options
from skeleton_models.graph_streams import write_rows
from skeleton_models.random_keys import Keys

Stream = Literal["joint", "bone", "joint_motion", "bone_motion", "bone2", "bone2_motion"]
STREAMS: tuple[Stream, ...] = ("joint", "bone", "joint_motion", "bone_motion", "bone2", "bone2_motion")

# Where pyskl's (and CTR-GCN's) bones differ from the layout's tree: joint -> the joint subtracted.
_PYSKL_BONES = {
    "coco17": {"left_hip": "nose", "right_hip": "nose"},
    "ntu25": {"left_hand_tip": "left_thumb4", "right_hand_tip": "right_thumb4"},
}


@dataclass(frozen=True)
class GraphInput:
    """Builds (N, M, T, V, C) batches; plain settings, no state.

    Normalisations, each a function of the whole clip, never of one frame:

    * `none`: coordinates as they are.
    * `pyskl2d`: the picture's width and height to -1..1 (PreNormalize2D, mode `fix`); persons in the
      clip's order.
    * `pyskl3d`: frames without the first person left out, spine of the first frame to the origin and
      upright, shoulders along x (PreNormalize3D).
    * `ctrgcn_ucla`: after the augmentation, each axis of each person's clip stretched to -1..1 (CTR-GCN's
      feeder for Northwestern-UCLA).
    * `torso`: the middle of the hips (mean over the frames, or the first) to the origin, the median length
      of the torso to 1; by joint name, so for every layout; without hips the mean of all joints and their
      root mean square distance. A torso below half the longest limb is a tracker's mistake, and that half
      is the unit.
    * `mmn`: the box of the clip to -1..1 along each axis, before the augmentation (MMN's feeder).

    Attributes:
        layout: the joint set of the clips.
        frames: T.
        streams: in the order of their channels.
        persons: M; the persons seen in most frames come first, absent ones are zeros.
        normalise: see above.
        confidence: one more channel a stream: the joint's score, the mean of both for bones and motion.
        sampling: see `frame_sampling.training_positions`.
        test_clips: views of a clip in evaluation.
        test_flip: as many again, mirrored.
        augment: of training.
        motion: `clip` steps to the clip's next frame (pyskl), `sampled` to the next frame taken (CTR-GCN).
        missing: `masked` makes 0 of every difference that a missing joint is part of; `filled` puts it at
            0 first, as the published code does.
        bones: `layout` follows its tree, `pyskl` the pairs of pyskl's checkpoints where they differ.
        min_score: a joint with this score or less is missing; 0.01 in pyskl.
        centre: of `torso`.
        align_yaw: turn 3D clips of `torso` and `ctrgcn_ucla` so that shoulders and hips lie along x.
        convention: whose test clips.
        threads: that share the rows of a batch.

    Raises:
        ValueError: a setting that does not exist or a number below 1; all are named at once.
    """

    layout: Layout
    frames: int
    streams: tuple[Stream, ...] = ("joint",)
    persons: int = 1
    normalise: Normalise = "torso"
    confidence: bool = False
    sampling: Sampling = "uniform"
    test_clips: int = 1
    test_flip: bool = False
    augment: Augment = field(default_factory=Augment)
    motion: Literal["clip", "sampled"] = "clip"
    missing: Literal["masked", "filled"] = "masked"
    bones: Literal["layout", "pyskl"] = "layout"
    min_score: float = 0.0
    centre: Literal["mean", "first"] = "mean"
    align_yaw: bool = False
    convention: Convention = "pyskl"
    threads: int = 1

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least 1, got {getattr(self, name)}"
            for name in ("frames", "persons", "test_clips", "threads")
            if getattr(self, name) < 1
        ]
        choices = {
            "normalise": NORMALISATIONS, "sampling": SAMPLINGS, "motion": ("clip", "sampled"),
            "missing": ("masked", "filled"), "bones": ("layout", "pyskl"), "centre": ("mean", "first"),
            "convention": ("pyskl", "mmaction2"),
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                problems.append(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        unknown = [stream for stream in self.streams if stream not in STREAMS]
        if unknown or not self.streams:
            problems.append(f"streams must be some of {', '.join(STREAMS)}, got {self.streams}")
        if problems:
            raise ValueError("graph input: " + "; ".join(problems))

    def channels(self, dimensions: int) -> int:
        """C of the batches, from clips of 2 or 3 dimensions: a network's `in_channels`."""
        return len(self.streams) * (dimensions + self.confidence)

    def batch(self, clips: Sequence[ClipArrays], keys: Keys | None) -> ModelBatch:
        """The batch of some clips.

        Args:
            clips: at least one, all of 2 or all of 3 dimensions; a clip without persons becomes zeros.
            keys: (N,) one a clip for training (`random_keys.clip_keys`), or None for evaluation: no
                augmentation, `test_clips` views a clip and their mirror images.

        Raises:
            ValueError: clips of another layout, or a normalisation that does not fit their dimensions.
        """
        packed = pack(clips, len(self.layout.joints))
        dimensions = packed.xyz.shape[1]
        wanted = {"pyskl2d": 2, "pyskl3d": 3}.get(self.normalise, dimensions)
        if dimensions != wanted or dimensions not in (2, 3):
            raise ValueError(
                f"normalise {self.normalise!r} needs {wanted} dimensions, the clips have {dimensions}; "
                "choose 'torso', which takes 2 and 3"
            )
        anchors = find_anchors(
            packed, self.normalise, self._landmarks, joints=len(self.layout.joints), persons=self.persons,
            min_score=self.min_score, centre=self.centre, align_yaw=self.align_yaw,
            vertical=self.augment.vertical,
        )  # fmt: skip
        if keys is None:
            drawn, positions = self._test_views(anchors.count, dimensions)
        elif len(keys) != len(clips):
            raise ValueError(f"expected one key a clip ({len(clips)}), got {len(keys)}")
        else:
            drawn = (
                draw(self.augment, keys, self.layout, dimensions)
                if self._augments
                else _still(len(keys), dimensions, len(self.layout.joints))
            )
            positions = training_positions(self.sampling, keys, anchors.count, self.frames, drawn)
        return self._write(packed, anchors, drawn, positions, keys)

    def split(self, x: Tensor) -> list[Tensor]:
        """Views of a batch (N, M, T, V, C), one of each stream."""
        return list(x.chunk(len(self.streams), dim=-1))

    def _test_views(self, counts: NDArray[np.int64], dimensions: int) -> tuple[Draw, NDArray[np.float64]]:
        """Draws and positions (N * views, T) of evaluation: the test clips, then their mirror images."""
        views = [
            test_positions(self.sampling, int(n), self.frames, self.test_clips, self.convention)
            for n in counts
        ]
        positions = np.stack(views)  # (N, test_clips, T)
        flips = [False] * self.test_clips
        if self.test_flip:
            positions, flips = np.concatenate([positions, positions], axis=1), [*flips, *[True] * len(flips)]
        rows = positions.shape[0] * positions.shape[1]
        drawn = no_draw(rows, dimensions, len(self.layout.joints))
        if self.test_flip:
            drawn.flip[:] = np.tile(flips, len(counts))
            drawn.linear[drawn.flip, 0, 0] = -1.0
        return drawn, positions.reshape(rows, self.frames)

    def _write(
        self,
        packed: PackedClips,
        anchors: Anchors,
        drawn: Draw,
        positions: NDArray[np.float64],
        keys: Keys | None,
    ) -> ModelBatch:
        """Run the kernel over the rows."""
        rows, clips, dimensions = len(positions), len(packed.start), packed.xyz.shape[1]
        views = rows // clips
        v = len(self.layout.joints)
        x, flat = _MEMORY.take(
            rows, self.persons, self.frames, v, self.channels(dimensions)
        )  # (rows, M, T, V, C)
        row_keys = np.zeros(0, np.uint64) if keys is None else keys
        place = np.empty(positions.shape, np.float32)  # (rows, T)
        arguments = (views, packed, anchors, drawn, self._options, row_keys, positions, flat, place)
        threads = min(self.threads, rows, 1 + len(flat) // _NUMBERS_A_THREAD)
        if threads == 1:
            write_rows(0, rows, *arguments)
        else:
            step = max(rows // (2 * threads), 1)
            _share(threads, [(a, min(a + step, rows)) for a in range(0, rows, step)], arguments)
        present = torch.from_numpy(anchors.order >= 0)
        return ModelBatch(
            x=x,
            present=present.repeat_interleave(views, 0) if views > 1 else present,  # (rows, M)
            position=torch.from_numpy(place),
            views=views,
        )

    @cached_property
    def _augments(self) -> bool:
        return self.augment != Augment()

    @cached_property
    def _landmarks(self) -> Landmarks:
        return landmarks(self.layout)

    @cached_property
    def _options(self) -> Options:
        bones = [stream.removesuffix("_motion") for stream in self.streams]
        kinds = [name for name in ("bone", "bone2") if name in bones]
        pairs = np.zeros((len(kinds), len(self.layout.joints)), np.int64)
        for place, name in enumerate(kinds):
            pairs[place] = bone_pairs(self.layout, 2 if name == "bone2" else 1)[:, 1]
            if self.bones == "pyskl" and name == "bone":
                for joint, other in _PYSKL_BONES.get(self.layout.name, {}).items():
                    pairs[place, self.layout.index(joint)] = self.layout.index(other)
        return Options(
            mirror=np.array(self.layout.mirror, np.int64),
            pairs=pairs,
            kind=np.array([kinds.index(b) + 1 if b in kinds else 0 for b in bones], np.int64),
            moves=np.array([stream.endswith("motion") for stream in self.streams]),
            moving=any(stream.endswith("motion") for stream in self.streams),
            four=self.streams == STREAMS[:4],
            min_score=np.float32(self.min_score),
            confidence=self.confidence,
            fill=self.missing == "filled",
            clip_motion=self.motion == "clip",
            between=self.sampling == "linear",
            stretch_box=self.normalise == "ctrgcn_ucla",
        )


@lru_cache(maxsize=16)
def _still(rows: int, dimensions: int, joints: int) -> Draw:
    """The draw of clips that are not augmented, made once; nobody writes to it."""
    return no_draw(rows, dimensions, joints)


_MEMORY = BatchMemory()
_NUMBERS_A_THREAD = 2**20  # of a batch; waking a thread for less costs more than it saves
_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}


def _share(threads: int, parts: list[tuple[int, int]], arguments: tuple[Any, ...]) -> None:
    """Write the parts; this thread begins at once, and the others take what is left when they wake up."""
    left, held = iter(parts), [arguments]

    def work() -> None:
        for begin, end in left:
            write_rows(begin, end, *held[0])

    pool = _pool(threads)
    helpers = [pool.submit(work) for _ in range(threads - 1)]
    work()
    for helper in helpers:
        if not helper.cancel():  # one that has not woken up yet has nothing left to do
            helper.result()
    held.clear()  # the pool remembers cancelled work for a while, and would keep the batch's memory taken


def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked process makes its own."""
    key = (os.getpid(), threads)
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(threads, thread_name_prefix="graph-input")
    return _POOLS[key]
