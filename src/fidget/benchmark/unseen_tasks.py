"""Which classes are left out of training, and what is trained and measured then."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.clip_table import ClipTable
from protocols.label_tree import LabelTree
from protocols.label_vectors import LabelVectors
from protocols.protocol import Protocol, Split
from protocols.task import Task
from protocols.trees import action_indices
from protocols.unseen_split import SeenUnseen, draw_unseen, unseen_named

BENCHMARK = "unseen"
FEWEST = 2  # of one class alone there is nothing to choose
_SEED = 0  # of all draws of classes: draw 3 is the same for every method and seed
_TOLD = 3  # names in a task's own


@dataclass(frozen=True)
class UnseenTask:
    """One choice of unseen classes.

    Attributes:
        split: seen and unseen classes.
        task: its source has the clips and the tree of seen classes; labels of its target index all classes.
        group: what draws of as many classes have in common, such as `12 drawn`.
        draw: number of the draw, 0 of classes that were named.
    """

    split: SeenUnseen
    task: Task
    group: str
    draw: int = 0

    @property
    def unseen(self) -> tuple[str, ...]:
        """Names of the unseen classes."""
        return tuple(self.split.tree.actions[index] for index in self.split.unseen)


@dataclass(frozen=True)
class _Clips:
    """What trains, validates and is measured, over the classes that can take part."""

    table: ClipTable
    tree: LabelTree
    train: Split
    val: Split | None
    target: Split


def make_unseen_tasks(
    table: ClipTable, unseen: int | Sequence[str], draws: int = 1
) -> tuple[tuple[UnseenTask, ...], tuple[str, ...]]:
    """The tasks, and the classes that take no part as they have no training clip.

    `test` is measured; where its labels are kept back `val` is, which then chooses nothing. Clips of unseen
    classes in the other splits are not looked at.

    Args:
        table: the clips.
        unseen: names of the unseen classes, or how many are drawn; drawn ones have measured clips, and every
            body group keeps a seen class.
        draws: how often they are drawn; names are taken once.

    Raises:
        ValueError: names that the tree lacks (the nearest are named) or without measured clips, fewer than
            two, too many, no labelled clips to train on or to measure.
    """
    if isinstance(unseen, int):
        _expect_several(unseen)
        clips, left_out = _clips(table, ())
        measured = sorted(set(clips.target.labels))
        splits = [
            draw_unseen(clips.tree, unseen, np.random.default_rng((_SEED, unseen, draw)), measured)
            for draw in range(draws)
        ]
        group = f"{unseen} drawn"
        tasks = [
            _task(clips, split, f"{group}, draw {draw}", group, draw) for draw, split in enumerate(splits)
        ]
        return tuple(tasks), left_out
    named = _known(table.tree, unseen)
    clips, left_out = _clips(table, named)
    split = unseen_named(clips.tree, named)
    sizes = np.bincount(clips.target.labels, minlength=len(clips.tree.actions))
    without = [clips.tree.actions[index] for index in split.unseen if not sizes[index]]
    if without:
        raise ValueError(
            f"clips of {table.name!r}: no measured clip of {', '.join(map(repr, without[:8]))}; "
            "name other unseen classes"
        )
    name = _named(split)
    return (_task(clips, split, name, name, 0),), left_out


def unrelated(split: SeenUnseen, vectors: LabelVectors) -> tuple[str, ...]:
    """Unseen classes whose vectors are at right angles to those of all seen ones: nothing tells of them."""
    names = split.tree.actions
    unseen = [names[index] for index in split.unseen]
    cosine = vectors.of(unseen) @ vectors.of([names[index] for index in split.seen]).T
    return tuple(name for name, row in zip(unseen, cosine, strict=True) if not (np.abs(row) > 1e-6).any())


def _clips(table: ClipTable, named: Sequence[str]) -> tuple[_Clips, tuple[str, ...]]:
    """The clips of classes that have training clips or are named as unseen; which classes have neither."""
    test, val, train = table.rows("test"), table.rows("val"), table.rows("train")
    if not len(test):
        test, val = val, test
    for what, rows in (("train", train), ("test or val", test)):
        if not len(rows):
            raise ValueError(f"clips of {table.name!r}: no labelled clip in the split {what}")
    trained = set(table.labels[train].tolist())
    kept = [index for index, name in enumerate(table.tree.actions) if index in trained or name in named]
    left_out = tuple(name for index, name in enumerate(table.tree.actions) if index not in kept)
    tree = table.tree
    if left_out:
        tree = SeenUnseen(tree, tuple(sorted(set(range(len(tree.actions))) - set(kept)))).subtree(kept)
    place = {index: number for number, index in enumerate(kept)}

    def split_of(rows: NDArray[np.int64]) -> Split:
        found = [row for row in rows.tolist() if int(table.labels[row]) in place]
        return Split(
            tuple(table.clip_ids[row] for row in found),
            tuple(place[int(table.labels[row])] for row in found),
        )

    validated = split_of(val) if len(val) else None
    return _Clips(table, tree, split_of(train), validated, split_of(test)), left_out


def _task(clips: _Clips, split: SeenUnseen, name: str, group: str, draw: int) -> UnseenTask:
    place = {index: number for number, index in enumerate(split.seen)}

    def seen_of(part: Split) -> Split:
        found = [
            (clip_id, place[label])
            for clip_id, label in zip(part.clip_ids, part.labels, strict=True)
            if label in place
        ]
        return Split(tuple(clip_id for clip_id, _ in found), tuple(label for _, label in found))

    splits = {"train": seen_of(clips.train)}
    if clips.val is not None:
        validated = seen_of(clips.val)
        splits |= {"val": validated} if validated.clip_ids else {}
    source = Protocol(
        f"{clips.table.name}/without {name}",
        split.subtree(split.seen),
        splits,
        f"classes that are measured as unseen are left out: {name}",
        clips.table.simulated,
    )
    return UnseenTask(split, Task(BENCHMARK, name, source, clips.target), group, draw)


def _named(split: SeenUnseen) -> str:
    """A name that differs wherever the classes do."""
    names = [split.tree.actions[index] for index in split.unseen]
    if len(names) <= _TOLD:
        return ", ".join(names)
    digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{', '.join(names[:_TOLD])} and {len(names) - _TOLD} more ({digest})"


def _expect_several(count: int) -> None:
    if count < FEWEST:
        raise ValueError(
            f"expected {FEWEST} unseen classes or more (with one there is nothing to choose), got {count}"
        )


def _known(tree: LabelTree, names: Sequence[str]) -> tuple[str, ...]:
    """Names as the tree spells them."""
    found = tuple(tree.actions[index] for index in action_indices(tree, names))
    if len(set(found)) != len(found):
        raise ValueError(f"expected each unseen class once, got {', '.join(names)}")
    _expect_several(len(found))
    return found
