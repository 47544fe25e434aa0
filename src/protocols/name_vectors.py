"""Class names as vectors by their words alone: what there is where nobody brings vectors that know meaning.

Every word of an action's name, and of its body group's, is a dimension, weighted as scikit-learn's
`TfidfVectorizer` does: the more classes have a word, the less it weighs. "Rubbing hands" lies near "rubbing
knee" and "holding hands". Words that are not spelt alike have nothing in common, whatever they mean.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from protocols.label_tree import LabelTree
from protocols.label_vectors import LabelVectors

_WORD = re.compile(r"[^\W\d_]+")
_SAY_NOTHING = frozenset(("a", "an", "and", "at", "by", "in", "of", "on", "or", "other", "the", "to", "with"))
_SHORTEST = 3  # letters that an ending leaves


def vectors_of_names(tree: LabelTree) -> LabelVectors:
    """A vector for every action: its words and its body group's, by term frequency and rarity (tf-idf).

    Args:
        tree: names of actions, and of groups where it has any.

    Returns:
        Of length 1, one dimension a word.

    Raises:
        ValueError: names without a word or with the same words, such as numbers; named.
    """
    own = [words_of(name) for name in tree.actions]
    without = [name for name, words in zip(tree.actions, own, strict=True) if not words]
    if without:
        raise ValueError(
            f"{tree.name}: class names without words say nothing: {', '.join(map(repr, without[:8]))}; "
            "give vectors, or labels with the classes' names"
        )
    first: dict[tuple[str, ...], str] = {}
    for name, words in zip(tree.actions, own, strict=True):
        other = first.setdefault(tuple(sorted(words)), name)
        if other != name:
            raise ValueError(
                f"{tree.name}: {other!r} and {name!r} have the same words, nothing tells them apart; "
                "give vectors, or labels with the classes' names"
            )
    groups = [words_of(name) for name in tree.groups]
    counts = [
        Counter(words + groups[tree.group_of[index]] if groups else words) for index, words in enumerate(own)
    ]
    classes_with = Counter(word for count in counts for word in count)
    column_of = {word: column for column, word in enumerate(sorted(classes_with))}
    vectors = np.zeros((len(counts), len(column_of)))
    for row, count in enumerate(counts):
        for word, times in count.items():
            rarity = np.log((1 + len(counts)) / (1 + classes_with[word])) + 1
            vectors[row, column_of[word]] = times * rarity
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return LabelVectors(tree.actions, vectors.astype(np.float32))


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name without English endings, so that hands and hand, rubbing and rub are one.

    Words such as "of" and "other" are left out, unless there is nothing else.
    """
    words = _WORD.findall(name.casefold())
    return tuple(_stem(word) for word in [one for one in words if one not in _SAY_NOTHING] or words)


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > _SHORTEST + 1:
        return word[:-3] + "y"
    for ending in ("ings", "ing", "ed", "s"):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= _SHORTEST:
            word = word[: -len(ending)]
            break
    if len(word) > _SHORTEST and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] if len(word) > _SHORTEST and word.endswith("e") else word
