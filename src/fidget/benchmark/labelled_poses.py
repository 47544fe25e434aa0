"""The poses or videos that a benchmark runs on, and their labels, from wherever they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fidget.benchmark.fetched_poses import fetch_file, fetch_poses, is_uri
from fidget.frames.simulated_videos import videos_simulated
from pose_extract.sources import find_videos
from protocols.clip_table import ClipTable
from protocols.clip_tables import KINDS, SKELETONS, read_clip_table, table_of_clips
from protocols.column_map import ColumnMap
from protocols.id_matching import with_cache_ids
from protocols.labels_table import LABELS_COLUMNS

_OWN = {"nw_ucla/cross-camera": "nw_ucla", "jhmdb14": "jhmdb14"}  # their clips' names tell the labels


def labelled_clips(
    benchmark: str,
    poses: str,
    labels: str | None,
    columns: ColumnMap | None,
    into: Path,
    say: Callable[[str], None] = print,
) -> tuple[Path, ClipTable]:
    """The directory of the cache, and the clips with their labels.

    Args:
        benchmark: its name; those of MMA-82 take labels as MMA-82's where they are.
        poses: a directory, or a URI of one: then it is copied.
        labels: a file or `NAME:PATH` as `read_clip_table` takes them, or a URI of a file; None for the table
            that lies beside the cache.
        columns: which column of a table holds what; Fidget's own names if None.
        into: where copies go.
        say: takes lines about what was copied or found.

    Raises:
        FileNotFoundError: no cache directory, or no labels; says what to give.
        ValueError: cache or labels are wrong, or do not fit each other.
        OSError: a URI cannot be reached.
    """
    if is_uri(poses):
        here = fetch_poses(poses, into / "fetched", say)
        if labels is None and benchmark not in _OWN:
            found = fetch_file(f"{poses.rstrip('/')}-labels.csv", into / "fetched-labels.csv")
            labels = None if found is None else str(found)
    else:
        here = Path(poses)
        if not here.is_dir():
            raise FileNotFoundError(f"--poses {poses}: no such directory, expected a pose cache or a URI")
    if labels is not None and is_uri(labels):
        copied = fetch_file(labels, into / f"labels{Path(labels).suffix}")
        if copied is None:
            raise FileNotFoundError(f"--labels {labels}: no such file")
        labels = str(copied)
    asked = labels or _OWN.get(benchmark) or str(_beside(here))
    _expect_labels(asked, labels is not None)

    def read(data_set: str) -> ClipTable:
        return read_clip_table(data_set, here, columns or LABELS_COLUMNS)

    return here, _table(benchmark, asked, read, say)


def labelled_videos(
    benchmark: str,
    videos: Path,
    labels: str | None,
    columns: ColumnMap | None,
    say: Callable[[str], None] = print,
) -> ClipTable:
    """The labelled clips of videos, with the ids that `extract-poses` gives them.

    Args:
        benchmark: see `labelled_clips`.
        videos: a directory, or whatever else `extract-poses` takes as one argument.
        labels: a file or `NAME:PATH`; None for the table that lies beside the videos.
        columns: see `labelled_clips`.
        say: takes lines about what was found.

    Raises:
        FileNotFoundError: no videos, or no labels; says what to give.
        ValueError: labels are wrong, or do not fit the videos.
    """
    found = find_videos([str(videos)])
    if found.problems:
        raise FileNotFoundError(f"--videos {found.problems[0]}")
    clip_ids = [source.clip_id for source in found.sources]
    asked = labels or _OWN.get(benchmark) or str(_beside_videos(videos))
    _expect_labels(asked, labels is not None)
    simulated = videos_simulated(videos)

    def read(data_set: str) -> ClipTable:
        table = table_of_clips(data_set, clip_ids, columns or LABELS_COLUMNS, simulated)
        return replace(with_cache_ids(table, clip_ids), simulated=simulated or table.simulated)

    return _table(benchmark, asked, read, say)


def _expect_labels(asked: str, given: bool) -> None:
    named = asked.partition(":")[0] in (*KINDS, *SKELETONS)
    if not named and not Path(asked).exists() and not Path(asked.rpartition(":")[0]).is_file():
        hint = "" if given else "; name the labels with --labels"
        raise FileNotFoundError(f"{asked}: no such file of labels{hint}")


def _beside_videos(videos: Path) -> Path:
    """Where the simulator writes labels, DIR-labels.csv of DIR-videos; else as beside a cache."""
    resolved = videos.resolve()
    own = videos.parent / f"{resolved.name.removesuffix('-videos')}-labels.csv"
    return own if own.is_file() else _beside(videos)


def _beside(poses: Path) -> Path:
    """Where `fidget poses import` and the simulator write labels."""
    resolved = poses.resolve()
    return poses.parent / f"{resolved.name}-labels.csv" if poses.name else Path(f"{resolved}-labels.csv")


def _table(
    benchmark: str, asked: str, read: Callable[[str], ClipTable], say: Callable[[str], None]
) -> ClipTable:
    if asked.partition(":")[0] in (*KINDS, *SKELETONS) or not benchmark.startswith("mma82/"):
        return read(asked)
    try:
        return read(f"mma82:{asked}")
    except ValueError as reason:
        table = read(asked)  # whose error is the one to see if it has one too
        first = str(reason).partition(";")[0]
        say(f"labels are not those of MMA-82, so nothing published is comparable ({first})")
        return table
