"""Graphs: tables of known answers, and what holds of every layout."""

from __future__ import annotations

import numpy as np
import pytest

from poses.layout import LAYOUTS, Layout, get_layout
from skeleton_models.graph import (
    AdjacencyKind,
    adjacency,
    bone_pairs,
    hop_distance,
    k_adjacency,
    normalise_digraph,
    normalise_symmetric,
    roots,
)

EVERY_LAYOUT = [*LAYOUTS, "coco_wholebody133/micro44", "coco_wholebody133/hands", "coco17/legs"]
# root - a - b - c, and b - d; e hangs alone.
TWO_TREES = Layout(
    "two", ("root", "a", "b", "c", "d", "e"), (0, 0, 1, 2, 2, 5), ((0, 1),), (0, 1, 2, 3, 4, 5)
)
FIXED_KINDS: tuple[AdjacencyKind, ...] = (
    "uniform",
    "distance",
    "spatial",
    "stgcn_spatial",
    "stgcn_spatial_capped",
    "binary",
)


def test_hops_of_two_trees() -> None:
    inf = np.inf
    assert hop_distance(TWO_TREES).tolist() == [
        [0, 1, 2, 3, 3, inf],
        [1, 0, 1, 2, 2, inf],
        [2, 1, 0, 1, 1, inf],
        [3, 2, 1, 0, 2, inf],
        [3, 2, 1, 2, 0, inf],
        [inf, inf, inf, inf, inf, 0],
    ]
    assert roots(TWO_TREES).tolist() == [0, 5]


def test_spatial_of_two_trees() -> None:
    own, inward, outward = adjacency(TWO_TREES, "spatial")
    np.testing.assert_array_equal(own, np.eye(6))
    assert np.argwhere(inward).tolist() == [[0, 1], [1, 2], [2, 3], [2, 4]]  # from the parent to the child
    assert inward[2, 3] == inward[2, 4] == 1
    assert outward[3, 2] == outward[4, 2] == 0.5  # b hears the mean of its children
    assert outward[1, 0] == 1
    assert outward.sum() == 3  # three joints have children


def test_stgcn_spatial_parts_by_distance_to_the_root() -> None:
    root, inwards, outwards = adjacency(TWO_TREES, "stgcn_spatial")
    np.testing.assert_allclose(np.diag(root), [1 / 2, 1 / 3, 1 / 4, 1 / 2, 1 / 2, 1])
    assert np.argwhere(inwards).tolist() == [[1, 0], [2, 1], [3, 2], [4, 2]]
    assert np.argwhere(outwards).tolist() == [[0, 1], [1, 2], [2, 3], [2, 4]]
    np.testing.assert_allclose((root + inwards + outwards).sum(0), 1)


def test_stgcn_spatial_capped_cannot_tell_far_joints_apart() -> None:
    _, inwards, outwards = adjacency(TWO_TREES, "stgcn_spatial_capped")
    # b, c and d lie beyond one hop: their bones fall into one subset, in both directions.
    assert np.argwhere(inwards).tolist() == [[1, 0], [2, 1], [2, 3], [2, 4], [3, 2], [4, 2]]
    assert np.argwhere(outwards).tolist() == [[0, 1], [1, 2]]


def test_stgcn_spatial_with_two_hops() -> None:
    graph = adjacency(TWO_TREES, "stgcn_spatial", max_hop=2)
    assert graph.shape == (5, 6, 6)
    np.testing.assert_allclose(graph.sum((0, 1)), 1)
    assert graph[3, 3, 4] > 0 and graph[3, 4, 3] > 0  # c and d are equally far: not centrifugal
    assert graph[4, 0, 2] > 0 and graph[3, 2, 0] > 0


