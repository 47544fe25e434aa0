from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from protocols.label_tree import LabelTree
from protocols.label_vectors import LabelVectors, read_label_vectors, write_label_vectors
from protocols.recognition import measures_of
from protocols.scores import NO_LABEL, ScoreFile
from protocols.trees import tree as named_tree
from protocols.unseen_classes import (
    conse_places,
    cosines,
    drawn_generalised_measures,
    feature_places,
    fit_feature_map,
    generalised_measures,
    generalised_zero_shot,
    pure_zero_shot,
)
from protocols.unseen_split import SeenUnseen, draw_unseen, on_tree, unseen_named

# "nod twice" means nearly "nod", "kick twice" nearly "kick".
TREE = LabelTree("demo", ("nod", "kick", "nod twice", "kick twice"), ("head", "limb"), (0, 1, 0, 1))
VECTORS = LabelVectors(TREE.actions, np.array([[2, 0], [0, 3], [4, 1], [1, 5]], np.float32))
SPLIT = SeenUnseen(TREE, (2, 3))


def of_scores(rows, labels, tree=TREE):
    ids = tuple(f"c{number}" for number in range(len(rows)))
    return ScoreFile(tree, ids, np.array(labels, np.int64), np.array(rows, np.float32), "net", seed=3)


SCORES = of_scores(
    [[0.9, 0.1, 0, 0], [0.2, 0.8, 0, 0], [0.3, 0.7, 0, 0], [0.95, 0.05, 0, 0], [0.1, 0.9, 0, 0]],
    [2, 3, 2, 0, 1],
)


def test_the_mean_of_label_vectors():
    vectors = np.array([[1.0, 0], [0, 1], [-1, 0]])
    places = conse_places(np.array([[0.5, 0.3, 0.2]]), vectors)
    np.testing.assert_allclose(places, [[0.3, 0.3]])
    best = conse_places(np.array([[0.5, 0.3, 0.2], [0.0, 0.5, 0.5]]), vectors, best=2)
    np.testing.assert_allclose(best, [[0.625, 0.375], [-0.5, 0.5]])
    np.testing.assert_allclose(conse_places(np.array([[0.5, 0.3, 0.2]]), vectors, best=1), [[1, 0]])
    angle = np.sqrt(0.5)
    np.testing.assert_allclose(cosines(places, vectors * 7), [[angle, angle, -angle]])
    np.testing.assert_array_equal(cosines(np.zeros((1, 2)), vectors), [[0, 0, 0]])
    with pytest.raises(ValueError, match="1 clips have no probability of any seen class"):
        conse_places(np.array([[0.0, 0.0, 0.0]]), vectors)
    with pytest.raises(ValueError, match="1 best class, got 0"):
        conse_places(np.array([[1.0, 0, 0]]), vectors, best=0)


def test_pure_zero_shot():
    found = pure_zero_shot(SCORES, SPLIT, VECTORS)
    assert found.clip_ids == ("c0", "c1", "c2")  # clips of seen classes are not asked
    assert found.tree.actions == ("nod twice", "kick twice") and found.tree.groups == ("head", "limb")
    assert found.labels.tolist() == [0, 1, 0] and found.scores.argmax(axis=1).tolist() == [0, 1, 1]
    assert found.method == "net, zero-shot" and found.seed == 3
    assert measures_of(found)["action/mean_class"] == 0.75
    # Places given by features take precedence.
    places = np.array([[1, 0], [0, 1], [1, 0], [0, 0], [0, 0]], np.float64)
    assert measures_of(pure_zero_shot(SCORES, SPLIT, VECTORS, places))["action/top1"] == 1


