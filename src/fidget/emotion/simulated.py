"""Simulated emotion data: a table after published frequencies, and what a recogniser might make of it.

Micro-actions come as often as MMA-82 counts them; those that its Sankey diagram shows beside an emotion (read
from the figure by eye) come more often with it. Nothing here is about people: it lets the commands be tried
and shows what a report looks like. Everything that is written says "simulated".
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.emotion.published_table import CLIPS, PEOPLE, label_total, presence_of, shared_out
from poses.whole_file import replacing
from protocols.detections import Detections, write_detections
from protocols.emotion_sets import DEEPFACE_TO_MMA82, emotion_set
from protocols.row_files import read_rows
from protocols.scores import NO_LABEL, ScoreFile, write_scores
from protocols.trees import action_indices, class_counts, tree

SHOWN_BESIDE = {
    "anger": (
        "Other symbolic gestures", "Scratching or touching chest or abdomen", "Tilting head",
        "Spreading hands", "Compound head movements",
    ),
    "melancholy": ("Bowing head", "Tilting head", "Cradling chin", "Playing objects", "Turning head"),
    "disgust": ("Spreading hands", "Compound head movements", "Shaking head", "Turning head", "Shrugging"),
    "fear": ("Playing objects", "Bowing head", "Shaking head", "Turning head", "Nodding"),
    "sad": ("Bowing head", "Shaking head", "Turning head", "Shaking", "Retracting and stretching arms"),
    "happy": ("Nodding", "Shrugging", "Arms akimbo", "Shaking body", "Raising head"),
    "surprise": (
        "Turning head", "Shrugging", "Raising head", "Tilting forward/backward", "Change body direction",
    ),
}  # fmt: skip
"""Emotion -> micro-actions beside it in MMA-82's Sankey diagram, read by eye."""

METHOD_ACTIONS, METHOD_FACES, METHOD_EVENTS = (
    "simulated recogniser", "simulated face network", "simulated detector",
)  # fmt: skip
_PEOPLE, _CLIP_S = 60, 12.0


@dataclass(frozen=True)
class Strengths:
    """How plain things are.

    Attributes:
        beside: times as often a micro-action comes with an emotion that it is shown beside.
        actions: clearness of the recogniser's logits, in their noise's deviations.
        faces: clearness of the face network's.
    """

    beside: float = 4.0
    actions: float = 4.0
    faces: float = 0.5


def simulate_emotions(directory: Path, clips: int, seed: int, strengths: Strengths | None = None) -> None:
    """Write table.csv, actions.parquet, events.parquet and faces.parquet.

    Args:
        directory: is made.
        clips: N.
        seed: of everything.
        strengths: the defaults where None.

    Raises:
        ValueError: fewer than one clip.
        OSError: a file cannot be written.
    """
    if clips < 1:
        raise ValueError(f"expected at least 1 clip, got {clips}")
    strengths = strengths or Strengths()
    rng = np.random.default_rng(seed)
    emotions, actions = emotion_set("mma82"), tree("mma82")
    labels = rng.permutation(np.arange(clips) % len(emotions.emotions))
    weights = np.tile(np.array(class_counts("mma82"), np.float64), (len(emotions.emotions), 1))
    for name, beside in SHOWN_BESIDE.items():
        weights[emotions.emotions.index(name), list(action_indices(actions, beside))] *= strengths.beside
    present = np.zeros((clips, len(actions.actions)), np.bool_)
    for clip, label in enumerate(labels):
        many = 1 + int(rng.poisson(2.2))
        chances = weights[label] / weights[label].sum()
        present[clip, rng.choice(len(chances), min(many, 15), replace=False, p=chances)] = True
    people = rng.integers(0, min(_PEOPLE, max(clips // 4, 1)), clips)
    _write_all(directory, labels, present, people, strengths, rng)


def simulate_published(directory: Path, seed: int, strengths: Strengths | None = None) -> int:
    """Write the same files with the published frequencies to the clip: see `fidget.emotion.published_table`.

    Args:
        directory: is made.
        seed: of everything.
        strengths: the defaults where None.

    Returns:
        How many clips.

    Raises:
        OSError: a file cannot be written.
    """
    strengths = strengths or Strengths()
    rng = np.random.default_rng(seed)
    emotions, actions = emotion_set("mma82").emotions, tree("mma82")
    labels = rng.permutation(np.arange(CLIPS) % len(emotions))
    favour = np.ones((len(emotions), len(actions.actions)))
    for name, beside in SHOWN_BESIDE.items():
        favour[emotions.index(name), list(action_indices(actions, beside))] = strengths.beside
    counts = shared_out(label_total(CLIPS), class_counts("mma82"), CLIPS)
    present = presence_of(counts, labels, favour, rng)
    people = rng.permutation(np.arange(CLIPS) % PEOPLE)
    _write_all(directory, labels, present, people, strengths, rng)
    return CLIPS


def _write_all(
    directory: Path,
    labels: NDArray[np.int64],
    present: NDArray[np.bool_],
    people: NDArray[np.int64],
    strengths: Strengths,
    rng: np.random.Generator,
) -> None:
    """The table and the scores; `people` (N,) numbers of persons."""
    ids = tuple(f"simulated_{number:05d}" for number in range(len(labels)))
    names = [f"person {person:02d}" for person in people]
    _write_table(directory / "table.csv", ids, labels, present, names)
    write_scores(directory / "actions.parquet", _action_scores(ids, present, strengths.actions, rng))
    write_scores(directory / "faces.parquet", _face_scores(ids, labels, strengths.faces, rng))
    write_detections(directory / "events.parquet", _events(ids, present, rng))


def simulate_for_clips(path: Path, labels_csv: Path, seed: int, strengths: Strengths | None = None) -> int:
    """Write a table for clips that there are, as `fidget benchmark simulate` makes them: emotions are drawn.

    Args:
        path: of the table.
        labels_csv: with the columns clip_id and class_name, MMA-82's actions; subject where there is one.
        seed: of the emotions.
        strengths: the defaults where None.

    Returns:
        How many clips.

    Raises:
        ValueError: columns are missing, or an action is none of MMA-82's.
        OSError: a file cannot be read or written.
    """
    strengths = strengths or Strengths()
    rows, rng = read_rows(labels_csv), np.random.default_rng(seed)
    lacking = [name for name in ("clip_id", "class_name") if name not in rows.columns]
    if lacking or not len(rows):
        raise ValueError(
            f"{labels_csv}: expected clips with the columns clip_id and class_name, as "
            f"fidget benchmark simulate writes them; missing: {', '.join(lacking) or 'clips'}"
        )
    first = {clip: row for row, clip in reversed(list(enumerate(rows.columns["clip_id"])))}
    order = sorted(first.values())
    ids = tuple(rows.columns["clip_id"][row] for row in order)
    actions = action_indices(tree("mma82"), [rows.columns["class_name"][row] for row in order])
    emotions = emotion_set("mma82").emotions
    chances = np.ones((len(tree("mma82").actions), len(emotions)))
    for name, beside in SHOWN_BESIDE.items():
        chances[list(action_indices(tree("mma82"), beside)), emotions.index(name)] = strengths.beside
    chances /= chances.sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(len(emotions), p=chances[action]) for action in actions])
    present = np.eye(len(chances), dtype=np.bool_)[list(actions)]
    people = rows.columns.get("subject", rows.columns["clip_id"])
    _write_table(path, ids, labels, present, [people[row] for row in order])
    return len(ids)


def _write_table(
    path: Path,
    ids: tuple[str, ...],
    labels: NDArray[np.int64],
    present: NDArray[np.bool_],
    people: Sequence[str],
) -> None:
    emotions, actions = emotion_set("mma82").emotions, tree("mma82").actions
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("clip_id", "emotion", "micro_actions", "subject", "simulated"))
        for clip, label, own, person in zip(ids, labels, present, people, strict=True):
            names = ";".join(actions[index] for index in np.flatnonzero(own))
            writer.writerow((clip, emotions[label], names, person, "true"))


