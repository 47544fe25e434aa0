"""Say in plain words what a keypoint file holds, and what is wrong with it."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poses.formats.long_csv import COLUMNS
from poses.formats.npz import archive_headers, layout_name
from poses.formats.people import load_json
from poses.formats.record import FormatError
from poses.layout import LAYOUTS


@dataclass
class Description:
    """What a file holds.

    Attributes:
        kind: the format, in words.
        clips: how many, None where the file is no clip file.
        axes: key -> its type and axes in words.
        notes: what an import assumes, changes or asks for, one sentence each.
        problems: what it refuses, or what cannot be meant.
    """

    kind: str
    clips: int | None = None
    axes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def value_in_words(value: Any) -> str:
    """Type and size of one value."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array {value.shape}"
    if isinstance(value, str):
        return f"text, such as {value[:60]!r}"
    if isinstance(value, dict):
        return f"dict of {len(value)}: {', '.join(str(key)[:30] for key in list(value)[:8])}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return f"{type(value).__name__}, such as {str(value)[:60]}"


def plain_axes(content: Any) -> dict[str, str]:
    """Key -> words, of content of any kind."""
    if isinstance(content, dict):
        return {str(key)[:60]: value_in_words(value) for key, value in list(content.items())[:20]}
    if isinstance(content, list | tuple) and content and isinstance(content[0], dict):
        return {f"[0].{key}"[:60]: value_in_words(value) for key, value in list(content[0].items())[:20]}
    return {"content": value_in_words(content)}


def in_range(values: Iterable[int]) -> str:
    """`3`, or `3..8`."""
    numbers = sorted(set(map(int, values)))
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}..{numbers[-1]}"


def describe_arrays(path: str | Path) -> Description:
    """Describe an NPZ: ours, or any other.

    Raises:
        FormatError: not a whole NPZ.
    """
    try:
        headers = archive_headers(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise FormatError(f"{path}: expected an NPZ (zip) file: {error}") from None
    axes = {
        key: f"{'text' if dtype.startswith('<U') else dtype} {shape}"
        for key, (dtype, shape) in headers.items()
    }
    try:
        kind = f"Fidget NPZ, layout {layout_name(path)}"
    except FormatError as error:
        return Description("NPZ of another program", axes=axes, problems=[str(error)])
    return Description(kind, clips=headers["clip_id"][1][0], axes=axes)


def describe_json(path: str | Path) -> Description:
    """Describe COCO ground truth or results, or mmpose's video JSON.

    Raises:
        FormatError: no JSON.
    """
    content = load_json(Path(path))
    if isinstance(content, dict) and "instance_info" in content:
        return _mmpose(content["instance_info"], "mmpose video JSON of the demo (frames count from 1)")
    if isinstance(content, list) and content and isinstance(content[0], dict) and "instances" in content[0]:
        return _mmpose(content, "mmpose video JSON of the Inferencer (frames count from 0)")
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        images, videos = _dicts(content.get("images")), _dicts(content.get("videos"))
        annotations = content["annotations"]
        description = Description("COCO keypoint ground truth", clips=len(videos or images))
        description.axes["images"] = f"{len(images)} images, {len(videos)} videos"
    elif isinstance(content, list) and content and isinstance(content[0], dict) and "image_id" in content[0]:
        annotations = content
        description = Description(
            "COCO keypoint results", clips=len({str(one.get("image_id")) for one in _dicts(content)})
        )
        description.notes.append("results name no frame sizes or files: import with --images GROUND_TRUTH")
    else:
        return Description(
            "JSON of an unknown kind", axes=plain_axes(content), problems=["no COCO and no mmpose keypoints"]
        )
    people = [one for one in _dicts(annotations) if isinstance(one.get("keypoints"), list)]
    description.axes["annotations"] = f"{len(annotations)}, {len(people)} with keypoints"
    sizes = Counter(len(one["keypoints"]) for one in people)
    description.axes["keypoints"] = (
        f"x, y, v of {in_range(size // 3 for size in sizes) if sizes else 0} joints"
    )
    whole = [
        key
        for key in ("foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
        if people and key in people[0]
    ]
    if whole:
        description.axes["whole body"] = f"{', '.join(whole)}: with keypoints the 133 of coco_wholebody133"
    if not people:
        description.problems.append("no annotation has keypoints")
    elif len(sizes) > 1:
        description.problems.append(
            f"annotations have different numbers of joints: {sorted(n // 3 for n in sizes)}"
        )
    return description


def _dicts(rows: object) -> list[dict[str, Any]]:
    """The dicts of a list; none of anything else."""
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _mmpose(rows: Any, kind: str) -> Description:
    frames = _dicts(rows)
    people = [one for row in frames for one in _dicts(row.get("instances"))]
    description = Description(kind, clips=1 if frames else 0)
    description.axes["frames"] = f"{len(frames)}, {len(people)} instances"
    sizes = {len(one["keypoints"]) for one in people if isinstance(one.get("keypoints"), list)}
    description.axes["keypoints"] = (
        f"x, y of {in_range(sizes) if sizes else 0} joints, scores in keypoint_scores"
    )
    description.notes.append("no frame rate and no frame size: import with --fps and --frame-size")
    return description


def describe_csv(path: str | Path) -> Description:
    """Describe a long CSV, row by row."""
    with Path(path).open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file)
        columns = list(rows.fieldnames or [])
        missing = [name for name in ("clip_id", "frame", "joint", "x_px", "y_px") if name not in columns]
        if missing:
            problem = f"no column {', '.join(missing)}; expected {', '.join(COLUMNS)}"
            return Description("CSV", axes={"columns": ", ".join(columns)}, problems=[problem])
        clips: set[str] = set()
        joints: set[str] = set()
        count = 0
        for row in rows:
            count += 1
            clips.add(row["clip_id"] or "")
            joints.add(row["joint"] or "")
    joints -= {""}
    fitting = [name for name, layout in LAYOUTS.items() if joints and joints <= set(layout.joints)]
    axes = {"columns": ", ".join(columns), "rows": f"{count:,}", "joints": f"{len(joints)} names"}
    notes: list[str] = []
    problems: list[str] = []
    if fitting:
        axes["joints"] += f", all in {', '.join(fitting)}"
    elif joints:
        problems.append(f"no known layout has all the joints: {', '.join(sorted(joints)[:8])}")
    if "time_s" not in columns:
        notes.append("no time_s: import with --fps")
    if "width" not in columns or "height" not in columns:
        notes.append("no width and height: import with --frame-size")
    return Description("long CSV", clips=len(clips), axes=axes, notes=notes, problems=problems)
