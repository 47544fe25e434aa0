"""Sets of emotion labels, and how those of one go over into those of another, pair by pair.

| name | emotions | source |
|---|---|---|
| `mma82` | 7 | MMA-82 (arXiv 2606.14096), emotion experiments |
| `ma52pro` | 5, as the table names them | MA-52-Pro (Guo et al., TCSVT 2024); which five, we could not read |
| `deepface` | 7 | the package deepface, which names them in this order |
| `own` | as in the table | |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile
from protocols.tree_files import same_name
from protocols.trees import nearest


@dataclass(frozen=True)
class EmotionSet:
    """The emotions a clip may have.

    Attributes:
        name: of the set.
        emotions: in index order; empty where a table names its own.
        aliases: other words for them, each with the emotion it stands for.
        count: how many a table that names its own must have; 0 for any number of at least two.
    """

    name: str
    emotions: tuple[str, ...] = ()
    aliases: Mapping[str, str] | None = None
    count: int = 0

    @property
    def tree(self) -> LabelTree:
        """The emotions as a label tree without groups, which score files of emotions carry."""
        return LabelTree(f"{self.name} emotions", self.emotions)

    def index(self, name: str) -> int | None:
        """Index of an emotion or of another word for it; None for a word that is none of them."""
        wanted = same_name(name)
        aliases = {same_name(one): same_name(other) for one, other in (self.aliases or {}).items()}
        wanted = aliases.get(wanted, wanted)
        known = [same_name(one) for one in self.emotions]
        return known.index(wanted) if wanted in known else None

    def unknown(self, name: str) -> str:
        """What to say about a word that is no emotion of the set."""
        return (
            f"{name!r} is no emotion of {self.name}; {nearest(name, self.emotions)}"
            f"expected one of {', '.join(self.emotions)}"
        )


EMOTION_SETS: Mapping[str, EmotionSet] = {
    "mma82": EmotionSet(
        "mma82",
        ("anger", "melancholy", "disgust", "fear", "sad", "happy", "surprise"),
        {"angry": "anger", "sadness": "sad", "happiness": "happy"},
    ),
    "ma52pro": EmotionSet("ma52pro", count=5),
    "deepface": EmotionSet("deepface", ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")),
    "own": EmotionSet("own"),
}

DEEPFACE_TO_MMA82: Mapping[str, str | None] = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "sad": "sad",
    "surprise": "surprise",
    "neutral": None,
}
"""DeepFace's label -> MMA-82's. `neutral` has no counterpart, and nothing goes over into `melancholy`."""


def emotion_set(name: str) -> EmotionSet:
    """The set of a name.

    Raises:
        ValueError: no such set; names the nearest.
    """
    if name not in EMOTION_SETS:
        raise ValueError(
            f"no set of emotions {name!r}: {nearest(name, EMOTION_SETS)}expected one of "
            f"{', '.join(EMOTION_SETS)}"
        )
    return EMOTION_SETS[name]


def named_by_table(kind: EmotionSet, names: Sequence[str]) -> EmotionSet:
    """A set whose emotions a table names itself, in alphabetical order; spellings of one name are one.

    Raises:
        ValueError: fewer than two, or another number than the set has.
    """
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(same_name(name), " ".join(name.split()))
    found = tuple(spelled[key] for key in sorted(spelled))
    if kind.count and len(found) != kind.count:
        raise ValueError(
            f"expected the {kind.count} emotions of {kind.name}, got {len(found)}: {', '.join(found[:12])}; "
            "take --set own for another number"
        )
    if len(found) < 2:
        raise ValueError(f"expected at least two emotions, got {', '.join(found) or 'none'}")
    return replace(kind, emotions=found)


@dataclass(frozen=True, eq=False)
class MappedScores:
    """Scores over the emotions of another set.

    Attributes:
        scores: over the target's emotions.
        dropped: labels of the source without a counterpart; their probability went to the others.
        never: emotions of the target that nothing goes over into: never predicted.
        dropped_best: clips whose best label had no counterpart; their second choice was taken.
    """

    scores: ScoreFile
    dropped: tuple[str, ...]
    never: tuple[str, ...]
    dropped_best: int

    def told(self) -> tuple[str, ...]:
        """What a report must say, line by line."""
        lines = []
        if self.never:
            lines.append(
                f"no label of {self.scores.method} stands for {', '.join(self.never)}: never predicted"
            )
        if self.dropped:
            lines.append(
                f"{', '.join(self.dropped)} has no counterpart and was left out; it was the best label of "
                f"{self.dropped_best} of {len(self.scores)} clips"
            )
        return tuple(lines)


def map_scores(scores: ScoreFile, pairs: Mapping[str, str | None], target: EmotionSet) -> MappedScores:
    """Scores over one set of emotions as scores over another.

    Probabilities of labels without a counterpart are left out and the rest scaled to sum to 1; where nothing
    remains, every emotion that something goes over into is equally likely. Labels are not carried over.

    Args:
        scores: over the source's labels.
        pairs: every label of the source -> the target's emotion, or None.
        target: the set to go to.

    Raises:
        ValueError: a label that the pairs leave out, or a counterpart that the target does not have.
    """
    lacking = [one for one in scores.tree.actions if one not in pairs]
    wrong = [other for other in pairs.values() if other is not None and target.index(other) is None]
    if lacking or wrong:
        raise ValueError(
            f"emotions of {scores.tree.name} to {target.name}: no pair for {lacking}, unknown counterparts "
            f"{wrong}; every label needs a pair, None where it has no counterpart"
        )
    moved = np.zeros((len(scores), len(target.emotions)), np.float64)
    dropped, reached = [], set()
    for column, label in enumerate(scores.tree.actions):
        other = pairs[label]
        index = None if other is None else target.index(other)
        if index is None:
            dropped.append(column)
        else:
            reached.add(index)
            moved[:, index] += scores.scores[:, column]
    moved[:, sorted(reached)] += 1e-12
    moved /= moved.sum(axis=1, keepdims=True)
    best = scores.scores.argmax(axis=1) if len(scores) else np.zeros(0, np.int64)
    unknown: NDArray[np.int64] = np.full(len(scores), -1, np.int64)
    return MappedScores(
        ScoreFile(
            target.tree, scores.clip_ids, unknown, moved.astype(np.float32), scores.method, split=scores.split
        ),
        tuple(scores.tree.actions[column] for column in dropped),
        tuple(name for index, name in enumerate(target.emotions) if index not in reached),
        int(np.isin(best, dropped).sum()),
    )
