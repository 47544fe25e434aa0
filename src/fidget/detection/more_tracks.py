"""Tracks pasted together of trimmed clips beside real recordings: more to train with, counted apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fidget.detection.pasted_cache import write_pasted
from fidget.detection.recordings import JoinedPoses, PoseRecordings
from poses.cache_reader import PoseCache
from protocols.clip_tables import read_clip_table
from protocols.detection_table import DetectionTable


def with_pasted_tracks(
    recordings: PoseRecordings,
    table: DetectionTable,
    clips: Path,
    labels: str,
    number: int,
    directory: Path,
    seed: int,
) -> tuple[JoinedPoses, DetectionTable]:
    """Recordings and annotations with tracks of trimmed training clips.

    Args:
        recordings: of the annotations.
        table: the annotations.
        clips: a pose cache of trimmed clips.
        labels: their data set, as `fidget benchmark audit` takes it.
        number: of tracks.
        directory: where the tracks are kept, a pose cache.
        seed: of all draws.

    Raises:
        ValueError: the clips have other actions, other joints, or no labels.
    """
    cache = PoseCache(clips)
    of_clips = read_clip_table(labels, clips)
    if of_clips.tree.actions != table.tree.actions:
        raise ValueError(
            f"{labels} has the {len(of_clips.tree.actions)} actions of {of_clips.tree.name}, the annotations "
            f"the {len(table.tree.actions)} of {table.tree.name}: pasted clips need the same"
        )
    pasted = write_pasted(directory, cache, of_clips, number, seed=seed)
    joined = JoinedPoses(recordings, PoseRecordings(directory, recordings.layout.name))
    return joined, joined_tables(table, pasted)


def joined_tables(table: DetectionTable, more: DetectionTable) -> DetectionTable:
    """Two tables of the same actions as one; its name and note say that there is more than the first.

    Raises:
        ValueError: a video is in both.
    """
    return replace(
        table,
        name=f"{table.name}+{len(more)}pasted",
        video_ids=(*table.video_ids, *more.video_ids),
        duration_s=np.concatenate([table.duration_s, more.duration_s]),
        fps=(*table.fps, *more.fps),
        splits=(*table.splits, *more.splits),
        domains=(*table.domains, *more.domains),
        subjects=(*table.subjects, *more.subjects),
        instances=(*table.instances, *more.instances),
        simulated=table.simulated or more.simulated,
        note="; ".join(note for note in (table.note, more.note) if note),
    )
