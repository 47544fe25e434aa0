from __future__ import annotations

import numpy as np
import pytest

from poses.layout import get_layout
from skeleton_models.augment import Augment, apply_draw, augment_clip, draw, no_draw, noise
from skeleton_models.random_keys import clip_keys

COCO17 = get_layout("coco17")
NWUCLA20 = get_layout("nwucla20")
KEYS = clip_keys(0, 0, [f"clip {i}" for i in range(400)])


def points(channels: int, joints: int = 17) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (2, 9, joints, channels)).astype(np.float32)


@pytest.mark.parametrize("channels", [2, 3])
def test_defaults_leave_a_clip_as_it_is(channels: int) -> None:
    xyz = points(channels)
    for drawn in (draw(Augment(), KEYS[:3], COCO17, channels), no_draw(3, channels, 17)):
        np.testing.assert_allclose(apply_draw(xyz, drawn, 1, COCO17, KEYS), xyz, atol=1e-7)


def test_a_mirror_image_exchanges_left_and_right() -> None:
    xyz = points(2)
    flipped = augment_clip(xyz, Augment(flip_probability=1), COCO17, np.random.default_rng(0))
    left, right = COCO17.index("left_wrist"), COCO17.index("right_wrist")
    np.testing.assert_allclose(flipped[:, :, left], xyz[:, :, right] * [-1, 1], atol=1e-7)
    again = augment_clip(flipped, Augment(flip_probability=1), COCO17, np.random.default_rng(0))
    np.testing.assert_allclose(again, xyz, atol=1e-7)


@pytest.mark.parametrize(
    ("turn", "still"),
    [({"yaw_deg": 60.0}, 1), ({"pitch_deg": 60.0}, 0), ({"roll_deg": 60.0}, 2)],
)
def test_turns_keep_lengths_and_their_axis(turn: dict[str, float], still: int) -> None:
    xyz = points(3, 20).astype(np.float64)
    drawn = draw(Augment(**turn), KEYS, NWUCLA20, 3)  # type: ignore[arg-type]
    turned = xyz @ drawn.linear[0].T
    np.testing.assert_allclose(turned[..., still], xyz[..., still], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=-1), np.linalg.norm(xyz, axis=-1), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(drawn.linear), 1, atol=1e-12)
    angles = np.rad2deg(np.arccos((np.trace(drawn.linear, axis1=1, axis2=2) - 1) / 2))
    assert 50 < angles.max() <= 60 and angles.min() < 5
    upright = draw(Augment(**turn, vertical="z"), KEYS, NWUCLA20, 3)  # type: ignore[arg-type]
    axis = {0: 0, 1: 2, 2: 1}[still]  # the same axis where z points up
    np.testing.assert_allclose(upright.linear[:, axis, axis], 1, atol=1e-12)


def test_a_view_change_of_a_flat_person_is_foreshortening_and_perspective() -> None:
    drawn = draw(Augment(yaw_deg=40), KEYS, COCO17, 2)
    cosine = drawn.linear[:, 0, 0]
    assert np.cos(np.deg2rad(40)) <= cosine.min() < 0.8
    np.testing.assert_allclose(drawn.linear[:, 1], np.tile([0, 1], (400, 1)), atol=1e-12)
    np.testing.assert_allclose((drawn.perspective[:, 0] * 4) ** 2 + cosine**2, 1, atol=1e-12)
    near, far = np.float32([[[[1, 1], [-1, 1]]]])[0, 0]
    moved = apply_draw(np.tile([near, far], (1, 1, 1, 1)).astype(np.float32), drawn._replace(
        keep=np.ones((400, 2), np.bool_)), 0, COCO17, KEYS)[0, 0]  # fmt: skip
    assert (moved[0, 1] - 1) * (moved[1, 1] - 1) < 0  # one side grows, the other shrinks


def test_ranges_are_kept_and_used() -> None:
    augment = Augment(
        scale_range=(0.5, 1.5), shift=0.3, crop_range=(0.4, 0.9), speed_range=(0.5, 1.5),
        reverse_probability=0.25, drop_joint_probability=0.1, flip_probability=0.5,
        drop_axis_probability=0.5, drop_block_probability=0.5,
    )  # fmt: skip
    drawn = draw(augment, KEYS, COCO17, 2)
    scale = np.abs(drawn.linear[:, 0, 0])
    assert 0.5 <= scale.min() < 0.52 and 1.48 < scale.max() < 1.5
    assert np.abs(drawn.shift).max() < 0.3 and np.abs(drawn.shift.mean()) < 0.03
    first, share = drawn.crop.T
    assert share.min() >= 0.4 and share.max() < 0.9 and (first >= 0).all() and (first + share <= 1).all()
    assert drawn.speed.min() >= 0.5 and drawn.speed.max() < 1.5
    assert 0.18 < drawn.reverse.mean() < 0.32 and 0.42 < drawn.flip.mean() < 0.58
    assert 0.08 < 1 - drawn.keep.mean() < 0.12
    assert 0.42 < (drawn.axis >= 0).mean() < 0.58 and set(drawn.axis) == {-1, 0, 1}
    blocked = drawn.block_share > 0
    assert 0.42 < blocked.mean() < 0.58 and not drawn.block[~blocked].any()
    assert 0.3 < drawn.block[blocked].mean() < 0.5


def test_one_whole_part_is_dropped() -> None:
    drawn = draw(Augment(drop_part_probability=1, parts=("arms", "legs", "no such part")), KEYS, COCO17, 2)
    gone = {tuple(np.flatnonzero(~row)) for row in drawn.keep}
    assert gone == {tuple(sorted(COCO17.parts["arms"])), tuple(sorted(COCO17.parts["legs"]))}


def test_time() -> None:
    ramp = np.tile(np.arange(10, dtype=np.float32)[None, :, None, None], (1, 1, 17, 2))
    drawn = draw(Augment(crop_range=(0.5, 0.5), reverse_probability=0.5), KEYS, COCO17, 2)
    for n in range(20):
        shown = apply_draw(ramp, drawn, n, COCO17, KEYS)[0, :, 0, 0]
        step = -1 if drawn.reverse[n] else 1
        assert len(shown) == 5 and (np.diff(shown) == step).all()


def test_noise_is_nearly_normal() -> None:
    values = noise(KEYS, 200)
    assert abs(values.mean()) < 0.02 and abs(values.std() - 1) < 0.01 and np.abs(values).max() < 3.5


def test_what_one_augmentation_draws_moves_no_other() -> None:
    plain = draw(Augment(shift=0.2), KEYS, COCO17, 2)
    more = draw(
        Augment(shift=0.2, flip_probability=0.5, roll_deg=30, drop_joint_probability=0.3), KEYS, COCO17, 2
    )
    assert np.array_equal(plain.shift, more.shift)
    few = draw(Augment(shift=0.2), KEYS[7:9], COCO17, 2)
    assert np.array_equal(few.shift, plain.shift[7:9])


def test_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"flip_probability.*jitter.*crop_range.*view_distance"):
        Augment(flip_probability=2, jitter=-1, crop_range=(0.5, 1.5), view_distance=1)
    with pytest.raises(ValueError, match="2 or 3 channels"):
        draw(Augment(), KEYS, COCO17, 4)
