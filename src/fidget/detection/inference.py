"""A detector over whole recordings: windows, candidates, seconds, suppression over each recording.

Letters: N windows, K candidates, F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fidget.detection.inputs import WindowBatch, WindowInput
from fidget.detection.recipe import DetectionRecipe
from fidget.detection.recordings import Recordings
from fidget.detection.windows import Window, WindowRules, evaluation_windows
from fidget.training.loader import Prefetcher
from protocols.detections import Detections
from protocols.label_tree import LabelTree
from temporal_detection.detector import Detector, decode
from temporal_detection.nms import suppress


class Found(NamedTuple):
    """The segments of one recording, surest first; K each.

    Attributes:
        recording: its id.
        span_s: (K, 2) float64 starts and ends in seconds.
        score: (K,) float32.
        label: (K,) int64.
    """

    recording: str
    span_s: NDArray[np.float64]
    score: NDArray[np.float32]
    label: NDArray[np.int64]


@dataclass(frozen=True)
class _Job:
    """Windows of one recording that are computed together, and whether they are its last."""

    windows: Sequence[Window]
    last: bool


def rules_of(recipe: DetectionRecipe, training: bool) -> WindowRules:
    """How a recipe's recordings become windows, in training or in evaluation."""
    table = recipe.input
    how = table.training if training else table.evaluation
    return WindowRules(table.points, table.stride, how, table.overlap, table.kept_share, tuple(table.crop))


def detect(
    network: Detector,
    builder: WindowInput,
    recordings: Recordings,
    names: Sequence[str],
    recipe: DetectionRecipe,
    device: torch.device,
    autocast: Callable[[], Any],
    windows_at_once: int,
    prefetch: int = 3,
    step: Callable[[float], None] = lambda seconds: None,
) -> Iterator[Found]:
    """The segments of each recording, one recording after the other.

    Memory holds some batches of windows, and the candidates of one recording.

    Args:
        network: in evaluation, on `device`.
        builder: of evaluation.
        recordings: where they are read.
        names: which.
        recipe: its windows, and what becomes of candidates.
        device: of the network.
        autocast: makes the context of the recipe's precision.
        windows_at_once: of a batch.
        prefetch: batches made ahead.
        step: called with the seconds of recording that each batch went on.

    Raises:
        ValueError: the network's scores are not numbers.
    """
    rules = rules_of(recipe, training=False)
    jobs = [job for name in names for job in _jobs(name, recordings, rules, windows_at_once)]

    def make(number: int) -> WindowBatch:
        windows = jobs[number].windows
        content = recordings.read(windows[0].recording)
        return builder.batch([content] * len(windows), windows, None)

    network.eval()
    spans: list[NDArray[np.float64]] = []
    scores: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int64]] = []
    with Prefetcher(make, len(jobs), prefetch) as batches:
        for job, made in zip(jobs, batches, strict=True):
            batch = builder.finish(made.to(device, non_blocking=True))
            with torch.inference_mode(), autocast():
                output = network(batch.x, batch.valid)
            for window, found in zip(
                job.windows, decode(output, recipe.nms.before, recipe.nms.before_score), strict=True
            ):
                spans.append(window.grid.seconds(found.positions))
                scores.append(found.score)
                labels.append(found.label)
            first, last = job.windows[0].grid, job.windows[-1].grid
            step(last.span_s[1] - first.span_s[0])
            if job.last:
                name = job.windows[0].recording
                yield _merged(name, recordings.span_s(name), spans, scores, labels, recipe)
                spans, scores, labels = [], [], []


def _jobs(name: str, recordings: Recordings, rules: WindowRules, at_once: int) -> Iterator[_Job]:
    windows = evaluation_windows(name, recordings.frame_time_s(name), rules)
    for begin in range(0, len(windows), at_once):
        yield _Job(windows[begin : begin + at_once], begin + at_once >= len(windows))


def _merged(
    name: str,
    span_s: tuple[float, float],
    spans: list[NDArray[np.float64]],
    scores: list[NDArray[np.float32]],
    labels: list[NDArray[np.int64]],
    recipe: DetectionRecipe,
) -> Found:
    """The candidates of all windows of a recording, cut to its times and suppressed."""
    span = np.concatenate(spans).clip(*span_s)
    score, label = np.concatenate(scores), np.concatenate(labels)
    there = span[:, 1] > span[:, 0]
    kept = suppress(span[there], score[there], label[there], recipe.nms.how)
    longer = kept.positions[:, 1] > kept.positions[:, 0]
    return Found(name, kept.positions[longer], kept.score[longer], kept.label[longer])


def as_detections(found: Sequence[Found], tree: LabelTree, method: str) -> Detections:
    """What was found as one table, for a detection file."""
    names = [name for one in found for name in [one.recording] * len(one.score)]
    spans = np.concatenate([np.zeros((0, 2)), *(one.span_s for one in found)])
    return Detections(
        tree,
        tuple(names),
        np.ascontiguousarray(spans[:, 0]),
        np.ascontiguousarray(spans[:, 1]),
        np.concatenate([np.zeros(0, np.int64), *(one.label for one in found)]),
        np.concatenate([np.zeros(0, np.float64), *(one.score.astype(np.float64) for one in found)]),
        method,
    )