def _action_scores(
    ids: tuple[str, ...], present: NDArray[np.bool_], clearness: float, rng: np.random.Generator
) -> ScoreFile:
    logits = clearness * present + rng.normal(0, 1, present.shape)
    return _scores(ids, logits, "mma82", METHOD_ACTIONS)


def _face_scores(
    ids: tuple[str, ...], labels: NDArray[np.int64], clearness: float, rng: np.random.Generator
) -> ScoreFile:
    """Over DeepFace's seven labels: mostly neutral, and for melancholy nothing to see but sadness."""
    emotions, own = emotion_set("mma82").emotions, emotion_set("deepface").emotions
    shown = {other: name for name, other in DEEPFACE_TO_MMA82.items() if other} | {"melancholy": "sad"}
    logits = rng.normal(0, 1, (len(ids), len(own)))
    logits[np.arange(len(ids)), [own.index(shown[emotions[label]]) for label in labels]] += clearness
    logits[:, own.index("neutral")] += 1.2
    grown = np.exp(logits)
    likely = (grown / grown.sum(axis=1, keepdims=True)).astype(np.float32)
    return ScoreFile(
        emotion_set("deepface").tree, ids, np.full(len(ids), NO_LABEL, np.int64), likely, METHOD_FACES
    )


def _scores(ids: tuple[str, ...], logits: NDArray[np.float64], name: str, method: str) -> ScoreFile:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely = (grown / grown.sum(axis=1, keepdims=True)).astype(np.float32)
    return ScoreFile(tree(name), ids, np.full(len(ids), NO_LABEL, np.int64), likely, method)


def _events(ids: tuple[str, ...], present: NDArray[np.bool_], rng: np.random.Generator) -> Detections:
    rows: list[tuple[str, float, float, int, float]] = []
    for clip, own in zip(ids, present, strict=True):
        seen = [*np.flatnonzero(own & (rng.random(own.shape) < 0.8)), *rng.integers(0, len(own), 2)]
        for action in seen:
            start = float(rng.uniform(0, _CLIP_S - 1))
            score = float(np.clip(rng.normal(0.6 if own[action] else 0.3, 0.15), 0.05, 1))
            rows.append((clip, start, start + float(rng.uniform(0.4, 2.5)), int(action), score))
    names, start_s, end_s, actions, scores = zip(*rows, strict=True)
    return Detections(
        tree("mma82"), names, np.array(start_s), np.array(end_s), np.array(actions, np.int64),
        np.array(scores), METHOD_EVENTS,
    )  # fmt: skip
