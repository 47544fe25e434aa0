from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from poses.layout import Layout, get_layout
from poses.sampling import uniform_test_indices
from skeleton_models import graph_input
from skeleton_models.augment import Augment, apply_draw, draw
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.frame_sampling import SAMPLINGS, Sampling
from skeleton_models.graph_input import STREAMS, GraphInput, Stream
from skeleton_models.random_keys import clip_keys

GOLDEN = Path(__file__).parent / "golden" / "graph_input.npz"
FOUR = ("joint", "bone", "joint_motion", "bone_motion")
COCO17 = get_layout("coco17")
NWUCLA20 = get_layout("nwucla20")


def clip_2d(seed: int, persons: int, frames: int, joints: int = 17, lost: float = 0.1) -> ClipArrays:
    """The clips that pyskl's own classes were run on; a row of golden outputs each."""
    rng = np.random.default_rng(seed)
    xyz = (rng.random((persons, frames, joints, 2)) * [1000, 700]).astype(np.float32)
    score = rng.random((persons, frames, joints)).astype(np.float32)
    gone = rng.random((persons, frames, joints)) < lost
    xyz[gone], score[gone] = np.nan, 0
    return ClipArrays(xyz, score, (720, 1280))


def clip_3d(
    seed: int, persons: int, frames: int, joints: int, lost: float = 0.05, empty: bool = True
) -> ClipArrays:
    rng = np.random.default_rng(seed)
    xyz = (rng.standard_normal((persons, frames, joints, 3)) + np.array([0, 0, 3])).astype(np.float32)
    gone = rng.random((persons, frames, joints)) < lost
    gone[:, :, [0, 1, 4, 8]] = False
    if empty:
        gone[0, :5] = True
        gone[1, 7:] = True
    xyz[gone] = np.nan
    return ClipArrays(xyz, np.where(gone, 0, 1).astype(np.float32), (1080, 1920))


def keys_of(count: int) -> np.ndarray:
    return clip_keys(0, 0, [f"clip-{i}" for i in range(count)])


@pytest.mark.parametrize(
    ("name", "clip"),
    [("short", (1, 2, 2)), ("middle", (2, 1, 5)), ("long", (3, 2, 40))],
    ids=["shorter than a view", "under two views", "longer"],
)
def test_four_streams_are_those_of_pyskl_in_two_dimensions(name: str, clip: tuple[int, int, int]) -> None:
    expected = np.load(GOLDEN)[f"pyskl2d_{name}"]  # (2, M, T, V, 12)
    build = GraphInput(
        COCO17, 3, FOUR, persons=2, normalise="pyskl2d", confidence=True, test_clips=2, missing="filled",
        bones="pyskl", min_score=0.01,
    )  # fmt: skip
    batch = build.batch([clip_2d(*clip)], None)
    np.testing.assert_allclose(batch.x.numpy(), expected, atol=1e-6)
    assert batch.views == 2
    assert batch.present is not None
    assert batch.present.tolist() == [[True, clip[1] == 2]] * 2


def test_four_streams_are_those_of_pyskl_in_three_dimensions() -> None:
    build = GraphInput(
        get_layout("ntu25"), 3, FOUR, persons=2, normalise="pyskl3d", missing="filled", bones="pyskl"
    )
    batch = build.batch([clip_3d(4, 2, 20, 25)], None)
    np.testing.assert_allclose(batch.x.numpy(), np.load(GOLDEN)["pyskl3d"], atol=2e-6)


def test_four_streams_are_those_of_ctrgcn_on_ucla() -> None:
    build = GraphInput(NWUCLA20, 4, FOUR, normalise="ctrgcn_ucla", sampling="sorted", motion="sampled")
    batch = build.batch([clip_3d(5, 1, 11, 20, 0, False)], None)
    np.testing.assert_allclose(batch.x[0, 0].numpy(), np.load(GOLDEN)["ctrgcn_ucla"], atol=1e-6)


