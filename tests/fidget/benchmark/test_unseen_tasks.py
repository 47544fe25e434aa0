from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fidget.benchmark.plan import task_hashes
from fidget.benchmark.unseen_tasks import make_unseen_tasks
from protocols.clip_table import ClipTable
from protocols.label_tree import LabelTree

TREE = LabelTree(
    "six", ("nod", "shake", "bow", "wave", "clap", "Point at"), ("head", "arm"), (0, 0, 0, 1, 1, 1)
)


def clips(splits: str = "ttttvx") -> ClipTable:
    """Six clips a class: train, validation, test, of class 0 first."""
    name = {"t": "train", "v": "val", "x": "test"}
    labels = np.repeat(np.arange(6), 6)
    ids = tuple(f"{label}-{number}" for number, label in enumerate(labels))
    none = ("",) * 36
    return ClipTable("demo", TREE, ids, labels, tuple(name[one] for one in splits * 6), none, none)


def class_of(clip_id: str) -> str:
    return TREE.actions[int(clip_id[0])]


def test_no_clip_of_an_unseen_class_is_trained_or_validated() -> None:
    (one,), left_out = make_unseen_tasks(clips(), ("wave", "nod"))
    assert left_out == ()
    assert one.unseen == ("nod", "wave")
    assert one.split.unseen == (0, 3)
    tree = one.task.source.tree
    assert tree.actions == ("shake", "bow", "clap", "Point at")
    assert (tree.groups, tree.group_of) == (("head", "arm"), (0, 0, 1, 1))
    for name, size in (("train", 16), ("val", 4)):
        split = one.task.source.splits[name]
        assert len(split.clip_ids) == size
        named = [tree.actions[label] for label in split.labels]
        assert named == [class_of(clip_id) for clip_id in split.clip_ids]
        assert not {"nod", "wave"} & set(named)
    assert [class_of(clip_id) for clip_id in one.task.target.clip_ids] == list(TREE.actions)
    assert one.task.target.labels == (0, 1, 2, 3, 4, 5)


def test_draws_are_the_same_each_time_and_differ_from_each_other() -> None:
    tasks, _ = make_unseen_tasks(clips(), 3, draws=6)
    assert [task.task.name for task in tasks][:2] == ["3 drawn, draw 0", "3 drawn, draw 1"]
    assert {task.group for task in tasks} == {"3 drawn"}
    assert len({task.unseen for task in tasks}) > 2
    assert all({TREE.group_of[index] for index in task.split.seen} == {0, 1} for task in tasks)
    again, _ = make_unseen_tasks(clips(), 3, draws=2)
    assert again == tasks[:2]
    assert len(set(task_hashes([task.task for task in tasks]).values())) == len(
        {task.unseen for task in tasks}
    )


def test_names_are_found_as_people_write_them_and_tell_tasks_apart() -> None:
    names = {make_unseen_tasks(clips(), one)[0][0].task.name for one in (("NOD", "point_at"), ("nod", "bow"))}
    assert names == {"nod, Point at", "nod, bow"}
    many = [("nod", "shake", "wave", "clap"), ("nod", "shake", "wave", "point at")]
    names = {make_unseen_tasks(clips(), one)[0][0].task.name for one in many}
    assert len(names) == 2
    assert all(name.startswith("nod, shake, wave and 1 more (") for name in names)


def test_where_test_labels_are_kept_back_val_is_measured_and_chooses_nothing() -> None:
    table = clips()
    hidden = table.labels.copy()
    hidden[np.array(table.splits) == "test"] = -1
    (one,), _ = make_unseen_tasks(replace(table, labels=hidden), 2)
    assert list(one.task.source.splits) == ["train"]
    assert {table.splits[table.clip_ids.index(clip_id)] for clip_id in one.task.target.clip_ids} == {"val"}


def test_classes_without_training_clips_take_no_part_unless_they_are_unseen() -> None:
    table = clips()
    kept = np.array(
        [split != "train" or label != 4 for split, label in zip(table.splits, table.labels, strict=True)]
    )
    table = table.subset(np.flatnonzero(kept))
    (one,), left_out = make_unseen_tasks(table, ("nod", "wave"))
    assert left_out == ("clap",)
    assert one.split.tree.actions == ("nod", "shake", "bow", "wave", "Point at")
    assert [class_of(clip_id) for clip_id in one.task.target.clip_ids] == list(one.split.tree.actions)
    assert one.task.target.labels == (0, 1, 2, 3, 4)
    (one,), left_out = make_unseen_tasks(table, ("nod", "clap"))
    assert left_out == ()
    assert one.unseen == ("nod", "clap")


def test_drawn_classes_have_measured_clips() -> None:
    table = clips()
    kept = [
        split != "test" or label in (0, 3) for split, label in zip(table.splits, table.labels, strict=True)
    ]
    table = table.subset(np.flatnonzero(kept))
    assert {task.unseen for task in make_unseen_tasks(table, 2, draws=5)[0]} == {("nod", "wave")}
    with pytest.raises(ValueError, match="no measured clip of 'bow'"):
        make_unseen_tasks(table, ("nod", "bow"))


@pytest.mark.parametrize(
    ("unseen", "told"),
    [
        (("nod", "wawe"), "did you mean 'wave'"),
        (("nod",), "2 unseen classes or more"),
        (("nod", "NOD"), "each unseen class once"),
        (1, "2 unseen classes or more"),
        (0, "2 unseen classes or more"),
        (5, r"1\.\.4 unseen classes"),
        (TREE.actions, "seen and unseen classes"),
    ],
)
def test_what_cannot_be_meant(unseen, told) -> None:
    with pytest.raises(ValueError, match=told):
        make_unseen_tasks(clips(), unseen)


def test_nothing_to_train_on_or_to_measure() -> None:
    with pytest.raises(ValueError, match="no labelled clip in the split train"):
        make_unseen_tasks(clips("vvvvxx"), 2)
    with pytest.raises(ValueError, match="no labelled clip in the split test or val"):
        make_unseen_tasks(clips("tttttt"), 2)
