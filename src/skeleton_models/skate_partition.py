"""How SkateFormer orders a layout's joints: equal groups of neighbours, body part by body part.

Its attention needs the joints as `groups` runs of `len(order) / groups` slots: near partitions are runs of
`near` neighbouring slots, far ones take one slot of every group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from poses.layout import Layout


@dataclass(frozen=True)
class JointPartition:
    """The slots of one person.

    Attributes:
        order: joint index of each slot; a joint may stand in several slots, or in none.
        near: slots in a partition of neighbouring joints (the paper's L).
        groups: groups of equally many slots; a partition of distant joints takes one of each (K).

    Raises:
        ValueError: the slots do not divide into `near` or `groups`.
    """

    order: tuple[int, ...]
    near: int
    groups: int

    def __post_init__(self) -> None:
        slots = len(self.order)
        if not slots or self.near < 1 or self.groups < 1 or slots % self.near or slots % self.groups:
            raise ValueError(
                f"{slots} slots must divide into near={self.near} and groups={self.groups}; "
                f"repeat joints in `order` until they do"
            )


def joint_partition(layout: Layout) -> JointPartition:
    """The published order for nwucla20 and ntu25 (which leaves out `shoulder_center`); else one derived.

    Derived: the joints are taken part by part (left arm with its hand, right arm, left leg with its foot,
    right leg, the rest), told by the words in their names, and each part is cut into groups of L. The last
    group of a part is filled by repeating its own joints in turn, so a repeated joint is seen, and counts in
    the mean over joints, more than once; nothing is masked. L is the size from 3 to 12 for which attention
    costs least: slots * (L + groups).
    """
    if layout.name in _PUBLISHED:
        names, near, groups = _PUBLISHED[layout.name]
        return JointPartition(tuple(layout.index(joint) for joint in names.split()), near, groups)
    parts = _parts(layout)
    size = min(range(3, 13), key=lambda size: _attention_cost(parts, size))
    chunks = [part[i : i + size] for part in parts for i in range(0, len(part), size)]
    order = [chunk[slot % len(chunk)] for chunk in chunks for slot in range(size)]
    return JointPartition(tuple(order), near=size, groups=len(chunks))


# Joints in the published order, slots of a near partition, groups. What the original calls the right arm of
# NTU and of Northwestern-UCLA is the left one in Kinect's enumeration.
_PUBLISHED: Mapping[str, tuple[str, int, int]] = {
    "nwucla20": (
        "left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow right_wrist right_hand "
        "left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
        "spine shoulder_center mid_hip head_center",
        4,
        5,
    ),
    "ntu25": (
        "left_wrist left_hand left_hand_tip left_thumb4 right_wrist right_hand right_hand_tip right_thumb4 "
        "left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
        "left_shoulder right_shoulder left_elbow right_elbow spine neck mid_hip head_center",
        8,
        6,
    ),
}

_ARM = ("shoulder", "elbow", "wrist", "hand", "thumb", "finger", "pinky", "index")
_LEG = ("hip", "knee", "ankle", "foot", "toe", "heel")


def _parts(layout: Layout) -> list[list[int]]:
    """Joint indices of both arms, both legs and the rest, without parts that are empty."""
    limbs: dict[tuple[str, bool], list[int]] = {
        (side, is_arm): [] for is_arm in (True, False) for side in ("left_", "right_")
    }
    rest: list[int] = []
    for index, joint in enumerate(layout.joints):
        side = next((side for side in ("left_", "right_") if joint.startswith(side)), None)
        is_arm, is_leg = (any(word in joint for word in words) for words in (_ARM, _LEG))
        (limbs[side, is_arm] if side and (is_arm or is_leg) else rest).append(index)
    return [part for part in (*limbs.values(), rest) if part]


def _attention_cost(parts: Sequence[Sequence[int]], size: int) -> int:
    """Scores that one frame of near and far attention computes, up to a factor."""
    groups = sum(-(-len(part) // size) for part in parts)
    return groups * size * (size + groups)
