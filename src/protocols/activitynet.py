"""Temporal annotations as ActivityNet, OpenTAD, ActionFormer and mmaction2 write them: one JSON file.

| form | per video | split |
|---|---|---|
| ActivityNet | `database`: `subset`, `duration`, `annotations` of `segment`, `label` | subset |
| OpenTAD | the same with `frame`, the number of frames | subset |
| ActionFormer | the same with `fps`, and `label_id` beside each label | subset |
| mmaction2 | no `database`: `duration_second`, `duration_frame`, `rfps` | a file a split, named by it |

`write_opentad` writes the second, which the other readers of the field take too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from poses.whole_file import replacing
from protocols.detection_table import DetectionTable, Instance, by_video
from protocols.label_names import split_named
from protocols.label_tree import LabelTree
from protocols.row_files import raise_problems, unique_keys
from protocols.tree_files import same_name
from protocols.trees import nearest
from protocols.video_rows import VideoRows

_FINEST_RATE = 1001  # denominator of a frame rate, as in 30000/1001
_SUBSETS = {"train": "training", "val": "validation", "test": "testing", "": ""}


def read_activitynet(
    path: str | Path,
    tree: LabelTree | None = None,
    split: str = "",
    class_map: str | Path | None = None,
) -> DetectionTable:
    """Videos and instances of a file in any of these forms.

    Classes are those of `tree` or of `class_map`; else numbered by the file's `label_id`, else in the order
    of their names, as OpenTAD does. A test part without any annotation is taken as kept back.

    Args:
        path: the JSON file.
        tree: the classes, by name.
        split: of every video of a file that names no subset (mmaction2); else the file's name tells, if it
            contains train, val or test.
        class_map: a text file with one class name a line.

    Raises:
        ValueError: no JSON of these forms (results of a network, say), a segment or duration that is none, an
            unknown subset or class; all at once, each with its video.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    videos, simulated = _videos(path)
    gathered, problems = VideoRows(), list[str]()
    named: list[tuple[str, str, float, float]] = []
    ids: dict[str, set[int]] = {}
    default = split or _split_of_name(path)
    for video_id, said in videos.items():
        if not isinstance(said, dict):
            problems.append(f"video {video_id!r}: expected an object, got {type(said).__name__}")
            continue
        subset = said.get("subset", default)
        found = split_named(str(subset)) if subset else ""
        if found is None:
            problems.append(f"video {video_id!r}: expected a subset such as training, got {subset!r}")
        duration_s = _number(said.get("duration", said.get("duration_second")))
        seen = [str(said.get(what, "")) for what in ("domain", "subject")]
        gathered.video(video_id, video_id, duration_s, _rate(said, duration_s), found or "", *seen)
        listed = said.get("annotations")
        if not isinstance(listed, list | None):
            problems.append(f"video {video_id!r}: expected a list of annotations, got {str(listed)[:80]}")
            continue
        for entry in listed or ():
            problem = _take(video_id, entry, named, ids)
            if problem:
                problems.append(f"video {video_id!r}: {problem}")
    raise_problems(path, problems)
    labels = tree or _tree(path, class_map, ids)
    index_of = {same_name(action): index for index, action in enumerate(labels.actions)}
    for label in sorted({label for _, label, _, _ in named if same_name(label) not in index_of}):
        problems.append(f"{labels.name} has no class {label!r} {nearest(label, labels.actions)}".strip())
    raise_problems(path, problems)
    gathered.instances += [
        Instance(video_id, start, end, index_of[same_name(label)]) for video_id, label, start, end in named
    ]
    filled = {gathered.videos[one.video_id]["split"] for one in gathered.instances}
    empty = {str(said["split"]) for said in gathered.videos.values()} - filled - {""}
    withheld = tuple(sorted(empty & {"test"}))
    return gathered.table(path.stem, labels, withheld, f"as annotated in {path.name}", simulated)


