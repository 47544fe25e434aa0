from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.fidget.faces.face_samples import HEAD, people

from fidget.faces.head_region import REGION_SCALE, head_joints, head_regions
from poses.layout import LAYOUTS, get_layout


@pytest.mark.parametrize(
    ("layout", "some", "count"),
    [
        ("coco17", "nose", 5),
        ("blazepose33", "mouth_left", 11),
        ("coco_wholebody133", "face-30", 5 + 68),
        ("openpose25", "right_ear", 5),
        ("halpe26", "left_eye", 5),
        ("ntu25", "head_center", 1),
        ("nwucla20", "head_center", 1),
        ("jhmdb15", "face", 1),
    ],
)
def test_joints_of_the_head_are_found_by_name(layout, some, count):
    found = head_joints(get_layout(layout))
    assert len(found) == count and get_layout(layout).index(some) in found


def test_every_layout_has_a_head():
    assert all(head_joints(layout) for layout in LAYOUTS.values())


def test_a_layout_without_a_head_is_named():
    hands = get_layout("coco_wholebody133/hands")
    with pytest.raises(ValueError, match=r"layout 'coco_wholebody133/hands' has no joint of the head .*nose"):
        head_joints(hands)
    clip = people([[(100, 60)]])
    with pytest.raises(ValueError, match="in space, not in pixels"):
        head_regions(dataclasses.replace(clip, z=np.where(clip.score > 0, np.float32(1), np.nan)))


@pytest.mark.parametrize("layout", ["coco17", "blazepose33", "halpe26", "jhmdb15", "ntu25"])
def test_the_region_holds_the_head_whatever_the_layout(layout):
    regions = head_regions(people([[(100, 60), (104, 60)]], layout))
    assert regions.center_px.shape == (1, 2, 2) and regions.center_px.dtype == np.float32
    left, top, right, bottom = regions.box_px(0, 0)
    assert right - left == pytest.approx(bottom - top)
    # From chin to top of the hair and both ears, and not the whole person.
    assert left < 100 - 0.7 * HEAD and right > 100 + 0.7 * HEAD
    assert top < 60 - 0.9 * HEAD and bottom > 60 + 0.7 * HEAD
    assert right - left < 2 * REGION_SCALE * HEAD
    assert regions.box_px(0, 1)[0] > left


def test_a_head_seen_from_the_side_keeps_its_size():
    clip = people([[(100, 60)]])
    xy = clip.xy_px.copy()
    face = list(head_joints(clip.layout))
    xy[:, :, face] = 100 + (xy[:, :, face] - 100) * (0.1, 1)
    narrow = head_regions(dataclasses.replace(clip, xy_px=xy.astype(np.float32)))
    assert narrow.width_px[0, 0] >= 0.9 * HEAD


def test_unsure_and_missing_heads_have_no_region():
    clip = people([[(100, 60), (np.nan, np.nan), (100, 60)]])
    score = clip.score.copy()
    score[0, 2, list(head_joints(clip.layout))] = 0.1
    regions = head_regions(dataclasses.replace(clip, score=score))
    np.testing.assert_array_equal(np.isfinite(regions.width_px[0]), [True, False, False])
    np.testing.assert_array_equal(np.isfinite(regions.center_px[0]).all(axis=1), [True, False, False])
