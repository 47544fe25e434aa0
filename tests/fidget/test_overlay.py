from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fidget_samples import GREY, clip_of, decode, write_grey_video

from fidget.reports.drawing import SIDE_BGR, SkeletonPen, ascii_label, draw_person, sides
from fidget.reports.overlay import write_overlay
from fidget.reports.video_file import ENCODERS, write_video
from poses.layout import LAYOUTS, get_layout


def changed(frame_bgr: np.ndarray, grey: int = GREY) -> np.ndarray:
    """Where a decoded frame is no longer the background."""
    return np.abs(frame_bgr.astype(int) - grey).max(axis=-1) > 40


def test_the_overlay_has_the_clip_s_frames_times_and_skeleton(tmp_path: Path) -> None:
    clip = clip_of("a", frames=9, hw=(240, 320), at=(140, 170))
    source = write_grey_video(tmp_path / "in.mp4", clip)
    made = write_overlay(clip, source, tmp_path / "out.mp4", thumbnail_frames=[0, 8])
    times, frames = decode(tmp_path / "out.mp4")
    assert made.note is None
    assert made.frames == len(frames) == 9
    np.testing.assert_allclose(times, clip.time_s - clip.time_s[0], atol=2e-5)
    for index, frame in enumerate(frames):
        middle = clip.xy_px[0, index].mean(axis=0)
        rows, columns = np.nonzero(changed(frame)[167:])  # below the labels
        assert abs(rows.mean() + 167 - middle[1]) < 2
        assert abs(columns.mean() - middle[0]) < 2
    assert [thumb.shape for thumb in made.thumbnails] == [(240, 320, 3)] * 2


def test_a_missing_joint_and_an_absent_person_leave_no_mark(tmp_path: Path) -> None:
    clip = clip_of("a", frames=4, at=(70, 90))
    score, xy_px = clip.score.copy(), clip.xy_px.copy()
    score[:, 2:] = 0
    xy_px[:, 2:] = np.nan
    write_overlay(replace(clip, score=score, xy_px=xy_px), None, tmp_path / "out.mp4")
    _, frames = decode(tmp_path / "out.mp4")
    drawn = [changed(frame, 39)[40:].any() for frame in frames]
    assert drawn == [True, True, False, False]


def test_a_source_that_is_gone_short_or_of_another_size_is_said(tmp_path: Path) -> None:
    clip = clip_of("a", frames=8)
    gone = write_overlay(clip, tmp_path / "gone.mp4", tmp_path / "1.mp4")
    assert gone.note == f"plain background: {tmp_path / 'gone.mp4'} is not there"
    short = write_grey_video(tmp_path / "short.mp4", clip, frames=5)
    made = write_overlay(clip, short, tmp_path / "2.mp4")
    assert made.note is not None
    assert made.note.startswith("plain background from frame 5 on")
    assert len(decode(tmp_path / "2.mp4")[1]) == 8
    other = write_overlay(clip_of("a", hw=(90, 160)), short, tmp_path / "3.mp4")
    assert other.note is not None
    assert "160x120" in other.note
    assert "160x90" in other.note
    (tmp_path / "text.mp4").write_text("no video")
    text = write_overlay(clip, tmp_path / "text.mp4", tmp_path / "4.mp4")
    assert text.note is not None
    assert len(decode(tmp_path / "4.mp4")[1]) == 8


@pytest.mark.parametrize("hw", [(121, 161), (1, 1), (3000, 200), (16, 4000)])
def test_any_frame_size_gives_a_video(tmp_path: Path, hw: tuple[int, int]) -> None:
    made = write_overlay(clip_of("a", frames=2, hw=hw, at=(0.2, 0.3)), None, tmp_path / "o.mp4", [1])
    _, frames = decode(tmp_path / "o.mp4")
    assert len(frames) == 2
    assert max(frames[0].shape) <= 1440
    assert made.thumbnails[0].size > 0


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name != "libopenh264"])
def test_every_encoder_keeps_the_times(tmp_path: Path, encoder: str) -> None:
    clip = clip_of("a", frames=30)
    write_overlay(clip, None, tmp_path / "o.mp4", encoder=encoder)
    times, _ = decode(tmp_path / "o.mp4")
    np.testing.assert_allclose(times, clip.time_s, atol=2e-5)


def test_a_video_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    clip = clip_of("a")
    path = write_grey_video(tmp_path / "a.mp4", clip)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="increase"), write_video(path, (32, 32), clip.fps) as video:
        for time_s in (0.0, 0.1, 0.05):
            video.add(time_s, np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="shape"), write_video(path, (32, 32), clip.fps) as video:
        video.add(0, np.zeros((31, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="at least one frame"), write_video(path, (32, 32), clip.fps):
        pass
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_joints_far_outside_or_not_finite_draw_nothing_wrong() -> None:
    layout = get_layout("coco17")
    frame = np.zeros((60, 80, 3), np.uint8)
    xy_px = np.full((17, 2), 1e30, np.float32)
    xy_px[0] = np.nan
    xy_px[1] = (-1e9, 5)
    xy_px[2] = (-3, -3)  # just outside
    draw_person(frame, SkeletonPen.of(layout), xy_px, np.ones(17, np.float32), 50)
    assert not frame[20:].any()


def test_left_is_blue_right_is_orange_and_certainty_shows() -> None:
    layout = get_layout("coco17")
    pen = SkeletonPen.of(layout)
    for joint, side in (("left_wrist", "left"), ("right_wrist", "right"), ("nose", "middle")):
        frame = np.zeros((40, 40, 3), np.uint8)
        score = np.zeros(17, np.float32)
        score[layout.index(joint)] = 1
        xy_px = np.full((17, 2), np.nan, np.float32)
        xy_px[layout.index(joint)] = (20, 20)
        draw_person(frame, pen, xy_px, score, 100)
        assert tuple(frame[20, 20].tolist()) == SIDE_BGR[side]
        faint = np.zeros_like(frame)
        draw_person(faint, pen, xy_px, score * np.float32(0.2), 100)
        assert 0 < int(faint[20, 20].max()) < int(frame[20, 20].max()) / 2


def test_every_layout_has_as_many_left_as_right_joints() -> None:
    for layout in LAYOUTS.values():
        found = sides(layout)
        assert found.count("left") == found.count("right"), layout.name
        for joint, other in enumerate(layout.mirror):
            pair = {found[joint], found[other]}
            assert pair in ({"left", "right"}, {"middle"}), layout.joints[joint]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("plain-1", "plain-1"),
        ("Zoë naïve Å", "Zoe naive A"),
        ("名", "\\u540d"),
        ("a\nb", "a\\nb"),
        ("😀", "\\U0001f600"),
        ("x" * 100, "x" * 28 + "..." + "x" * 29),
        ("", ""),
    ],
)
def test_labels_are_ascii_and_lose_nothing_silently(text: str, label: str) -> None:
    assert ascii_label(text) == label
