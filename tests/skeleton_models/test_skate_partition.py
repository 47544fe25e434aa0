"""The order of joints in SkateFormer's partitions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from poses.layout import LAYOUTS, get_layout
from skeleton_models.skate_partition import JointPartition, joint_partition


@pytest.mark.parametrize(
    ("layout", "slots", "near", "groups"),
    [
        ("nwucla20", 20, 4, 5),
        ("ntu25", 24, 8, 6),
        ("jhmdb15", 15, 3, 5),
        ("coco17", 18, 3, 6),
        ("coco_wholebody133/micro44", 48, 6, 8),
    ],
)
def test_partitions_of_known_layouts(layout: str, slots: int, near: int, groups: int) -> None:
    partition = joint_partition(get_layout(layout))
    assert (len(partition.order), partition.near, partition.groups) == (slots, near, groups)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_joint_has_a_slot_and_groups_stay_within_a_part(name: str) -> None:
    layout = get_layout(name)
    partition = joint_partition(layout)
    left_out = {layout.joints[j] for j in set(range(len(layout.joints))) - set(partition.order)}
    assert left_out == ({"shoulder_center"} if name == "ntu25" else set())
    size = len(partition.order) // partition.groups
    groups = [partition.order[i : i + size] for i in range(0, len(partition.order), size)]
    for group in groups:
        sides = {layout.joints[j].split("_")[0] for j in group}
        hands = {layout.joints[j].split("_")[-1] for j in group} & {"wrist", "hand", "root"}
        assert not hands or name == "ntu25" or not {"left", "right"} <= sides


def test_the_derived_partition_of_nwucla_is_the_published_one_up_to_the_order_of_the_torso() -> None:
    published = joint_partition(get_layout("nwucla20"))
    derived = joint_partition(replace(get_layout("nwucla20"), name="mine"))
    assert derived.order[:16] == published.order[:16]
    assert sorted(derived.order[16:]) == sorted(published.order[16:])
    assert (derived.near, derived.groups) == (published.near, published.groups)


def test_a_partition_must_divide() -> None:
    with pytest.raises(ValueError, match=r"5 slots must divide into near=2"):
        JointPartition(tuple(range(5)), near=2, groups=5)


def test_joints_without_known_names_are_cut_in_index_order() -> None:
    layout = replace(
        get_layout("jhmdb15"),
        name="animal",
        joints=tuple(f"point_{i}" for i in range(15)),
    )
    partition = joint_partition(layout)
    assert partition.order[:15] == tuple(range(15))
    assert (len(partition.order), partition.near, partition.groups) == (15, 3, 5)
