"""From frames to tracks, with bright squares for faces; and the record itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.fidget.faces.face_samples import BrightSquares, people, squares_video, times_of

from fidget.faces.face_joining import TrackSettings
from fidget.faces.face_search import check_same_video, find_faces, frames_to_look_at, track_faces
from fidget.faces.face_tracks import Found
from fidget.frames.video_index import index_video

RAW = TrackSettings(smooth_s=0)
PATH = [(60 + 3 * n, 50 + n) for n in range(20)]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A face that moves, not seen in frames 8 to 11; a second one that stands still."""
    directory = tmp_path_factory.mktemp("squares")
    middles = [[*([] if 8 <= n < 12 else [PATH[n]]), (200, 100)] for n in range(20)]
    return squares_video(directory / "a.mp4", middles)


@pytest.fixture(scope="module")
def clip(video):
    noses = [PATH, [(200, 100)] * 20, [(120, 130)] * 20]
    return people(noses, time_s=times_of(video))


@pytest.fixture(scope="module")
def tracks(video, clip):
    return track_faces(clip, index_video(video), BrightSquares(), RAW)


def test_everyones_face_is_found_in_frame_pixels(tracks):
    moving, still, faceless = tracks
    middle = (moving.box_xyxy_px[:, :2] + moving.box_xyxy_px[:, 2:]) / 2
    np.testing.assert_allclose(middle, np.array(PATH) - 0.5, atol=1.5)
    assert moving.found.tolist() == [0] * 8 + [1] * 4 + [0] * 8
    assert still.found.tolist() == [0] * 20 and still.track_id == 4
    np.testing.assert_allclose(still.eyes_xy_px[3], [(195, 96), (204, 96)], atol=2)
    assert set(faceless.found) <= {Found.NO_FACE, Found.ELSEWHERE} and not len(faceless.face_frames)
    with pytest.raises(ValueError, match=r"0 of 20 frames with a face .*no frame to take its face from"):
        faceless.sampled(4)


def test_fewer_frames_a_second(video, clip, tracks):
    few = track_faces(clip, index_video(video), BrightSquares(), TrackSettings(max_fps=10, smooth_s=0))[0]
    assert few.frames.tolist() == frames_to_look_at(clip.time_s, 10).tolist() == [0, 3, 5, 8, 10, 13, 15, 18]
    wanted = np.arange(19)
    np.testing.assert_allclose(few.at(wanted)[0], tracks[0].at(wanted)[0], atol=2.5)
    assert np.isnan(few.at(np.array([19]))[0]).all()  # behind the last that was looked at


def test_frames_to_look_at():
    assert frames_to_look_at(np.arange(5) / 25, None).tolist() == [0, 1, 2, 3, 4]
    assert frames_to_look_at(np.arange(5) / 25, 1000).tolist() == [0, 1, 2, 3, 4]
    assert frames_to_look_at(np.array([3.0, 3.1, 7.0, 7.01]), 1).tolist() == [0, 2]
    assert frames_to_look_at(np.array([5.0]), 0.1).tolist() == [0]


def test_between_frames_and_outside(tracks):
    still = tracks[1]
    boxes, eyes = still.at(np.array([4, 4, 0, 19, 30, -1]))
    assert boxes.shape == (6, 4) and eyes.shape == (6, 2, 2)
    np.testing.assert_array_equal(boxes[0], still.box_xyxy_px[4])
    assert np.isfinite(boxes[:4]).all() and np.isnan(boxes[4:]).all() and np.isnan(eyes[4:]).all()
    assert still.sampled(3).tolist() == [0, 10, 19] and len(still.sampled(50)) == 50
    assert still.at(np.empty(0, np.int64))[0].shape == (0, 4)


def test_the_detector_is_not_asked_where_there_is_no_head(video, clip):
    gone = people([[*PATH[:5], *[(np.nan, np.nan)] * 15]], time_s=clip.time_s)
    (track,) = track_faces(gone, index_video(video), BrightSquares(), RAW)
    assert track.found.tolist() == [0] * 5 + [Found.NO_HEAD] * 15


def test_nobody_in_the_poses(video, clip):
    nobody = people(np.empty((0, 20, 2)), time_s=clip.time_s)
    assert track_faces(nobody, index_video(video), BrightSquares()) == ()


def test_a_region_beyond_the_frame_holds_nothing():
    frame = np.zeros((40, 60, 3), np.uint8)
    for region in ((-50, -50, -10, -10), (55, 35, 90, 90), (70, 0, 90, 20)):
        assert not len(find_faces(frame, np.array(region, np.float32), BrightSquares()))


def test_another_video_is_refused(video, clip, tmp_path):
    entry = index_video(video)
    short = people([PATH[:10]], time_s=clip.time_s[:10])
    later = dataclasses.replace(clip, time_s=clip.time_s * 1.01)
    large = dataclasses.replace(clip, frame_hw=(320, 240))
    for other, words in (
        (short, "expected 10 frames of 240x160, got 20 of 240x160"),
        (later, "expected the same times, got frames shown up to 0.008 s earlier or later"),
        (large, "expected 20 frames of 240x320, got 20 of 240x160"),
    ):
        with pytest.raises(ValueError, match="another video than its poses are from") as caught:
            track_faces(other, entry, BrightSquares())
        assert words in str(caught.value) and "a.mp4" in str(caught.value) and "\n" not in str(caught.value)
    (tmp_path / "b.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"clip 'a': .*b\.mp4"):
        check_same_video(clip, index_video(tmp_path / "b.mp4"))


@pytest.mark.parametrize(
    "change",
    [
        {"score": np.ones(20, np.float32)},
        {"found": np.full(20, Found.NO_FACE, np.uint8)},
        {"frames": np.zeros(20, np.int64)},
        {"box_xyxy_px": np.zeros((20, 3), np.float32)},
        {"time_s": np.zeros(19)},
    ],
)
def test_records_that_contradict_themselves(tracks, change):
    broken = tracks[2] if "score" in change else tracks[1]
    with pytest.raises(ValueError, match="clip 'a': "):
        dataclasses.replace(broken, **change)