def test_probabilities_of_unseen_classes_are_not_looked_at():
    """A network over all classes whose outputs of unseen ones are noise gives the same answers."""
    noisy = SCORES.scores.copy()
    noisy[:, 2:] = np.random.default_rng(0).uniform(0, 3, (5, 2))
    noisy = dataclasses.replace(SCORES, scores=noisy / noisy.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(
        pure_zero_shot(noisy, SPLIT, VECTORS).scores, pure_zero_shot(SCORES, SPLIT, VECTORS).scores, rtol=1e-5
    )


def test_generalised_zero_shot():
    found = generalised_zero_shot(SCORES, SPLIT, VECTORS)
    assert found.tree == TREE and len(found) == 5
    # (0.9, 0.1) lies at 6.3 degrees; nod at 0, nod twice at 14: a seen class is nearer.
    assert found.scores.argmax(axis=1).tolist() == [0, 3, 3, 0, 3]
    values = generalised_measures(found, SPLIT)
    assert values["generalised/seen"] == values["generalised/unseen"] == 0.5
    assert values["generalised/harmonic"] == 0.5
    without = generalised_measures(generalised_zero_shot(SCORES, SPLIT, VECTORS, seen_penalty=1.9), SPLIT)
    assert without["generalised/seen"] == 0 and without["generalised/unseen"] == 0.75
    assert without["generalised/harmonic"] == 0
    assert without["generalised/area"] == pytest.approx(values["generalised/area"], abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_area_by_trying_every_penalty(seed):
    rng = np.random.default_rng(seed)
    tree = LabelTree("six", tuple("abcdef"))
    split = draw_unseen(tree, 3, rng)
    labels = np.concatenate([np.arange(6), rng.integers(6, size=30)])
    vectors = LabelVectors(tree.actions, rng.normal(size=(6, 4)).astype(np.float32))
    raw = rng.dirichlet(np.ones(6), size=36)
    raw[np.arange(36), labels] += 0.5
    scores = of_scores(raw / raw.sum(axis=1, keepdims=True), labels, tree)
    near = cosines(conse_places(scores.scores[:, split.seen].astype(float), vectors.of(
        [tree.actions[one] for one in split.seen])), vectors.of(tree.actions))  # fmt: skip
    gaps = np.sort(near[:, split.seen].max(axis=1) - near[:, split.unseen].max(axis=1))
    penalties = [-3.0, *((gaps[1:] + gaps[:-1]) / 2), 3.0]
    points = []
    for penalty in penalties:
        measured = generalised_measures(
            generalised_zero_shot(scores, split, vectors, seen_penalty=float(penalty)), split
        )
        points.append((measured["generalised/unseen"], measured["generalised/seen"]))
    unseen, seen = np.array(points).T
    assert (np.diff(unseen) >= -1e-9).all() and (np.diff(seen) <= 1e-9).all()
    area = float((np.diff(unseen) * (seen[1:] + seen[:-1]) / 2).sum())
    found = generalised_measures(generalised_zero_shot(scores, split, vectors), split)["generalised/area"]
    assert found == pytest.approx(area, abs=1e-6)


def test_a_map_from_features():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(6, 4))
    features = rng.normal(size=(300, 6)).astype(np.float32)
    labels = np.repeat(np.arange(3), 100)
    vectors = rng.normal(size=(3, 4))
    found = fit_feature_map(features, labels, vectors, ridge=0.5)
    assert found.shape == (7, 4)
    centred = features - features.mean(axis=0)
    penalty = 0.5 * (centred.astype(np.float64) ** 2).mean() * 300
    expected = Ridge(alpha=penalty).fit(features, vectors[labels])
    np.testing.assert_allclose(feature_places(features, found), expected.predict(features), atol=1e-5)
    # A rare class counts as much as a common one: the same clips several times change nothing.
    rows = np.concatenate([np.arange(300), np.tile(np.arange(100), 5)])
    np.testing.assert_allclose(fit_feature_map(features[rows], labels[rows], vectors, 0.5), found, atol=1e-8)
    # What is linear is found: unseen classes lie where their features say.
    places = features.astype(np.float64) @ truth
    exact = fit_feature_map(features, np.arange(300), places, ridge=1e-9)
    np.testing.assert_allclose(exact[:-1], truth, atol=1e-4)
    with pytest.raises(ValueError, match="got 300, 2 and 1"):
        fit_feature_map(features, labels[:2], vectors)
    with pytest.raises(ValueError, match="places \\(5, 2\\)"):
        pure_zero_shot(SCORES, SPLIT, VECTORS, np.zeros((5, 3)))


def test_scores_of_a_network_that_knows_the_seen_classes_only():
    small = of_scores([[0.1, 0.9], [0.8, 0.2]], [NO_LABEL, NO_LABEL], LabelTree("seen", ("kick", "nod")))
    wide = on_tree(small, TREE, {"c0": 2, "other": 1})
    np.testing.assert_allclose(wide.scores, [[0.9, 0.1, 0, 0], [0.2, 0.8, 0, 0]])
    assert wide.labels.tolist() == [2, NO_LABEL]
    with pytest.raises(ValueError, match="no actions 'jump'"):
        on_tree(of_scores([[1]], [0], LabelTree("x", ("jump",))), TREE, {})
    with pytest.raises(ValueError, match="expected scores over the 4 actions of demo"):
        pure_zero_shot(small, SPLIT, VECTORS)


def test_drawing_unseen_classes():
    tree = named_tree("ma52")
    first = draw_unseen(tree, 12, np.random.default_rng(0))
    assert first == draw_unseen(tree, 12, np.random.default_rng(0)) and len(first.unseen) == 12
    assert first != draw_unseen(tree, 12, np.random.default_rng(1))
    assert sorted({*first.seen, *first.unseen}) == list(range(52))
    most = draw_unseen(tree, 45, np.random.default_rng(0))
    assert {tree.group_of[one] for one in most.seen} == set(range(7))
    for count in (0, 46):
        with pytest.raises(ValueError, match=rf"1..45 unseen classes of ma52.*got {count}"):
            draw_unseen(tree, count, np.random.default_rng(0))


def test_naming_unseen_classes():
    assert unseen_named(TREE, {"kick twice", "nod"}).unseen == (0, 3)
    with pytest.raises(ValueError, match="no actions 'jump'"):
        unseen_named(TREE, {"jump", "nod"})
    for wrong in ((), (0, 1, 2, 3), (1, 1), (2, 1), (4,), (-1,)):
        with pytest.raises(ValueError, match="unseen"):
            SeenUnseen(TREE, wrong)


def test_clips_that_cannot_be_measured():
    seen = of_scores([[1, 0, 0, 0], [0, 1, 0, 0]], [0, 1])
    with pytest.raises(ValueError, match="no clip is of an unseen class"):
        pure_zero_shot(seen, SPLIT, VECTORS)
    with pytest.raises(ValueError, match="got 2 and 0"):
        generalised_measures(seen, SPLIT)
    with pytest.raises(ValueError, match="labels are 0"):
        pure_zero_shot(dataclasses.replace(seen, labels=np.zeros(2, np.int64)), SPLIT, VECTORS)
    lacking = LabelVectors(("nod", "kick", "nod twic"), VECTORS.vectors[:3])
    with pytest.raises(
        ValueError, match=r"no label vectors of 'nod twice', 'kick twice'; the nearest.*'nod twic'"
    ):
        pure_zero_shot(SCORES, SPLIT, lacking)


def test_label_vectors_come_back(tmp_path):
    vectors = LabelVectors(("touch (é)", "nod"), np.array([[1, 2], [3, 4]], np.float32))
    write_label_vectors(tmp_path / "v.npz", vectors)
    back = read_label_vectors(tmp_path / "v.npz")
    assert back.actions == vectors.actions
    np.testing.assert_array_equal(back.vectors, vectors.vectors)
    np.testing.assert_allclose(back.of(["nod"]), [[0.6, 0.8]], rtol=1e-6)
    np.save(tmp_path / "v.npy", vectors.vectors.astype(np.float64))
    assert read_label_vectors(tmp_path / "v.npy", ("a", "b")).actions == ("a", "b")


def hostile(path, kind):
    names, vectors = np.array(["a", "b"]), np.ones((2, 3), np.float32)
    if kind == "pickle":
        np.savez(path, actions=np.array(["a", "b"], object), vectors=vectors)
    elif kind == "short":
        np.savez(path, actions=names[:1], vectors=vectors)
    elif kind == "zero":
        np.savez(path, actions=names, vectors=vectors * [[1], [0]])
    elif kind == "nan":
        np.savez(path, actions=names, vectors=np.where([[True], [False]], vectors, np.nan))
    elif kind == "twice":
        np.savez(path, actions=np.array(["a", "a"]), vectors=vectors)
    elif kind == "missing":
        np.savez(path, names=names, vectors=vectors)
    elif kind == "whole numbers":
        np.savez(path, actions=names, vectors=vectors.astype(np.int64))
    elif kind == "bytes":
        path.write_bytes(b"not a zip")
    elif kind == "empty":
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pickle", "Object arrays|pickle"),
        ("short", r"vectors \(1, D\), got \(2, 3\)"),
        ("zero", "0 or not finite: b"),
        ("nan", "0 or not finite: b"),
        ("twice", "actions are there twice: a"),
        ("missing", "actions missing"),
        ("whole numbers", "vectors of floats, got int64"),
        ("bytes", "zip"),
        ("empty", "zip"),
    ],
)
def test_files_that_are_no_label_vectors(tmp_path, kind, words):
    path = tmp_path / "v.npz"
    hostile(path, kind)
    with pytest.raises(ValueError, match=words) as caught:
        read_label_vectors(path)
    assert "v.npz: no label vectors" in str(caught.value)


