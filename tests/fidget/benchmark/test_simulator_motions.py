"""Every one of the 82 simulated actions does what its name says, on noiseless joints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.fidget.benchmark.motion_samples import (
    ANKLE,
    EAR,
    ELBOW,
    FACE,
    FRAMES,
    HEEL,
    HIP,
    KNEE,
    NOSE,
    PALM,
    SHOULDER,
    TIPS,
    TOE,
    WRIST,
    angles,
    hand_points,
    head_axes,
    joints_of,
    label_of,
    landmark,
    rate_hz,
    to_segment,
    trunk_axes,
)

from fidget.benchmark.simulator.motions import MOTIONS, apply_motion, body_group
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, PoseState
from fidget.benchmark.simulator.style import MotionStyle, draw_style
from protocols.trees import tree

SEEDS = range(5)
APEX = slice(22, 60)  # frames in which a gesture of `FRAMES` has arrived and not yet gone
WHOLE_HAND = tuple(range(21))
PITCH, YAW, ROLL = range(3)
INDEX_TIP = 8


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a - b, axis=-1)


def test_motions_are_named_after_the_classes_in_their_order() -> None:
    def slug(name: str) -> str:
        return "".join(c if c.isalnum() else "_" for c in name.lower()).strip("_")

    labels = tree("mma82")
    assert [motion.__name__ for motion in MOTIONS] == [slug(name) for name in labels.actions]
    assert [body_group(label) for label in range(82)] == list(labels.group_of)


# Action, points of the hand, places of which one is reached, and how near in metres.
REACHES = (
    ("pulling_collar", TIPS, "collar", 0.03),
    ("scratching_or_touching_shoulder", TIPS, "shoulder far_shoulder", 0.06),
    ("scratching_or_touching_neck", TIPS, "neck nape", 0.04),
    ("scratching_or_touching_chest_or_abdomen", WHOLE_HAND, "chest belly", 0.06),
    ("arms_akimbo", WHOLE_HAND, "hip", 0.12),
    ("scratching_or_touching_forehead", TIPS, "forehead", 0.03),
    ("rubbing_eyes", TIPS, "eye", 0.02),
    ("covering_eyes", PALM, "eye", 0.05),
    ("pushing_glasses", TIPS, "bridge eye", 0.04),
    ("touching_nose", TIPS, "nose", 0.02),
    ("scratching_or_touching_cheek", TIPS, "cheek", 0.04),
    ("cradling_chin", PALM, "chin", 0.05),
    ("rubbing_lip", TIPS, "lip", 0.015),
    ("covering_mouth", PALM, "lip", 0.05),
    ("scratching_or_touching_philtrum", TIPS, "philtrum", 0.035),
    ("scratching_or_touching_chin", TIPS, "chin", 0.02),
    ("touching_ears", TIPS, "ear", 0.03),
    ("scratching_or_touching_head", TIPS, "crown back_of_head", 0.04),
    ("playing_or_tidying_hair", TIPS, "hair strand", 0.06),
    ("rubbing_knee", WHOLE_HAND, "knee", 0.12),
)


@pytest.mark.parametrize(("name", "points", "places", "near_m"), REACHES, ids=[row[0] for row in REACHES])
def test_the_hand_arrives_at_the_place(
    name: str, points: tuple[int, ...], places: str, near_m: float
) -> None:
    for posture in ("seated", "standing"):
        for seed in SEEDS:
            for side in (LEFT, RIGHT):
                joints = joints_of(label_of(name), seed, side, posture)
                hand = hand_points(joints, side, points)
                found = [
                    distance(hand, landmark(joints, place, side)[:, None])[APEX].min()
                    for place in places.split()
                ]
                assert min(found) < near_m, (posture, seed, side, found)


def test_a_hand_is_not_at_places_of_the_face_that_are_meant_by_other_actions() -> None:
    """The nearest of the face's named points to the finger tip is the action's own."""
    own = {
        "rubbing_eyes": "eye",
        "touching_nose": "nose",
        "rubbing_lip": "lip",
        "scratching_or_touching_chin": "chin",
        "touching_ears": "ear",
        "scratching_or_touching_forehead": "forehead",
    }
    for name, place in own.items():
        joints = joints_of(label_of(name), 1)
        tips = hand_points(joints, RIGHT, TIPS)
        near = {p: distance(tips, landmark(joints, p, RIGHT)[:, None])[APEX].min() for p in own.values()}
        assert min(near, key=near.__getitem__) == place, (name, near)


Limb = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def bone(start: int, end: int, far: bool = False) -> Limb:
    def limb(joints: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        which = 1 - side if far else side
        return joints[:, start + which], joints[:, end + (3 * which if end == TOE else which)]

    return limb


THIGH, SHIN, FOOT = bone(HIP, KNEE), bone(KNEE, ANKLE), bone(ANKLE, TOE)
FAR_THIGH = bone(HIP, KNEE, far=True)
FAR_UPPER_ARM, FAR_FOREARM = bone(SHOULDER, ELBOW, far=True), bone(ELBOW, WRIST, far=True)

# Action, bones of which one is touched, and how near (a thigh is 8 cm thick around its bone).
LIMBS = (
    ("scratching_arms", (FAR_UPPER_ARM, FAR_FOREARM), 0.05),
    ("folding_arms", (FAR_UPPER_ARM,), 0.12),
    ("folding_arms_rubbing", (FAR_UPPER_ARM,), 0.12),
    ("patting_legs", (THIGH,), 0.11),
    ("scratching_legs", (THIGH, SHIN), 0.11),
    ("touching_legs", (THIGH, FAR_THIGH), 0.11),
    ("flatting_hands_on_legs", (THIGH,), 0.11),
    ("folding_hands_on_legs", (THIGH,), 0.15),
    ("placing_hands_on_legs_with_elbows_outward", (THIGH,), 0.11),
    ("rubbing_knee", (THIGH, SHIN), 0.11),
    ("scratching_feet", (FOOT,), 0.08),
)


@pytest.mark.parametrize(("name", "limbs", "near_m"), LIMBS, ids=[row[0] for row in LIMBS])
def test_the_hand_lies_on_the_limb(name: str, limbs: tuple[Limb, ...], near_m: float) -> None:
    for posture in ("seated", "standing"):
        for seed in SEEDS:
            joints = joints_of(label_of(name), seed, RIGHT, posture)
            hand = hand_points(joints, RIGHT)
            found = [to_segment(hand, *limb(joints, RIGHT))[APEX].min() for limb in limbs]
            assert min(found) < near_m, (posture, seed, found)


# Two hands, the points that meet, and how near they come.
MEETINGS = (
    ("interlace_fingers", (5, 9, 13), 0.02),
    ("holding_fingers", WHOLE_HAND, 0.02),
    ("holding_hands", WHOLE_HAND, 0.02),
    ("putting_hands_together", (9, 12), 0.05),
    ("spire_gestures", (8, 12), 0.02),
    ("clapping", (9,), 0.07),
    ("rubbing_hands", (9,), 0.07),
    ("rubbing_spire_hands", (8, 12), 0.03),
    ("rubbing_hands_with_clenched", WHOLE_HAND, 0.03),
    ("rolling_thumbs", (5, 9, 13), 0.02),
    ("other_finger_interaction_movements", WHOLE_HAND, 0.02),
    ("playing_objects", WHOLE_HAND, 0.05),
    ("folding_hands_on_legs", WHOLE_HAND, 0.03),
    ("hands_behind_back", WHOLE_HAND, 0.03),
)


@pytest.mark.parametrize(("name", "points", "near_m"), MEETINGS, ids=[row[0] for row in MEETINGS])
def test_the_two_hands_meet(name: str, points: tuple[int, ...], near_m: float) -> None:
    for posture in ("seated", "standing"):
        for seed in SEEDS:
            joints = joints_of(label_of(name), seed, RIGHT, posture)
            left, right = hand_points(joints, LEFT, points), hand_points(joints, RIGHT, points)
            assert distance(left[:, :, None], right[:, None])[APEX].min() < near_m, (posture, seed)


def apart(joints: np.ndarray, joint: int) -> np.ndarray:
    """(T,) distance of a joint from its mirror image."""
    return distance(joints[:, joint], joints[:, joint + 1])


def hand_difference(joints: np.ndarray) -> np.ndarray:
    """(T, 3) how much farther the left wrist is than the right."""
    return joints[:, WRIST] - joints[:, WRIST + 1]


def flexing(joints: np.ndarray) -> np.ndarray:
    """(T,) height of the right middle finger's knuckle over its wrist, along the trunk."""
    return joints[:, 112 + 9, 1] - joints[:, WRIST + 1, 1]


