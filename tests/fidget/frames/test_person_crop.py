"""The region of a clip's person: joined over the frames, with a margin, inside the picture."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from fidget.frames.person_crop import PersonCrop
from poses.clip import PoseClip
from poses.layout import get_layout

NAN = float("nan")
NOBODY = (NAN, NAN, NAN, NAN)


def clip_with(boxes: list[list[tuple[float, ...]]], hw: tuple[int, int] = (200, 400)) -> PoseClip:
    """One person for each list of boxes, one frame for each box; joints at the middle of the box."""
    box_px = np.array(boxes, np.float32).reshape(len(boxes), -1, 4)
    persons, frames = box_px.shape[:2]
    joints = len(get_layout("coco17").joints)
    middle = (box_px[..., :2] + box_px[..., 2:]) / 2
    xy_px = np.repeat(middle[:, :, None], joints, axis=2)
    score = np.where(np.isfinite(xy_px).all(axis=-1), 0.5, 0).astype(np.float32)
    return PoseClip(
        clip_id="a",
        layout=get_layout("coco17"),
        xy_px=xy_px.astype(np.float32),
        score=score,
        box_px=box_px,
        time_s=np.arange(frames) / 25,
        frame_hw=hw,
        fps=Fraction(25),
        track_ids=np.arange(persons, dtype=np.int64),
    )


FIRST = [(100.0, 50.0, 140.0, 110.0), NOBODY, (120.0, 40.0, 160.0, 100.0)]  # joined: 100, 40 to 160, 110
OTHER = [(0.0, 0.0, 400.0, 200.0)] * 3


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        (PersonCrop(0, square=False), (100, 40, 160, 110)),
        (PersonCrop(0, square=True), (95, 40, 165, 110)),
        (PersonCrop(0.1, square=False), (93, 33, 167, 117)),
        (PersonCrop(0.5, square=True), (60, 5, 200, 145)),
        (PersonCrop(1.0, square=True), (25, 0, 235, 200)),  # 210 wanted, the picture is 200 high
    ],
)
def test_known_regions(crop: PersonCrop, expected: tuple[int, ...]) -> None:
    clip = clip_with([FIRST, OTHER])  # the main subject comes first
    region = crop.region_px(clip, (200, 400))
    assert region is not None and region.dtype == np.float32
    np.testing.assert_allclose(region, expected, atol=1e-4)


def test_at_the_edge_it_moves_inwards() -> None:
    clip = clip_with([[(380.0, 0.0, 400.0, 60.0)]])
    np.testing.assert_allclose(PersonCrop(0).region_px(clip, (200, 400)), (340, 0, 400, 60))


def test_boxes_beyond_the_picture_are_cut() -> None:
    clip = clip_with([[(-50.0, -20.0, 30.0, 500.0)]])
    np.testing.assert_allclose(PersonCrop(0, square=False).region_px(clip, (200, 400)), (0, 0, 30, 200))


def test_in_pixels_of_a_smaller_picture() -> None:
    clip = clip_with([FIRST])
    whole = PersonCrop().region_px(clip, (200, 400))
    half = PersonCrop().region_px(clip, (100, 200))
    assert whole is not None
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6)


def test_joints_stand_in_where_a_cache_holds_no_boxes() -> None:
    clip = clip_with([FIRST])
    clip = replace(clip, box_px=np.full_like(clip.box_px, NAN))
    np.testing.assert_allclose(PersonCrop(0, square=False).region_px(clip, (200, 400)), (120, 70, 140, 80))


def test_nobody() -> None:
    nobody = clip_with([FIRST])
    empty = replace(
        nobody, xy_px=nobody.xy_px[:0], score=nobody.score[:0], box_px=nobody.box_px[:0],
        track_ids=nobody.track_ids[:0],
    )  # fmt: skip
    outside = clip_with([[(500.0, 10.0, 600.0, 50.0)]])
    assert PersonCrop().region_px(empty, (200, 400)) is None
    assert PersonCrop().region_px(outside, (200, 400)) is None


@pytest.mark.parametrize("margin", [-0.1, NAN, 11.0])
def test_wrong_margins_are_named(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        PersonCrop(margin)
