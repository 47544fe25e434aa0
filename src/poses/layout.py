"""Joint sets: names, limbs, mirror pairs, parts. One definition each; its name travels with the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from poses import layouts_body, layouts_kinect, layouts_wholebody
from poses.layouts_derived import BODY_JOINTS, DERIVED


@dataclass(frozen=True)
class Layout:
    """One joint set; it checks itself once.

    Attributes:
        name: as stored in caches.
        joints: joint names, in index order; V is their number.
        parents: for each joint its parent's index; a root is its own parent.
        limbs: pairs of joint indices that are drawn, and rendered as limb heatmaps.
        mirror: for each joint the index of its left/right counterpart; midline joints map to themselves.
        parts: name -> joint indices (`body`, `hands`, `feet`, `face`, ...), each with its mirror images.
        oks_sigmas: COCO's per-joint falloff where published, else None.

    Raises:
        ValueError: names that repeat, indices out of range, a mirror that is not its own inverse, parents
            that go round in a circle; the message names it.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    limbs: tuple[tuple[int, int], ...]
    mirror: tuple[int, ...]
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    oks_sigmas: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        v = len(self.joints)
        problems = []
        if not v or len(set(self.joints)) != v:
            problems.append(f"joint names must be unique and at least one, got {self.joints}")
        for what, values in (("parents", self.parents), ("mirror", self.mirror), ("sigmas", self.oks_sigmas)):
            if values is not None and len(values) != v:
                problems.append(f"{what} must have one entry a joint ({v}), got {len(values)}")
        indices = [*self.parents, *self.mirror, *(j for limb in self.limbs for j in limb)]
        indices += [j for part in self.parts.values() for j in part]
        if any(not 0 <= j < v for j in indices):
            problems.append(
                f"joint indices must lie in 0..{v - 1}, got {sorted(set(indices) - set(range(v)))}"
            )
        if problems:
            raise ValueError(f"layout {self.name!r}: " + "; ".join(problems))
        problems += self._wrong_structure()
        if problems:
            raise ValueError(f"layout {self.name!r}: " + "; ".join(problems))

    def _wrong_structure(self) -> list[str]:
        """What is wrong although all sizes and indices are right."""
        problems = []
        bad = [self.joints[j] for j, m in enumerate(self.mirror) if self.mirror[m] != j]
        if bad:
            problems.append(f"mirror must be its own inverse, is not at {bad}")
        if any(self._depth(joint) == len(self.joints) for joint in range(len(self.joints))):
            problems.append(f"parents must lead to a root, go round in a circle: {self.parents}")
        for part, joints in self.parts.items():
            if len(set(joints)) != len(joints) or {self.mirror[j] for j in joints} != set(joints):
                problems.append(f"part {part!r} must hold each joint once, and its mirror image")
        if any(a == b for a, b in self.limbs):
            problems.append("a limb joins two different joints")
        if self.oks_sigmas is not None and min(self.oks_sigmas) <= 0:
            problems.append("OKS sigmas must be positive")
        return problems

    def _depth(self, joint: int) -> int:
        """Steps from a joint to its root; as many as there are joints where there is none."""
        steps = 0
        while self.parents[joint] != joint and steps < len(self.joints):
            joint, steps = self.parents[joint], steps + 1
        return steps

    def index(self, joint: str) -> int:
        """Index of a joint by name; ValueError names the nearest known joints."""
        if joint not in self.joints:
            raise ValueError(f"layout {self.name!r} has no joint {joint!r}; {_nearest(joint, self.joints)}")
        return self.joints.index(joint)

    def bones(self) -> NDArray[np.int64]:
        """(V, 2) child, parent."""
        return np.stack([np.arange(len(self.joints)), np.asarray(self.parents)], axis=1)


def get_layout(name: str) -> Layout:
    """The layout of this name; `base/part` (as in `coco_wholebody133/hands`) names a part of one.

    Raises:
        ValueError: no such layout or part; the message names the nearest.
    """
    base, _, part = name.partition("/")
    if base not in LAYOUTS:
        raise ValueError(f"unknown layout {base!r}; {_nearest(base, LAYOUTS)}")
    return subset(LAYOUTS[base], part) if part else LAYOUTS[base]


