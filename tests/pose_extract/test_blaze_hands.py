"""Hands: regions by known answers, following with stand-in models, and the models on real material."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pose_extract.blaze_hands import (
    PALM_EVERY_FRAMES,
    HandLandmarks,
    HandModels,
    HandTrack,
    region_of_palm,
    rough_region,
)
from pose_extract.blaze_wholebody import PersonParts, _one_hand_is_not_two, same_hand
from pose_extract.geometry import Crop, apply, crop_matrix


def upright_hand(x: float = 0.0, y: float = 0.0, size: float = 100.0) -> np.ndarray:
    """(21, 2): wrist below, four straight fingers above it, thumb to the left."""
    hand = np.zeros((21, 2), np.float32)
    hand[1:5] = [(-0.2, -0.1), (-0.3, -0.2), (-0.35, -0.3), (-0.4, -0.4)]
    for finger, column in enumerate((-0.15, 0.0, 0.15, 0.3)):
        hand[5 + 4 * finger : 9 + 4 * finger] = [(column, -row) for row in (0.5, 0.7, 0.85, 1.0)]
    return (hand * size + (x, y)).astype(np.float32)


def hand(x=0.0, y=0.0, presence=0.9, right=0.1) -> HandLandmarks:
    return HandLandmarks(upright_hand(x, y), presence, right)


def test_rough_region_known_answer():
    # wrist, little finger, index finger; the middle lies two thirds of the way to the index finger
    region = rough_region(np.array([[100, 200], [115, 150], [85, 150]], np.float32))
    middle_x, reach = 95.0, math.hypot(5, 50)
    side = 2 * reach * 2.7
    assert region.size_px == pytest.approx((side, side))
    assert region.angle_rad == pytest.approx(math.atan2(-5, 50))
    shift = 0.1 * 2 * reach
    expected = (middle_x + shift * math.sin(region.angle_rad), 150 - shift * math.cos(region.angle_rad))
    assert region.center_px == pytest.approx(expected)


@pytest.mark.parametrize("arm", [[[1, 1]] * 3, [[np.nan, 1], [2, 2], [3, 3]], [[0, 0], [1, 1], [np.nan] * 2]])
def test_an_arm_without_a_hand_has_no_region(arm):
    assert rough_region(np.array(arm, np.float32)) is None


def test_region_of_an_upright_hand():
    region = hand(50, 80).region
    # palm joints reach from x -30 to 30 (thumb 3 at -35 not: joints 0..3 of the thumb chain) and y -70 to 0
    assert abs(region.angle_rad) < 0.2
    shown = apply(crop_matrix(region, (224, 224)), upright_hand(50, 80).astype(float))
    assert ((shown > 0) & (shown < 224)).all()  # the whole hand is inside
    assert shown[0, 1] > shown[12, 1]  # fingers above the wrist


@pytest.mark.parametrize("turn", [0.5, math.pi / 2, -2.5])
def test_the_region_turns_with_the_hand(turn):
    cos, sin = math.cos(turn), math.sin(turn)
    turned = (upright_hand().astype(float) @ np.array([[cos, sin], [-sin, cos]])).astype(np.float32)
    before, after = hand().region, HandLandmarks(turned, 1, 0).region
    assert math.remainder(after.angle_rad - before.angle_rad - turn, 2 * math.pi) == pytest.approx(
        0, abs=1e-5
    )
    assert after.size_px == pytest.approx(before.size_px, rel=1e-5)


def test_region_of_palm_known_answer():
    keypoints = np.zeros((7, 2), np.float32)
    keypoints[0], keypoints[2] = (50, 90), (50, 40)
    region = region_of_palm(np.array([30, 40, 70, 100], np.float32), keypoints)
    assert region == Crop((50, 40), (156, 156), 0)


class StandIn(HandModels):
    """The following of `HandModels` with models that answer from lists."""

    def __init__(self, placed, answers, palms=()):
        self.placed, self.answers, self.palms = iter(placed), iter(answers), iter(palms)
        self.looked = []

    def _placed(self, frame_bgr, rough):
        return next(self.placed)

    def landmarks(self, frame_bgr, region):
        self.looked.append(region)
        return next(self.answers)

    def _palm_near(self, frame_bgr, rough):
        self.looked.append("palm")
        return next(self.palms)


FRAME = np.zeros((4, 4, 3), np.uint8)
ARM = np.array([[100, 200], [115, 150], [85, 150]], np.float32)


def test_a_hand_that_stays_is_followed_by_its_own_region():
    first = hand(100, 200)
    near = Crop(first.region.center_px, (first.region.size_px[0] * 1.2,) * 2, 0.1)
    models = StandIn([near, near], [first, hand(101, 200)])
    track = HandTrack(right=False)
    models.follow(FRAME, ARM, track)
    models.follow(FRAME, ARM, track)
    assert models.looked == [near, first.region]


def test_a_hand_that_jumped_is_looked_for_where_the_body_says():
    first = hand(100, 200)
    far = Crop((900, 900), first.region.size_px)
    models = StandIn([first.region, far], [first, hand(900, 900)])
    track = HandTrack(right=False)
    models.follow(FRAME, ARM, track)
    models.follow(FRAME, ARM, track)
    assert models.looked[1] == far and track.last.xy_px[0, 0] == 900


def test_a_hand_that_is_not_where_the_body_says_may_be_where_it_was():
    first = hand(100, 200)
    far = Crop((900, 900), first.region.size_px)
    models = StandIn([first.region, far], [first, None, hand(103, 200)])
    track = HandTrack(right=False)
    models.follow(FRAME, ARM, track)
    models.follow(FRAME, ARM, track)
    assert models.looked[1:] == [far, first.region] and track.last.xy_px[0, 0] == 103


def test_the_palm_detector_is_asked_rarely_and_only_for_the_right_side():
    fresh, palm = Crop((0, 0), (10, 10)), Crop((5, 5), (20, 20))
    frames = PALM_EVERY_FRAMES + 1
    models = StandIn([fresh] * frames, [None, hand(right=0.9)] + [None] * frames, [palm, None])
    track = HandTrack(right=False)
    for _ in range(frames):
        models.follow(FRAME, ARM, track)
        assert track.last is None
    assert models.looked.count("palm") == 2 and models.looked[:3] == [fresh, "palm", palm]
    models = StandIn([fresh], [None, hand(right=0.1)], [palm])
    track = HandTrack(right=False)
    models.follow(FRAME, ARM, track)
    assert track.last is not None


def test_an_arm_that_is_not_seen_ends_the_hand():
    track = HandTrack(right=True)
    track.last = hand()
    StandIn([], []).follow(FRAME, np.full((3, 2), np.nan, np.float32), track)
    assert track.last is None


def test_two_arms_that_lead_to_one_hand():
    assert same_hand(hand(0, 0), hand(3, 3)) and not same_hand(hand(0, 0), hand(90, 0))
    for nearer, gone in (("left_hand", "right_hand"), ("right_hand", "left_hand")):
        parts = PersonParts()
        parts.left_hand.last, parts.right_hand.last = hand(0, 0), hand(3, 3)
        wrists = {nearer: np.zeros(2, np.float32), gone: np.full(2, 80, np.float32)}
        _one_hand_is_not_two(parts, wrists["left_hand"], wrists["right_hand"])
        assert getattr(parts, gone).last is None and getattr(parts, nearer).last is not None


@pytest.mark.weights
def test_a_blank_frame_has_no_hand():
    from weights.fetch import find_weight

    names = ("palm_detection_full", "hand_recrop", "hand_landmark_full")
    models = HandModels({name: find_weight(name) for name in names})
    track = HandTrack(right=True)
    models.follow(np.full((300, 300, 3), 128, np.uint8), ARM, track)
    assert track.last is None
