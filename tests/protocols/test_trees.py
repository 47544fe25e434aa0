from __future__ import annotations

import csv
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.label_tree import LabelTree
from protocols.trees import (
    TREES,
    action_index,
    action_indices,
    class_counts,
    ma52_to_mma82,
    mma82_without_ma52,
    read_tree,
    tree,
)

BODY = ("Body", "Head", "Upper limb", "Lower limb", "Body-hand", "Head-hand", "Leg-hand")


@pytest.mark.parametrize(
    ("name", "per_group"),
    [
        ("ma52", dict(zip(BODY, (5, 6, 13, 8, 6, 10, 4), strict=True))),
        ("mma82", dict(zip(BODY, (6, 9, 31, 9, 5, 14, 8), strict=True))),
        (
            "imigue",
            {"Body": 3, "Head": 4, "Hand": 7, "Body-Hand": 8, "Head-Hand": 9, "Illustrative": 1},
        ),
        ("smg", {}),
    ],
)
def test_groups_in_order(name, per_group):
    found = tree(name)
    assert found.name == name
    assert found.groups == tuple(per_group)
    assert Counter(found.groups[g] for g in found.group_of) == per_group


@pytest.mark.parametrize(
    ("name", "classes", "examples"),
    [
        ("ma52", 52, {0: "shaking body", 9: "nodding", 51: "scratching feet"}),
        ("mma82", 82, {0: "Swing body", 16: "Illustrative gestures", 81: "Scratching feet"}),
        # iMiGUE's C1, C17 and C32; SMG's ID 1, ID 9 and the class that is no micro-gesture.
        ("imigue", 32, {0: "Turtle neck", 16: "Folding arms", 31: "Illustrative body language"}),
        ("smg", 17, {0: "Turtling neck and shoulder", 8: "Arms akimbo", 16: "Illustrative hand gestures"}),
    ],
)
def test_actions_in_index_order(name, classes, examples):
    actions = tree(name).actions
    assert len(actions) == classes
    assert {index: actions[index] for index in examples} == examples


def test_ma52_groups_are_the_challenges_body_labels():
    """The ranges of fine labels that the challenge's own packaging turns into body labels 0 to 6."""
    expected = [0] * 5 + [1] * 6 + [2] * 13 + [3] * 8 + [4] * 6 + [5] * 10 + [6] * 4
    assert list(tree("ma52").group_of) == expected


def test_mma82_counts():
    counts = class_counts("mma82")
    assert len(counts) == 82 and sum(counts) == 39_816
    assert counts[16] == 5_298 and counts[62] == 28
    for name in ("ma52", "imigue", "mma28"):
        with pytest.raises(ValueError, match=f"no counts of the classes of '{name}'"):
            class_counts(name)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["ma52", "mma82"])
def test_trees_are_the_facts(shared_dir, name):
    path = shared_dir / "facts" / f"{name}_classes.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shipped = tree(name)
    assert [row["action"] for row in rows] == list(shipped.actions)
    assert [row["body_group"] for row in rows] == [shipped.groups[g] for g in shipped.group_of]
    if name == "mma82":
        assert [int(row["rec_clips"]) for row in rows] == list(class_counts(name))
    read = read_tree(path)
    assert (read.actions, read.groups, read.group_of) == (shipped.actions, shipped.groups, shipped.group_of)


