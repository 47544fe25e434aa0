"""Actions of mirror images: sides change places in names, trees without sides stay as they are."""

from __future__ import annotations

import pytest

from protocols.label_tree import LabelTree
from protocols.mirror_labels import mirrored_actions, one_sided_actions
from protocols.trees import TREES, tree


@pytest.mark.parametrize("name", TREES)
def test_the_shipped_trees_name_no_sides(name: str) -> None:
    actions = tree(name).actions
    assert mirrored_actions(tree(name)) == tuple(range(len(actions)))
    assert one_sided_actions(tree(name)) == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("raise left arm", "raise right arm"),
        ("Raise_LEFT-arm", "raise right arm"),
        ("LeftHandUp", "RightHandUp"),
        ("hand_l", "hand_r"),
        ("scratch l. ear", "scratch R. ear"),
        ("lean leftwards", "lean rightwards"),
        ("arms clockwise", "arms counterclockwise"),
        ("arms clockwise", "arms anticlockwise"),
        ("left hand on right arm", "right hand on left arm"),
        ("1-left", "1-right"),
    ],
)
def test_sides_change_places(first: str, second: str) -> None:
    found = LabelTree("own", ("nod", first, "wave", second))
    assert mirrored_actions(found) == (0, 3, 2, 1)
    assert one_sided_actions(found) == ()


@pytest.mark.parametrize("name", ["sitting upright", "bright smile", "turn left or right", "look right/left",
                                  "left and right hand", "draw the letter R", "cleft chin"])  # fmt: skip
def test_words_that_are_no_side(name: str) -> None:
    found = LabelTree("own", (name, "nod"))
    assert mirrored_actions(found) == (0, 1)
    assert one_sided_actions(found) == ()


def test_a_side_without_a_partner_is_named() -> None:
    found = LabelTree("own", ("nod", "raise left arm", "turn left", "turn right", "lean rightward"))
    assert mirrored_actions(found) == (0, 1, 3, 2, 4)
    assert one_sided_actions(found) == (1, 4)


def test_names_that_read_the_same_have_no_partner() -> None:
    found = LabelTree("own", ("turn left", "Turn_Left", "turn right"))
    assert mirrored_actions(found) == (0, 1, 2)
    assert one_sided_actions(found) == (0, 1, 2)


def test_twice_mirrored_is_the_action_itself() -> None:
    names = (
        "a left",
        "a right",
        "b L",
        "b R",
        "left c",
        "d",
        "right left e",
        "left right e",
        "anticlockwise",
    )
    mirrored = mirrored_actions(LabelTree("own", names))
    assert tuple(mirrored[index] for index in mirrored) == tuple(range(len(names)))
