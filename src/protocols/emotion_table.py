"""A table of clip, emotion and micro-actions, checked row by row.

Columns are found by name: `clip_id`; `emotion`; `micro_actions`, several separated by `;`, or one row a pair
of clip and micro-action. `none` says that a clip has no micro-action; an empty cell says nothing and is
refused. Optional: `split` (train, val, test), `subject`, `simulated` (true where a program made the row).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.emotion_sets import EmotionSet, named_by_table
from protocols.label_names import split_named
from protocols.label_tree import LabelTree
from protocols.row_files import Rows, raise_problems, read_rows
from protocols.tree_files import same_name
from protocols.trees import nearest

NOTHING = "none"
_NEEDED = ("clip_id", "emotion", "micro_actions")
_PAIR = "micro_action"  # taken for `micro_actions` in tables of one row a pair
_TRUE, _FALSE = ("true", "1", "yes"), ("", "false", "0", "no")


@dataclass(frozen=True, eq=False)
class EmotionTable:
    """Clips with an emotion and micro-actions each; it checks itself once.

    Attributes:
        name: of the table.
        emotions: E names, in index order.
        tree: the A micro-actions, and their groups where they have any.
        clip_ids: N.
        labels: (N,) int64 emotion of each clip.
        present: (N, A) whether a clip has a micro-action.
        splits: of each clip `train`, `val` or `test`; empty where the table has no splits.
        subjects: who is seen in each clip; empty where the table does not say.
        simulated: whether a program made the rows.

    Raises:
        ValueError: parts of other sizes, or a clip twice.
    """

    name: str
    emotions: tuple[str, ...]
    tree: LabelTree
    clip_ids: tuple[str, ...]
    labels: NDArray[np.int64]
    present: NDArray[np.bool_]
    splits: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    simulated: bool = False

    def __post_init__(self) -> None:
        n = len(self.clip_ids)
        sizes = {
            "labels": self.labels.shape == (n,),
            "present": self.present.shape == (n, len(self.tree.actions)),
            "splits": len(self.splits) in (0, n),
            "subjects": len(self.subjects) in (0, n),
            "clip ids that are different": len(set(self.clip_ids)) == n,
        }
        wrong = [what for what, fits in sizes.items() if not fits]
        if wrong:
            raise ValueError(f"emotion table {self.name!r}: expected {', '.join(wrong)} for {n} clips")

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def emotion_tree(self) -> LabelTree:
        """The emotions as a label tree, which score files of emotions carry."""
        return LabelTree(f"{self.name} emotions", self.emotions)

    @property
    def emotion_counts(self) -> NDArray[np.int64]:
        """(E,) clips of each emotion."""
        counts: NDArray[np.int64] = np.bincount(self.labels, minlength=len(self.emotions)).astype(np.int64)
        return counts

    def rows(self, kept: NDArray[np.int64]) -> EmotionTable:
        """The table of some clips only, by their rows."""
        return replace(
            self,
            clip_ids=tuple(self.clip_ids[row] for row in kept.tolist()),
            labels=self.labels[kept],
            present=self.present[kept],
            splits=tuple(self.splits[row] for row in kept.tolist()) if self.splits else (),
            subjects=tuple(self.subjects[row] for row in kept.tolist()) if self.subjects else (),
        )

    def without_groups(self, groups: Sequence[str]) -> EmotionTable:
        """The table without the micro-actions of some body groups (Table VII leaves out those of the legs).

        Raises:
            ValueError: a group that there is not, or nothing would be left.
        """
        left = kept_actions(self.tree, groups)
        return replace(self, tree=subtree(self.tree, left), present=self.present[:, left])


def kept_actions(tree: LabelTree, without: Sequence[str]) -> list[int]:
    """Indices of the actions that are in none of the named groups.

    Raises:
        ValueError: a group that there is not, or nothing would be left.
    """
    known = {same_name(name): index for index, name in enumerate(tree.groups)}
    wrong = [name for name in without if same_name(name) not in known]
    if wrong:
        raise ValueError(
            f"{tree.name} has no group {', '.join(map(repr, wrong))}; {nearest(wrong[0], tree.groups)}"
            f"it has {', '.join(tree.groups) or 'none'}"
        )
    dropped = {known[same_name(name)] for name in without}
    left = [index for index in range(len(tree.actions)) if not dropped or tree.group_of[index] not in dropped]
    if not left:
        raise ValueError(f"{tree.name}: no micro-action is left without {', '.join(without)}")
    return left


def subtree(tree: LabelTree, actions: Sequence[int]) -> LabelTree:
    """A tree of some actions only."""
    names = tuple(tree.actions[index] for index in actions)
    if not tree.groups:
        return LabelTree(tree.name, names)
    groups = tuple(dict.fromkeys(tree.groups[tree.group_of[index]] for index in actions))
    of = tuple(groups.index(tree.groups[tree.group_of[index]]) for index in actions)
    return LabelTree(tree.name, names, groups, of)


@dataclass
class _Read:
    """What was read so far, clip by clip, and what is wrong."""

    row_of: dict[str, int] = field(default_factory=dict)
    emotion: dict[str, str] = field(default_factory=dict)
    actions: dict[str, list[str]] = field(default_factory=dict)
    split: dict[str, str] = field(default_factory=dict)
    subject: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_emotion_table(path: str | Path, kind: EmotionSet, tree: LabelTree | None = None) -> EmotionTable:
    """Read a table (CSV, TSV, JSON, JSON Lines, Parquet).

    Args:
        path: the file.
        kind: the emotions there may be; a set without names takes the table's own.
        tree: the micro-actions there may be; None takes the table's own names, in alphabetical order.

    Raises:
        ValueError: a column is missing; an empty cell, an unknown emotion or micro-action, a clip or a pair
            twice, a clip with two emotions, subjects or splits; all at once, each with its line.
        OSError: the file cannot be opened.
    """
    rows = read_rows(path)
    head = {same_name(name).replace(" ", "_"): name for name in rows.columns}
    if "micro_actions" not in head and _PAIR in head:
        head["micro_actions"] = head[_PAIR]
    lacking = [name for name in _NEEDED if name not in head]
    if lacking:
        raise ValueError(
            f"{path}: expected the columns {', '.join(_NEEDED)}, missing {', '.join(lacking)}; got "
            f"{', '.join(map(repr, rows.columns))}"
        )
    columns = {name: rows.columns[head[name]] for name in (*_NEEDED, "split", "subject") if name in head}
    read = _Read()
    for row in range(len(rows)):
        _take(read, rows, row, {name: values[row].strip() for name, values in columns.items()})
    if not len(rows):
        read.problems.append("no rows below the head")
    simulated = _simulated(rows, rows.columns.get(head.get("simulated", ""), ()), read.problems)
    _check_whole(read, columns)
    labels = _labels(read, rows, kind) if kind.emotions else None
    present = None if tree is None else _presence(read, rows, tree)
    raise_problems(rows.path, read.problems)
    try:
        emotions = kind if kind.emotions else named_by_table(kind, list(read.emotion.values()))
        tree = tree or _own_tree(rows.path.stem, read)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    labels = _labels(read, rows, emotions) if labels is None else labels
    present = _presence(read, rows, tree) if present is None else present
    raise_problems(rows.path, read.problems)
    ids = tuple(read.emotion)
    return EmotionTable(
        kind.name if kind.name != "own" else rows.path.stem,
        emotions.emotions,
        tree,
        ids,
        labels,
        present,
        tuple(read.split[one] for one in ids) if "split" in columns else (),
        tuple(read.subject[one] for one in ids) if "subject" in columns else (),
        simulated,
    )


def _take(read: _Read, rows: Rows, row: int, cell: dict[str, str]) -> None:
    """Add one row, or say what is wrong with it."""
    clip = cell["clip_id"]
    where = f"{rows.where(row)}, clip {clip!r}"
    empty = [name for name, value in cell.items() if not value]
    if empty:
        hint = f"; write {NOTHING} where a clip has no micro-action" if "micro_actions" in empty else ""
        read.problems.append(f"{where}: empty {', '.join(empty)}{hint}")
        return
    words = [" ".join(word.split()) for word in cell["micro_actions"].split(";") if word.strip()]
    nothing = [same_name(word) for word in words] == [NOTHING]
    if not words or (not nothing and NOTHING in map(same_name, words)):
        read.problems.append(f"{where}: expected micro-actions or {NOTHING}, got {cell['micro_actions']!r}")
        return
    split = ""
    if "split" in cell:
        known = split_named(cell["split"])
        if known is None:
            read.problems.append(f"{where}: expected the split train, val or test, got {cell['split']!r}")
            return
        split = known
    if clip in read.emotion and not _same_clip(read, rows, cell, where, words, split, nothing):
        return
    read.row_of.setdefault(clip, row)
    read.emotion.setdefault(clip, cell["emotion"])
    read.split.setdefault(clip, split)
    read.subject.setdefault(clip, cell.get("subject", ""))
    own = read.actions.setdefault(clip, [])
    for word in () if nothing else words:
        if same_name(word) in map(same_name, own):
            read.problems.append(f"{where}: {word!r} is there twice")
        else:
            own.append(word)


def _same_clip(
    read: _Read, rows: Rows, cell: dict[str, str], where: str, words: list[str], split: str, nothing: bool
) -> bool:
    """Whether a further row of a clip is one of its pairs; says what is wrong where it is not."""
    clip, before = cell["clip_id"], rows.where(read.row_of[cell["clip_id"]])
    for what, here, there in (
        ("emotion", same_name(cell["emotion"]), same_name(read.emotion[clip])),
        ("split", split, read.split[clip]),
        ("subject", cell.get("subject", ""), read.subject[clip]),
    ):
        if here != there:
            read.problems.append(f"{where}: {what} {here!r}, but {there!r} in {before}")
            return False
    if len(words) > 1 or nothing or not read.actions[clip]:
        read.problems.append(f"{where}: the clip is in {before} already")
        return False
    return True


def _check_whole(read: _Read, columns: dict[str, tuple[str, ...]]) -> None:
    """Clips of one person must not lie on both sides of a split."""
    if "split" not in columns or "subject" not in columns:
        return
    of: dict[str, set[str]] = {}
    for clip, subject in read.subject.items():
        of.setdefault(subject, set()).add(read.split[clip])
    both = sorted(name for name, found in of.items() if len(found) > 1)
    if both:
        read.problems.append(f"subjects in several splits: {', '.join(map(repr, both[:8]))}")


def _simulated(rows: Rows, values: Sequence[str], problems: list[str]) -> bool:
    for row, value in enumerate(values):
        if value.strip().lower() not in (*_TRUE, *_FALSE):
            problems.append(f"{rows.where(row)}: expected simulated true or false, got {value!r}")
    return any(value.strip().lower() in _TRUE for value in values)


def _own_tree(name: str, read: _Read) -> LabelTree:
    spelled: dict[str, str] = {}
    for words in read.actions.values():
        for word in words:
            spelled.setdefault(same_name(word), word)
    if not spelled:
        raise ValueError("no clip has a micro-action")
    return LabelTree(name, tuple(spelled[key] for key in sorted(spelled)))


def _labels(read: _Read, rows: Rows, emotions: EmotionSet) -> NDArray[np.int64]:
    labels = np.zeros(len(read.emotion), np.int64)
    for place, (clip, name) in enumerate(read.emotion.items()):
        index = emotions.index(name)
        if index is None:
            read.problems.append(f"{rows.where(read.row_of[clip])}, clip {clip!r}: {emotions.unknown(name)}")
        else:
            labels[place] = index
    return labels


def _presence(read: _Read, rows: Rows, tree: LabelTree) -> NDArray[np.bool_]:
    index_of = {same_name(name): index for index, name in enumerate(tree.actions)}
    present = np.zeros((len(read.emotion), len(tree.actions)), np.bool_)
    for place, (clip, words) in enumerate(read.actions.items()):
        for word in words:
            index = index_of.get(same_name(word))
            if index is None:
                read.problems.append(
                    f"{rows.where(read.row_of[clip])}, clip {clip!r}: {word!r} is no micro-action of "
                    f"{tree.name}{f'; {near}' if (near := nearest(word, tree.actions)) else ''}".rstrip()
                )
            else:
                present[place, index] = True
    return present
