"""A detection table with whatever columns it has: somebody's CSV, JSON or Parquet, one row an instance."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.column_map import ColumnMap
from protocols.detection_table import DetectionTable, Instance
from protocols.label_names import label_indices, split_named, tree_of_labels
from protocols.label_tree import LabelTree
from protocols.labels_table import LABELS_COLUMNS, names_of, numbers, table_rows
from protocols.row_files import Rows, raise_problems
from protocols.scores import NO_LABEL
from protocols.video_rows import VideoRows, frame_rate


def read_detection_columns(
    path: str | Path,
    columns: ColumnMap = LABELS_COLUMNS,
    tree: LabelTree | None = None,
    name: str = "",
    domain_named: Callable[[str], str] = str,
    simulated: bool = False,
) -> DetectionTable:
    """Videos and instances of a file.

    The columns of the video (`clip`) and of the label must be there, and either `start` and `end` in seconds
    or `start_frame`, `end_frame` and `fps`. A row without a label says that a video is there, with nothing in
    it. Where every row of the test part has no label, its instances are taken as kept back.

    Args:
        path: a CSV, JSON or Parquet file, or a directory of such files named train, val and test.
        columns: which column holds what.
        tree: the classes; None makes them of the file.
        name: of the data set, else that of the file.
        domain_named: the name of a domain from what the file calls it; raises ValueError for one it refuses.
        simulated: whether a simulator made the videos; a column of that name may say so too.

    Raises:
        ValueError: columns are missing; a label, split, domain, time or frame rate is none; rows contradict
            each other on a video. All at once, each with its place.
        OSError: a file cannot be opened.
    """
    path = Path(path)
    rows = table_rows(path, columns)
    in_frames = columns.start not in rows.columns and columns.start_frame in rows.columns
    times = ("start_frame", "end_frame", "fps") if in_frames else ("start", "end")
    columns.require(rows, ("clip", "label", *times))
    gathered = VideoRows()
    problems = gathered.problems
    labels, class_names = columns.values(rows, "label"), columns.values(rows, "class_name")
    name = name or path.stem
    found_tree = tree or tree_of_labels(rows, name, labels, class_names, columns.values(rows, "group_name"))
    if columns.class_name == columns.label or tree is None:
        class_names = ("",) * len(rows)
    indices = label_indices(rows, labels, class_names, found_tree, problems)
    rates = [frame_rate(text) if text else None for text in columns.values(rows, "fps")]
    start_s, end_s, duration_s = _seconds(rows, columns, rates, in_frames, problems)
    domains = names_of(rows, columns.values(rows, "domain"), domain_named, problems)
    subjects, splits = columns.values(rows, "subject"), columns.values(rows, "split")
    for row, video_id in enumerate(rows.columns[columns.clip]):
        where, split = rows.where(row), split_named(splits[row]) if splits[row] else ""
        if split is None or not video_id:
            problems.append(f"{where}: expected a video and a split, got {video_id!r} and {splits[row]!r}")
            continue
        gathered.video(where, video_id, duration_s[row], rates[row], split, domains[row], subjects[row])
        if indices[row] != NO_LABEL:
            gathered.instances.append(
                Instance(video_id, float(start_s[row]), float(end_s[row]), int(indices[row]))
            )
    raise_problems(path, problems)
    test = [one for one, said in gathered.videos.items() if said["split"] == "test"]
    empty = bool(test) and not {one.video_id for one in gathered.instances} & set(test)
    note = f"as listed in {path.name}" + ("; the test part has no instances" if empty else "")
    told = any(value.lower() in ("true", "1", "yes") for value in columns.values(rows, "simulated"))
    return gathered.table(name, found_tree, ("test",) if empty else (), note, simulated or told)


def _seconds(
    rows: Rows, columns: ColumnMap, rates: list[Fraction | None], in_frames: bool, problems: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(N,) start, end and duration of the video, in seconds."""
    if not in_frames:
        start_s, end_s, duration_s = (
            numbers(rows, columns.values(rows, what), f"a {what} in seconds", problems)
            for what in ("start", "end", "duration")
        )
        return start_s, end_s, duration_s
    for row, rate in enumerate(rates):
        if rate is None:
            got = columns.values(rows, "fps")[row]
            problems.append(f"{rows.where(row)}: expected a frame rate such as 29.97 or 30, got {got!r}")
    per_s = np.array([np.nan if rate is None else float(rate) for rate in rates])
    start, end, frames, duration = (
        numbers(rows, columns.values(rows, what), "a number", problems)
        for what in ("start_frame", "end_frame", "frames", "duration")
    )
    return start / per_s, end / per_s, np.where(np.isnan(duration), frames / per_s, duration)
