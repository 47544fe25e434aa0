from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from protocols.label_tree import LabelTree
from protocols.name_vectors import vectors_of_names, words_of
from protocols.trees import tree as named_tree


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Rubbing hands with clenched", ("rub", "hand", "clench")),
        ("scratching or touching chest/abdomen", ("scratch", "touch", "chest", "abdomen")),
        ("Swing body", ("swing", "body")),
        ("swinging_bodies", ("swing", "body")),
        ("Crossing legs", ("cros", "leg")),
        ("cross leg", ("cros", "leg")),
        ("Placing the other hand", ("plac", "hand")),
        ("place 2 hands", ("plac", "hand")),
        ("on or off", ("off",)),
        ("on", ("on",)),
        ("Œil fermé", ("œil", "fermé")),
        ("12", ()),
    ],
)
def test_words_without_endings(name, words):
    assert words_of(name) == words


@pytest.mark.parametrize("name", ["mma82", "ma52", "imigue"])
def test_weights_are_those_of_scikit_learn(name):
    tree = named_tree(name)
    texts = [
        words_of(action) + words_of(tree.groups[group])
        for action, group in zip(tree.actions, tree.group_of, strict=True)
    ]
    expected = TfidfVectorizer(analyzer=lambda words: words).fit_transform(texts).toarray()
    found = vectors_of_names(tree)
    assert found.actions == tree.actions
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)


def test_names_that_share_words_are_near():
    vectors = vectors_of_names(LabelTree("demo", ("rubbing hands", "rub the knees", "hand up", "wink")))
    near = vectors.vectors @ vectors.vectors.T
    assert near[0, 1] > 0.2 and near[0, 2] > 0.2
    assert near[1, 2] == near[0, 3] == 0


def test_a_body_group_is_part_of_the_name():
    tree = LabelTree("demo", ("wink", "nod", "kick"), ("head", "leg"), (0, 0, 1))
    near = vectors_of_names(tree).vectors
    assert near[0] @ near[1] > 0.2 and near[0] @ near[2] == 0


def test_numbers_are_no_names():
    with pytest.raises(ValueError, match=r"demo: class names without words say nothing: '0', '1_1'; give"):
        vectors_of_names(LabelTree("demo", ("0", "1_1", "wave")))
    with pytest.raises(ValueError, match="demo: 'class 0' and 'class 1' have the same words"):
        vectors_of_names(LabelTree("demo", ("wave", "class 0", "class 1")))
