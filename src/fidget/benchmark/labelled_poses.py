"""The poses and labels that a benchmark runs on, from wherever they lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fidget.benchmark.fetched_poses import fetch_file, fetch_poses, is_uri
from protocols.clip_table import ClipTable
from protocols.clip_tables import KINDS, SKELETONS, read_clip_table
from protocols.column_map import ColumnMap
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
    named = asked.partition(":")[0] in (*KINDS, *SKELETONS)
    if not named and not Path(asked).exists() and not Path(asked.rpartition(":")[0]).is_file():
        hint = "" if labels else "; name the labels with --labels"
        raise FileNotFoundError(f"{asked}: no such file of labels{hint}")
    return here, _table(benchmark, asked, named, here, columns or LABELS_COLUMNS, say)


def _beside(poses: Path) -> Path:
    """Where `fidget poses import` and the simulator write labels."""
    resolved = poses.resolve()
    return poses.parent / f"{resolved.name}-labels.csv" if poses.name else Path(f"{resolved}-labels.csv")


def _table(
    benchmark: str, asked: str, named: bool, poses: Path, columns: ColumnMap, say: Callable[[str], None]
) -> ClipTable:
    if named or not benchmark.startswith("mma82/"):
        return read_clip_table(asked, poses, columns)
    try:
        return read_clip_table(f"mma82:{asked}", poses, columns)
    except ValueError as reason:
        table = read_clip_table(asked, poses, columns)  # whose error is the one to see if it has one too
        first = str(reason).partition(";")[0]
        say(f"labels are not those of MMA-82, so nothing published is comparable ({first})")
        return table