def on_head(joints: np.ndarray) -> np.ndarray:
    """(T, 3) right wrist in the axes of the head."""
    middle, own = head_axes(joints)
    return np.einsum("tij,tj->ti", own, joints[:, WRIST + 1] - middle)


# Action, what oscillates, and between which rates.
OSCILLATIONS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray], float, float], ...] = (
    ("swing_body", lambda j: angles(j, "trunk")[:, ROLL], 0.3, 1.2),
    ("shaking_body", lambda j: angles(j, "trunk")[:, YAW], 2.2, 4.7),
    ("nodding", lambda j: angles(j, "head")[:, PITCH], 1.2, 3.2),
    ("shaking_head", lambda j: angles(j, "head")[:, YAW], 1.0, 2.8),
    ("compound_head_movements", lambda j: angles(j, "head")[:, YAW], 0.4, 1.6),
    ("waving", lambda j: j[:, WRIST + 1, 0], 1.4, 3.7),
    ("clapping", lambda j: apart(j, WRIST), 1.8, 4.2),
    ("rubbing_hands", lambda j: hand_difference(j)[:, 2], 1.3, 3.6),
    ("rubbing_spire_hands", lambda j: hand_difference(j)[:, 1], 0.9, 2.8),
    ("rubbing_hands_with_clenched", lambda j: hand_difference(j)[:, 1], 1.1, 3.2),
    ("rolling_thumbs", lambda j: j[:, 112 + 4, 1] - j[:, 112 + 9, 1], 0.9, 2.8),
    ("shaking", flexing, 3.4, 6.4),
    ("wrist_movements", flexing, 0.5, 1.9),
    ("pulling_collar", lambda j: j[:, WRIST + 1, 2], 0.7, 2.4),
    ("folding_arms_rubbing", lambda j: j[:, WRIST + 1, 1], 0.8, 2.6),
    ("rubbing_eyes", lambda j: on_head(j)[:, 0], 1.3, 3.7),
    ("rubbing_lip", lambda j: on_head(j)[:, 0], 0.9, 2.6),
    ("patting_legs", lambda j: np.diff(j[:, WRIST + 1, 1]), 1.6, 4.0),
    ("rubbing_knee", lambda j: j[:, WRIST + 1, 2], 0.7, 2.3),
    ("shaking_legs", lambda j: (j[:, KNEE + 1] - j[0, KNEE + 1]).sum(1), 2.0, 6.2),
    ("ankle_movements", lambda j: j[:, TOE + 3, 1] - j[:, ANKLE + 1, 1], 0.5, 2.0),
)


