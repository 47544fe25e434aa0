"""The simulator's body: bones, joints' limits, hands that arrive, known postures."""

from __future__ import annotations

import numpy as np
import pytest

from fidget.benchmark.simulator.body import place_body, rest_ankles
from fidget.benchmark.simulator.face_points import face_expressions, face_template
from fidget.benchmark.simulator.places import TABLE, resolve
from fidget.benchmark.simulator.pose_state import (
    COLUMNS,
    LEFT,
    PITCH,
    PLACES,
    RIGHT,
    ROLL,
    WIDTH,
    YAW,
    PoseState,
    Timing,
    smooth_step,
)
from fidget.benchmark.simulator.subjects import Build, draw_build
from poses.layout import get_layout

LAYOUT = get_layout("coco_wholebody133")
JOINT = {name: i for i, name in enumerate(LAYOUT.joints)}
SIDES = ("left", "right")
BONES = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in SIDES
    for a, b in (
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("hip", "knee"),
        ("knee", "ankle"),
        ("ankle", "big_toe"),
        ("ankle", "heel"),
        *(
            (f"{finger}{i}", f"{finger}{i + 1}")
            for finger in ("thumb", "forefinger", "pinky_finger")
            for i in (1, 2, 3)
        ),
    )
] + [("left_hip", "right_hip"), ("left_eye", "right_eye"), ("left_ear", "right_ear"), ("nose", "left_ear")]


def at_rest(frames: int = 1, posture: str = "seated") -> PoseState:
    state = PoseState(frames, posture)
    for side in (LEFT, RIGHT):
        state.reach(side, "thigh" if posture == "seated" else "side")
    return state


def placed(state: PoseState, build: Build | None = None) -> np.ndarray:
    body = build or Build()
    return place_body(state, body, rest_ankles(body, state.posture))


def wild(seed: int, frames: int = 40) -> PoseState:
    """A state far outside of what any motion asks for."""
    rng = np.random.default_rng(seed)
    state = at_rest(frames, "standing" if seed % 2 else "seated")
    state.values[:] += rng.normal(0, 0.5, state.values.shape)
    for side in (LEFT, RIGHT):
        for place in rng.choice(PLACES, 3):
            state.reach(side, str(place), rng.uniform(0, 1, frames), rng.normal(0, 0.3, 3))
    return state


@pytest.mark.parametrize("seed", range(8))
def test_bones_keep_their_length_whatever_is_asked_for(seed: int) -> None:
    joints = placed(wild(seed), draw_build(np.random.default_rng(seed)))
    assert np.isfinite(joints).all()
    for a, b in BONES:
        length = np.linalg.norm(joints[:, JOINT[a]] - joints[:, JOINT[b]], axis=1)
        assert np.ptp(length) < 2e-4, (a, b)


