"""Which classes are trained and which are not, and scores over some classes as scores over all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from protocols.label_tree import LabelTree
from protocols.scores import NO_LABEL, ScoreFile


@dataclass(frozen=True)
class SeenUnseen:
    """Which classes of a tree are trained, and which are not; it checks itself once.

    Attributes:
        tree: all classes.
        unseen: indices of the unseen ones, rising.

    Raises:
        ValueError: indices that repeat or lie outside the tree, or no class of one kind.
    """

    tree: LabelTree
    unseen: tuple[int, ...]

    def __post_init__(self) -> None:
        classes = len(self.tree.actions)
        if list(self.unseen) != sorted(set(self.unseen)) or not all(
            0 <= one < classes for one in self.unseen
        ):
            raise ValueError(
                f"expected rising indices 0..{classes - 1} of unseen classes, got {self.unseen[:8]}"
            )
        if not 0 < len(self.unseen) < classes:
            raise ValueError(
                f"expected seen and unseen classes among the {classes} of {self.tree.name}, got "
                f"{len(self.unseen)} unseen ones"
            )

    @property
    def seen(self) -> tuple[int, ...]:
        """Indices of the seen classes, rising."""
        return tuple(sorted(set(range(len(self.tree.actions))) - set(self.unseen)))

    def subtree(self, classes: Sequence[int]) -> LabelTree:
        """The tree of some of the classes, with the groups that they have."""
        tree = self.tree
        actions = tuple(tree.actions[one] for one in classes)
        if not tree.groups:
            return LabelTree(tree.name, actions)
        kept = sorted({tree.group_of[one] for one in classes})
        group_of = tuple(kept.index(tree.group_of[one]) for one in classes)
        return LabelTree(tree.name, actions, tuple(tree.groups[group] for group in kept), group_of)


def unseen_named(tree: LabelTree, names: Collection[str]) -> SeenUnseen:
    """The split whose unseen classes have these names.

    Raises:
        ValueError: a name that is not in the tree.
    """
    unknown = sorted(set(names) - set(tree.actions))
    if unknown:
        raise ValueError(f"label tree {tree.name!r} has no actions {', '.join(map(repr, unknown[:8]))}")
    return SeenUnseen(tree, tuple(index for index, name in enumerate(tree.actions) if name in names))


def draw_unseen(
    tree: LabelTree, count: int, rng: np.random.Generator, among: Collection[int] | None = None
) -> SeenUnseen:
    """A split at random, in which every body group keeps a seen class.

    Args:
        tree: all classes.
        count: unseen ones.
        rng: source of the draw.
        among: indices of those that may be drawn; all if None.

    Raises:
        ValueError: too many, or none.
    """
    classes = len(tree.actions)
    group_of = np.array(tree.group_of if tree.groups else [0] * classes)
    left = np.bincount(group_of)
    may = np.zeros(classes, bool)
    may[list(range(classes) if among is None else among)] = True
    most = int(np.minimum(left - 1, np.bincount(group_of[may], minlength=len(left))).sum())
    if not 1 <= count <= most:
        raise ValueError(
            f"expected 1..{most} unseen classes of {tree.name}, so that every body group keeps a seen one, "
            f"got {count}"
        )
    unseen: list[int] = []
    for index in rng.permutation(classes).tolist():
        if len(unseen) < count and may[index] and left[group_of[index]] > 1:
            unseen.append(index)
            left[group_of[index]] -= 1
    return SeenUnseen(tree, tuple(sorted(unseen)))


def on_tree(scores: ScoreFile, tree: LabelTree, labels: Mapping[str, int]) -> ScoreFile:
    """Scores over some classes of a tree, as scores over all of it: the others have probability 0.

    Args:
        scores: of a network that knows some classes, which are found by name.
        tree: all classes.
        labels: of the clips by id, as indices of `tree`; a clip that is not there has none.

    Raises:
        ValueError: actions that the tree lacks; named.
    """
    index_of = {name: index for index, name in enumerate(tree.actions)}
    unknown = [name for name in scores.tree.actions if name not in index_of]
    if unknown:
        raise ValueError(f"label tree {tree.name!r} has no actions {', '.join(map(repr, unknown[:8]))}")
    wide = np.zeros((len(scores), len(tree.actions)), np.float32)
    wide[:, [index_of[name] for name in scores.tree.actions]] = scores.scores
    found = np.array([labels.get(clip_id, NO_LABEL) for clip_id in scores.clip_ids], np.int64)
    return ScoreFile(
        tree, scores.clip_ids, found, wide, scores.method, scores.recipe_hash, scores.cache_hash, scores.seed
    )