@pytest.mark.parametrize("kind", FIXED_KINDS)
@pytest.mark.parametrize("name", EVERY_LAYOUT)
def test_graph_of_every_layout(name: str, kind: AdjacencyKind) -> None:
    layout = get_layout(name)
    graph = adjacency(layout, kind)
    v = len(layout.joints)
    assert graph.dtype == np.float32
    assert graph.shape[1:] == (v, v)
    assert np.isfinite(graph).all()
    mirror = np.asarray(layout.mirror)
    np.testing.assert_allclose(graph, graph[:, mirror][:, :, mirror])  # left as right
    hops = hop_distance(layout)
    assert (hops[graph.sum(0) > 0] <= 1).all()
    edges = v - len(roots(layout))
    assert np.count_nonzero(graph) == 2 * edges + (0 if kind == "binary" else v)
    if kind in ("uniform", "distance", "stgcn_spatial", "stgcn_spatial_capped"):
        np.testing.assert_allclose(graph.sum((0, 1)), 1, rtol=1e-6)


def test_learned_graph_is_its_generators() -> None:
    layout = get_layout("coco17")
    graph = adjacency(layout, "learned", subsets=8, rng=np.random.default_rng(3))
    again = adjacency(layout, "learned", subsets=8, rng=np.random.default_rng(3))
    assert graph.shape == (8, 17, 17)
    np.testing.assert_array_equal(graph, again)
    assert abs(graph.mean() - 0.04) < 2e-3 and abs(graph.std() - 0.02) < 2e-3


@pytest.mark.parametrize("name", EVERY_LAYOUT)
def test_scales_part_the_tree(name: str) -> None:
    layout = get_layout(name)
    v = len(layout.joints)
    hops = hop_distance(layout)
    farthest = int(hops[np.isfinite(hops)].max())
    total = sum(k_adjacency(layout, k, with_self=False) for k in range(farthest + 1))
    np.testing.assert_array_equal(total, np.isfinite(hops))
    np.testing.assert_array_equal(k_adjacency(layout, 0, with_self=True), np.eye(v))
    np.testing.assert_array_equal(
        k_adjacency(layout, 2, with_self=True), k_adjacency(layout, 2, with_self=False) + np.eye(v)
    )


def test_scales_are_powers_of_the_bones() -> None:
    """MS-G3D's own definition: the difference of two powers of A + I, cut at one."""
    layout = get_layout("ntu25")
    step = k_adjacency(layout, 1, with_self=True).astype(int)
    for k in range(1, 8):
        power = np.minimum(np.linalg.matrix_power(step, k), 1)
        before = np.minimum(np.linalg.matrix_power(step, k - 1), 1)
        np.testing.assert_array_equal(k_adjacency(layout, k, with_self=False), power - before)


def test_normalisations() -> None:
    matrix = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]], np.float32)
    np.testing.assert_allclose(normalise_digraph(matrix), [[0.5, 1, 0], [0.5, 0, 0], [0, 0, 0]])
    s = 1 / np.sqrt(2)
    np.testing.assert_allclose(normalise_symmetric(matrix), [[0.5, s, 0], [s, 0, 0], [0, 0, 0]], rtol=1e-6)


def test_bones_and_k_bones() -> None:
    assert bone_pairs(TWO_TREES)[:, 1].tolist() == [0, 0, 1, 2, 2, 5]
    assert bone_pairs(TWO_TREES, 2)[:, 1].tolist() == [0, 0, 0, 1, 1, 5]
    assert bone_pairs(TWO_TREES, 9)[:, 1].tolist() == [0, 0, 0, 0, 0, 5]
    assert bone_pairs(TWO_TREES)[:, 0].tolist() == list(range(6))


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"unknown kind of graph 'spacial'; known: uniform"):
        adjacency(TWO_TREES, "spacial")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give rng"):
        adjacency(TWO_TREES, "learned")
    with pytest.raises(ValueError, match="max_hop must be at least 1, got 0"):
        adjacency(TWO_TREES, "uniform", max_hop=0)
    with pytest.raises(ValueError, match="k must be 0 or more"):
        k_adjacency(TWO_TREES, -1, with_self=False)
    with pytest.raises(ValueError, match="k must be 1 or more"):
        bone_pairs(TWO_TREES, 0)