def twin(clip: ClipArrays, build: GraphInput, keys: np.ndarray | None) -> np.ndarray:
    """Rows (M, T, V, C) of one clip by plain array operations; `none`, masked, clip or sampled motion."""
    batch = build.batch([clip], keys)
    frames = clip.xyz.shape[1]
    assert batch.position is not None
    at = np.rint((batch.position[0].numpy().astype(np.float64) + 1) * frames / 2).astype(int)
    joints = clip.xyz.astype(np.float64)
    joints[clip.score <= build.min_score] = np.nan
    streams = []
    for name in build.streams:
        points = joints
        pair = np.arange(joints.shape[2])
        for _ in range({"bone": 1, "bone2": 2}.get(name.removesuffix("_motion"), 0)):
            pair = np.asarray(build.layout.parents)[pair]
        if name.startswith("bone"):
            points = joints - joints[:, :, pair]
        if name.endswith("motion") and build.motion == "clip":
            points = np.concatenate([np.diff(points, axis=1), np.zeros_like(points[:, :1])], axis=1)
        points = points[:, at]
        if name.endswith("motion") and build.motion == "sampled":
            points = np.concatenate([np.diff(points, axis=1), np.zeros_like(points[:, :1])], axis=1)
        streams.append(np.nan_to_num(points))
    return np.concatenate(streams, axis=-1)


@pytest.mark.parametrize("motion", ["clip", "sampled"])
@pytest.mark.parametrize("frames", [1, 2, 7, 12, 60])
@pytest.mark.parametrize("layout", ["coco17", "coco_wholebody133/micro44"])
def test_every_stream_equals_a_plain_twin(motion: str, frames: int, layout: str) -> None:
    joints = get_layout(layout)
    clip = clip_2d(frames, 1, frames, len(joints.joints))
    build = GraphInput(joints, 8, STREAMS, normalise="none", motion=motion)
    for keys in (None, keys_of(1)):
        expected = twin(clip, build, keys)
        np.testing.assert_allclose(build.batch([clip], keys).x[0].numpy(), expected, atol=1e-3)


AUGMENTATIONS = {
    "view": Augment(flip_probability=0.5, yaw_deg=30, pitch_deg=20, roll_deg=10, scale_range=(0.8, 1.2)),
    "shape": Augment(stretch=0.2, shear=0.2, shift=0.1, drop_axis_probability=0.5),
    "jitter": Augment(jitter=0.05, flip_probability=0.5, roll_deg=40),
    "missing": Augment(drop_joint_probability=0.2, drop_part_probability=0.8, flip_probability=0.5),
    "time": Augment(reverse_probability=0.5, crop_range=(0.4, 0.8)),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_kernel_augments_as_the_plain_functions_do(name: str, dimensions: int) -> None:
    layout, augment = (COCO17 if dimensions == 2 else NWUCLA20), AUGMENTATIONS[name]
    v = len(layout.joints)
    rng = np.random.default_rng(3)
    clips = []
    for _ in range(6):
        xyz = rng.uniform(-1, 1, (1, 30, v, dimensions)).astype(np.float32)
        score = (rng.random((1, 30, v)) > 0.05).astype(np.float32)
        score[:, 0, 0] = 1
        xyz[0, 0, 0], xyz[0, 1, 0], score[0, 1, 0] = -1, 1, 1  # the box is -1..1: origin 0, unit 2
        xyz[score == 0] = np.nan
        clips.append(ClipArrays(xyz, score, (2, 2)))
    keys = keys_of(6)
    normalise = "mmn"  # (p - middle of the box) / half of it: those clips stay as they are
    build = GraphInput(layout, 10, normalise=normalise, sampling="window", augment=augment)
    batch = build.batch(clips, keys)
    drawn = draw(augment, keys, layout, dimensions)
    for n, clip in enumerate(clips):
        alone = build.batch([clip], keys[n : n + 1])
        torch.testing.assert_close(batch.x[n], alone.x[0])
        expected = np.nan_to_num(apply_draw(clip.xyz, drawn, n, layout, keys))  # (1, T', V, C)
        assert any(
            np.allclose(expected[:, s : s + 10], batch.x[n].numpy(), atol=1e-5)
            for s in range(expected.shape[1] - 9)
        )


EVERYTHING = Augment(
    flip_probability=0.5, yaw_deg=20, pitch_deg=10, roll_deg=20, scale_range=(0.8, 1.2), stretch=0.1,
    shear=0.1, shift=0.1, jitter=0.02, drop_joint_probability=0.1, drop_part_probability=0.3,
    drop_axis_probability=0.2, drop_block_probability=0.5, crop_range=(0.5, 1),
    speed_range=(0.7, 1.3), reverse_probability=0.3,
)  # fmt: skip


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_clip_is_the_same_alone_and_anywhere_in_any_batch(sampling: Sampling, dimensions: int) -> None:
    if dimensions == 2:
        clips, layout = [clip_2d(i, 1 + i % 2, 3 + 7 * i) for i in range(6)], COCO17
    else:
        clips, layout = [clip_3d(i, 1, 9 + 7 * i, 20, empty=False) for i in range(6)], NWUCLA20
    keys = keys_of(6)
    for motion, normalise in (("clip", "none"), ("sampled", "torso"), ("clip", "ctrgcn_ucla")):
        build = GraphInput(
            layout, 16, STREAMS, persons=2, confidence=True, augment=EVERYTHING, sampling=sampling,
            motion=motion, normalise=normalise,
        )  # fmt: skip
        together = build.batch(clips, keys).x
        alone = [build.batch([clip], keys[i : i + 1]).x for i, clip in enumerate(clips)]
        assert torch.equal(together, torch.cat(alone))
        order = np.array([4, 1, 5, 0, 3, 2])
        mixed = build.batch([clips[i] for i in order], keys[order]).x
        assert torch.equal(together[order], mixed)
        threaded = replace(build, threads=3)
        assert torch.equal(together, threaded.batch(clips, keys).x)
        assert torch.equal(alone[2], threaded.batch([clips[2]], keys[2:3]).x)
        assert not torch.equal(together, build.batch(clips, clip_keys(0, 1, ["a"] * 6)).x)


def test_a_large_batch_is_the_same_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_input, "_NUMBERS_A_THREAD", 2**17)
    clips = [clip_2d(i, 2, 20 + i) for i in range(24)]
    build = GraphInput(COCO17, 100, FOUR, persons=2, confidence=True, augment=EVERYTHING)
    alone = build.batch(clips, keys_of(24)).x
    assert alone.numel() > 4 * 2**17  # below that, threads would not be woken
    for _ in range(5):
        assert torch.equal(alone, replace(build, threads=4).batch(clips, keys_of(24)).x)


