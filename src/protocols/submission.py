"""Submissions to the challenge servers of MA-52: a zip that holds `prediction.csv` at its root.

| format | a row | predictions |
|---|---|---|
| `mac2024` | a test clip | its body group and its action |
| `mac2025` | a test clip | the five best actions, the five best body groups |
| `mma52-detection` | a segment | video, start and end in seconds, action, score |

Every file is checked by `protocols.submission_check` before it takes its place; a broken one is not written.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from poses.whole_file import replacing
from protocols.detections import Detections
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile
from protocols.submission_check import SubmissionReport, check_submission
from protocols.submission_format import FORMATS, PLACES, SUFFIX, Expected
from protocols.submission_zip import write_prediction
from protocols.tree_files import same_name
from protocols.trees import action_indices, tree

Body = Literal["summed", "top-action"]


def write_recognition(
    path: str | Path, scores: ScoreFile, name: str, body: Body = "summed", expected: Expected | None = None
) -> SubmissionReport:
    """Write a recognition submission from a score file.

    Args:
        path: the zip to write; it is there whole or not at all.
        scores: over MA-52's actions; labels are not looked at.
        name: `mac2024` or `mac2025`.
        body: groups ranked by the sum of their actions' probabilities, or by their best action: then the
            first group is the top action's own.
        expected: the clips to hand in, in this order; None takes the official list where it is known, and
            the clips of the score file where it is not.

    Raises:
        ValueError: other actions than MA-52's, clips missing or too many, two clips of one name; named.
        OSError: the file cannot be written.
    """
    if name not in ("mac2024", "mac2025"):
        raise ValueError(f"expected the recognition format 'mac2024' or 'mac2025', got {name!r}")
    ids = _clip_names(scores.clip_ids)
    probabilities = scores.scores[:, _columns(scores.tree)]  # (N, 52)
    actions = best(probabilities)
    groups = best(group_scores(probabilities, tree("ma52"), body))
    position = {clip: number for number, clip in enumerate(expected.ids)} if expected else {}
    order = sorted(range(len(ids)), key=lambda row: (position.get(ids[row], len(position)), ids[row]))
    rows: list[list[object]] = []
    for row in order:
        if name == "mac2024":
            rows.append([ids[row] + SUFFIX, groups[row, 0], actions[row, 0]])
        else:
            rows.append([ids[row] + SUFFIX, *actions[row], *groups[row]])
    return _write(Path(path), name, rows, expected)


def group_scores(probabilities: NDArray[np.float32], labels: LabelTree, body: Body) -> NDArray[np.float64]:
    """Scores of the body groups, (N, A) -> (N, G): sums over their actions, or the best action's.

    Raises:
        ValueError: another rule.
    """
    if body not in ("summed", "top-action"):
        raise ValueError(f"expected body groups 'summed' or by 'top-action', got {body!r}")
    found = np.zeros((len(probabilities), len(labels.groups)))  # (N, G)
    for group in range(len(labels.groups)):
        members = probabilities[:, np.equal(labels.group_of, group)].astype(np.float64)
        found[:, group] = members.sum(axis=1) if body == "summed" else members.max(axis=1)
    return found


def best(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """The five best classes of each row, best first; of equal ones the lower index: (N, C) -> (N, 5)."""
    order: NDArray[np.int64] = np.argsort(-values, axis=1, kind="stable")[:, :PLACES]
    return order


def _clip_names(clip_ids: Sequence[str]) -> list[str]:
    """Names that the server knows: without folders and suffix."""
    names = [clip_id.rpartition("/")[2].removesuffix(SUFFIX) for clip_id in clip_ids]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        whole = [clip_id for clip_id, name in zip(clip_ids, names, strict=True) if name == twice[0]]
        raise ValueError(f"clips of one name in different folders: {', '.join(map(repr, whole[:3]))}")
    return names


def _columns(labels: LabelTree) -> list[int]:
    """For each action of MA-52 its column in the scores.

    Raises:
        ValueError: other actions; named.
    """
    ma52 = tree("ma52")
    unnamed = [f"class {number}" for number in range(len(ma52.actions))]
    if [same_name(action) for action in labels.actions] == unnamed:
        return list(range(len(ma52.actions)))
    if len(labels.actions) != len(ma52.actions):
        raise ValueError(
            f"expected scores over the {len(ma52.actions)} actions of MA-52, got {len(labels.actions)} of "
            f"{labels.name!r}; score with a network that was trained on MA-52"
        )
    found = action_indices(ma52, labels.actions)
    return [found.index(action) for action in range(len(ma52.actions))]


def write_detection(
    path: str | Path, detections: Detections, expected: Expected | None = None
) -> SubmissionReport:
    """Write a detection submission; the best segments of each video first, videos by name.

    Args:
        path: the zip to write; it is there whole or not at all.
        detections: over MA-52's actions.
        expected: the videos, and their lengths where they are known; None takes the official 519 videos.

    Raises:
        ValueError: a video that is not expected, a segment outside its video; with its row.
        OSError: the file cannot be written.
    """
    index_of = np.array(action_indices(tree("ma52"), detections.tree.actions), np.int64)
    names = [video.rpartition("/")[2].removesuffix(SUFFIX) for video in detections.video_ids]
    order = sorted(range(len(detections)), key=lambda row: (names[row], -detections.scores[row], row))
    rows: list[list[object]] = [
        [
            number,
            names[row],
            repr(float(detections.t_start_s[row])),
            repr(float(detections.t_end_s[row])),
            int(index_of[detections.actions[row]]),
            repr(float(detections.scores[row])),
        ]
        for number, row in enumerate(order)
    ]
    return _write(Path(path), "mma52-detection", rows, expected)


def cut_to_video(detections: Detections, expected: Expected) -> tuple[Detections, int]:
    """Segments cut at their video's begin and end, and how many that changed; empty ones are dropped.

    Videos whose length is not known are cut at their begin only.
    """
    names = [video.rpartition("/")[2].removesuffix(SUFFIX) for video in detections.video_ids]
    lengths = np.array([expected.duration_s.get(name, np.inf) for name in names], np.float64)
    start = np.maximum(detections.t_start_s, 0.0)
    end = np.minimum(detections.t_end_s, lengths)
    changed = int(((start != detections.t_start_s) | (end != detections.t_end_s)).sum())
    kept = np.flatnonzero(end > start)
    return replace(rows_of(detections, kept), t_start_s=start[kept], t_end_s=end[kept]), changed


def best_of_video(detections: Detections, most: int) -> Detections:
    """The `most` segments of highest score of each video, in their order."""
    order = np.argsort(-detections.scores, kind="stable")
    taken: Counter[str] = Counter()
    kept = []
    for row in order:
        taken[detections.video_ids[row]] += 1
        if taken[detections.video_ids[row]] <= most:
            kept.append(row)
    return rows_of(detections, np.sort(np.array(kept, np.int64)))


def rows_of(detections: Detections, rows: NDArray[np.int64]) -> Detections:
    """Some of the segments, in the order asked for."""
    return replace(
        detections,
        video_ids=tuple(detections.video_ids[row] for row in rows),
        t_start_s=detections.t_start_s[rows],
        t_end_s=detections.t_end_s[rows],
        actions=detections.actions[rows],
        scores=detections.scores[rows],
    )


def _write(
    path: Path, name: str, rows: Sequence[Sequence[object]], expected: Expected | None
) -> SubmissionReport:
    shape = FORMATS[name]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=shape.line_end)
    writer.writerow(shape.head)
    writer.writerows(rows)
    with replacing(path) as temporary:
        write_prediction(temporary, text.getvalue())
        report = check_submission(temporary, name, expected)
        if report.problems:
            raise ValueError(f"{path}: not written, the server would refuse it: {report.told()}")
    return report