@pytest.mark.shared
def test_ma52_is_the_data_sets_own_list(shared_dir):
    lines = (shared_dir / "data/annotations/ma52/label_name.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[1] for line in lines] == list(tree("ma52").actions)


def test_unknown_tree():
    with pytest.raises(
        ValueError, match=r"no label tree 'mma28': did you mean 'mma82'\? expected one of ma52"
    ):
        tree("mma28")


def test_names_find_their_index():
    mma82 = tree("mma82")
    assert action_index(mma82, "nodding") == action_index(mma82, " Nodding ") == 6
    assert action_indices(mma82, ["turning_head", "Shrugging"]) == (10, 5)
    for name in TREES:  # every name finds itself: no two names of a tree are spellings of one
        assert action_indices(tree(name), tree(name).actions) == tuple(range(len(tree(name).actions)))
    with pytest.raises(ValueError, match=r"'Nodding of' did you mean 'Nodding'\?; 'qqq';"):
        action_indices(mma82, ["Nodding of", "Shrugging", "qqq", "qqq"])


def test_ma52_to_mma82():
    ma52, mma82, found = tree("ma52"), tree("mma82"), ma52_to_mma82()
    assert len(found) == 52
    without = [ma52.actions[i] for i, j in enumerate(found) if j is None]
    assert without == ["rising up", "hands touching fingers", "scratching or touching face", "covering face"]
    reached = Counter(j for j in found if j is not None)
    assert [mma82.actions[j] for j, n in reached.items() if n > 1] == ["Retracting and stretching arms"]
    assert len(reached) == 47
    assert set(mma82_without_ma52()) == set(range(82)) - set(reached) and len(mma82_without_ma52()) == 35
    # Every name that both share is a pair.
    same = {name.casefold(): index for index, name in enumerate(mma82.actions)}
    for index, name in enumerate(ma52.actions):
        if name.casefold() in same:
            assert found[index] == same[name.casefold()]
    # Pairs stay in their body group, but for the arms that MA-52 counts to Body-hand.
    others = [
        ma52.actions[i]
        for i, j in enumerate(found)
        if j is not None and ma52.groups[ma52.group_of[i]] != mma82.groups[mma82.group_of[j]]
    ]
    assert others == ["crossing arms"]


TOML = """
name = "Gespräche"
actions = ["nicken", "winken", "Schultern hochziehen"]
[groups]
Kopf = ["nicken"]
"obere Glieder" = ["Schultern hochziehen", "winken"]
"""


def test_own_tree_from_toml(tmp_path):
    (tmp_path / "own.toml").write_text(TOML, encoding="utf-8")
    expected = LabelTree(
        "Gespräche", ("nicken", "winken", "Schultern hochziehen"), ("Kopf", "obere Glieder"), (0, 1, 1)
    )
    assert read_tree(tmp_path / "own.toml") == expected
    (tmp_path / "b.toml").write_text('[groups]\nHead = ["nod", "shake"]\nHand = ["wave"]\n')
    assert read_tree(tmp_path / "b.toml") == LabelTree(
        "b", ("nod", "shake", "wave"), ("Head", "Hand"), (0, 0, 1)
    )
    (tmp_path / "c.toml").write_text('actions = ["nod", "shake"]')
    assert read_tree(tmp_path / "c.toml") == LabelTree("c", ("nod", "shake"))


@pytest.mark.parametrize(
    "content",
    [
        "index,group,action\n1,Hand,wave\n0,Head,nod\n",
        "# mine\n\nindex,group,action\n1,Hand,wave\n0,Head,nod",
        "\ufeffindex,group,action\r\n1,Hand,wave\r\n0,Head,nod\r\n",
        "label,class_name,body_group,note\n1, wave ,Hand,x\n# none\n0,nod,Head,\n",
    ],
)
def test_own_tree_from_csv(tmp_path, content):
    (tmp_path / "own.csv").write_text(content, encoding="utf-8", newline="")
    assert read_tree(tmp_path / "own.csv") == LabelTree("own", ("nod", "wave"), ("Hand", "Head"), (1, 0))


def test_own_tree_numbers_rows_where_there_is_no_index(tmp_path):
    (tmp_path / "own.csv").write_text('action\n"Playing with jewelry, and so on"\nNicken für mich\n')
    assert read_tree(tmp_path / "own.csv").actions == ("Playing with jewelry, and so on", "Nicken für mich")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "a.csv",
            "action,group\nnod,Head\nNod,Head\n",
            "line 3: action 'Nod' is in line 2 already, spelt 'nod'",
        ),
        ("a.csv", "action,group\nnod,Head\nwave,\n", "line 3: action 'wave' has no group"),
        ("a.csv", "action,group\nnod,Head\n,Head\n", "line 3: an action without a name"),
        (
            "a.csv",
            "action,group\nnod,Head\nwave,head\n",
            "groups 'Head' and 'head': two spellings of one name",
        ),
        ("a.csv", "# x\nindex,action\n0,nod\n0,wave\n", "line 4: index 0 is 'nod' already"),
        ("a.csv", "index,action\n0,nod\n2,wave\n", r"expected the indices 0\.\.1, \[1\] missing"),
        ("a.csv", "index,action\n-1,nod\n", "line 2: expected a whole number from 0 as index, got '-1'"),
        (
            "a.csv",
            "index,actoin\n0,nod\n",
            r"column action .* got \['index', 'actoin'\]; did you mean 'actoin'",
        ),
        ("a.csv", "action,group\nnod, slowly,Head\n", "line 2: expected 2 cells, got 3; quote names"),
        ("a.csv", "", "expected a column action"),
        ("a.csv", "action\n", "expected at least one action"),
        (
            "a.toml",
            'actions = ["nodding"]\n[groups]\nHead = ["noding"]\n',
            "'noding' is not among the actions, did",
        ),
        (
            "a.toml",
            '[groups]\nHead = ["nod"]\nHand = ["nod"]\n',
            "group 'Hand': action 'nod' is in group 'Head'",
        ),
        (
            "a.toml",
            'actions = ["nod"]\n[groups]\nHead = ["nod"]\nHand = ["nod"]\n',
            "action 'nod' is in the groups 'Head' and 'Hand'",
        ),
        (
            "a.toml",
            'actions = ["nod", "wave"]\n[groups]\nHead = ["nod"]\n',
            r"actions\[1\]: action 'wave' has no g",
        ),
        ("a.toml", '[groups]\nHead = ["nod"]\nHand = []\n', "group 'Hand' has no action"),
        ("a.toml", 'action = ["nod"]\n', "key 'action' is not known: did you mean 'actions'"),
        ("a.toml", "[groups]\nHead = 3\n", "expected group 'Head' to be a list of names, got 3"),
        ("a.toml", "actions = [", "no TOML"),
        ("a.toml", 'name = 3\nactions = ["nod"]\n', "expected name to be text, got 3"),
        ("a.txt", "action\nnod\n", "expected a label tree as .toml or .csv, got .txt"),
    ],
)
def test_own_tree_refused_by_name(tmp_path, name, content, told):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=told) as caught:
        read_tree(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)