@pytest.mark.parametrize("streams", [("joint",), ("bone_motion",), FOUR, ("bone2", "joint")], ids=len)
def test_layouts_of_few_joints_are_written_as_those_of_many(streams: tuple[Stream, ...]) -> None:
    def chain(joints: int) -> GraphInput:
        names = tuple(f"j{i}" for i in range(joints))
        layout = Layout(names[-1], names, (0, *range(joints - 1)), (), tuple(range(joints)))
        return GraphInput(
            layout, 7, streams, persons=2, normalise="pyskl2d", confidence=True, min_score=0.2
        )  # fmt: skip

    many = clip_2d(3, 2, 30, joints=5)
    few = ClipArrays(many.xyz[:, :, :3], many.score[:, :, :3], many.frame_hw)
    expected = chain(5).batch([many], keys_of(1)).x[:, :, :, :3]
    assert torch.equal(chain(3).batch([few], keys_of(1)).x, expected)


def test_a_block_of_joints_is_missing_in_some_sampled_frames() -> None:
    augment = Augment(drop_block_probability=1, block_joints=(0.3, 0.3), block_frames=(0.5, 0.5))
    clip = clip_2d(0, 1, 50, lost=0)
    zero = GraphInput(COCO17, 40, normalise="none", augment=augment).batch([clip], keys_of(1)).x[0, 0] == 0
    blocked = zero.all(-1)  # (T, V)
    rows = blocked.any(1)
    assert 8 <= rows.sum() <= 32
    assert (blocked[rows] == blocked[rows][0]).all()  # the same joints in each
    assert 1 <= blocked[rows][0].sum() <= 12


@pytest.mark.parametrize("layout", ["coco17", "nwucla20", "jhmdb15", "openpose28", "coco_wholebody133"])
def test_torso_normalisation_is_blind_to_place_and_size(layout: str) -> None:
    joints = get_layout(layout)
    clip = clip_2d(1, 1, 20, len(joints.joints))
    moved = clip._replace(xyz=clip.xyz * np.float32(0.25) + np.float32(300))
    build = GraphInput(joints, 12, FOUR, normalise="torso")
    a, b = build.batch([clip, moved], None).x
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    assert a.abs().max() > 0.1