def test_an_array_alone_needs_names_and_holds_what_it_claims(tmp_path):
    path = tmp_path / "v.npy"
    np.save(path, np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match="names of the actions"):
        read_label_vectors(path)
    with pytest.raises(ValueError, match=r"\(3, D\), got \(2, 3\)"):
        read_label_vectors(path, ("a", "b", "c"))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="no label vectors"):
        read_label_vectors(path, ("a", "b"))


@pytest.mark.shared
def test_the_vectors_of_ma52(shared_dir):
    """Classes whose names share a word lie nearer to each other, and that finds related classes."""
    tree = named_tree("ma52")
    path = shared_dir / "data" / "annotations" / "ma52" / "glove_label_embeddings_52x300.npy"
    vectors = read_label_vectors(path, tree.actions)
    assert vectors.vectors.shape == (52, 300)
    unit = vectors.of(tree.actions)
    alike = cosines(unit, unit)
    words = [set(name.lower().split()) - {"or", "and", "the"} for name in tree.actions]
    share = np.array([[bool(a & b) for b in words] for a in words]) & ~np.eye(52, dtype=bool)
    assert alike[share].mean() > alike[~share & ~np.eye(52, dtype=bool)].mean() + 0.2

    # A network that takes each unseen clip for seen classes of its body group: more is found than by chance.
    rng, found = np.random.default_rng(0), []
    for _ in range(20):
        split = draw_unseen(tree, 12, rng)
        labels = np.repeat(split.unseen, 5)
        rows = np.full((len(labels), 52), 1e-6)
        for row, label in enumerate(labels):
            fellows = [one for one in split.seen if tree.group_of[one] == tree.group_of[label]]
            rows[row, fellows] = rng.dirichlet(np.ones(len(fellows)))
        scores = of_scores(rows / rows.sum(axis=1, keepdims=True), labels, tree)
        found.append(measures_of(pure_zero_shot(scores, split, vectors)))
    assert np.mean([one["action/top1"] for one in found]) > 2 / 12
    assert np.mean([one["body/top1"] for one in found]) > 0.5


