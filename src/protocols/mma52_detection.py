"""MMA-52: micro-action detection, from the csv files of both its releases (MAC 2024, track 2).

| release | columns | videos |
|---|---|---|
| current | `id,video_id,start_frame,end_frame,class,total_frames,fps` | `train0000`, 29 or 30 fps |
| older (train, val) | the same with an empty first name, and no fps | `196_01_0005_L`, first the subject |

Frames are counted from 0, seconds = frame / fps. Some ids of the older release differ in case alone. The test
file of both is the current one's and holds placeholders: for every video one row over frames 0 to 20.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from protocols.clip_table import SPLITS
from protocols.detection_table import DetectionTable, Instance
from protocols.label_names import is_index
from protocols.row_files import Rows, raise_problems, read_rows
from protocols.trees import tree
from protocols.video_rows import VideoRows, frame_rate, rate_of

COLUMNS = ("video_id", "start_frame", "end_frame", "class", "total_frames")
_OLDER_ID = re.compile(r"(\d+)_\d+_.*")


def is_mma52(path: str | Path) -> bool:
    """Whether a directory, or one csv, holds annotations of this form."""
    path = Path(path)
    files = [path / f"{split}.csv" for split in SPLITS] if path.is_dir() else [path]
    for file in files:
        if file.is_file() and file.suffix.lower() == ".csv":
            with file.open(encoding="utf-8-sig", errors="replace") as opened:
                head = opened.readline(1000)
            return set(COLUMNS) <= set(head.strip().split(","))
    return False


def read_mma52(path: str | Path, fps: Fraction | Mapping[str, Fraction] | None = None) -> DetectionTable:
    """Annotations of a directory with `train.csv`, `val.csv` and `test.csv`, or of one of these files.

    Instances of a test file that holds placeholders are kept back: its videos are there, but
    `instances_of("test")` raises. Times are as annotated.

    Args:
        path: the directory or a file named after its split.
        fps: frame rate where a file states none (the older release): one for all videos, or one each. What a
            file states is never replaced.

    Raises:
        ValueError: no such file, other columns, a value that is none, two rows that contradict each other on
            a video, or a video without a frame rate; all of a file at once, with their lines.
        OSError: a file cannot be opened.
    """
    path = Path(path)
    if path.is_dir():
        files = {split: path / f"{split}.csv" for split in SPLITS if (path / f"{split}.csv").is_file()}
    else:
        files = {path.stem: path}
    if not files or set(files) - set(SPLITS):
        raise ValueError(
            f"{path}: expected train.csv, val.csv or test.csv of MMA-52, or a directory with them"
        )
    labels = tree("ma52")
    gathered, withheld, notes = VideoRows(), [], []
    for split, file in files.items():
        rows = read_rows(file)
        missing = [name for name in COLUMNS if name not in rows.columns]
        if missing:
            raise ValueError(
                f"{file}: expected the columns {', '.join(COLUMNS)} and fps; {', '.join(missing)} missing, "
                f"got {', '.join(map(repr, rows.columns))}"
            )
        if "fps" not in rows.columns and fps is None:
            raise ValueError(
                f"{file}: states no frame rate (the older release), so its frames are no seconds; "
                "give it, such as --fps 30"
            )
        _take(gathered, rows, split, len(labels.actions), fps)
        raise_problems(file, gathered.problems)
        if split == "test" and _placeholders(rows):
            withheld.append(split)
            notes.append("the test rows are placeholders")
        if "fps" not in rows.columns:
            rates = "one given for each" if isinstance(fps, Mapping) else f"{fps} was taken"
            notes.append(f"{file.name} states no frame rate, {rates}")
    return gathered.table("mma52", labels, tuple(withheld), "; ".join(["the csv files", *notes]))


def _take(
    gathered: VideoRows,
    rows: Rows,
    split: str,
    classes: int,
    fps: Fraction | Mapping[str, Fraction] | None,
) -> None:
    """Add the rows of one file, or what is wrong with them."""
    values = [rows.columns[name] for name in COLUMNS]
    stated = rows.columns.get("fps", ("",) * len(rows))
    for row, (video_id, *texts, rate_text) in enumerate(zip(*values, stated, strict=True)):
        where = rows.where(row)
        if not video_id or not all(is_index(text.strip()) for text in texts):
            gathered.problems.append(f"{where}: expected a video and whole numbers, got {[video_id, *texts]}")
            continue
        start, end, label, frames = map(int, texts)
        rate = frame_rate(rate_text) if rate_text.strip() else rate_of(fps, video_id)
        if rate is None:
            gathered.problems.append(
                f"{where}: expected a frame rate of {video_id!r} such as 29 or 30, got {rate_text!r}"
            )
            continue
        if label >= classes:
            gathered.problems.append(f"{where}: expected a class 0..{classes - 1}, got {label}")
            continue
        match = _OLDER_ID.fullmatch(video_id)
        gathered.video(where, video_id, float(frames / rate), rate, split, subject=match[1] if match else "")
        gathered.instances.append(Instance(video_id, float(start / rate), float(end / rate), label))


def _placeholders(rows: Rows) -> bool:
    """Whether all rows span the same frames from 0, one a video."""
    spans = set(zip(rows.columns["start_frame"], rows.columns["end_frame"], strict=True))
    videos = rows.columns["video_id"]
    return (
        len(rows) > 1 and len(spans) == 1 and spans.pop()[0].strip() == "0" and len(set(videos)) == len(rows)
    )
