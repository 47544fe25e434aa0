"""Layouts: what is published of them, what every one must obey, and conversions with known answers."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poses.layout import LAYOUTS, Layout, convert, get_layout, subset

SIZES = {
    "coco17": 17,
    "halpe26": 26,
    "coco_wholebody133": 133,
    "blazepose33": 33,
    "openpose18": 18,
    "openpose25": 25,
    "openpose28": 28,
    "nwucla20": 20,
    "ntu25": 25,
    "jhmdb15": 15,
}
ALL = sorted(LAYOUTS)


def test_the_layouts_of_the_design_are_there_under_their_names() -> None:
    assert {name: len(layout.joints) for name, layout in LAYOUTS.items()} == SIZES
    assert all(layout.name == name for name, layout in LAYOUTS.items())


@pytest.mark.parametrize("name", ALL)
def test_left_and_right_mirror_each_other_through_the_whole_structure(name: str) -> None:
    layout = LAYOUTS[name]
    mirror = layout.mirror
    limbs = {frozenset(limb) for limb in layout.limbs}
    for joint, image in enumerate(mirror):
        assert mirror[layout.parents[joint]] == layout.parents[image], layout.joints[joint]
        sided = {"left", "right"} & set(layout.joints[joint].split("_"))
        assert bool(sided) <= (image != joint), layout.joints[joint]
    assert all(frozenset((mirror[a], mirror[b])) in limbs for a, b in layout.limbs)
    assert len(limbs) == len(layout.limbs)
    if layout.oks_sigmas and name == "coco17":
        assert all(layout.oks_sigmas[j] == layout.oks_sigmas[i] for j, i in enumerate(mirror))


@pytest.mark.parametrize("name", ALL)
def test_limbs_reach_every_joint_and_the_tree_has_one_root(name: str) -> None:
    layout = LAYOUTS[name]
    assert sum(child == parent for child, parent in layout.bones()) == 1
    reached = {joint for limb in layout.limbs for joint in limb}
    assert reached == set(range(len(layout.joints)))


@pytest.mark.parametrize("name", ALL)
def test_body_hands_feet_and_face_cover_each_joint(name: str) -> None:
    layout = LAYOUTS[name]
    whole = [j for part in ("body", "hands", "feet") for j in layout.parts.get(part, ())]
    if name == "coco_wholebody133":
        whole += layout.parts["face"]
    assert sorted(whole) == list(range(len(layout.joints)))


@pytest.mark.parametrize(
    ("name", "joints"),
    [
        ("coco17", {0: "nose", 5: "left_shoulder", 10: "right_wrist", 16: "right_ankle"}),
        ("halpe26", {17: "head", 18: "neck", 19: "mid_hip", 20: "left_big_toe", 25: "right_heel"}),
        ("coco_wholebody133", {17: "left_big_toe", 22: "right_heel", 23: "face-0", 91: "left_hand_root"}),
        ("coco_wholebody133", {95: "left_thumb4", 112: "right_hand_root", 132: "right_pinky_finger4"}),
        ("blazepose33", {2: "left_eye", 11: "left_shoulder", 16: "right_wrist", 31: "left_foot_index"}),
        ("openpose18", {1: "neck", 4: "right_wrist", 7: "left_wrist", 13: "left_ankle", 17: "left_ear"}),
        ("openpose25", {8: "mid_hip", 11: "right_ankle", 19: "left_big_toe", 24: "right_heel"}),
        (
            "nwucla20",
            {0: "mid_hip", 2: "shoulder_center", 3: "head_center", 7: "left_hand", 19: "right_foot"},
        ),
        ("ntu25", {0: "mid_hip", 20: "shoulder_center", 21: "left_hand_tip", 24: "right_thumb4"}),
        ("jhmdb15", {0: "neck", 1: "belly", 2: "face", 3: "right_shoulder", 14: "left_ankle"}),
    ],
)
def test_joints_stand_where_their_publishers_put_them(name: str, joints: dict[int, str]) -> None:
    layout = LAYOUTS[name]
    assert {index: layout.joints[index] for index in joints} == joints
    assert all(layout.index(joint) == index for index, joint in joints.items())


def test_openpose28_hangs_its_hands_on_the_wrists_and_mirrors_them() -> None:
    layout = LAYOUTS["openpose28"]
    assert layout.joints[:18] == LAYOUTS["openpose18"].joints
    assert [layout.parents[j] for j in range(18, 28)] == [7] * 5 + [4] * 5
    assert [layout.mirror[j] for j in range(18, 28)] == [23, 24, 25, 26, 27, 18, 19, 20, 21, 22]


def test_mirror_pairs_of_the_published_face_points() -> None:
    layout = LAYOUTS["coco_wholebody133"]
    for a, b in [(0, 16), (8, 8), (17, 26), (21, 22), (31, 35), (36, 45), (39, 42), (40, 47), (48, 54),
                 (55, 59), (60, 64), (65, 67), (62, 62)]:  # fmt: skip
        assert layout.mirror[layout.index(f"face-{a}")] == layout.index(f"face-{b}")


def test_sigmas_are_published_ones() -> None:
    whole = LAYOUTS["coco_wholebody133"].oks_sigmas
    coco = LAYOUTS["coco17"].oks_sigmas
    assert whole is not None and coco is not None
    assert whole[:17] == coco
    assert coco[0] == 0.026 and coco[5:13:2] == (0.079, 0.072, 0.062, 0.107) and coco[13::2] == (0.087, 0.089)
    assert whole[91:112] == whole[112:133]
    assert whole[17:23] == (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
    assert LAYOUTS["openpose18"].oks_sigmas is None


def test_coco17_limbs_are_those_of_the_limb_heatmaps() -> None:
    assert LAYOUTS["coco17"].limbs[:3] == ((0, 1), (0, 2), (1, 3))
    assert len(LAYOUTS["coco17"].limbs) == 17


GOOD = Layout("t", ("a", "b", "c"), (0, 0, 0), ((0, 1),), (0, 2, 1), {"all": (0, 1, 2)}, (0.1, 0.1, 0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joints": ("a", "a", "c")}, "unique"),
        (
            {"joints": (), "parents": (), "limbs": (), "mirror": (), "parts": {}, "oks_sigmas": None},
            "at least",
        ),
        ({"parents": (0, 0)}, "one entry a joint"),
        ({"parents": (0, 0, 3)}, r"0\.\.2"),
        ({"parents": (1, 2, 0)}, "circle"),
        ({"parents": (0, 2, 1)}, "circle"),
        ({"mirror": (1, 2, 0)}, "own inverse"),
        ({"limbs": ((0, -1),)}, r"0\.\.2"),
        ({"limbs": ((1, 1),)}, "two different"),
        ({"parts": {"some": (0, 1)}}, "'some'"),
        ({"parts": {"some": (0, 0)}}, "'some'"),
        ({"parts": {"some": (7,)}}, r"0\.\.2"),
        ({"oks_sigmas": (0.1,)}, "sigmas"),
        ({"oks_sigmas": (0.1, 0.1, 0.0)}, "positive"),
    ],
)
def test_a_wrong_layout_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        replace(GOOD, **change)  # type: ignore[arg-type]
    assert "layout 't'" in str(error.value)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="coco17"):
        get_layout("coco_17")
    with pytest.raises(ValueError, match="left_wrist"):
        LAYOUTS["coco17"].index("left_wirst")
    with pytest.raises(ValueError, match=r"known: .*nose"):
        LAYOUTS["coco17"].index("qqq")
    with pytest.raises(ValueError, match="hands"):
        subset(LAYOUTS["coco_wholebody133"], "hand")


def test_a_layout_survives_its_trip_to_a_worker() -> None:
    layout = LAYOUTS["coco_wholebody133"]
    assert pickle.loads(pickle.dumps(layout)) == layout
    assert hash(layout) == hash(pickle.loads(pickle.dumps(layout)))


def test_a_part_is_a_layout_that_get_layout_knows() -> None:
    hands = get_layout("coco_wholebody133/hands")
    assert hands.name == "coco_wholebody133/hands"
    assert len(hands.joints) == 42
    assert hands.joints[hands.mirror[hands.index("left_thumb4")]] == "right_thumb4"
    assert hands.joints[hands.parents[hands.index("left_thumb1")]] == "left_hand_root"
    root = hands.index("left_hand_root")
    assert hands.parents[root] == root
    assert hands.oks_sigmas is not None and len(hands.oks_sigmas) == 42


def test_micro44_holds_body_feet_six_of_the_face_and_the_finger_tips() -> None:
    micro = get_layout("coco_wholebody133/micro44")
    assert len(micro.joints) == 41  # 44 less head, neck and mid-hip, which the whole-body set lacks
    assert micro.joints[:17] == LAYOUTS["coco17"].joints
    assert sum(joint.startswith("face-") for joint in micro.joints) == 6
    assert sum(joint.endswith(("thumb4", "finger4")) for joint in micro.joints) == 10
    # a finger tip hangs on the hand's root, its nearest ancestor that stayed
    assert micro.joints[micro.parents[micro.index("left_pinky_finger4")]] == "left_hand_root"
    assert (micro.index("left_pinky_finger4"), micro.index("left_hand_root")) in micro.limbs
    assert {j for limb in micro.limbs for j in limb} >= set(range(17))
    assert micro.parts["feet"] == tuple(range(17, 23))


@pytest.mark.parametrize("name", ALL)
def test_every_part_of_every_layout_makes_a_sound_layout(name: str) -> None:
    for part, joints in LAYOUTS[name].parts.items():
        sub = subset(LAYOUTS[name], part)
        assert sub.joints == tuple(LAYOUTS[name].joints[j] for j in joints)
        limbs = {frozenset(limb) for limb in sub.limbs}
        assert len(limbs) == len(sub.limbs)
        assert all(frozenset((sub.mirror[a], sub.mirror[b])) in limbs for a, b in sub.limbs)


def _pose(layout: Layout, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (2, 3, len(layout.joints))
    return (
        rng.uniform(0, 500, (*shape, 2)).astype(np.float32),
        rng.uniform(0.1, 1, shape).astype(np.float32),
    )


@pytest.mark.parametrize("name", ALL)
def test_converting_to_itself_changes_nothing(name: str) -> None:
    xy, score = _pose(LAYOUTS[name])
    score[1, 1] = 0
    xy[1, 1] = np.nan
    same_xy, same_score = convert(xy, score, LAYOUTS[name], LAYOUTS[name])
    np.testing.assert_array_equal(same_xy, xy)
    np.testing.assert_array_equal(same_score, score)
    assert not np.shares_memory(same_xy, xy)


@pytest.mark.parametrize("name", ["blazepose33", "halpe26", "coco_wholebody133", "openpose18", "openpose25"])
def test_coco17_is_exact_by_name(name: str) -> None:
    source, target = LAYOUTS[name], LAYOUTS["coco17"]
    xy, score = _pose(source)
    new_xy, new_score = convert(xy, score, source, target)
    for index, joint in enumerate(target.joints):
        np.testing.assert_array_equal(new_xy[..., index, :], xy[..., source.index(joint), :])
        np.testing.assert_array_equal(new_score[..., index], score[..., source.index(joint)])


def test_neck_and_mid_hip_are_middles_with_the_lower_score() -> None:
    source, target = LAYOUTS["coco17"], LAYOUTS["openpose25"]
    xy, score = np.full((17, 2), 5, np.float32), np.ones(17, np.float32)
    xy[5], xy[6], score[5] = (10, 20), (30, 40), 0.25
    score[12], xy[12] = 0, np.nan
    new_xy, new_score = convert(xy, score, source, target)
    np.testing.assert_array_equal(new_xy[target.index("neck")], (20, 30))
    assert new_score[target.index("neck")] == 0.25
    assert new_score[target.index("mid_hip")] == 0 and np.isnan(new_xy[target.index("mid_hip")]).all()
    assert new_score[target.index("left_heel")] == 0 and np.isnan(new_xy[target.index("left_heel")]).all()
    assert new_xy.dtype == new_score.dtype == np.float32


def test_blazepose_feet_become_big_toes_and_its_hands_are_not_passed_off_as_fingers() -> None:
    source, target = LAYOUTS["blazepose33"], LAYOUTS["coco_wholebody133"]
    xy, score = _pose(source)
    new_xy, new_score = convert(xy, score, source, target)
    np.testing.assert_array_equal(
        new_xy[..., target.index("left_big_toe"), :], xy[..., source.index("left_foot_index"), :]
    )
    np.testing.assert_array_equal(new_score[..., target.index("right_heel")], score[..., 30])
    assert not new_score[..., target.index("left_small_toe")].any()
    assert not new_score[..., list(target.parts["hands"])].any()
    # the mouth's corners: the person's left one is face point 54
    np.testing.assert_array_equal(new_xy[..., target.index("face-54"), :], xy[..., 9, :])


def test_a_mirrored_pose_converts_to_the_mirrored_conversion() -> None:
    for source_name, target_name in [("coco17", "openpose18"), ("coco_wholebody133", "openpose28"),
                                     ("coco_wholebody133", "ntu25"), ("openpose25", "jhmdb15")]:  # fmt: skip
        source, target = LAYOUTS[source_name], LAYOUTS[target_name]
        xy, score = _pose(source)
        direct, _ = convert(xy, score, source, target)
        flipped, _ = convert(xy[..., source.mirror, :], score[..., source.mirror], source, target)
        np.testing.assert_allclose(flipped, direct[..., target.mirror, :], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ALL), st.sampled_from(ALL), st.floats(0, 1), st.integers(0, 2**31))
def test_any_conversion_keeps_the_contract(
    source_name: str, target_name: str, missing: float, seed: int
) -> None:
    source, target = LAYOUTS[source_name], LAYOUTS[target_name]
    xy, score = _pose(source, seed)
    gone = np.random.default_rng(seed).random(score.shape) < missing
    score[gone], xy[gone] = 0, np.nan
    new_xy, new_score = convert(xy, score, source, target)
    np.testing.assert_array_equal(np.isfinite(new_xy).all(axis=-1), new_score > 0)
    if not gone.all():
        low, high = np.nanmin(xy) - 1e-3, np.nanmax(xy) + 1e-3  # nothing is made up outside what was seen
        assert np.all((new_xy >= low) & (new_xy <= high) | np.isnan(new_xy))
    assert set(new_score[new_score > 0].tolist()) <= set(score.ravel().tolist())


@pytest.mark.parametrize(
    ("source", "target"),
    [("coco_wholebody133/hands", "coco17"), ("coco17", "coco_wholebody133/hands"), ("coco17/arms", "coco17")],
)
def test_what_cannot_be_converted_names_both_sides(source: str, target: str) -> None:
    xy, score = _pose(get_layout(source))
    with pytest.raises(ValueError) as error:
        convert(xy, score, get_layout(source), get_layout(target))
    assert repr(source) in str(error.value) and repr(target) in str(error.value)


def test_arrays_of_another_layout_are_refused() -> None:
    xy, score = _pose(LAYOUTS["coco17"])
    with pytest.raises(ValueError, match=r"'halpe26' needs xy_px \(\.\.\., 26, 2\)"):
        convert(xy, score, LAYOUTS["halpe26"], LAYOUTS["coco17"])
    with pytest.raises(ValueError, match="needs"):
        convert(xy, score[0], LAYOUTS["coco17"], LAYOUTS["coco17"])


def test_an_empty_clip_converts_to_an_empty_clip() -> None:
    xy, score = convert(
        np.empty((0, 4, 17, 2), np.float32),
        np.empty((0, 4, 17), np.float32),
        LAYOUTS["coco17"],
        LAYOUTS["halpe26"],
    )
    assert xy.shape == (0, 4, 26, 2) and score.shape == (0, 4, 26)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "file"), [("nwucla20", "nw_ucla"), ("jhmdb15", "jhmdb_gt_split1")])
def test_bones_of_real_skeletons_are_as_long_left_as_right(name: str, file: str, shared_dir: Path) -> None:
    layout = LAYOUTS[name]
    with np.load(shared_dir / "data" / "skeletons" / f"{file}.npz", allow_pickle=False) as data:
        joints = data["xyz" if "xyz" in data else "xy"][::50]  # (frames, V, 2 or 3)
    lengths = np.linalg.norm(joints - joints[:, layout.parents, :], axis=-1)  # (frames, V)
    typical = np.median(lengths, axis=0)
    for joint, image in enumerate(layout.mirror):
        assert typical[joint] == pytest.approx(typical[image], rel=0.25), layout.joints[joint]
    thigh, ankle = typical[layout.index("left_knee")], layout.index("left_ankle")
    across = np.linalg.norm(joints[:, ankle] - joints[:, layout.index("right_wrist")], axis=-1)
    assert thigh < np.median(across)  # neighbours in the tree are nearer than strangers