@pytest.mark.parametrize(
    ("name", "signal", "low", "high"), OSCILLATIONS, ids=[row[0] for row in OSCILLATIONS]
)
def test_what_repeats_has_its_natural_rate(
    name: str, signal: Callable[[np.ndarray], np.ndarray], low: float, high: float
) -> None:
    rates = [rate_hz(signal(joints_of(label_of(name), seed))[APEX]) for seed in SEEDS]
    assert low < min(rates) and max(rates) < high, rates


def extension(joints: np.ndarray, side: int = RIGHT) -> np.ndarray:
    """(5,) of each finger at the apex: tip to root over the finger's own length, 1 is straight."""
    points = hand_points(joints, side)[40]
    lengths = []
    for finger in range(5):
        chain = points[[1 + 4 * finger + bone_ for bone_ in range(4)]]
        lengths.append(distance(chain[0], chain[3]) / distance(chain[1:], chain[:-1]).sum())
    return np.array(lengths)


# Straight fingers and bent ones, thumb first; a dot is either.
SHAPES = (
    ("pointing", ".1000"),
    ("ok_gestures", "..111"),
    ("thumbs_up", "10000"),
    ("v_gestures", ".1100"),
    ("waving", "11111"),
    ("spire_gestures", ".1111"),
    ("spreading_hands", "11111"),
    ("pushing_glasses", ".1..."),
    ("rubbing_lip", ".1000"),
)