def test_drawn_measures_are_those_of_drawn_clips():
    rng = np.random.default_rng(3)
    scores = rng.dirichlet(np.ones(4), 40)
    labels = np.arange(40) % 4
    scores[np.arange(40), labels] += 0.3
    general = of_scores(scores / scores.sum(axis=1, keepdims=True), labels)
    found = drawn_generalised_measures(general, SPLIT, np.random.default_rng(7), draws=5)
    again = np.random.default_rng(7)
    kinds = [np.flatnonzero(np.isin(labels, own)) for own in ((0, 1), (2, 3))]
    for draw in range(5):
        rows = np.concatenate([kind[again.integers(len(kind), size=len(kind))] for kind in kinds])
        drawn = generalised_measures(of_scores(general.scores[rows], labels[rows]), SPLIT)
        assert {name: values[draw] for name, values in found.items()} == pytest.approx(drawn)
    assert found["generalised/harmonic"].std() > 0
    with pytest.raises(ValueError, match="at least 1 draw, got 0"):
        drawn_generalised_measures(general, SPLIT, rng, draws=0)


def test_only_some_classes_may_be_drawn():
    tree = LabelTree("demo", tuple("abcdef"), ("x", "y"), (0, 0, 0, 1, 1, 1))
    drawn = [draw_unseen(tree, 2, np.random.default_rng(seed), (0, 2, 4)).unseen for seed in range(30)]
    assert {index for one in drawn for index in one} == {0, 2, 4}
    assert draw_unseen(tree, 3, np.random.default_rng(0), (0, 2, 4)).unseen == (0, 2, 4)
    with pytest.raises(ValueError, match=r"expected 1..3 unseen classes of demo"):
        draw_unseen(tree, 4, np.random.default_rng(0), (0, 2, 4))