@pytest.mark.parametrize("seed", range(8))
def test_joints_stay_within_their_limits(seed: int) -> None:
    joints = placed(wild(seed))

    def angle(a: str, b: str, c: str) -> np.ndarray:
        u, v = joints[:, JOINT[a]] - joints[:, JOINT[b]], joints[:, JOINT[c]] - joints[:, JOINT[b]]
        cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
        return np.degrees(np.arccos(np.clip(cosine, -1, 1)))

    for side in SIDES:
        elbow = angle(f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
        knee = angle(f"{side}_hip", f"{side}_knee", f"{side}_ankle")
        assert elbow.min() > 25
        assert knee.min() > 31
        # The middle knuckle lies 2 degrees off the hand's length.
        wrist = angle(f"{side}_elbow", f"{side}_wrist", f"{side}_middle_finger1")
        assert wrist.min() > 180 - np.degrees(1.15) - 2.5


def test_lengths_are_those_of_the_build() -> None:
    build = draw_build(np.random.default_rng(3))
    joints = placed(at_rest(), build)[0]

    def length(a: str, b: str) -> float:
        return float(np.linalg.norm(joints[JOINT[a]] - joints[JOINT[b]]))

    assert length("left_shoulder", "left_elbow") == pytest.approx(build.upper_arm, abs=1e-4)
    assert length("right_elbow", "right_wrist") == pytest.approx(build.forearm, abs=1e-4)
    assert length("left_hip", "left_knee") == pytest.approx(build.thigh, abs=1e-4)
    assert length("right_knee", "right_ankle") == pytest.approx(build.shin, abs=1e-4)
    assert length("left_hip", "right_hip") == pytest.approx(2 * build.hip_half, abs=1e-4)


def test_an_average_person_who_stands_is_about_170_cm_tall() -> None:
    joints = placed(at_rest(posture="standing"))[0]
    crown = joints[JOINT["nose"], 1] + 0.14
    sole = joints[JOINT["left_heel"], 1] - 0.03  # the joint lies above the skin
    assert crown - sole == pytest.approx(1.70, abs=0.06)


def test_the_two_sides_of_a_body_at_rest_are_mirror_images() -> None:
    joints = placed(at_rest())[0]
    mirror = joints[list(LAYOUT.mirror)] * (-1, 1, 1)
    np.testing.assert_allclose(mirror, joints, atol=2e-4)
    assert joints[JOINT["left_shoulder"], 0] > 0.1  # x is the person's own left


@pytest.mark.parametrize(
    ("angle", "joint", "axis", "sign"),
    [(PITCH, "nose", 1, -1), (YAW, "nose", 0, 1), (ROLL, "nose", 2, 0), (ROLL, "left_ear", 1, -1)],
)
def test_the_head_turns_the_way_the_signs_say(angle: int, joint: str, axis: int, sign: int) -> None:
    state = at_rest(2)
    state.head[1, angle] = 0.4
    joints = placed(state)
    moved = joints[1, JOINT[joint], axis] - joints[0, JOINT[joint], axis]
    assert moved * sign > 0.01 if sign else abs(moved) < 0.01


def test_head_pitch_of_a_known_angle_turns_the_face_by_it() -> None:
    state = at_rest(2)
    state.head[1, PITCH] = 0.3
    joints = placed(state)
    way = joints[:, JOINT["nose"]] - joints[:, [JOINT["left_ear"], JOINT["right_ear"]]].mean(axis=1)
    cosine = way[0] @ way[1] / np.linalg.norm(way[0]) / np.linalg.norm(way[1])
    assert np.arccos(cosine) == pytest.approx(0.3, abs=1e-3)


NEAR = {  # place -> joint of the body that the fingertips must come near to, metres
    "nose": ("nose", 0.01),
    "ear": ("left_ear", 0.035),
    "far_ear": ("right_ear", 0.02),
    "eye": ("left_eye", 0.02),
    "lip": ("face-51", 0.02),
    "chin": ("face-8", 0.025),
}


@pytest.mark.parametrize("place", NEAR)
def test_a_fingertip_arrives_at_its_place_and_the_place_moves_with_the_head(place: str) -> None:
    state = at_rest(2)
    state.head[1] = (0.2, 0.1, 0.05)
    state.reach(LEFT, place, 1.0, contact="index")
    joints = placed(state)
    name, within = NEAR[place]
    gap = np.linalg.norm(joints[:, JOINT["left_forefinger4"]] - joints[:, JOINT[name]], axis=1)
    assert gap.max() < within


def test_a_reach_of_weight_zero_changes_nothing() -> None:
    state = at_rest(3)
    before = placed(state)
    state.reach(RIGHT, "crown", 0.0)
    np.testing.assert_array_equal(placed(state), before)


def test_a_place_out_of_reach_stretches_the_arm_towards_it() -> None:
    state = at_rest()
    state.reach(LEFT, "far_foot", 1.0)
    joints = placed(state)[0]
    arm = np.linalg.norm(joints[JOINT["left_shoulder"]] - joints[JOINT["left_wrist"]])
    assert arm == pytest.approx(0.285 + 0.25, abs=2e-3)


def test_hands_may_hold_each_other() -> None:
    state = at_rest()
    state.reach(LEFT, "far_forearm", 1.0)
    state.reach(RIGHT, "far_forearm", 1.0)
    assert np.isfinite(placed(state)).all()


def test_every_place_is_resolved_and_mirrored() -> None:
    for place in PLACES:
        left, right = resolve(place, LEFT), resolve(place, RIGHT)
        np.testing.assert_allclose(left.at * (-1, 1, 1), right.at)
        np.testing.assert_allclose(left.palm * (-1, 1, 1), right.palm)
    assert {place.removeprefix("far_") for place in PLACES} == set(TABLE)


def test_a_fist_brings_the_fingertips_to_the_palm() -> None:
    state = at_rest(2)
    state.curl[0], state.curl[1] = 0.0, 1.0
    joints = placed(state)
    reach = np.linalg.norm(joints[:, JOINT["right_middle_finger4"]] - joints[:, JOINT["right_wrist"]], axis=1)
    assert reach[0] > 0.17
    assert reach[1] < 0.1


def test_a_lifted_heel_leaves_the_toes_where_they_are() -> None:
    state = at_rest(2)
    state.heel[1, LEFT] = 0.06
    joints = placed(state)
    toe, heel = JOINT["left_big_toe"], JOINT["left_heel"]
    assert np.linalg.norm(joints[1, toe] - joints[0, toe]) < 0.025
    assert joints[1, heel, 1] - joints[0, heel, 1] > 0.06
    assert joints[1, JOINT["left_knee"], 1] > joints[0, JOINT["left_knee"], 1]


def test_a_wider_face_keeps_its_68_points_in_place() -> None:
    face = face_template()
    assert (np.diff(face[:17, 0]) > 0).all()  # the jaw runs from the right ear to the left
    assert face[36, 0] < face[39, 0] < 0 < face[42, 0] < face[45, 0]
    mirrored = face[[LAYOUT.mirror[23 + i] - 23 for i in range(68)]] * (-1, 1, 1)
    np.testing.assert_allclose(mirrored, face, atol=1e-6)
    opening = face_expressions()[0]
    assert opening[57, 1] < -0.02 < opening[51, 1] + 0.02  # the lower lip goes down, the upper stays


def test_the_state_is_written_in_place_and_refuses_other_names() -> None:
    state = PoseState(4)
    state.head += 1
    state.mouth_open = 0.5
    assert state.values.shape == (4, WIDTH)
    assert state.values.sum() == pytest.approx(4 * (3 + 0.5 + 10 * 0.3 + 2 * 0.3 + 1))
    assert set(COLUMNS) <= set(state.__dict__)
    with pytest.raises(AttributeError, match="no 'nose' to write"):
        state.nose = 1
    with pytest.raises(ValueError, match="got 'knie'"):
        state.reach(LEFT, "knie")
    with pytest.raises(ValueError, match="rest place for each hand"):
        placed(state)


def test_timing_begins_and_ends_at_rest() -> None:
    timing = Timing(np.arange(90, dtype=np.float32) / 30, 0.5, 2.5)
    envelope = timing.envelope()
    assert envelope[0] == envelope[-1] == 0
    assert envelope.max() == 1
    assert timing.span_s == 2
    assert timing.phase[15] == 0
    assert timing.phase[45] == pytest.approx(0.5)
    np.testing.assert_allclose(smooth_step([-1, 0, 0.5, 1, 2]), [0, 0, 0.5, 1, 1])