@pytest.mark.parametrize(("name", "pattern"), SHAPES, ids=[row[0] for row in SHAPES])
def test_the_hand_has_the_shape_of_its_sign(name: str, pattern: str) -> None:
    joints = joints_of(label_of(name))
    if name == "pushing_glasses":  # with one finger, not with two at the frame
        tried = (joints_of(label_of(name), seed) for seed in range(9))
        joints = next(one for one in tried if extension(one)[2] < 0.55)
    straight = extension(joints)
    for finger, wanted in zip(straight, pattern, strict=True):
        assert wanted == "." or (finger > 0.9) == (wanted == "1"), straight


def test_ok_makes_a_ring_and_v_does_not() -> None:
    for name, closed in (("ok_gestures", True), ("v_gestures", False)):
        hand = hand_points(joints_of(label_of(name)), RIGHT)[40]
        assert (distance(hand[4], hand[8]) < 0.02) == closed
    v = hand_points(joints_of(label_of("v_gestures")), RIGHT)[40]
    assert distance(v[8], v[12]) > 0.035
    thumb = hand_points(joints_of(label_of("thumbs_up")), RIGHT)[40]
    assert thumb[4, 1] == thumb[:, 1].max()


def test_fists_close() -> None:
    for seed in SEEDS:
        joints = joints_of(label_of("clenching_fists"), seed)
        reach = distance(hand_points(joints, RIGHT, TIPS[1:]), joints[:, None, WRIST + 1]).mean(1)
        assert reach.max() > 0.13 and reach.min() < 0.1


def change(signal: np.ndarray) -> float:
    """How far the farthest value lies from the first, with its sign."""
    moved = signal - signal[0]
    return float(moved[np.abs(moved).argmax()])


def head_over_trunk(joints: np.ndarray) -> np.ndarray:
    return angles(joints, "head") - angles(joints, "trunk")


def hip_yaw(joints: np.ndarray) -> np.ndarray:
    across = joints[:, HIP] - joints[:, HIP + 1]
    return -np.arctan2(across[:, 2], across[:, 0])


def in_trunk(joints: np.ndarray, joint: int) -> np.ndarray:
    """(T, 3) a joint in the axes of the trunk, from the middle of the shoulders."""
    middle, own = trunk_axes(joints)
    return np.einsum("tij,tj->ti", own, joints[:, joint] - middle)


def shrug(joints: np.ndarray) -> np.ndarray:
    """(T,) from the right ear down to the right shoulder."""
    return joints[:, EAR + 1, 1] - joints[:, SHOULDER + 1, 1]


