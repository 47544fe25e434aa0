"""Joint sets: names, limbs, mirror pairs, parts. One definition each; its name travels with the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layout:
    """One joint set.

    Attributes:
        name: as stored in caches.
        joints: joint names, in index order; V is their number.
        parents: for each joint its parent's index; a root is its own parent.
        limbs: pairs of joint indices that are drawn, and rendered as limb heatmaps.
        mirror: for each joint the index of its left/right counterpart; midline joints map to themselves.
        parts: name -> joint indices (`body`, `hands`, `feet`, `face`, ...).
        oks_sigmas: COCO's per-joint falloff where published, else None.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    limbs: tuple[tuple[int, int], ...]
    mirror: tuple[int, ...]
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    oks_sigmas: tuple[float, ...] | None = None

    def index(self, joint: str) -> int:
        """Index of a joint by name; ValueError names the nearest known joints."""
        raise NotImplementedError

    def bones(self) -> NDArray[np.int64]:
        """(V, 2) child, parent."""
        return np.stack([np.arange(len(self.joints)), np.asarray(self.parents)], axis=1)