def standing(torso_px: float) -> ClipArrays:
    """Hips at (100, 300), shoulders above them, knees 80 pixels below; the rest is missing but the nose."""
    xyz = np.full((1, 3, 17, 2), np.nan, np.float32)
    for joint, place in {"left_hip": (90, 300), "right_hip": (110, 300), "nose": (100, 250 - torso_px),
                         "left_shoulder": (80, 300 - torso_px), "right_shoulder": (120, 300 - torso_px),
                         "left_knee": (90, 380), "right_knee": (110, 380)}.items():  # fmt: skip
        xyz[0, :, COCO17.index(joint)] = place
    return ClipArrays(xyz, (~np.isnan(xyz[..., 0])).astype(np.float32), (400, 400))


def test_without_hips_the_shoulders_tell_where_they_would_be() -> None:
    clip = standing(100)
    score = clip.score.copy()
    legs = ("hip", "knee", "ankle")
    score[..., [COCO17.index(name) for name in COCO17.joints if name.endswith(legs)]] = 0
    x = GraphInput(COCO17, 3, normalise="torso").batch([clip._replace(score=score)], None).x[0, 0, 0]
    unit_px = 1.35 * 40  # the shoulders lie at x 80 and 120, y 200
    assert x[COCO17.index("left_shoulder")].tolist() == pytest.approx([-20 / unit_px, -1])
    assert x[COCO17.index("nose")].tolist() == pytest.approx([0, (150 - 200 - unit_px) / unit_px])
    assert not x[COCO17.index("left_hip")].any()


@pytest.mark.parametrize(
    ("torso_px", "unit_px"),
    [(100, 100), (60, 60), (20, 40), (0, 40)],
    ids=["tall", "bent over", "hips lost: half a thigh", "hips at the shoulders"],
)
def test_torso_normalisation_known_answer(torso_px: float, unit_px: float) -> None:
    x = GraphInput(COCO17, 3, normalise="torso").batch([standing(torso_px)], None).x[0, 0, 0]
    assert x[COCO17.index("nose")].tolist() == pytest.approx([0, -(50 + torso_px) / unit_px])
    assert x[COCO17.index("left_hip")].tolist() == pytest.approx([-10 / unit_px, 0])


def test_yaw_alignment_undoes_a_turn_about_the_vertical() -> None:
    clip = clip_3d(2, 1, 15, 20, 0, False)
    angle = np.deg2rad(50)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    turned = clip._replace(xyz=(clip.xyz @ turn.T).astype(np.float32))
    build = GraphInput(NWUCLA20, 9, FOUR, normalise="torso", align_yaw=True)
    a, b = build.batch([clip, turned], None).x
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_mmn_stretches_the_box_of_the_clip() -> None:
    clip = clip_2d(8, 1, 12, lost=0)
    x = GraphInput(COCO17, 12, normalise="mmn", sampling="window").batch([clip], None).x[0, 0].numpy()
    flat = clip.xyz[0].reshape(-1, 2).astype(np.float64)
    low, high = flat.min(0), flat.max(0)
    expected = (clip.xyz[0] - low) / (high - low + 1e-6) * 2 - 1
    np.testing.assert_allclose(x, expected, atol=1e-5)


def test_linear_sampling_interpolates() -> None:
    ramp = np.broadcast_to(np.arange(4, dtype=np.float32)[None, :, None, None], (1, 4, 17, 2)).copy()
    score = np.ones((1, 4, 17), np.float32)
    ramp[0, 1, 0], score[0, 1, 0] = np.nan, 0
    build = GraphInput(COCO17, 8, ("joint", "joint_motion"), normalise="none", sampling="linear")
    batch = build.batch([ClipArrays(ramp, score, (9, 9))], None)
    assert batch.x[0, 0, :, 1, 0].tolist() == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
    assert batch.x[0, 0, :, 1, 2].tolist() == pytest.approx([1, 1, 1, 1, 1, 0, 0, 0])
    assert batch.x[0, 0, :, 0, 0].tolist() == pytest.approx([0, 0, 0, 2, 2, 2.25, 2.75, 3])
    assert batch.position is not None
    assert batch.position[0, 0] == -1


