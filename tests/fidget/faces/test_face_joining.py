from __future__ import annotations

import numpy as np
import pytest
from tests.fidget.faces.face_samples import HEAD, faces_at, people

from fidget.faces.face_joining import (
    Choice,
    Heads,
    TrackSettings,
    choose_face,
    exchanged_faces,
    join_faces,
    overlaps,
)
from fidget.faces.face_tracks import Found
from fidget.faces.head_region import head_regions

RAW = TrackSettings(smooth_s=0)
OWN, OTHER = (100.0, 60.0), (136.0, 60.0)


def heads(*centers, width=HEAD, person=0):
    center = np.array(centers, np.float32)
    width_px = np.where(np.isfinite(center[:, 0]), np.float32(width), np.float32(np.nan))
    return Heads(center, width_px, person)


def box_around(point, side=20.0):
    return np.array([*np.subtract(point, side / 2), *np.add(point, side / 2)], np.float32)


NAN = (np.nan, np.nan)
DETECTED = Found.DETECTED


@pytest.mark.parametrize(
    ("faces", "around", "before", "expected"),
    [
        # nobody's head, no face, one face
        (faces_at(OWN), heads(NAN), None, Choice(Found.NO_HEAD)),
        (faces_at(), heads(OWN), None, Choice(Found.NO_FACE)),
        (faces_at((103, 64)), heads(OWN), None, Choice(DETECTED, 0)),
        # a face beside the head, and one that is on a neighbour's
        (faces_at((100, 90)), heads(OWN), None, Choice(Found.ELSEWHERE)),
        (faces_at(OTHER), heads(OWN, OTHER), None, Choice(Found.ELSEWHERE)),
        (faces_at((114, 60)), heads(OWN, (120, 60)), None, Choice(Found.ELSEWHERE)),
        (faces_at((114, 60)), heads(OWN, NAN), None, Choice(DETECTED, 0)),
        # far too small or too large for this head
        (faces_at(OWN, side=6), heads(OWN), None, Choice(Found.ELSEWHERE)),
        (faces_at(OWN, side=90), heads(OWN), None, Choice(Found.ELSEWHERE)),
        # a neighbour's face in the region does not matter
        (faces_at(OTHER, (101, 60)), heads(OWN, OTHER), None, Choice(DETECTED, 1)),
        # two on one head: never guessed, unless one goes on where the face was
        (faces_at((90, 60), (111, 60)), heads(OWN), None, Choice(Found.SEVERAL)),
        (faces_at((90, 60), (111, 60)), heads(OWN), box_around((112, 60)), Choice(DETECTED, 1)),
        (faces_at((90, 60), (111, 60)), heads(OWN), box_around((100, 60)), Choice(Found.SEVERAL)),
        (faces_at((90, 60), (111, 60)), heads(OWN), box_around((10, 10)), Choice(Found.SEVERAL)),
    ],
)  # fmt: skip
def test_whose_face_it_is(faces, around, before, expected):
    assert choose_face(faces, around, before) == expected


def test_overlaps():
    boxes = np.array([(0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30), (0, 0, 0, 0)], np.float32)
    np.testing.assert_allclose(overlaps(boxes[0], boxes), [1, 1 / 3, 0, 0], atol=1e-6)


def joined(faces, noses=None, settings=RAW, frames=None):
    """Tracks of people who stand still, from what is found in each frame."""
    t = len(faces[0])
    noses = np.tile(np.array([OWN, OTHER][: len(faces)])[:, None], (1, t, 1)) if noses is None else noses
    clip = people(noses)
    return join_faces(clip, np.arange(t) if frames is None else frames, faces, head_regions(clip), settings)


