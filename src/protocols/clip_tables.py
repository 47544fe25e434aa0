"""Which reader reads a recognition data set: by its name, or by what its files look like.

| DATASET | what |
|---|---|
| `ma52:DIR`, `ma52_subjects:DIR` | official lists; our split by subject |
| `mma82:FILE`, `mma82_street:FILE` | MMA-82 behind a column map; one domain of it |
| `labels:FILE`, `labels.csv`, `labels.csv:xsub` | any table of clips and labels |
| `folders:DIR` | a folder a class |
| `nw_ucla`, `jhmdb14` | by the clip ids of a pose cache |

A path without a name is looked at: official lists, class folders, else a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from poses.cache_reader import PoseCache
from protocols import jhmdb, mma82, nw_ucla
from protocols.class_folders import is_class_folders, read_class_folders
from protocols.clip_table import ClipTable
from protocols.column_map import ColumnMap
from protocols.id_matching import with_cache_ids
from protocols.label_names import split_named
from protocols.labels_table import LABELS_COLUMNS, read_labels_table
from protocols.ma52 import by_subject, is_ma52, read_ma52
from protocols.protocol import Protocol
from protocols.row_files import SUFFIXES
from protocols.trees import nearest

KINDS = (
    "ma52",
    "ma52_subjects",
    "mma82",
    *(f"mma82_{domain}" for domain in mma82.DOMAINS),
    "labels",
    "folders",
)
"""Names that go before the colon of `NAME:PATH`."""
SKELETONS = ("nw_ucla", "jhmdb14")
"""Data sets whose clip ids tell everything."""


def read_clip_table(
    data_set: str | Path,
    poses: str | Path | None = None,
    columns: ColumnMap = LABELS_COLUMNS,
) -> ClipTable:
    """All labelled clips of a data set.

    Args:
        data_set: as the module says.
        poses: the pose cache; clips get the names they have there, where those differ by folders or suffix
            only, and are simulated if its metadata says so.
        columns: which column holds what, of a table.

    Raises:
        ValueError: no such data set or file, a file that is wrong, a name without the cache it needs; columns
            for something that has none.
        OSError: a file cannot be opened.
    """
    cache = None if poses is None else PoseCache(poses)
    clip_ids = None if cache is None else list(cache.stamps())
    told = cache is not None and is_simulated(cache)
    table = table_of_clips(data_set, clip_ids, columns, told)
    return table if clip_ids is None else with_cache_ids(table, clip_ids)


def table_of_clips(
    data_set: str | Path,
    clip_ids: Sequence[str] | None = None,
    columns: ColumnMap = LABELS_COLUMNS,
    simulated: bool = False,
) -> ClipTable:
    """The same with the clip ids of a cache in its place; names stay as the data set has them."""
    text = str(data_set)
    kind, path, prefix = kind_of(text)
    if columns.given and not kind.startswith(("mma82", "labels")):
        raise ValueError(f"{text}: columns were named, but {kind} has none of its own to choose from")
    if kind in SKELETONS:
        if clip_ids is None:
            raise ValueError(
                f"{kind} is read from the names of its clips: name the pose cache they are in too"
            )
        return _skeletons(kind, clip_ids)
    if kind.startswith("ma52"):
        table = read_ma52(path)
        return by_subject(table) if kind == "ma52_subjects" else table
    if kind.startswith("mma82"):
        table = mma82.read_mma82(path, columns, simulated)
        return _domain(table, kind.partition("_")[2])
    if kind == "folders":
        return read_class_folders(path)
    return read_labels_table(path, columns, prefix=prefix, simulated=simulated)


def kind_of(text: str) -> tuple[str, Path, str]:
    """What a data set is, where it lies, and the prefix of its splits.

    Raises:
        ValueError: no such name or file; names the nearest.
    """
    head, colon, rest = text.partition(":")
    if colon and rest and head in KINDS:
        path, prefix = _path_and_prefix(rest)
        if not path.exists():
            raise ValueError(f"{text}: expected {head} at {rest}, there is no such file or directory")
        return head, path, prefix
    path = Path(text)
    if text in SKELETONS and not path.exists():
        return text, path, ""
    if path.is_dir():
        return _kind_of_directory(path), path, ""
    if path.is_file():
        return "labels", path, ""
    path, prefix = _path_and_prefix(text)
    if prefix:
        return "labels", path, prefix
    if text in KINDS:
        raise ValueError(f"{text} is read from files: expected {text}:PATH")
    hint = nearest(head, (*KINDS, *SKELETONS))
    raise ValueError(
        f"no data set {text!r}, and no such file: {hint}expected a table "
        f"({', '.join(SUFFIXES)}), a directory, {', '.join(SKELETONS)}, or NAME:PATH with one of "
        + ", ".join(KINDS)
    )


def _path_and_prefix(text: str) -> tuple[Path, str]:
    """`labels.csv:xsub` is the file `labels.csv` and the prefix `xsub_`."""
    stem, colon, prefix = text.rpartition(":")
    if (
        colon
        and prefix
        and not Path(text).exists()
        and stem.lower().endswith(SUFFIXES)
        and Path(stem).is_file()
    ):
        return Path(stem), f"{prefix}_"
    return Path(text), ""


def is_simulated(cache: PoseCache) -> bool:
    """Whether a cache's metadata says that a simulator made it."""
    return str(cache.metadata.settings.get("simulated", "")).lower() == "true"