@lru_cache(maxsize=64)
def subset(layout: Layout, part: str) -> Layout:
    """The joints of one part as a layout of its own, named `base/part`, in the part's order.

    A joint whose parent is left out hangs on its nearest ancestor that stays. Limbs stay where both ends do;
    a joint that would be left without one is joined to what it hangs on.
    `coco_wholebody133/micro44` follows MMN's choice of 44 of Halpe's 136 joints: body and feet, six face
    points, wrist and finger tips of both hands. COCO-WholeBody has no head top, neck and mid-hip, which
    leaves 41; MMN does not publish which six face points, see `layouts_wholebody.MICRO44` for those taken.

    Raises:
        ValueError: the layout has no such part; the message names the nearest.
    """
    if part not in layout.parts:
        raise ValueError(f"layout {layout.name!r} has no part {part!r}; {_nearest(part, layout.parts)}")
    kept = layout.parts[part]
    new_index = {old: new for new, old in enumerate(kept)}
    parents = tuple(new_index[_kept_ancestor(layout, j, new_index)] for j in kept)
    limbs = [(new_index[a], new_index[b]) for a, b in layout.limbs if new_index.keys() >= {a, b}]
    joined = {j for limb in limbs for j in limb}
    limbs += [(j, parent) for j, parent in enumerate(parents) if j != parent and j not in joined]
    return Layout(
        name=f"{layout.name}/{part}",
        joints=tuple(layout.joints[j] for j in kept),
        parents=parents,
        limbs=tuple(limbs),
        mirror=tuple(new_index[layout.mirror[j]] for j in kept),
        parts={
            other: tuple(new_index[j] for j in joints)
            for other, joints in layout.parts.items()
            if new_index.keys() >= set(joints)
        },
        oks_sigmas=None if layout.oks_sigmas is None else tuple(layout.oks_sigmas[j] for j in kept),
    )


def _kept_ancestor(layout: Layout, joint: int, kept: Mapping[int, int]) -> int:
    """The nearest ancestor that is kept; the joint itself where none is."""
    ancestor = joint
    while layout.parents[ancestor] != ancestor:
        ancestor = layout.parents[ancestor]
        if ancestor in kept:
            return ancestor
    return joint


