"""Everything that is asked of a table of clip, emotion and micro-actions, in one record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_models.association import Association, associate
from emotion_models.decision_rules import DecisionRules, fit_rules
from emotion_models.top_five import Filter, Keep, TopFive, top_five_experiment
from protocols.emotion_measures import Emotions, measure_emotions, plural
from protocols.emotion_table import EmotionTable
from protocols.scores import ScoreFile

_FEW_PEOPLE = 20


@dataclass(frozen=True)
class StudySettings:
    """How it is asked.

    Attributes:
        seed: of folds, shufflings and draws.
        folds: of every cross-validation.
        k: micro-actions of each emotion in the top-5 experiment.
        shuffles: of the tests of information.
        control_shuffles: of the top-5 experiment's controls.
        draws: of the bootstrap intervals.
        depth: of the decision tree.
        smallest_leaf: its clips.
        false_discoveries: rate up to which a cell counts as found.
    """

    seed: int = 0
    folds: int = 5
    k: int = 5
    shuffles: int = 1000
    control_shuffles: int = 50
    draws: int = 2000
    depth: int = 5
    smallest_leaf: int = 10
    false_discoveries: float = 0.05


@dataclass(frozen=True, eq=False)
class AssociationStudy:
    """What came of it.

    Attributes:
        table: that was studied.
        settings: it was studied by.
        association: counts and tests.
        top_five: the top-5 experiment; None where it could not be run.
        top_five_measures: (filter, what was kept) -> measures on held-out clips.
        rules: the decision tree; None where it could not be fitted.
        rules_measures: of the tree on held-out clips.
        trouble: what could not be done, and why.
        notes: what a reader must know.
    """

    table: EmotionTable
    settings: StudySettings
    association: Association
    top_five: TopFive | None
    top_five_measures: dict[tuple[Filter, Keep], Emotions]
    rules: DecisionRules | None
    rules_measures: Emotions | None
    trouble: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def found(self) -> NDArray[np.bool_]:
        """(A, E) cells that count as found."""
        with np.errstate(invalid="ignore"):
            hit: NDArray[np.bool_] = self.association.q <= self.settings.false_discoveries
        return hit


def study_association(table: EmotionTable, settings: StudySettings) -> AssociationStudy:
    """Study a table.

    Raises:
        ValueError: a table without clips or without micro-actions, or settings out of their range.
    """
    if not table.present.any():
        raise ValueError(f"{table.name}: no clip has a micro-action; there is nothing to associate")
    rng = np.random.default_rng(settings.seed)
    e = len(table.emotions)
    association = associate(table.present, table.labels, e, rng, settings.shuffles)
    trouble, top, measures, rules, told = [], None, {}, None, None
    folds, subjects = settings.folds, _subjects(table)
    try:
        top = top_five_experiment(
            table.present, table.labels, e, rng, folds, settings.k, settings.control_shuffles, subjects
        )
        measures = {key: _measured(table, guess, settings) for key, guess in top.predicted.items()}
        rules = fit_rules(
            table.present,
            table.labels,
            settings.seed,
            settings.depth,
            settings.smallest_leaf,
            folds,
            subjects,
        )
        told = _measured(table, rules.predicted, settings)
    except ValueError as error:
        trouble.append(f"No top-5 experiment and no decision tree: {error}")
    return AssociationStudy(
        table, settings, association, top, measures, rules, told, tuple(trouble), _notes(table)
    )


def _subjects(table: EmotionTable) -> tuple[str, ...]:
    """For the folds; a table in which everybody is one person cannot keep people apart."""
    return table.subjects if len(set(table.subjects)) > 1 else ()


def _measured(table: EmotionTable, guess: NDArray[np.int64], settings: StudySettings) -> Emotions:
    likely = np.eye(len(table.emotions), dtype=np.float32)[guess]
    scores = ScoreFile(table.emotion_tree, table.clip_ids, table.labels, likely)
    return measure_emotions(scores, np.random.default_rng(settings.seed), settings.draws)


def _notes(table: EmotionTable) -> tuple[str, ...]:
    notes = []
    people = len(set(table.subjects))
    if not table.subjects:
        notes.append(
            "The table has no column subject: p values and intervals take every clip for an independent "
            "witness, which clips of one person are not, and folds may have a person on both sides."
        )
    elif people < _FEW_PEOPLE:
        notes.append(f"Only {people} people appear: p values and intervals, which count clips, are too good.")
    absent = [name for name, count in zip(table.emotions, table.emotion_counts, strict=True) if not count]
    if absent:
        notes.append(f"Emotions without a clip: {', '.join(absent)}.")
    bare = int((~table.present.any(axis=1)).sum())
    if bare:
        notes.append(f"{bare} {plural(bare)} without a micro-action.")
    unseen = int((~table.present.any(axis=0)).sum())
    if unseen:
        notes.append(f"{unseen} of {len(table.tree.actions)} micro-actions of the label tree never occur.")
    return tuple(notes)