def test_all_problems_at_once(tmp_path):
    (tmp_path / "a.csv").write_text("action,group\nnod,Head\nnod,\n" + ",Head\n" * 20)
    with pytest.raises(ValueError, match=r"'nod' is in line 2 already; line 4: .* and \d+ more"):
        read_tree(tmp_path / "a.csv")


def test_not_utf8(tmp_path):
    (tmp_path / "a.csv").write_bytes("action\nschütteln\n".encode("latin-1"))
    with pytest.raises(ValueError, match="expected UTF-8, byte 10 is none"):
        read_tree(tmp_path / "a.csv")
    with pytest.raises(OSError):
        read_tree(tmp_path / "absent.csv")


NAMES = st.text(string.ascii_lowercase + 'äé ,"#', min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.dictionaries(NAMES, st.sampled_from(["Kopf", "Hand, links", 'a"b']), min_size=1, max_size=12))
def test_csv_round_trip(tmp_path_factory, members):
    spelt = {" ".join(name.split()): group for name, group in members.items() if not name.startswith("#")}
    if not spelt:
        return
    path = tmp_path_factory.mktemp("trees") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "action", "group"])
        writer.writerows((number, *row) for number, row in enumerate(spelt.items()))
    found = read_tree(path)
    assert found.actions == tuple(spelt)
    assert tuple(found.groups[g] for g in found.group_of) == tuple(spelt.values())