def convert(
    xy_px: NDArray[np.floating], score: NDArray[np.floating], source: Layout, target: Layout
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Poses of one joint set as another, by joint name.

    A joint that the source does not name is the mean of others where anatomy allows (neck = mid-shoulders,
    mid-hip, Kinect's spine, BlazePose's foot index as big toe, ...), with the lowest of their scores; it is
    missing if one of them is. Everything else gets score 0 and NaN. BlazePose's three coarse points a hand
    are not passed off as fingers.

    Args:
        xy_px: (..., V, 2) of the source.
        score: (..., V) of the source.
        source: the joint set the arrays are in.
        target: the joint set wanted.

    Returns:
        xy_px (..., V', 2) and score (..., V') of the target, new arrays.

    Raises:
        ValueError: V is not the source's, or the source lacks a shoulder, elbow, wrist, hip, knee or ankle
            that the target has, or everything that it has; the message names both layouts.
    """
    v = len(source.joints)
    if xy_px.shape[-2:] != (v, 2) or score.shape != xy_px.shape[:-1]:
        raise ValueError(
            f"layout {source.name!r} needs xy_px (..., {v}, 2) and score (..., {v}), "
            f"got {xy_px.shape} and {score.shape}"
        )
    known, origin, derived = _plan(source, target)
    new_score = np.zeros((*score.shape[:-1], len(target.joints)), np.float32)
    new_xy_px = np.full((*new_score.shape, 2), np.nan, np.float32)  # (..., V', 2)
    new_score[..., known] = score[..., origin]
    new_xy_px[..., known, :] = xy_px[..., origin, :]
    for joint, parts in derived:
        new_score[..., joint] = score[..., parts].min(axis=-1)
        new_xy_px[..., joint, :] = xy_px[..., parts, :].mean(axis=-2)
    new_xy_px[new_score <= 0] = np.nan
    return new_xy_px, new_score


_Plan = tuple[NDArray[np.intp], NDArray[np.intp], tuple[tuple[int, NDArray[np.intp]], ...]]


@lru_cache(maxsize=64)
def _plan(source: Layout, target: Layout) -> _Plan:
    """Target joints that are copied, the source joints they come from, and the joints made of several."""
    at = {joint: index for index, joint in enumerate(source.joints)}
    known, origin, derived = [], [], []
    for index, joint in enumerate(target.joints):
        groups = ((joint,), *DERIVED.get(joint, ()))
        group = next((g for g in groups if at.keys() >= set(g)), ())
        if len(group) == 1:
            known.append(index)
            origin.append(at[group[0]])
        elif group:
            derived.append((index, np.array([at[part] for part in group], np.intp)))
    lacking = [j for j in target.joints if j in BODY_JOINTS and j not in at]
    if lacking or not (known or derived):
        raise ValueError(
            f"cannot turn layout {source.name!r} into {target.name!r}: {source.name!r} has no "
            f"{', '.join(lacking or target.joints[:5])}; choose a layout that it covers"
        )
    return np.array(known, np.intp), np.array(origin, np.intp), tuple(derived)


def _nearest(name: str, known: Iterable[str]) -> str:
    """The words that end a message about a name that is not known."""
    import difflib

    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"nearest: {', '.join(close)}" if close else f"known: {', '.join(known[:40])}"


_LEFT_RIGHT = {"left": "right", "right": "left"}


def _mirror_name(joint: str) -> str:
    """The joint's counterpart: face points by their table, the others by the word left or right."""
    if joint.startswith("face-"):
        return f"face-{layouts_wholebody.FACE_MIRROR[int(joint[5:])]}"
    return "_".join(_LEFT_RIGHT.get(word, word) for word in joint.split("_"))


# Words in a joint's name that tell its part; what has none of them is `body`.
_PART_WORDS = {
    "feet": ("toe", "heel", "foot"),
    "hands": ("hand", "thumb", "finger", "pinky", "index"),
    "face": ("face-",),
}
_SUB_PARTS = {
    "face": ("nose", "eye", "ear", "mouth"),
    "arms": ("shoulder", "elbow", "wrist"),
    "legs": ("hip", "knee", "ankle"),
}


def _parts(joints: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Body, hands, feet and face, which share no joint; then arms and legs, and face of the body's points.

    Where a set has no face points of its own, `face` is the body's nose, eyes, ears and mouth.
    """
    parts: dict[str, list[int]] = {}
    for index, joint in enumerate(joints):
        whole = next((part for part, marks in _PART_WORDS.items() if any(m in joint for m in marks)), "body")
        parts.setdefault(whole, []).append(index)
    for part, marks in _SUB_PARTS.items():
        inner = [j for j in parts["body"] if any(m in joints[j].split("_") for m in marks)]
        if part != "face":  # not the points between the two sides
            inner = [j for j in inner if joints[j].startswith(("left_", "right_"))]
        if part not in parts and inner:
            parts[part] = inner
    return {part: tuple(members) for part, members in parts.items()}


def _layout(
    name: str,
    table: str,
    limbs: tuple[tuple[int, int], ...] | None = None,
    also: str = "",
    without: str = "",
    sigmas: tuple[float, ...] | None = None,
) -> Layout:
    """A layout from its table. Limbs are the tree's bones unless given, with `a-b c-d` also or left out."""
    rows = [line.split() for line in table.split("\n") if line]
    joints = tuple(row[0] for row in rows)
    at = {joint: index for index, joint in enumerate(joints)}
    parents = tuple(at[row[-1]] for row in rows)  # a row of one word is a root, its own parent
    drawn = [(c, p) for c, p in enumerate(parents) if c != p] if limbs is None else list(limbs)
    extra, hidden = (
        [tuple(at[j] for j in pair.split("-")) for pair in text.split()] for text in (also, without)
    )
    return Layout(
        name=name,
        joints=joints,
        parents=parents,
        limbs=tuple((a, b) for a, b in [*drawn, *extra] if (a, b) not in hidden),
        mirror=tuple(at[_mirror_name(joint)] for joint in joints),
        parts=_parts(joints),
        oks_sigmas=sigmas,
    )


def _coco_wholebody133() -> Layout:
    """COCO-WholeBody: its face points are joined along their curves, and it has the part `micro44`."""
    layout = _layout("coco_wholebody133", layouts_wholebody.COCO_WHOLEBODY133)
    feet_and_hands = [limb for limb in layout.bones().tolist() if limb[0] >= 17 and limb[0] != limb[1]]
    curves = []
    for first, last, closed in layouts_wholebody.FACE_CURVES:
        curves += [(23 + i, 23 + i + 1) for i in range(first, last)]
        curves += [(23 + last, 23 + first)] if closed else []
    limbs = [(a, b) for a, b in feet_and_hands if not 23 <= a < 91]
    return replace(
        layout,
        limbs=(*layouts_body.COCO17_LIMBS, *limbs, *curves),
        parts={**layout.parts, "micro44": tuple(layout.index(j) for j in layouts_wholebody.MICRO44)},
        oks_sigmas=layouts_wholebody.COCO_WHOLEBODY133_SIGMAS,
    )


LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        _layout("coco17", layouts_body.COCO17, layouts_body.COCO17_LIMBS, sigmas=layouts_body.COCO17_SIGMAS),
        _layout("halpe26", layouts_body.HALPE26, sigmas=layouts_body.HALPE26_SIGMAS),
        _coco_wholebody133(),
        _layout(
            "blazepose33",
            layouts_body.BLAZEPOSE33,
            also=layouts_body.BLAZEPOSE33_DRAWN,
            without=layouts_body.BLAZEPOSE33_NOT_DRAWN,
        ),
        _layout("openpose18", layouts_body.OPENPOSE18),
        _layout("openpose25", layouts_body.OPENPOSE25),
        _layout("openpose28", layouts_body.OPENPOSE28),
        _layout("nwucla20", layouts_kinect.NWUCLA20),
        _layout("ntu25", layouts_kinect.NTU25),
        _layout("jhmdb15", layouts_body.JHMDB15),
    )
}
