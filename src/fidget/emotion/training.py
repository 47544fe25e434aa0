"""Face only, micro-actions only, both: fitted on some clips, scored on others, written as score files.

Where the table has splits, models are fitted on train and score test; else every clip is scored by a model of
the folds that have not seen it. Score files carry the emotions as their tree, so every command over score
files reads them.

| network | face | micro-actions | both |
|---|---|---|---|
| `linear` | logistic regression | the same | the same over both vectors |
| `attention` | Emotion-FAN over face measures in time | attention over events | mean of both logarithms |
| `two_branch` | MA-52-Pro's branch | its branch, over the body's joints in time | the whole network |

A face network's own scores (DeepFace) are taken as they are where their labels go over into the table's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from emotion_models.emotion_fan import EmotionFan
from emotion_models.event_attention import EventAttention
from emotion_models.fitting import Schedule, built, fit
from emotion_models.folds import Fold, folds_of
from emotion_models.linear_classifier import fit_linear
from emotion_models.two_branch import TwoBranch, two_branch_loss
from fidget.emotion.inputs import Source
from protocols.emotion_measures import mean_average_precision
from protocols.emotion_sets import DEEPFACE_TO_MMA82, emotion_set, map_scores
from protocols.emotion_table import EmotionTable
from protocols.scores import ScoreFile

CONDITIONS = ("face", "actions", "both")
_WIDTH = 32  # channels of the branches over measures and joints
_PREDICT_AT_ONCE = 256


@dataclass(frozen=True)
class TrainingSettings:
    """How it is fitted.

    Attributes:
        network: `linear`, `attention` or `two_branch`.
        folds: where the table has no splits.
        seed: of folds, weights and order.
        schedule: of the networks' training.
    """

    network: str = "linear"
    folds: int = 5
    seed: int = 0
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True, eq=False)
class Trained:
    """What came of it.

    Attributes:
        scores: condition -> score file over the emotions, with labels.
        micro_action_map: condition -> mean average precision of the micro-action head.
        notes: what a report must say.
    """

    scores: dict[str, ScoreFile]
    micro_action_map: dict[str, float]
    notes: tuple[str, ...]


def parts_of(table: EmotionTable, settings: TrainingSettings) -> tuple[tuple[Fold, ...], str]:
    """Rows to fit on and to score, part by part, and in words how they were chosen.

    Raises:
        ValueError: splits without clips to fit on or to score, or folds that cannot be made.
    """
    if not table.splits:
        kept = ", people kept together" if table.subjects else ""
        parts = folds_of(table.labels, settings.folds, settings.seed, table.subjects)
        return parts, f"{settings.folds} folds{kept}"
    splits = np.array(table.splits)
    fit_on, scored = np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test")
    if not len(fit_on) or not len(scored):
        there = ", ".join(f"{(splits == name).sum()} {name}" for name in ("train", "val", "test"))
        raise ValueError(f"{table.name}: expected clips of the splits train and test, got {there}")
    return ((fit_on.astype(np.int64), scored.astype(np.int64)),), "fitted on train, scored on test"


def train_emotions(
    table: EmotionTable,
    settings: TrainingSettings,
    face: Source | None = None,
    actions: Source | None = None,
    body: NDArray[np.float32] | None = None,
) -> Trained:
    """Fit and score every condition that there are inputs for.

    Args:
        table: the clips.
        settings: how.
        face: of every clip; None leaves `face` and `both` away.
        actions: of every clip; None leaves `actions` and `both` away.
        body: (N, T, C) for `two_branch`, which takes its micro-actions from the table's labels.

    Raises:
        ValueError: nothing to learn from, or inputs that the network cannot take.
    """
    parts, told = parts_of(table, settings)
    notes = [told]
    if settings.network == "two_branch":
        likely, precise = _two_branch(table, settings, parts, face, body)
        names = {name: f"two_branch {name}" for name in likely}
    elif settings.network == "attention":
        likely, precise, names = _attention(table, settings, parts, face, actions), {}, {}
    else:
        likely, precise, names = _linear(table, settings, parts, face, actions), {}, {}
    if not likely:
        raise ValueError("nothing to learn from: give faces, micro-actions or both")
    if face is not None and face.scores is not None and "face" in likely:
        mapped = _as_they_are(table, face.scores)
        if mapped is not None:
            likely["face"] = mapped[0]
            notes += mapped[1]
            names["face"] = f"{face.name}, as it is"
    sources = {"face": face, "actions": actions}
    scored = np.sort(np.concatenate([held for _, held in parts]))
    files = {}
    for condition, values in likely.items():
        used = [one.name for key, one in sources.items() if one is not None and condition in (key, "both")]
        method = f"{condition}: {names.get(condition) or ' + '.join(used) + ', ' + settings.network}"
        if table.simulated and "simulated" not in method:
            method += " (simulated)"
        files[condition] = ScoreFile(
            table.emotion_tree,
            tuple(table.clip_ids[row] for row in scored),
            table.labels[scored],
            values[scored],
            method,
            seed=settings.seed,
            split="test" if table.splits else "",
        )
    maps = {
        key: mean_average_precision(table.present[scored], value[scored]) for key, value in precise.items()
    }
    return Trained(files, maps, tuple(notes))


def _as_they_are(
    table: EmotionTable, scores: ScoreFile
) -> tuple[NDArray[np.float32], tuple[str, ...]] | None:
    """A face network's scores over the table's emotions, where every label has its pair."""
    if scores.tree.actions == table.emotions:
        return scores.scores, ()
    deepface, mma82 = emotion_set("deepface"), emotion_set("mma82")
    if scores.tree.actions == deepface.emotions and table.emotions == mma82.emotions:
        mapped = map_scores(scores, DEEPFACE_TO_MMA82, mma82)
        return mapped.scores.scores, mapped.told()
    return None


def _linear(
    table: EmotionTable,
    settings: TrainingSettings,
    parts: tuple[Fold, ...],
    face: Source | None,
    actions: Source | None,
) -> dict[str, NDArray[np.float32]]:
    given = {key: one.features for key, one in (("face", face), ("actions", actions)) if one is not None}
    if len(given) == 2:
        given["both"] = np.concatenate([given["face"], given["actions"]], 1)
    found = {}
    for condition, x in given.items():
        likely = np.full((len(table), len(table.emotions)), 1 / len(table.emotions), np.float32)
        for rows, held in parts:
            model = fit_linear(x[rows], table.labels[rows], len(table.emotions), settings.seed)
            likely[held] = model.probabilities(x[held])
        found[condition] = likely
    return found


def _attention(
    table: EmotionTable,
    settings: TrainingSettings,
    parts: tuple[Fold, ...],
    face: Source | None,
    actions: Source | None,
) -> dict[str, NDArray[np.float32]]:
    emotions, found = len(table.emotions), {}
    if face is not None:
        if face.series is None:
            raise ValueError("--network attention looks at faces over time: give --face a pose cache")
        series = face.series

        def fan() -> nn.Module:
            encoder = nn.Sequential(nn.Linear(series.shape[2], _WIDTH), nn.ReLU())
            return EmotionFan(encoder, _WIDTH, emotions)

        found["face"] = _network(table, settings, parts, fan, _scaled(series))
    if actions is not None:
        if actions.events is None:
            raise ValueError("--network attention looks at events: give --events a detection file")
        events, size = actions.events, actions.features.shape[1]
        found["actions"] = _network(
            table, settings, parts, lambda: EventAttention(size, emotions), lambda _, rows: events.rows(rows)
        )
    if len(found) == 2:
        mean = np.log(np.maximum(found["face"], 1e-8)) + np.log(np.maximum(found["actions"], 1e-8))
        grown = np.exp(mean / 2)
        found["both"] = (grown / grown.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def _scaled(series: NDArray[np.float32]) -> Callable[[NDArray[np.int64], Tensor], Tensor]:
    """Rows of a series, scaled by the mean and deviation of the clips that are fitted on."""

    def rows_of(fit_on: NDArray[np.int64], rows: Tensor) -> Tensor:
        seen = series[fit_on].reshape(-1, series.shape[2])
        deviation = seen.std(axis=0)
        scaled = (series[rows.numpy()] - seen.mean(axis=0)) / np.where(deviation > 1e-6, deviation, 1)
        return torch.from_numpy(scaled.astype(np.float32))

    return rows_of


def _network(
    table: EmotionTable,
    settings: TrainingSettings,
    parts: tuple[Fold, ...],
    make: Callable[[], nn.Module],
    rows_of: Callable[[NDArray[np.int64], Tensor], object],
) -> NDArray[np.float32]:
    labels = torch.from_numpy(table.labels)
    likely = np.full((len(table), len(table.emotions)), 1 / len(table.emotions), np.float32)
    for number, (fit_on, held) in enumerate(parts):
        network = built(make, settings.seed + number)

        def loss_of(model: nn.Module, rows: Tensor, fit_on: NDArray[np.int64] = fit_on) -> Tensor:
            return functional.cross_entropy(model(rows_of(fit_on, rows)), labels[rows])

        fit(network, loss_of, torch.from_numpy(fit_on), settings.seed + number, settings.schedule)
        with torch.inference_mode():
            for rows in torch.from_numpy(held).split(_PREDICT_AT_ONCE):
                likely[rows.numpy()] = network(rows_of(fit_on, rows)).softmax(1).numpy()
    return likely


def _two_branch(
    table: EmotionTable,
    settings: TrainingSettings,
    parts: tuple[Fold, ...],
    face: Source | None,
    body: NDArray[np.float32] | None,
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    if face is None or face.series is None or body is None:
        raise ValueError("--network two_branch looks at face and body over time: give --face a pose cache")
    emotions, actions = len(table.emotions), len(table.tree.actions)
    series = {"face": face.series, "actions": body}
    labels, present = torch.from_numpy(table.labels), torch.from_numpy(table.present.astype(np.float32))
    likely: dict[str, NDArray[np.float32]] = {}
    precise: dict[str, NDArray[np.float32]] = {}
    for condition in CONDITIONS:
        used = [key for key in ("face", "actions") if condition in (key, "both")]

        def make(used: list[str] = used) -> nn.Module:
            encoders = {
                key: nn.Sequential(nn.Linear(series[key].shape[2], _WIDTH), nn.ReLU()) for key in used
            }
            return TwoBranch(
                emotions=emotions, actions=actions, face=encoders.get("face"), face_channels=_WIDTH,
                action=encoders.get("actions"), action_channels=_WIDTH,
            )  # fmt: skip

        feeling = np.full((len(table), emotions), 1 / emotions, np.float32)
        acting = np.zeros((len(table), actions), np.float32)
        for number, (fit_on, held) in enumerate(parts):
            rows_of = {key: _scaled(series[key]) for key in used}

            def given(rows: Tensor, fit_on: NDArray[np.int64] = fit_on, rows_of=rows_of):  # type: ignore[no-untyped-def]
                return [rows_of[key](fit_on, rows) if key in rows_of else None for key in ("face", "actions")]

            network = built(make, settings.seed + number)

            def loss_of(model: nn.Module, rows: Tensor, given=given) -> Tensor:  # type: ignore[no-untyped-def]
                return two_branch_loss(model(*given(rows)), labels[rows], present[rows])

            fit(network, loss_of, torch.from_numpy(fit_on), settings.seed + number, settings.schedule)
            with torch.inference_mode():
                for rows in torch.from_numpy(held).split(_PREDICT_AT_ONCE):
                    out = network(*given(rows))
                    feeling[rows.numpy()] = out.emotions.softmax(1).numpy()
                    acting[rows.numpy()] = out.actions.sigmoid().numpy()
        likely[condition], precise[condition] = feeling, acting
    return likely, precise