def write_opentad(path: str | Path, table: DetectionTable) -> None:
    """Write a table as OpenTAD reads it; the file is there whole or not at all.

    Times are written in full. `frame` is there where the frame rate is known; `domain`, `subject` and
    `simulated` where there is something to say, which other programs pass over.

    Raises:
        ValueError: a video without a duration, which the format needs, or a time that is no number.
        OSError: no room, or no permission.
    """
    path = Path(path)
    instances = by_video(table.instances)
    database: dict[str, dict[str, Any]] = {}
    for row, video_id in enumerate(table.video_ids):
        duration_s, fps = float(table.duration_s[row]), table.fps[row]
        listed = instances.get(video_id, [])
        times = [duration_s, *(time for one in listed for time in (one.t_start_s, one.t_end_s))]
        if not all(map(math.isfinite, times)):
            raise ValueError(
                f"{table.name}: video {video_id!r}: expected a duration and times in seconds, got {times}"
            )
        said: dict[str, Any] = {"subset": _SUBSETS[table.splits[row]], "duration": duration_s}
        if fps is not None:
            said["frame"] = round(fps * Fraction(duration_s))
        for what, name in (("domain", table.domains[row]), ("subject", table.subjects[row])):
            if name:
                said[what] = name
        said["annotations"] = [
            {
                "segment": [one.t_start_s, one.t_end_s],
                "label": table.tree.actions[one.label],
                "label_id": one.label,
            }
            for one in listed
        ]
        database[video_id] = said
    content: dict[str, Any] = {"version": table.name, "taxonomy": [], "database": database}
    if table.simulated:
        content["simulated"] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _videos(path: Path) -> tuple[Mapping[str, Any], bool]:
    """What is said of each video, and whether the file says it is simulated."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON: {error}") from error
    if isinstance(content, dict):
        if isinstance(content.get("database"), dict):
            return content["database"], content.get("simulated") is True
        if "results" in content:
            raise ValueError(
                f"{path}: holds results of a network, expected annotations with the key 'database'"
            )
        if content and all(isinstance(said, dict) and "duration_second" in said for said in content.values()):
            return content, False
    raise ValueError(
        f"{path}: expected annotations as of ActivityNet or OpenTAD (the key 'database'), or of mmaction2 "
        "('duration_second' for every video)"
    )


def is_activitynet(path: str | Path) -> bool:
    """Whether a file is JSON that begins as one of these forms do; all of it is read."""
    try:
        _videos(Path(path))
    except ValueError:
        return False
    return True


def _take(
    video_id: str, entry: Any, named: list[tuple[str, str, float, float]], ids: dict[str, set[int]]
) -> str:
    """Add an annotation; else what is wrong with it."""
    segment = entry.get("segment") if isinstance(entry, dict) else None
    if not isinstance(segment, list) or len(segment) != 2 or not isinstance(entry.get("label"), str):
        return f"expected an annotation with a segment of two numbers and a label, got {str(entry)[:80]}"
    start, end = map(_number, segment)
    if math.isnan(start) or math.isnan(end):
        return f"expected a segment of two numbers, got {segment}"
    named.append((video_id, entry["label"], start, end))
    known = ids.setdefault(entry["label"], set())
    number = entry.get("label_id")
    if isinstance(number, int) and not isinstance(number, bool):
        known.add(number)
    return ""


def _tree(path: Path, class_map: str | Path | None, ids: Mapping[str, set[int]]) -> LabelTree:
    """Classes of a class map, of the file's numbers, or by name."""
    if class_map is not None:
        lines = Path(class_map).read_text(encoding="utf-8-sig").splitlines()
        return LabelTree(path.stem, tuple(line.strip() for line in lines if line.strip()))
    if not ids:
        raise ValueError(f"{path}: expected annotations, no video has any; name the classes")
    numbers = {label: next(iter(known)) for label, known in ids.items() if len(known) == 1}
    in_order = sorted(numbers, key=lambda label: numbers[label])
    if len(numbers) == len(ids) and [numbers[label] for label in in_order] == list(range(len(ids))):
        return LabelTree(path.stem, tuple(in_order))
    return LabelTree(path.stem, tuple(sorted(ids)))


def _rate(said: Mapping[str, Any], duration_s: float) -> Fraction | None:
    """The frame rate: as stated, else frames over seconds."""
    stated = _number(said.get("rfps", said.get("fps")))
    if not stated > 0:
        frames = _number(said.get("frame", said.get("duration_frame")))
        stated = frames / duration_s if frames > 0 and duration_s > 0 else math.nan
    return Fraction(stated).limit_denominator(_FINEST_RATE) if 0 < stated < math.inf else None


def _number(value: Any) -> float:
    """A number, or text that is one; NaN for anything else."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return math.nan
    return math.nan


def _split_of_name(path: Path) -> str:
    words = path.stem.lower().replace("-", "_").replace(".", "_").split("_")
    found = {split for word in words if (split := split_named(word))}
    return found.pop() if len(found) == 1 else ""
