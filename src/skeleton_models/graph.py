"""Skeleton graphs of any layout, made from its joints' names: adjacency of every published kind, bones, hops.

Axis letters: V joints, K subsets (one matrix each). Every matrix is read as A[from, to]: a layer computes
y[to] = sum over `from` of x[from] A[from, to], as in the published code. A part of a layout may fall apart
into several trees, each with a root of its own; joints of different trees are infinitely many hops apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from poses.layout import Layout

AdjacencyKind = Literal[
    "uniform", "distance", "spatial", "stgcn_spatial", "stgcn_spatial_capped", "binary", "learned"
]
"""What `adjacency` offers.

- `uniform`: one subset, all joints within `max_hop`, columns sum to 1 (ST-GCN, section 3.3).
- `distance`: a subset per hop 0..max_hop (ST-GCN).
- `spatial`: self, inward, outward, each normalised by itself (2s-AGCN, CTR-GCN, PYSKL's `spatial`).
- `stgcn_spatial`: root, centripetal and centrifugal as in ST-GCN's equation 8; hops above one add two
  subsets each.
- `stgcn_spatial_capped`: the same as the public code of ST-GCN, PYSKL and MMAction2 computes it: joints
  further from the centre than `max_hop` all count as equally (infinitely) far, so that most edges of a limb
  land in one subset. Published ST-GCN checkpoints were trained with it.
- `binary`: one subset, bones in both directions, without self and without normalisation (MS-G3D).
- `learned`: normally distributed weights to start learning from (DG-STGCN).
"""


def adjacency(
    layout: Layout,
    kind: AdjacencyKind,
    max_hop: int = 1,
    *,
    subsets: int = 3,
    mean: float = 0.04,
    std: float = 0.02,
    rng: np.random.Generator | None = None,
) -> NDArray[np.float32]:
    """The graph of a layout.

    Args:
        layout: the joints and their tree.
        kind: see `AdjacencyKind`.
        max_hop: reach of `uniform`, `distance` and the two `stgcn_spatial`; the other kinds know one hop.
        subsets: K of `learned`.
        mean: of `learned` (0.04 in DG-STGCN).
        std: of `learned` (0.02 in DG-STGCN).
        rng: randomness of `learned`, needed there.

    Returns:
        (K, V, V), read as A[subset, from, to].

    Raises:
        ValueError: an unknown kind, a reach below one, or `learned` without `rng`.
    """
    if kind not in get_args(AdjacencyKind):
        raise ValueError(f"unknown kind of graph {kind!r}; known: {', '.join(get_args(AdjacencyKind))}")
    if max_hop < 1:
        raise ValueError(f"max_hop must be at least 1, got {max_hop}")
    v = len(layout.joints)
    if kind == "learned":
        if rng is None:
            raise ValueError("a learned graph starts from random weights: give rng (numpy.random.Generator)")
        return rng.normal(mean, std, (subsets, v, v)).astype(np.float32)
    if kind == "spatial":
        return _spatial(layout)
    if kind == "binary":
        return k_adjacency(layout, 1, with_self=False)[None]
    hops = hop_distance(layout)
    reached = normalise_digraph((hops <= max_hop).astype(np.float32))  # (V, V)
    if kind == "uniform":
        return reached[None]
    if kind == "distance":
        return np.stack([np.where(hops == hop, reached, 0) for hop in range(max_hop + 1)])
    return _stgcn_spatial(layout, reached, max_hop, capped=kind == "stgcn_spatial_capped")


def _spatial(layout: Layout) -> NDArray[np.float32]:
    """(3, V, V): self, inward (a joint hears its parent) and outward (it hears its children's mean)."""
    v = len(layout.joints)
    inward = np.zeros((v, v), np.float32)
    for child, parent in layout.bones():
        if child != parent:
            inward[parent, child] = 1
    return np.stack([np.eye(v, dtype=np.float32), normalise_digraph(inward), normalise_digraph(inward.T)])


def _stgcn_spatial(
    layout: Layout, reached: NDArray[np.float32], max_hop: int, capped: bool
) -> NDArray[np.float32]:
    """(1 + 2 max_hop, V, V): the joints within reach, parted by which end is further from the root.

    ST-GCN parts them by the distance to the centre of gravity, for which the public code takes the distance
    to the root. Where a layout has several trees, each joint is measured from its own tree's root.
    """
    hops = hop_distance(layout)
    depth = np.min(hops[:, roots(layout)], axis=1)  # (V,)
    if capped:
        depth = np.where(depth <= max_hop, depth, np.inf)
    further_out = depth[:, None] >= depth[None, :]  # [from, to]
    subsets = []
    for hop in range(max_hop + 1):
        here = np.where(hops == hop, reached, 0)
        subsets.append(np.where(further_out, here, 0))
        if hop:
            subsets.append(np.where(further_out, 0, here))
    return np.stack(subsets).astype(np.float32)


def roots(layout: Layout) -> NDArray[np.int64]:
    """Indices of the joints that are their own parents: one per tree."""
    bones = layout.bones()
    root: NDArray[np.int64] = bones[bones[:, 0] == bones[:, 1], 0]
    return root


@lru_cache(maxsize=64)
def hop_distance(layout: Layout) -> NDArray[np.float64]:
    """(V, V) bones between two joints; inf between joints of different trees. Read-only."""
    v = len(layout.joints)
    step = np.eye(v, dtype=bool)
    for child, parent in layout.bones():
        step[child, parent] = step[parent, child] = True
    hops = np.full((v, v), np.inf)
    reached, hop = np.eye(v, dtype=bool), 0
    while (new := reached & np.isinf(hops)).any():
        hops[new] = hop
        reached, hop = reached @ step, hop + 1
    hops.setflags(write=False)
    return hops


def k_adjacency(layout: Layout, k: int, with_self: bool) -> NDArray[np.float32]:
    """The joints exactly k bones apart, with each joint itself or without (MS-G3D, equation 6).

    Args:
        layout: the joints and their tree.
        k: bones between the two; 0 is the identity.
        with_self: whether the diagonal is 1 also for k > 0.

    Returns:
        (V, V) of zeros and ones, symmetric.

    Raises:
        ValueError: k is negative.
    """
    if k < 0:
        raise ValueError(f"k must be 0 or more, got {k}")
    hops = hop_distance(layout)
    apart: NDArray[np.bool_] = (hops == k) | (with_self & (hops == 0))
    return apart.astype(np.float32)


def normalise_digraph(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., V, V) A D^-1: each column divided by its sum; columns of zeros stay."""
    total = matrix.sum(-2, keepdims=True)
    normalised: NDArray[np.float32] = np.divide(matrix, total, out=np.zeros_like(matrix), where=total > 0)
    return normalised


def normalise_symmetric(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., V, V) D^-1/2 A D^-1/2, D the sums of the rows; rows of zeros stay (MS-G3D, equation 2)."""
    degree = matrix.sum(-1)
    scale = np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    normalised: NDArray[np.float32] = scale[..., :, None] * matrix * scale[..., None, :]
    return normalised


def bone_pairs(layout: Layout, k: int = 1) -> NDArray[np.int64]:
    """(V, 2): each joint and its ancestor k bones up, where the tree ends the root; roots with themselves.

    A joint minus the other is the bone (k = 1) or the k-bone of ProtoGCN and kin.

    Raises:
        ValueError: k is below one.
    """
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    parents = np.asarray(layout.parents, np.int64)
    ancestor = np.arange(len(parents))
    for _ in range(k):
        ancestor = parents[ancestor]
    return np.stack([np.arange(len(parents)), ancestor], axis=1)
