"""A few clips of a benchmark as moving skeletons: small whole numbers that a page's script draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.clip_economy import frame_rows, kept_layout
from fidget.benchmark.low_bandwidth import main_joints
from fidget.reports.cell_groups import CellGroup
from fidget.reports.class_results import printable, scores_of
from poses.cache_reader import PoseCache
from poses.clip import PoseClip
from protocols.scores import NO_LABEL, ScoreFile

CLIPS = 12
_FPS, _MOST_FRAMES, _MOST_PERSONS = 15.0, 75, 2
_GRID = 999
_MISSING = -1


@dataclass(frozen=True)
class Example:
    """A clip to show.

    Attributes:
        clip_id: in the pose cache.
        task: whose target it is of.
        label: name of its class.
        predicted: name of the class that the network of the task's first cell said, and how surely.
        simulated: whether a simulator made it.
    """

    clip_id: str
    task: str
    label: str
    predicted: tuple[str, float]
    simulated: bool


def choose_examples(directory: Path, groups: Sequence[CellGroup], wanted: int = CLIPS) -> list[Example]:
    """Clips of other classes from task to task, evenly over each task's classes; always the same ones."""
    first: dict[str, CellGroup] = {}
    for group in groups:
        if group.plain:
            first.setdefault(group.task, group)
    if not first:
        return []
    share = -(-wanted // len(first))
    taken: list[Example] = []
    for number, group in enumerate(first.values()):
        scores = scores_of(directory, group.cells[0].scores)
        if scores is not None:
            shown = {example.clip_id for example in taken}
            found = _of_task(scores, group, number / len(first), share)
            taken += [example for example in found if example.clip_id not in shown]
    return taken[:wanted]


def _of_task(scores: ScoreFile, group: CellGroup, shift: float, share: int) -> list[Example]:
    """Clips of `share` classes at even distances, moved on by a part of that distance."""
    classes = np.unique(scores.labels[scores.labels != NO_LABEL])
    if not classes.size:
        return []
    places = (np.arange(share) + shift) / share
    chosen = classes[np.unique((places * len(classes)).astype(int))]
    examples = []
    for label in chosen.tolist():
        rows = np.flatnonzero(scores.labels == label)
        row = int(rows[len(rows) // 2])
        best = int(scores.scores[row].argmax())
        said = (scores.tree.actions[best], float(scores.scores[row, best]))
        name = scores.tree.actions[label]
        examples.append(Example(scores.clip_ids[row], group.task, name, said, group.simulated))
    return examples


def skeletons_json(poses: Path, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """For the page's script; clips that the cache lacks, or that hold nobody, are passed over.

    Raises:
        NotACacheError: `poses` is no pose cache.
        ValueError: it is damaged.
    """
    cache = PoseCache(poses)
    drawn = []
    for example in examples:
        if example.clip_id not in cache:
            continue
        clip = cache.read(example.clip_id)
        if not (clip.score > 0).any():
            continue
        drawn.append(
            {
                "clip": printable(example.clip_id),
                "task": printable(example.task),
                "label": printable(example.label),
                "predicted": printable(example.predicted[0]),
                "percent": round(100 * example.predicted[1]),
                "simulated": example.simulated,
                **_motion(clip),
            }
        )
    return drawn


def _motion(clip: PoseClip) -> dict[str, Any]:
    """Size of the picture, limbs, times in milliseconds, and places frame by frame of each person."""
    layout = kept_layout(clip.layout, main_joints(clip.layout))
    joints = [clip.layout.index(name) for name in layout.joints]
    rows = frame_rows(clip.time_s, _FPS)[:_MOST_FRAMES]
    xy = clip.xy_px[:_MOST_PERSONS, rows][:, :, joints].astype(np.float64)  # (M', T', V', 2)
    if clip.z is not None:
        xy[..., 1] *= -1  # skeletons in space have y up
    places, width, height = _fitted(xy)
    return {
        "width": width,
        "height": height,
        "limbs": [list(limb) for limb in layout.limbs],
        "ms": np.rint(1000 * (clip.time_s[rows] - clip.time_s[rows[0]])).astype(int).tolist(),
        "persons": [person.reshape(len(rows), -1).tolist() for person in places],
    }


def _fitted(xy: NDArray[np.float64]) -> tuple[NDArray[np.int64], int, int]:
    """Whole numbers of a grid that the joints of all frames fill, -1 where one is missing; its size."""
    finite = np.isfinite(xy).all(axis=-1)
    seen = xy[finite]
    low, high = np.percentile(seen, (0.5, 99.5), axis=0)  # a joint that is thrown far away sets no scale
    span = np.maximum(high - low, 1e-9)
    scale = _GRID / span.max()
    width, height = (max(int(np.ceil(side)), 120) for side in span * scale)
    shift = (np.array([width, height]) - span * scale) / 2
    limits = np.array([width, height])
    placed = np.clip(np.rint((np.nan_to_num(xy) - low) * scale + shift), 0, limits).astype(np.int64)
    placed[~finite] = _MISSING
    return placed, width, height
