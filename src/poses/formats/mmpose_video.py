"""The JSON mmpose writes for a video: its demo's (`instance_info`), and its Inferencer's (a bare list)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from poses.formats.people import Person, lasting_id, load_json, numbers, stack_people
from poses.formats.record import FormatError, LabelledClip, expect_joint_count, field_of
from poses.layout import Layout


def is_mmpose_video(path: str | Path) -> bool:
    """Whether a JSON file is of this format, rather than COCO's."""
    content = load_json(Path(path))
    if isinstance(content, dict):
        return "instance_info" in content
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and "instances" in first


def read_mmpose_video(
    path: str | Path,
    layout: Layout,
    fps: Fraction | None = None,
    frame_hw: tuple[int, int] | None = None,
) -> Iterator[LabelledClip]:
    """Read one video's JSON as the one clip it is, named by the file's name without suffix.

    The demo numbers frames from 1, the Inferencer from 0; the box may lie one level deeper than it should:
    both forms of each are read. The file has neither frame size nor frame rate.

    Raises:
        FormatError: not this format, or another number of joints.
    """
    path = Path(path)
    content = load_json(path)
    where = str(path)
    is_demo = isinstance(content, dict)
    rows = field_of(content, "instance_info", list, where) if is_demo else content
    if not isinstance(rows, list) or not rows:
        raise FormatError(
            f"{where}: expected a list of frames with 'frame_id' and 'instances', got {rows!r:.60}"
        )
    by_number = {}
    for row in rows:
        number = field_of(row, "frame_id", int, where)
        if number in by_number:
            raise FormatError(f"{where}: frame_id {number} appears twice; expected each frame once")
        instances = field_of(row, "instances", list, where)
        by_number[number] = [_person(one, layout, f"{where}, frame {number}") for one in instances]
    order = sorted(by_number)
    raw = stack_people(path.stem, layout, [by_number[number] for number in order], where)
    raw.frame_hw, raw.fps = frame_hw, fps
    if fps is None:
        raw.notes.append("no frame rate in the file: 30 frames per second assumed")
    first = min(int(is_demo), order[0])  # the demo counts from 1
    raw.time_s = (np.array(order) - first) / float(fps or 30)
    yield raw.finish()


def _person(instance: Any, layout: Layout, where: str) -> Person:
    points = field_of(instance, "keypoints", list, where)
    expect_joint_count(len(points), layout, where)
    pairs = [numbers(point, f"{where}, keypoints") for point in points]
    if any(len(pair) != 2 for pair in pairs):
        raise FormatError(f"{where}: expected keypoints as pairs x, y, got {points[0]!r:.60}")
    score = numbers(field_of(instance, "keypoint_scores", list, where), f"{where}, keypoint_scores")
    if len(score) != len(pairs):
        raise FormatError(f"{where}: {len(pairs)} keypoints, {len(score)} keypoint_scores")
    joints = np.concatenate([np.array(pairs), score[:, None]], axis=1).astype(np.float32)
    return Person(
        joints, _box(instance, where), lasting_id(instance.get("track_id", instance.get("instance_id")))
    )


def _box(instance: Mapping[str, Any], where: str) -> tuple[float, float, float, float] | None:
    box = instance.get("bbox")
    if isinstance(box, list) and len(box) == 1:  # one level too deep
        box = box[0]
    if not box:
        return None
    corners = numbers(box, f"{where}, bbox").tolist()
    if len(corners) != 4:
        raise FormatError(f"{where}: expected bbox x1, y1, x2, y2, got {len(corners)} numbers")
    return corners[0], corners[1], corners[2], corners[3]
