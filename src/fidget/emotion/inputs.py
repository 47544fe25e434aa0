"""What emotion models are given: faces, micro-actions and events of a table's clips, joined by clip id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_models.event_attention import Events, events_of
from emotion_models.face_measures import MEASURES, POINTS, face_measures, face_series, summed_up
from emotion_models.two_branch import FRAMES
from poses.cache_reader import PoseCache
from poses.clip import PoseClip
from poses.layout import Layout
from protocols.detections import Detections
from protocols.emotion_table import EmotionTable
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile
from protocols.tree_files import same_name

_SMALLEST = 1e-4  # probability, before its logarithm is taken
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Source:
    """One kind of input of every clip of a table.

    Attributes:
        name: what it is, for reports: `face landmarks (stand-in)`, `labels of the table` ...
        features: (N, F) float32, one vector a clip.
        series: (N, T, C) float32 over time, where there is one.
        events: where it is a stream of them.
        scores: the score file that it comes from, over the table's clips in order.
    """

    name: str
    features: NDArray[np.float32]
    series: NDArray[np.float32] | None = None
    events: Events | None = None
    scores: ScoreFile | None = None


@dataclass(frozen=True, eq=False)
class PoseSeries:
    """What a pose cache knows of a table's clips.

    Attributes:
        table: of the clips that have one person with a face.
        face: their faces.
        body: (N, 16, C) float32 joints of the body, about the shoulders' middle.
        left_out: what was left out and why, one line each.
    """

    table: EmotionTable
    face: Source
    body: NDArray[np.float32]
    left_out: tuple[str, ...]


def action_scores(table: EmotionTable, scores: ScoreFile) -> Source:
    """A recogniser's probabilities of the table's micro-actions, scaled to sum to 1 over these.

    Raises:
        ValueError: clips or micro-actions that the file lacks.
    """
    own = _joined(table, scores)
    columns = _columns(table.tree, scores.tree)
    likely = own.scores[:, columns]
    likely = likely / np.maximum(likely.sum(axis=1, keepdims=True), _SMALLEST)
    return Source(scores.method or "scores", likely.astype(np.float32))


def face_scores(table: EmotionTable, scores: ScoreFile) -> Source:
    """Probabilities of a face-expression network over its own labels.

    Raises:
        ValueError: clips that the file lacks, or labels that are the table's micro-actions.
    """
    actions = {same_name(name) for name in table.tree.actions}
    if all(same_name(name) in actions for name in scores.tree.actions):
        raise ValueError(
            f"scores of {scores.method!r}: expected emotions as labels, got micro-actions of the table, such "
            f"as {scores.tree.actions[0]!r}; these are for --actions"
        )
    own = _joined(table, scores)
    features = np.log(np.maximum(own.scores, _SMALLEST)).astype(np.float32)
    return Source(scores.method or "face scores", features, scores=own)


def action_labels(table: EmotionTable) -> Source:
    """The table's own micro-actions: what a perfect recogniser would say."""
    return Source("micro-actions as labelled", table.present.astype(np.float32))


def action_events(table: EmotionTable, detections: Detections) -> Source:
    """Detected events; a detection file's videos are the table's clips.

    Clips without an event are clips in which nothing was detected. As one vector a clip has, for each
    micro-action, the score of its surest event.

    Raises:
        ValueError: no clip of the table is in the file, or micro-actions that the file lacks.
    """
    columns = np.array(_columns(table.tree, detections.tree), np.int64)
    place = np.full(len(detections.tree.actions), -1, np.int64)
    place[columns] = np.arange(len(columns))
    names, video = detections.videos()
    row_of = {clip: row for row, clip in enumerate(table.clip_ids)}
    row = np.array([row_of.get(name, -1) for name in names], np.int64)[video]
    if not (row >= 0).any():
        raise ValueError(
            f"detections of {detections.method!r}: none of the {len(table)} clips is among the videos, such "
            f"as {table.clip_ids[0]!r} and {(*names, '(none)')[0]!r}; a clip's id must be its video's"
        )
    action = place[detections.actions]
    kept = (row >= 0) & (action >= 0)
    features = np.zeros((len(table), len(columns)), np.float32)
    np.maximum.at(features, (row[kept], action[kept]), detections.scores[kept].astype(np.float32))
    used = np.flatnonzero(kept)
    used = used[np.argsort(row[used], kind="stable")]
    ends = np.searchsorted(row[used], np.arange(len(table) + 1))
    clips = []
    for clip in range(len(table)):
        own = used[ends[clip] : ends[clip + 1]]
        start, end = detections.t_start_s[own], detections.t_end_s[own]
        clips.append((action[own], start, end, detections.scores[own]))
    return Source(detections.method or "events", features, events=events_of(clips))


