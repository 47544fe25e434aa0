"""The overlay of detected actions: bars where segments are, names while they last, and the video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fidget.reports.detection_overlay import (
    GROUP_BGR,
    MOST_ROWS,
    Segment,
    Timeline,
    clip_without_people,
    write_detection_overlay,
)
from fidget.reports.drawing import PLAIN_BGR
from protocols.detection_table import Instance
from protocols.label_tree import LabelTree
from protocols.trees import tree

TREE = LabelTree("three", ("nod", "wave", "kick"), ("head", "limbs"), (0, 1, 1))
WIDTH = 800


def column(second: float, end_s: float = 10.0) -> int:
    left, right = round(0.34 * WIDTH), WIDTH - 10
    return round(left + second / end_s * (right - left))


def colour_at(line: Timeline, row: int, second: float) -> tuple[int, ...]:
    picture = line.at(9.9)
    return tuple(picture[10 + 24 * row + 11, column(second)].tolist())


def test_bars_lie_where_segments_are() -> None:
    found = [Segment(6.0, 8.0, 0, 1.0), Segment(1.5, 3.5, 1, 1.0), Segment(2.5, 4.5, 1, 0.5)]
    line = Timeline(0.0, 10.0, found, TREE, WIDTH)
    assert line.actions == (1, 0) and line.left_out == 0
    assert colour_at(line, 0, 2.2) == GROUP_BGR[1] == colour_at(line, 0, 3.2)  # the surer one on top
    assert colour_at(line, 1, 7.5) == GROUP_BGR[0]
    assert colour_at(line, 0, 5.5) == colour_at(line, 1, 5.5) == PLAIN_BGR
    paler = np.subtract(colour_at(line, 0, 4.2), PLAIN_BGR) / np.subtract(GROUP_BGR[1], PLAIN_BGR)
    np.testing.assert_allclose(paler, 0.65, atol=0.02)


def test_annotated_instances_are_frames() -> None:
    line = Timeline(0.0, 10.0, [], TREE, WIDTH, [Instance("v", 4.2, 6.6, 2)])
    picture = line.at(0.1)
    assert line.actions == (2,)
    assert tuple(picture[12, column(5.5)].tolist()) == (255, 255, 255)
    assert tuple(picture[21, column(5.5)].tolist()) == PLAIN_BGR  # within


def test_the_surest_actions_get_rows() -> None:
    found = [Segment(0.5, 1.5, action, 0.3 + action / 200) for action in range(30)]
    line = Timeline(0.0, 10.0, found, tree("mma82"), WIDTH)
    assert line.actions == tuple(range(30 - MOST_ROWS, 30)) and line.left_out == 30 - MOST_ROWS
    known = Timeline(0.0, 10.0, found, tree("mma82"), WIDTH, [Instance("v", 0.1, 1.0, 3)])
    assert known.actions[0] == 3 and len(known.actions) == MOST_ROWS


def test_names_are_there_while_an_action_lasts() -> None:
    line = Timeline(0.0, 10.0, [Segment(2.0, 4.0, 0, 0.9)], TREE, WIDTH)
    for now_s, shown in ((1.9, False), (2.0, True), (3.9, True), (4.0, False)):
        frame = np.zeros((120, WIDTH, 3), np.uint8)
        line.name_active(frame, now_s)
        assert frame.any() == shown
        assert not frame[:, : WIDTH // 2].any()


def test_the_mark_goes_on() -> None:
    line = Timeline(0.0, 10.0, [], TREE, WIDTH)
    for second in (2.5, 7.5):
        moved = np.flatnonzero((line.at(second) != line.at(0.0)).any(axis=(0, 2)))
        assert abs(moved.max() - column(second)) <= 1


def test_what_cannot_be_shown_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected actions 0\.\.2 of three .* got actions \[7\]"):
        Timeline(0.0, 10.0, [Segment(0.0, 1.0, 7, 1.0)], TREE, WIDTH)
    with pytest.raises(ValueError, match="times that go on"):
        Timeline(1.0, 1.0, [], TREE, WIDTH)


def test_a_video_without_poses(tmp_path: Path) -> None:
    clip = clip_without_people("v", np.arange(6) / 29, (60, 90), Fraction(29))
    path, done = tmp_path / "v.mp4", []
    made = write_detection_overlay(
        clip, None, path, [Segment(0.0, 0.1, 1, 0.8)], TREE, note="simulated", on_frames=done.append
    )
    assert made.frames == sum(done) == 6
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(stream)]
        height = Timeline(0, 1, [Segment(0.0, 0.1, 1, 0.8)], TREE, 720).height
        assert len(frames) == 6 and frames[0].shape == (480 + height, 720, 3)  # eight times as large
    # The name is there at first, not at last, when the segment is over.
    corner = [frame[:40, 500:].astype(int) for frame in (frames[0], frames[5])]
    assert corner[0].max() > 150 > corner[1].max()
