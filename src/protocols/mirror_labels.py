"""What the mirror image of an action shows: left and right change places, everything else stays.

A side is a word of the action's name: left and right, leftward(s) and rightward(s), clockwise and
counterclockwise (or anticlockwise), and l and r where they stand alone, as in `hand_l` or `l. arm`. Capitals,
blanks, underscores, hyphens and humps (`LeftHand`) part words. `left or right`, `left and right` and
`left/right` are no side.
"""

from __future__ import annotations

import re

from protocols.label_tree import LabelTree

_PAIRS = (
    ("left", "right"),
    ("leftward", "rightward"),
    ("leftwards", "rightwards"),
    ("clockwise", "counterclockwise"),
    ("l", "r"),
)
_OTHER_SIDE = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_EITHER = re.compile(r"left\s*(?:/|\bor\b|\band\b)\s*right|right\s*(?:/|\bor\b|\band\b)\s*left", re.I)

Words = tuple[str, ...]


def mirrored_actions(tree: LabelTree) -> tuple[int, ...]:
    """For each action the one that its mirror image shows; itself where its name has no side.

    An action whose name has a side but no partner keeps its own index; `one_sided_actions` names it. Applied
    twice, every action is itself again.

    Args:
        tree: the actions.

    Returns:
        An index of an action for each action, in index order.
    """
    index_of = _index_of_words(tree)
    found = []
    for index, name in enumerate(tree.actions):
        words = _words(name)
        alone = index_of.get(words) == index  # no other name reads the same
        found.append(index_of.get(_mirrored(words), index) if alone else index)
    return tuple(found)


def one_sided_actions(tree: LabelTree) -> tuple[int, ...]:
    """Actions whose names have a side while no action, or more than one, is called by the other side.

    With any of these a mirror image has no label: leave flips off, or accept that both sides are the action.
    A lone l or r without a partner is taken for a letter, not for a side.
    """
    partner = mirrored_actions(tree)
    return tuple(
        index
        for index, name in enumerate(tree.actions)
        if partner[index] == index and any(len(word) > 1 for word in _sides(_words(name)))
    )


def _index_of_words(tree: LabelTree) -> dict[Words, int]:
    """Index by the words of a name; names that read the same are left out."""
    words = [_words(name) for name in tree.actions]
    return {one: index for index, one in enumerate(words) if words.count(one) == 1}


def _words(name: str) -> Words:
    plain = _EITHER.sub(" either side ", name)
    lowered = (word.lower() for word in _WORD.findall(plain))
    return tuple(word.replace("anticlockwise", "counterclockwise") for word in lowered)


def _sides(words: Words) -> list[str]:
    return [word for word in words if word in _OTHER_SIDE]


def _mirrored(words: Words) -> Words:
    return tuple(_OTHER_SIDE.get(word, word) for word in words)