# Action, signal, and what the change must be: more than a positive limit, or less than a negative one.
CHANGES: tuple[tuple[str, Callable[[np.ndarray], float], float], ...] = (
    ("change_body_direction", lambda j: abs(change(hip_yaw(j))), 0.35),
    ("tilting_forward_backward", lambda j: abs(change(angles(j, "trunk")[:, PITCH])), 0.12),
    ("sitting_straightly", lambda j: float(j[-1, SHOULDER, 1] - j[0, SHOULDER, 1]), 0.04),
    ("shrugging", lambda j: change(shrug(j)), -0.04),
    ("bowing_head", lambda j: float(angles(j, "head")[:, PITCH].max()), 0.35),
    ("raising_head", lambda j: change(angles(j, "head")[:, PITCH]), -0.25),
    ("turning_head", lambda j: float(np.abs(angles(j, "head")[:, YAW]).max()), 0.4),
    ("tilting_head", lambda j: float(np.abs(angles(j, "head")[:, ROLL]).max()), 0.22),
    ("swing_hair", lambda j: float(np.ptp(angles(j, "head")[:, ROLL])), 0.35),
    ("semantic_head_movements", lambda j: float(np.ptp(in_trunk(j, NOSE)[:, 2])), 0.03),
    ("spreading_hands", lambda j: float(apart(j, WRIST)[APEX].max()), 0.45),
    ("pointing", lambda j: float(in_trunk(j, 112 + 8)[APEX, 2].max()), 0.4),
    ("waving", lambda j: float(in_trunk(j, 112 + 9)[APEX, 1].max()), 0.12),
    ("checking_time", lambda j: float(angles(j, "head")[APEX, PITCH].max()), 0.25),
    ("hands_behind_back", lambda j: float(in_trunk(j, WRIST)[APEX, 2].min()), -0.05),
    ("scratching_or_touching_back", lambda j: float(in_trunk(j, 112 + 8)[APEX, 2].min()), -0.08),
    ("arms_akimbo", lambda j: float(apart(j, ELBOW)[APEX].max() - apart(j, SHOULDER)[0]), 0.3),
    (
        "placing_hands_on_legs_with_elbows_outward",
        lambda j: float(apart(j, ELBOW)[APEX].max() - apart(j, SHOULDER)[0]),
        0.25,
    ),
    (
        "retracting_and_stretching_arms",
        lambda j: float(np.ptp(distance(j[:, SHOULDER], j[:, WRIST])[APEX])),
        0.1,
    ),
    ("tiptoe", lambda j: change(j[:, HEEL + 3, 1]), 0.05),
    ("stretching_legs", lambda j: change(j[:, ANKLE + 1, 2]), 0.2),
    ("retracting_legs", lambda j: change(j[:, ANKLE + 1, 2]), -0.12),
    ("closing_legs", lambda j: float(apart(j, KNEE)[-1] - apart(j, KNEE)[0]), -0.25),
    ("spread_legs", lambda j: float(apart(j, KNEE)[-1] - apart(j, KNEE)[0]), 0.2),
    ("crossing_legs", lambda j: float((j[:, ANKLE + 1, 0] - j[:, ANKLE, 0]).max()), 0.1),
    ("curling_legs", lambda j: float(np.abs(j[:, ANKLE + 1] - j[0, ANKLE + 1]).sum(1).max()), 0.25),
    ("covering_eyes", lambda j: change(distance(j[:, FACE + 37], j[:, FACE + 41])), -0.005),
)


@pytest.mark.parametrize(("name", "measure", "limit"), CHANGES, ids=[row[0] for row in CHANGES])
def test_the_posture_changes_in_the_named_way(
    name: str, measure: Callable[[np.ndarray], float], limit: float
) -> None:
    found = [measure(joints_of(label_of(name), seed)) for seed in SEEDS]
    assert min(found) > limit if limit > 0 else max(found) < limit, found


def test_checking_time_brings_a_wrist_before_the_chest() -> None:
    joints = joints_of(label_of("checking_time"), 0)
    wrists = [in_trunk(joints, WRIST + side)[APEX] for side in (LEFT, RIGHT)]
    assert max(wrist[:, 1].max() for wrist in wrists) > -0.3
    assert max(wrist[:, 2].max() for wrist in wrists) > 0.15