def test_short_gaps_are_filled_and_long_ones_are_not():
    there, gone = faces_at(OWN), faces_at()
    (track,) = joined([[there, gone, gone, faces_at((106, 60)), *[gone] * 14, there]])
    assert track.found.tolist() == [0, 1, 1, 0, *[Found.NO_FACE] * 14, 0]
    np.testing.assert_allclose(track.box_xyxy_px[1:3, 0], [92, 94], atol=1e-4)
    assert np.isnan(track.box_xyxy_px[4:18]).all() and (track.score[4:18] == 0).all()
    assert track.face_frames.tolist() == [0, 1, 2, 3, 18]
    assert track.counts()[Found.NO_FACE] == 14
    assert track.told() == "clip 'a' person 3: 5 of 19 frames with a face (2 interpolated, 14 no face)"


@pytest.mark.parametrize(
    ("middle", "why"),
    [
        (faces_at((90, 60), (111, 60)), Found.DETECTED),  # goes on from the frame before
        (faces_at((88, 60), (109.5, 60)), Found.SEVERAL),
        (faces_at((100, 95)), Found.ELSEWHERE),
    ],
)
def test_frames_with_doubtful_faces_are_never_filled(middle, why):
    there = faces_at((90, 60)) if why == Found.DETECTED else faces_at((98, 60))
    (track,) = joined([[there, middle, there]])
    assert track.found.tolist() == [0, why, 0]
    assert np.isnan(track.box_xyxy_px[1]).all() == (why != Found.DETECTED)


def test_a_missing_head_in_between_is_filled():
    noses = [[OWN, NAN, OWN]]
    (track,) = joined([[faces_at(OWN), faces_at(), faces_at(OWN)]], noses)
    assert track.found.tolist() == [0, Found.INTERPOLATED, 0]


def test_smoothing_steadies_and_keeps_ends_and_straight_paths():
    rng = np.random.default_rng(0)
    shaky = OWN + rng.normal(0, 1.5, (40, 2))
    (raw,), (smooth,) = (joined([[faces_at(p) for p in shaky]], settings=s) for s in (RAW, TrackSettings()))
    steps = [np.abs(np.diff(t.box_xyxy_px[5:-5, 0])).mean() for t in (raw, smooth)]
    assert steps[1] < 0.5 * steps[0]
    straight = np.stack([np.linspace(96, 104, 30), np.full(30, 60)], axis=1)
    (track,) = joined([[faces_at(p) for p in straight]], settings=TrackSettings())
    np.testing.assert_allclose(track.box_xyxy_px[:, 0], straight[:, 0] - 10, atol=1e-3)


def test_people_whose_poses_change_places_are_named():
    one, two = np.array((80.0, 60)), np.array((130.0, 60))
    noses = np.array([[one] * 6 + [two] * 6, [two] * 6 + [one] * 6])
    faces = [[faces_at(one)] * 6 + [faces_at(two)] * 6, [faces_at(two)] * 6 + [faces_at(one)] * 6]
    tracks = joined(faces, noses)
    for track in tracks:
        assert track.found.tolist() == [0] * 6 + [Found.EXCHANGED] * 6
        assert np.isnan(track.box_xyxy_px[6:]).all()
    assert "6 another person's face on this body" in tracks[0].told()


def test_two_people_who_stay_apart_keep_their_faces():
    tracks = joined([[faces_at(OWN)] * 5, [faces_at(OTHER)] * 5])
    assert [(t.person, t.track_id, len(t.face_frames)) for t in tracks] == [(0, 3, 5), (1, 4, 5)]


def test_a_face_that_was_not_seen_for_long_belongs_to_nobody():
    box = box_around(OWN)
    boxes = np.full((2, 40, 4), np.nan, np.float32)
    boxes[0, 0], boxes[1, 39] = box, box
    assert not exchanged_faces(boxes, np.arange(40) / 25, 0.5).any()
    assert exchanged_faces(boxes, np.arange(40) / 100, 0.5)[1, 39]


@pytest.mark.parametrize(
    "wrong", [{"max_fps": 0}, {"max_fps": float("nan")}, {"max_fps": -1}, {"gap_s": -1}, {"smooth_s": 99}]
)
def test_settings_out_of_range(wrong):
    with pytest.raises(ValueError, match=r"expected .*got"):
        TrackSettings(**wrong)