def pose_series(table: EmotionTable, directory: Path) -> PoseSeries:
    """Faces and bodies of the table's clips from a pose cache; one person a clip, so both are the same's.

    Raises:
        ValueError: no cache, a layout without 68 face points, or no clip with a face at all.
    """
    cache = PoseCache(directory)
    points = _face_points(cache.layout)
    if points is None:
        raise ValueError(
            f"{directory}: the layout {cache.layout.name} has no {POINTS} face points; take poses of "
            "coco_wholebody133, such as extract-poses --model blaze_wholebody makes"
        )
    rows, faces, series, bodies = [], [], [], []
    left_out: dict[str, list[str]] = {}
    for row, clip_id in enumerate(table.clip_ids):
        if clip_id not in cache:
            left_out.setdefault("no poses", []).append(clip_id)
            continue
        clip = cache.read(clip_id)
        if clip.persons != 1:
            reason = "several people, of whom the table names none" if clip.persons else "no person"
            left_out.setdefault(reason, []).append(clip_id)
            continue
        measures = face_measures(clip.xy_px[0][:, points])
        summary, over_time = summed_up(measures), face_series(measures, FRAMES)
        body = body_series(clip)
        if summary is None or over_time is None or body is None:
            missing = "no face" if summary is None else "no shoulders"
            left_out.setdefault(missing, []).append(clip_id)
            continue
        rows.append(row)
        faces.append(summary)
        series.append(over_time)
        bodies.append(body)
    told = tuple(f"{reason}: {_named(clips)}" for reason, clips in left_out.items())
    if not rows:
        raise ValueError(f"{directory}: no clip of the table has one person with a face: {'; '.join(told)}")
    simulated = str(cache.metadata.settings.get("simulated")).lower() == "true"
    kept = table.rows(np.array(rows, np.int64))
    name = "face landmarks (stand-in, no published network)"
    return PoseSeries(
        replace(kept, simulated=kept.simulated or simulated),
        Source(name, np.stack(faces), np.stack(series)),
        np.stack(bodies),
        told,
    )


def _face_points(layout: Layout) -> list[int] | None:
    names = [f"face-{number}" for number in range(POINTS)]
    return [layout.joints.index(name) for name in names] if set(names) <= set(layout.joints) else None


def body_series(clip: PoseClip) -> NDArray[np.float32] | None:
    """(16, C) joints of arms, head and hands of the first person; None where the shoulders are never seen.

    Coordinates are shares of the shoulders' mean distance, about their middle; missing joints are 0.
    """
    layout = clip.layout
    left, right = layout.joints.index("left_shoulder"), layout.joints.index("right_shoulder")
    hands = [index for index, name in enumerate(layout.joints) if name.endswith(("finger4", "thumb4"))]
    joints = [index for index, name in enumerate(layout.joints) if not name.startswith("face-")][:17] + hands
    xy = clip.xy_px[0].astype(np.float64)
    seen = np.isfinite(xy[:, [left, right]]).all(axis=(1, 2))
    if seen.sum() < 2:
        return None
    xy = xy[seen]
    size = float(np.linalg.norm(xy[:, left] - xy[:, right], axis=1).mean())
    middle = (xy[:, left] + xy[:, right])[:, None] / 2
    steady = middle.mean(axis=0, keepdims=True)  # the whole clip's: rocking and leaning stay visible
    placed = np.nan_to_num((xy[:, joints] - steady) / max(size, 1.0))
    chosen = np.round(np.linspace(0, len(placed) - 1, FRAMES)).astype(np.int64)
    return placed[chosen].reshape(FRAMES, -1).astype(np.float32)


def _joined(table: EmotionTable, scores: ScoreFile) -> ScoreFile:
    """The file's rows in the order of the table, with the table's labels left out."""
    row_of = {clip: row for row, clip in enumerate(scores.clip_ids)}
    missing = [clip for clip in table.clip_ids if clip not in row_of]
    if missing:
        raise ValueError(
            f"scores of {scores.method!r}: {len(missing)} of {len(table)} clips of the table are missing, "
            f"{_named(missing)}; score all clips of the table"
        )
    order = np.array([row_of[clip] for clip in table.clip_ids], np.int64)
    return ScoreFile(
        scores.tree, table.clip_ids, np.full(len(order), -1, np.int64), scores.scores[order], scores.method
    )


def _columns(wanted: LabelTree, there: LabelTree) -> list[int]:
    place = {name: index for index, name in enumerate(there.actions)}
    lacking = [name for name in wanted.actions if name not in place]
    if len(lacking) == len(wanted.actions):
        raise ValueError(
            f"expected labels that are micro-actions of {wanted.name}, such as {wanted.actions[0]!r}, got "
            f"those of {there.name}: {_named(list(there.actions))}; name the file of a recogniser of these"
        )
    if lacking:
        raise ValueError(
            f"the micro-actions {_named(lacking)} of the table are not among the {len(there.actions)} of "
            f"{there.name}; read the table with --tree {there.name}"
        )
    return [place[name] for name in wanted.actions]


def _named(names: list[str]) -> str:
    more = f" ... and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more


def series_width() -> int:
    """Channels of a face's series."""
    return len(MEASURES)