def movement(joints: np.ndarray) -> dict[str, float]:
    """Metres by which parts move: rms from where each joint is on average, the most moved of a part."""

    def rms(points: np.ndarray) -> float:
        return float(np.sqrt(((points - points.mean(0)) ** 2).sum(-1).mean(0)).max())

    middle, own = trunk_axes(joints)
    face = np.einsum("tij,tkj->tki", own, joints[:, [NOSE, EAR, EAR + 1, FACE + 8]] - middle[:, None])
    return {
        "body": rms(joints[:, [SHOULDER, SHOULDER + 1]]),
        "head": rms(face),
        "hand": rms(joints[:, 91:133]),
        "leg": rms(joints[:, [KNEE, KNEE + 1, *range(ANKLE, HEEL + 4)]]),
    }


PARTS = ("body", "head", "hand", "leg", "hand", "hand", "hand")


@pytest.mark.parametrize("label", range(82), ids=[motion.__name__ for motion in MOTIONS])
def test_the_named_part_moves_most(label: int) -> None:
    part = PARTS[body_group(label)]
    moved = [movement(joints_of(label, seed, idle=True)) for seed in range(7)]
    typical = {name: float(np.median([one[name] for one in moved])) for name in moved[0]}
    if part == "body":  # it carries the head along
        typical.pop("head")
    if label == label_of("scratching_feet"):  # bending down is most of it
        typical.pop("body")
    assert max(typical, key=typical.__getitem__) == part, typical
    assert typical[part] > 0.012


def features(joints: np.ndarray) -> np.ndarray:
    """What a person would look at: where things are, where they go, and how quickly they tremble."""
    shoulders, own = trunk_axes(joints)
    chosen = [*range(23), FACE + 8, FACE + 37, FACE + 41, FACE + 57, FACE + 62, FACE + 66]
    chosen += [start + point for start in (91, 112) for point in (4, 5, 8, 9, 12, 16, 17, 20)]
    in_body = (joints[:, chosen] - shoulders[:, None]) @ own.swapaxes(1, 2)
    middle, of_head = head_axes(joints)
    tips = [start + point for start in (91, 112) for point in (4, 8, 9, 12)]
    in_head = (joints[:, tips] - middle[:, None]) @ of_head.swapaxes(1, 2)
    left, right = (hand_points(joints, side, (0, 4, 8, 9, 12, 17)) for side in (LEFT, RIGHT))
    near = distance(left[:, :, None], right[:, None]).min((1, 2))[:, None]
    world = joints[:, [HIP, HIP + 1, SHOULDER, SHOULDER + 1, KNEE, KNEE + 1]]
    both = [angles(joints, "head"), angles(joints, "trunk"), near, np.minimum(near, 0.05)]
    both += [part.reshape(len(joints), -1) for part in (in_body, world, np.clip(in_head, -0.25, 0.25))]
    signal = np.concatenate(both, axis=1)  # (T, F)
    slow = np.diff(signal, axis=0)
    quick = np.diff(signal, n=2, axis=0)
    begin, end = signal[:6].mean(0), signal[-6:].mean(0)
    speeds = [np.log(part[12:-12].std(0) + 1e-4) for part in (signal, slow, quick)]
    return np.concatenate([np.median(signal[APEX], axis=0), end - begin, *speeds])


def test_all_82_are_told_apart_by_the_nearest_class_mean() -> None:
    """Whitened by what varies within classes; the threshold is well below what was measured."""
    learn, ask = range(100, 108), range(108, 110)
    rows = {
        (label, seed): features(joints_of(label, seed, idle=True, amplitude=None))
        for label in range(82)
        for seed in (*learn, *ask)
    }
    train = np.array([[rows[label, seed] for seed in learn] for label in range(82)])  # (82, n, F)
    test = np.array([[rows[label, seed] for seed in ask] for label in range(82)])
    scale = train.reshape(-1, train.shape[-1]).std(0) + 1e-6
    train, test = train / scale, test / scale
    means = train.mean(1)
    within = (train - means[:, None]).reshape(-1, means.shape[1])
    covariance = within.T @ within / len(within)
    covariance += 0.05 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    whiten = np.linalg.cholesky(np.linalg.inv(covariance))
    gap = distance((test @ whiten)[:, :, None], (means @ whiten)[None, None])  # (82, n, 82)
    right = gap.argmin(-1) == np.arange(82)[:, None]
    missed = [MOTIONS[label].__name__ for label in np.flatnonzero(~right.any(1))]
    assert right.mean() > 0.93 and not missed, (right.mean(), missed)


