"""BlazeFace on real faces: public-domain portraits, and the clips of the shared folder."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from tests.fidget.faces.face_samples import people, times_of

from fidget.demo_clips import PORTRAITS, read_picture
from fidget.faces.face_joining import TrackSettings
from fidget.faces.face_search import load_face_detector, track_faces
from fidget.faces.face_tracks import Found
from fidget.frames.video_index import index_video
from fidget.reports.video_file import write_video
from weights.fetch import find_weight, is_present

NEEDED = ("face_detection_short_range", *(portrait.weight for portrait in PORTRAITS))


@pytest.fixture(scope="module")
def detector():
    if not all(is_present(name) for name in NEEDED):
        pytest.skip("weights are absent: fidget weights fetch blazepose_wholebody demo")
    return load_face_detector()


@pytest.fixture(scope="module")
def pair(detector, tmp_path_factory):
    """Both portraits side by side, five frames, and where their faces are."""
    pictures = [read_picture(find_weight(portrait.weight)) for portrait in PORTRAITS]
    height = max(len(picture) for picture in pictures)
    frame = np.zeros((height + height % 2, sum(picture.shape[1] for picture in pictures), 3), np.uint8)
    frame = frame[:, : frame.shape[1] // 2 * 2]
    left, faces = 0, []
    for picture, portrait in zip(pictures, PORTRAITS, strict=True):
        wide = min(picture.shape[1], frame.shape[1] - left)
        frame[: len(picture), left : left + wide] = picture[:, :wide]
        faces.append((portrait.face_xy[0] + left, portrait.face_xy[1]))
        left += wide
    path = tmp_path_factory.mktemp("pair") / "pair.mp4"
    with write_video(path, frame.shape[:2], Fraction(25)) as video:
        for number in range(5):
            video.add(number / 25, frame)
    return path, frame.shape[:2], faces


def found_by(detector, pair, noses, width=110.0):
    path, hw, _ = pair
    clip = people(np.tile(np.array(noses)[:, None], (1, 5, 1)), hw=hw, width=width, time_s=times_of(path))
    return track_faces(clip, index_video(path), detector)


@pytest.mark.weights
def test_each_face_is_on_its_own_head(detector, pair):
    tracks = found_by(detector, pair, pair[2])
    for track, face in zip(tracks, pair[2], strict=True):
        assert len(track.face_frames) == 5 and track.score.min() > 0.7
        left, top, right, bottom = track.box_xyxy_px[2]
        assert left < face[0] < right and top < face[1] < bottom and 60 < right - left < 260
        (right_eye_x, right_eye_y), (left_eye_x, left_eye_y) = track.eyes_xy_px[2]
        assert right_eye_x < face[0] < left_eye_x and max(right_eye_y, left_eye_y) < face[1] + 10


@pytest.mark.weights
def test_a_body_beside_a_face_does_not_get_it(detector, pair):
    owner = pair[2][1]
    near = (owner[0] + 50, owner[1] + 20)
    for away in (110, 150):
        beside = (owner[0] + away, owner[1] + 40)
        for noses in ([beside], [beside, owner]):
            track = found_by(detector, pair, noses)[0]
            assert set(track.found) <= {Found.ELSEWHERE, Found.NO_FACE} and not len(track.face_frames)
    # Near enough for the face to be within the region, and for this head if it had no owner.
    (alone,), (beside, _) = (found_by(detector, pair, noses) for noses in ([near], [near, owner]))
    assert (alone.found == Found.DETECTED).all() and (beside.found == Found.ELSEWHERE).all()


@pytest.mark.weights
def test_where_nobody_is_no_face_is(detector, pair):
    (track,) = found_by(detector, pair, [(40, 470)], width=40.0)
    assert (track.found == Found.NO_FACE).all()


@pytest.mark.weights
def test_poses_as_extracted_lead_to_the_faces(detector, pair, tmp_path, monkeypatch):
    from fidget.faces.clip_faces import open_faces
    from fidget.faces.face_crops import face_crops
    from pose_extract.command import main as extract_poses
    from poses.cache_reader import PoseCache

    words = [str(pair[0]), "-o", str(tmp_path / "poses"), "--model", "blazepose", "--workers", "1", "--quiet"]
    assert extract_poses(words) == 0
    weights = find_weight(NEEDED[0]).parent
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("FIDGET_WEIGHTS", str(weights))
    faces = open_faces(PoseCache(tmp_path / "poses"), pair[0].parent, say=lambda line: None)
    tracks = faces.tracks("pair")
    assert len(tracks) == 2
    for track, face in zip(sorted(tracks, key=lambda t: t.box_xyxy_px[0, 0]), pair[2], strict=True):
        left, top, right, bottom = track.at(np.array([2]))[0][0]
        assert left < face[0] < right and top < face[1] < bottom
        crops = face_crops(track, faces.videos.read("pair"), track.sampled(2), 96, aligned=True)
        assert crops.shape == (2, 96, 96, 3) and crops.std() > 30


# Middles of faces as seen in the shared clips: frame, x, y. After frame 52 the two embrace.
NODDING = [(0, 556, 394), (49, 558, 399)]
GLASSES = [(0, 746, 352), (16, 762, 354), (32, 826, 355), (48, 898, 356), (56, 908, 366), (71, 908, 366)]
RED_COLLAR = [(0, 1029, 315), (24, 1026, 315), (40, 979, 316), (56, 968, 320), (71, 980, 312)]


def along(points, frames):
    """(T, 2) of a path."""
    number, *xy = np.array(points, float).T
    return np.stack([np.interp(np.arange(frames), number, values) for values in xy], axis=1)


@pytest.mark.shared
@pytest.mark.weights
def test_faces_of_the_shared_clips(detector, shared_dir):
    few = TrackSettings(max_fps=10)
    path = shared_dir / "data" / "clips" / "B1_nodding__0019_02_0078.mp4"
    entry = index_video(path)
    clip = people([along(NODDING, 50)], hw=(1296, 1080), width=100.0, time_s=entry.time_us / 1e6)
    (track,) = track_faces(clip, entry, detector, few)
    assert len(track.face_frames) >= 0.9 * len(track.frames)
    assert apart(track, along(NODDING, 50)) < 40

    path = shared_dir / "data" / "clips" / "two_person__ntu_sample.mp4"
    entry = index_video(path)
    paths = np.stack([along(GLASSES, 72), along(RED_COLLAR, 72)])
    swapped = paths.copy()
    swapped[:, 52:] = paths[::-1, 52:]  # as trackers of bodies do
    for noses, kept in ((paths, 72), (swapped, 52)):
        clip = people(noses, hw=(1080, 1920), width=60.0, time_s=entry.time_us / 1e6)
        for track, way in zip(track_faces(clip, entry, detector, few), paths, strict=True):
            looked_at = int((track.frames < kept).sum())
            assert looked_at - 2 <= len(track.face_frames) <= looked_at
            assert apart(track, way) < 45
            assert (track.counts()[Found.EXCHANGED] >= 5) == (kept == 52)


def apart(track, way):
    """Most pixels between a face's middle and where it is to be."""
    middles = (track.box_xyxy_px[:, :2] + track.box_xyxy_px[:, 2:]) / 2
    return np.nanmax(np.abs(middles - way[track.frames]))