def test_persons_seen_longest_come_first_and_absent_ones_are_zeros() -> None:
    clip = clip_2d(5, 3, 10, lost=0)
    for person, frames in ((0, 2), (2, 6)):  # frames in which they are seen
        clip.xyz[person, frames:], clip.score[person, frames:] = np.nan, 0
    build = GraphInput(COCO17, 10, persons=2, normalise="none", sampling="window")
    x = build.batch([clip], None).x[0]
    np.testing.assert_allclose(x[0], clip.xyz[1], atol=1e-3)
    np.testing.assert_allclose(x[1], np.nan_to_num(clip.xyz[2]), atol=1e-3)
    nobody = ClipArrays(np.zeros((0, 10, 17, 2), np.float32), np.zeros((0, 10, 17), np.float32), (9, 9))
    ghost = ClipArrays(np.full((1, 4, 17, 2), np.nan, np.float32), np.zeros((1, 4, 17), np.float32), (9, 9))
    for normalise in ("none", "pyskl2d", "torso", "mmn", "ctrgcn_ucla"):
        build = GraphInput(COCO17, 6, FOUR, persons=2, normalise=normalise)
        batch = build.batch([nobody, clip, ghost], keys_of(3))
        assert batch.present is not None
        assert batch.present.tolist() == [[False, False], [True, True], [False, False]]
        assert not batch.x[0].any() and not batch.x[2].any()
        assert torch.isfinite(batch.x).all()


def test_views_are_the_published_test_clips_and_their_mirror_images() -> None:
    clips = [clip_2d(7, 1, 30, lost=0), clip_2d(8, 1, 5, lost=0)]
    build = GraphInput(COCO17, 8, normalise="pyskl2d", test_clips=3, test_flip=True, convention="mmaction2")
    batch = build.batch(clips, None)
    assert batch.views == 6
    x = batch.x.view(2, 6, 1, 8, 17, 2)
    for n, clip in enumerate(clips):
        at = uniform_test_indices(clip.xyz.shape[1], 8, 3, "mmaction2")
        expected = (clip.xyz[0][at] - [640, 360]) / [640, 360]  # (clips, T, V, C)
        np.testing.assert_allclose(x[n, :3, 0], expected, atol=1e-6)
        np.testing.assert_allclose(x[n, 3:, 0], expected[:, :, COCO17.mirror] * [-1, 1], atol=1e-6)


@pytest.mark.parametrize("normalise", ["none", "pyskl3d", "ctrgcn_ucla", "torso", "mmn"])
@pytest.mark.parametrize("sampling", ["uniform", "sorted", "linear", "window"])
@pytest.mark.parametrize("frames", [1, 2, 5, 300])
def test_every_length_sampling_and_normalisation_gives_finite_numbers(
    normalise: str, sampling: str, frames: int
) -> None:
    augment = Augment(
        flip_probability=0.5, yaw_deg=60, scale_range=(0.5, 1.5), crop_range=(0.1, 1), speed_range=(0.2, 1.9),
        reverse_probability=0.5, jitter=0.01,
    )  # fmt: skip
    build = GraphInput(NWUCLA20, 16, FOUR, normalise=normalise, sampling=sampling, augment=augment)
    clips = [clip_3d(9 + i, 1, frames, 20, 0.3, False) for i in range(3)]
    for keys in (keys_of(3), None):
        batch = build.batch(clips, keys)
        assert torch.isfinite(batch.x).all()
        assert batch.position is not None
        assert batch.position.abs().max() <= 1


def test_settings_and_clips_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames must be at least 1.*normalise must be one of.*'bones'"):
        GraphInput(COCO17, 0, ("bones",), normalise="pyskl")
    with pytest.raises(ValueError, match=r"clip 1 of the batch.*another layout"):
        GraphInput(COCO17, 4).batch([clip_2d(0, 1, 3), clip_2d(0, 1, 3, 15)], None)
    with pytest.raises(ValueError, match="needs 2 dimensions, the clips have 3"):
        GraphInput(NWUCLA20, 4, normalise="pyskl2d").batch([clip_3d(0, 1, 3, 20, 0, False)], None)
    with pytest.raises(ValueError, match="one key a clip"):
        GraphInput(COCO17, 4).batch([clip_2d(0, 1, 3)], keys_of(2))


def test_split_gives_each_stream() -> None:
    build = GraphInput(COCO17, 4, FOUR, confidence=True)
    x = build.batch([clip_2d(0, 1, 9)], None).x
    assert build.channels(2) == x.shape[-1] == 12
    joint, bone, *_ = build.split(x)
    assert torch.equal(joint, x[..., :3])
    assert torch.equal(bone, x[..., 3:6])