def test_finite_and_never_still_in_all_postures_and_lengths() -> None:
    for label in range(82):
        for posture in ("seated", "standing"):
            joints = joints_of(label, 3, LEFT, posture, idle=True, amplitude=None)
            assert np.isfinite(joints).all() and np.abs(joints).max() < 2.0
            assert (np.abs(np.diff(joints, axis=0)).max(axis=(1, 2)) > 1e-5).all()
            assert np.abs(np.diff(joints, axis=0)).max() < 0.35, label  # nothing jumps: 9 m/s


@pytest.mark.parametrize("frames", [1, 2, 8, 400])
def test_any_length_of_clip_works(frames: int) -> None:
    for label in range(82):
        state = PoseState(frames)
        for side in (LEFT, RIGHT):
            state.reach(side, "thigh")
        apply_motion(state, label, np.random.default_rng(label), np.arange(frames) / 30)
        assert np.isfinite(state.values).all()
        for reach in (*state.reaches[LEFT], *state.reaches[RIGHT]):
            assert np.isfinite(reach.offset).all() and reach.weight.min() >= 0 and reach.weight.max() < 1.0001


def test_the_same_generator_gives_the_same_motion_and_another_does_not() -> None:
    for label in range(82):
        joints_of.cache_clear()
        first = joints_of(label, 5, idle=True, amplitude=None)
        joints_of.cache_clear()
        assert np.array_equal(first, joints_of(label, 5, idle=True, amplitude=None))
        assert not np.array_equal(first, joints_of(label, 6, idle=True, amplitude=None))


def test_side_and_amplitude_follow_the_style() -> None:
    time_s = np.arange(FRAMES) / 25
    left_handed = MotionStyle(left_share=1.0, amplitude=0.5)
    for label in (label_of("touching_ears"), label_of("waving")):
        applied = apply_motion(PoseState(FRAMES), label, np.random.default_rng(0), time_s, left_handed)
        assert applied.side == LEFT and applied.amplitude < 0.8
    small, large = (joints_of(label_of("nodding"), 2, amplitude=size) for size in (0.5, 1.5))
    assert np.ptp(angles(large, "head")[:, PITCH]) > 2 * np.ptp(angles(small, "head")[:, PITCH])


def test_a_mirrored_side_is_the_mirror_image() -> None:
    mirror = np.array([-1, 1, 1], np.float32)
    for name in ("touching_ears", "waving", "scratching_or_touching_shoulder"):
        left, right = (joints_of(label_of(name), 4, side) for side in (LEFT, RIGHT))
        assert np.allclose(left[:, 91:112], right[:, 112:133] * mirror, atol=1e-4), name


def test_wrong_calls_are_refused() -> None:
    rng, state = np.random.default_rng(0), PoseState(10)
    with pytest.raises(ValueError, match=r"label of 0\.\.81, got 82"):
        apply_motion(state, 82, rng, np.arange(10) / 30)
    with pytest.raises(ValueError, match="one a frame"):
        apply_motion(state, 0, rng, np.arange(9) / 30)
    with pytest.raises(ValueError, match="amplitude between"):
        MotionStyle(amplitude=0)
    with pytest.raises(ValueError, match="left_share within"):
        MotionStyle(left_share=2)
    assert draw_style(np.random.default_rng(1)) == draw_style(np.random.default_rng(1))
