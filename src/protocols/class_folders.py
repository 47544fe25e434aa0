"""Videos sorted into a folder a class, with or without a folder a split above: `train/nodding/x.mp4`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protocols.clip_table import ClipTable
from protocols.label_names import split_named
from protocols.label_tree import LabelTree
from protocols.row_files import raise_problems
from protocols.tree_files import same_name
from protocols.trees import nearest

VIDEO_SUFFIXES = frozenset({
    ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif",
    ".h264", ".h265", ".hevc", ".ivf", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov",
    ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".rm", ".rmvb", ".ts",
    ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
"""What counts as video, as in `extract-poses`."""


def is_class_folders(directory: str | Path) -> bool:
    """Whether a directory's folders hold videos."""
    return next(_videos(Path(directory)), None) is not None


def read_class_folders(directory: str | Path, tree: LabelTree | None = None) -> ClipTable:
    """Clips of a directory: `<class>/<video>`, or `<split>/<class>/<video>` where all its folders are splits.

    Clip ids are the paths below the directory without suffix, as `extract-poses DIRECTORY` names them; two
    that would be equal keep theirs. Folders below a class's belong to it. Hidden files and files without a
    video suffix are passed over. Classes are numbered in the order of their names, unless there is a tree.

    Raises:
        ValueError: no video in a folder, one in a split's folder but in no class's, or a folder that is no
            class of the tree; named.
        OSError: a folder cannot be listed.
    """
    directory = Path(directory)
    paths = sorted(_videos(directory))
    tops = {path.parts[0] for path in paths}
    in_splits = bool(tops) and all(split_named(top) for top in tops)
    deep = 3 if in_splits else 2
    form = "<split>/<class>/<video>" if in_splits else "<class>/<video>"
    problems = [f"{path.as_posix()}: expected {form}" for path in paths if len(path.parts) < deep]
    raise_problems(directory, problems)
    if not paths:
        raise ValueError(
            f"{directory}: expected a folder of videos for each class, found no video in a folder"
        )
    classes = [path.parts[deep - 2] for path in paths]
    labels_of = tree or LabelTree(directory.resolve().name, tuple(sorted(set(classes))))
    index_of = {same_name(action): index for index, action in enumerate(labels_of.actions)}
    unknown = sorted({name for name in classes if same_name(name) not in index_of})
    raise_problems(
        directory,
        [
            f"{labels_of.name} has no class {name!r} {nearest(name, labels_of.actions)}".strip()
            for name in unknown
        ],
    )
    none = ("",) * len(paths)
    return ClipTable(
        directory.resolve().name,
        labels_of,
        _clip_ids(paths),
        np.array([index_of[same_name(name)] for name in classes], np.int64),
        tuple(split_named(path.parts[0]) or "" for path in paths) if in_splits else none,
        none,
        none,
        note=f"folders of {directory.resolve().name}" + ("" if in_splits else ", without splits"),
    )


def _videos(directory: Path) -> Iterator[Path]:
    """Paths of videos below the directory, those that lie in it itself left out; links are followed once."""

    def refuse(error: OSError) -> None:
        raise error

    seen: set[str] = set()
    for top, folders, files in os.walk(directory, onerror=refuse, followlinks=True):
        real = os.path.realpath(top)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        below = Path(top).relative_to(directory)
        if real in seen or below == Path():
            seen.add(real)
            continue
        seen.add(real)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES:
                yield below / name


def _clip_ids(paths: list[Path]) -> tuple[str, ...]:
    r"""Paths without suffix; with it where two would be equal. Bytes that are no UTF-8 become `\xNN`."""

    def text(path: Path) -> str:
        return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    stems = [text(path.with_suffix("")) for path in paths]
    times = Counter(stems)
    return tuple(stem if times[stem] == 1 else text(path) for path, stem in zip(paths, stems, strict=True))
