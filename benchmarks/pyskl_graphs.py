"""The speed reference of graph inputs: pyskl's sample pipeline, step by step in plain numpy.

It does what the published pipeline does, in its order and with its loops (a copy of the sample, the picture
to -1..1, features of every frame of the clip, sampling with its look at every frame's persons, persons
padded to two, one tensor a clip), so its cost is the published one. Written from the pipeline's description;
nothing here is used by the package.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

PAIRS = ((0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (5, 0), (6, 0), (7, 5), (8, 6), (9, 7), (10, 8), (11, 0),
         (12, 0), (13, 11), (14, 12), (15, 13), (16, 14))  # fmt: skip
Sample = dict[str, Any]


def normalise(sample: Sample, min_score: float = 0.01) -> Sample:
    """PreNormalize2D: x, y to -1..1 of the picture, the score behind them, uncertain joints at 0."""
    score = sample.pop("keypoint_score").astype(np.float32)
    joints = np.concatenate([sample["keypoint"].astype(np.float32), score[..., None]], axis=-1)
    missing = joints[..., 2] <= min_score
    height, width = sample["img_shape"]
    joints[..., 0] = (joints[..., 0] - width / 2) / (width / 2)
    joints[..., 1] = (joints[..., 1] - height / 2) / (height / 2)
    joints[..., 0][missing] = 0
    joints[..., 1][missing] = 0
    sample["keypoint"] = joints
    return sample


def bones(joints: NDArray[np.float32]) -> NDArray[np.float32]:
    """JointToBone: each joint minus its partner; the mean of both scores."""
    out = np.zeros(joints.shape, np.float32)
    for joint, partner in PAIRS:
        out[..., joint, :] = joints[..., joint, :] - joints[..., partner, :]
        out[..., joint, 2] = (joints[..., joint, 2] + joints[..., partner, 2]) / 2
    return out


def motion(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """ToMotion: the step to the next frame of the clip, 0 at its end; the mean of both scores."""
    out = np.zeros_like(points)
    out[:, :-1] = np.diff(points, axis=1)
    out[:, :-1, :, 2] = (points[:, :-1, :, 2] + points[:, 1:, :, 2]) / 2
    return out


def features(sample: Sample, stream: str) -> Sample:
    """GenSkeFeat of one stream: j, b, jm or bm."""
    points = sample["keypoint"]
    if stream.startswith("b"):
        points = bones(points)
    sample["keypoint"] = motion(points) if stream.endswith("m") else points
    return sample


def sample_frames(sample: Sample, length: int, rng: np.random.Generator) -> Sample:
    """UniformSample, with its walk over all frames to find where the number of persons changes."""
    joints, frames = sample["keypoint"], sample["total_frames"]
    if frames < length:
        start = rng.integers(frames)
        at = np.arange(start, start + length)
    elif frames < 2 * length:
        skipped = np.zeros(length + 1, np.int64)
        skipped[rng.choice(length + 1, frames - length, replace=False)] = 1
        at = np.arange(length) + np.cumsum(skipped)[:-1]
    else:
        bounds = np.array([i * frames // length for i in range(length + 1)])
        at = bounds[:length] + rng.integers(np.diff(bounds))
    at = np.mod(at, frames)
    persons = [joints.shape[0]] * frames
    for t in range(frames):
        last = joints.shape[0] - 1
        while last >= 0 and np.all(np.abs(joints[last, t]) < 1e-5):
            last -= 1
        persons[t] = last + 1
    changes = [False] * frames
    for t in range(1, frames - 1):
        if persons[t] != persons[t - 1]:
            changes[t] = changes[t - 1] = True
        if persons[t] != persons[t + 1]:
            changes[t] = changes[t + 1] = True
    at = at.astype(int)
    stays = np.array([changes[t] for t in at])
    sample["frame_inds"] = (stays * at + (1 - stays) * at).astype(np.float32).astype(int)
    return sample


def decode(sample: Sample) -> Sample:
    """PoseDecode: the sampled frames."""
    sample["keypoint"] = sample["keypoint"][:, sample["frame_inds"]].astype(np.float32)
    return sample


def pad_persons(sample: Sample, persons: int) -> Sample:
    """FormatGCNInput: (M, T, V, C), padded to so many persons, to (1, M, T, V, C)."""
    joints = sample["keypoint"]
    if joints.shape[0] < persons:
        padding = np.zeros((persons - joints.shape[0], *joints.shape[1:]), joints.dtype)
        joints = np.concatenate((joints, padding), axis=0)
    joints = joints[:persons]
    m, t, v, c = joints.shape
    sample["keypoint"] = np.ascontiguousarray(joints.reshape(m, 1, t, v, c).transpose(1, 0, 2, 3, 4))
    return sample


def build(
    sample: Sample, stream: str, rng: np.random.Generator, length: int = 100, persons: int = 2
) -> torch.Tensor:
    """(1, M, T, V, 3) of one clip and one stream."""
    sample = copy.deepcopy(sample)
    sample = decode(sample_frames(features(normalise(sample), stream), length, rng))
    collected = {key: pad_persons(sample, persons)[key] if key == "keypoint" else sample[key] for key in
                 ("keypoint", "label")}  # fmt: skip
    return torch.from_numpy(collected["keypoint"])
