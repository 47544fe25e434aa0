from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from tests.fidget.faces.face_samples import people, times_of

from fidget.faces.face_crops import each_face, face_crops
from fidget.faces.face_tracks import FaceTrack
from fidget.faces.stored_crops import store_crops
from fidget.frames.frame_clip import FrameClip
from fidget.frames.sampled_decoding import read_frames
from fidget.frames.video_index import index_video
from fidget.reports.video_file import write_video

HW = (120, 200)
SIDE = 40


def picture(number):
    """A blue-first frame: red left half and green right half of a square around the middle that moves."""
    frame = np.full((*HW, 3), 30, np.uint8)
    x, y = 60 + 4 * number, 60
    frame[y - 20 : y + 20, x - 20 : x] = (0, 0, 250)
    frame[y - 20 : y + 20, x : x + 20] = (0, 250, 0)
    return frame


def track_of(frames=6, clip_id="a"):
    middle = np.stack([60 + 4.0 * np.arange(frames) - 0.5, np.full(frames, 59.5)], axis=1)
    box = np.concatenate([middle - SIDE / 2, middle + SIDE / 2], axis=1).astype(np.float32)
    eyes = np.stack([middle - np.array((8, 0)), middle + np.array((8, 0))], axis=1).astype(np.float32)
    score, found = np.full(frames, 0.9, np.float32), np.zeros(frames, np.uint8)
    time_s = np.arange(frames) / 25
    return FaceTrack(clip_id, 0, 3, HW, np.arange(frames), time_s, box, eyes, score, found)


def clip_of(scale=1, clip_id="a", asked=None):
    def read(numbers):
        if asked is not None:
            asked.append(len(numbers))
        frames = np.stack([picture(int(n))[..., ::-1] for n in numbers])
        return frames.repeat(scale, axis=1).repeat(scale, axis=2)

    return FrameClip(clip_id, 6, (HW[0] * scale, HW[1] * scale), read)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("size", [16, 40, 112])
def test_the_face_fills_the_picture_at_any_scale(scale, size):
    crops = face_crops(track_of(), clip_of(scale), np.array([5, 0, 0]), size, margin=0.0)
    assert crops.shape == (3, size, size, 3) and crops.dtype == np.uint8
    np.testing.assert_array_equal(crops[1], crops[2])
    for crop in crops:
        inner = slice(size // 8, -size // 8)
        left, right = crop[inner, 1 : size // 2 - 1], crop[inner, size // 2 + 1 : -1]
        assert (left[..., 0] > 240).all() and (left[..., 1] < 10).all()  # red first
        assert (right[..., 1] > 240).all() and (right[..., 0] < 10).all()


def test_the_margin_shows_what_is_around_and_black_beyond_the_frame():
    crop = face_crops(track_of(), clip_of(), np.array([0]), 100, margin=0.5)[0]
    assert (crop[:23] < 60).all() and (crop[27:73, 27:48, 0] > 240).all()
    crop = face_crops(track_of(), clip_of(), np.array([0]), 100, margin=2.0)[0]
    assert (crop[:, 0] == 0).all() and (crop[50, 20] == 30).all()


def test_aligned_pictures_have_level_eyes_and_profiles_stay_as_they_are():
    track = track_of()
    turned = track.eyes_xy_px.copy()
    turned[:, 0, 1], turned[:, 1, 1] = 59.5 - 4, 59.5 + 4  # the left eye lies lower
    tilted = dataclasses.replace(track, eyes_xy_px=turned)
    upright = face_crops(tilted, clip_of(), np.array([0]), 80)[0]
    aligned = face_crops(tilted, clip_of(), np.array([0]), 80, aligned=True)[0]

    def edge(crop, row):
        return int(crop[row, 20:60, 0].argmin()) + 20  # where red ends

    assert edge(upright, 25) == edge(upright, 55)
    # Turned back by 26 degrees, counter-clockwise: the border's top goes to the left.
    assert edge(aligned, 55) - edge(aligned, 25) == pytest.approx(30 * np.tan(np.arctan2(8, 16)), abs=3)
    behind = turned.copy()
    behind[:, :, 0] = 59.5 + 4.0 * np.arange(6)[:, None]  # one eye above the other
    profile = dataclasses.replace(track, eyes_xy_px=behind)
    np.testing.assert_array_equal(face_crops(profile, clip_of(), np.array([0]), 80, aligned=True)[0], upright)


def test_frames_are_read_a_few_at_a_time(monkeypatch):
    asked = []
    monkeypatch.setattr("fidget.faces.face_crops._BYTES_AT_ONCE", 3 * HW[0] * HW[1] * 2)
    crops = face_crops(track_of(), clip_of(asked=asked), np.array([4, 2, 0, 3, 1]), 20)
    assert asked == [2, 2, 1]
    np.testing.assert_array_equal(crops, face_crops(track_of(), clip_of(), np.array([4, 2, 0, 3, 1]), 20))


def test_what_has_no_face_is_refused():
    track = track_of()
    box, eyes, score, found = (
        a.copy() for a in (track.box_xyxy_px, track.eyes_xy_px, track.score, track.found)
    )
    box[3], eyes[3], score[3], found[3] = np.nan, np.nan, 0, 3
    gone = dataclasses.replace(track, box_xyxy_px=box, eyes_xy_px=eyes, score=score, found=found)
    with pytest.raises(ValueError, match=r"clip 'a' person 3: frame 3 has no face; 5 frames have one"):
        face_crops(gone, clip_of(), np.array([2, 3]), 20)
    with pytest.raises(ValueError, match="expected frames of clip 'a', whose face this is, got 'b'"):
        face_crops(track, clip_of(clip_id="b"), np.array([2]), 20)
    for size, margin in ((0, 0.2), (20, -1), (20, 99)):
        with pytest.raises(ValueError, match="expected a size of 1 or more"):
            face_crops(track, clip_of(), np.array([2]), size, margin=margin)
    assert face_crops(track, clip_of(), np.empty(0, np.int64), 20).shape == (0, 20, 20, 3)


def test_each_face_and_stored_ones_are_what_is_cut_out(tmp_path):
    with write_video(tmp_path / "a.mp4", HW, Fraction(25)) as video:
        for number in range(6):
            video.add(number / 25, picture(number))
    entry = index_video(tmp_path / "a.mp4")
    clip = FrameClip("a", 6, HW, lambda numbers: read_frames(entry, numbers))
    track = track_of()
    found = dict(each_face(track, entry, 32))
    assert sorted(found) == list(range(6))
    for number, crop in found.items():
        np.testing.assert_array_equal(crop, face_crops(track, clip, np.array([number]), 32)[0])
    assert store_crops(track, entry, tmp_path / "crops", 32, aligned=False) == 6
    import cv2

    stored = cv2.imread(str(tmp_path / "crops" / "a" / "person3" / "000002.jpg"))[..., ::-1]
    assert np.abs(stored.astype(int) - found[2]).mean() < 6
    with pytest.raises(ValueError, match="its name leads out of"):
        store_crops(dataclasses.replace(track, clip_id="../b"), entry, tmp_path / "crops", 32, aligned=False)
    assert not (tmp_path / "b").exists()
    assert len(times_of(tmp_path / "a.mp4")) == people([[(0, 0)] * 6]).frames