def protocol_of_files(name: str, clip_ids: Sequence[str], without_poses: bool = False) -> Protocol:
    """The protocol of `NAME:PATH`, for `find_protocol`; clips have their names in the cache.

    Args:
        name: such as `ma52:lists` or `mma82_street:labels.csv`.
        clip_ids: of the cache; a labelled clip that is not among them is an error.
        without_poses: take these too, for who counts them himself.

    Raises:
        ValueError: as `read_clip_table`; clips without poses, a table without splits to train on.
    """
    table = with_cache_ids(table_of_clips(name, clip_ids), clip_ids)
    known = set(clip_ids)
    absent = [table.clip_ids[row] for row in table.rows() if table.clip_ids[row] not in known]
    if absent and not without_poses:
        raise ValueError(
            f"{name}: there are no poses of {len(absent)} labelled clips, such as "
            f"{', '.join(map(repr, absent[:3]))}; extract them, or train without (data.missing=drop)"
        )
    if not len(table.rows("train")):
        raise ValueError(
            f"{name}: no labelled clip is in the split train; a protocol needs clips to train on"
        )
    kind = kind_of(name)[0]
    return table.protocol(table.name if kind in ("labels", "folders") else kind)


def _kind_of_directory(path: Path) -> str:
    if is_ma52(path):
        return "ma52"
    if any(split_named(file.stem) and file.suffix.lower() in SUFFIXES for file in path.iterdir()):
        return "labels"
    if is_class_folders(path):
        return "folders"
    if any(path.glob("*.parquet")):
        raise ValueError(
            f"{path}: expected a data set, this looks like a pose cache: name the table of its labels "
            f"({path.name}-labels.csv, if it was imported) and give the cache as --poses"
        )
    raise ValueError(
        f"{path}: expected the lists of MA-52, tables named train, val and test, or a folder of videos "
        "for each class; found none of these"
    )


def _domain(table: ClipTable, domain: str) -> ClipTable:
    """The clips of one domain, or all of them."""
    if not domain:
        return table
    rows = np.flatnonzero(np.array(table.domains) == domain)
    if not len(rows):
        there = ", ".join(sorted({*table.domains} - {""})) or "none"
        raise ValueError(f"{table.name}: no clip is of the domain {domain}; got {there}")
    return replace(table.subset(rows), name=f"{table.name}_{domain}")


def _skeletons(name: str, clip_ids: Sequence[str]) -> ClipTable:
    """NW-UCLA, cameras as domains and performers as subjects; or JHMDB, which tells neither."""
    none = ("",) * len(clip_ids)
    if name == "jhmdb14":
        protocol, tree = jhmdb.jhmdb(clip_ids, name), jhmdb.TREE
        labels = [jhmdb.recording_of(clip_id).label for clip_id in clip_ids]
        domains = subjects = none
    else:
        protocol, tree = nw_ucla.nw_ucla(clip_ids, name), nw_ucla.TREE
        recordings = [nw_ucla.recording_of(clip_id) for clip_id in clip_ids]
        labels = [one.label for one in recordings]
        domains = tuple(f"camera {one.camera}" for one in recordings)
        subjects = tuple(f"performer {one.performer}" for one in recordings)
    split_of = {clip_id: split for split, part in protocol.splits.items() for clip_id in part.clip_ids}
    splits = tuple(split_of.get(clip_id, "") for clip_id in clip_ids)
    return ClipTable(
        name, tree, tuple(clip_ids), np.array(labels, np.int64), splits, domains, subjects, note=protocol.note
    )
