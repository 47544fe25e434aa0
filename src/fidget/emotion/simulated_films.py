"""Simulated films of emotions: people whose face and micro-actions tell a little of what they feel.

Each clip has an emotion. Its micro-actions are more often those that MMA-82's Sankey diagram shows beside it;
its face takes the emotion's expression, in some clips clearly, in others hardly, with noise on it. Body,
camera, pictures and poses are the simulator's. Nothing here is about people: expressions are the author's,
how much they tell is set by `FilmStrengths`.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from fidget.benchmark.simulator.clip import (
    LAYOUT,
    SimulationSettings,
    StagedClip,
    before_camera,
    estimated,
    make_subject,
    placed,
)
from fidget.benchmark.simulator.clip_plan import split_subjects
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT
from fidget.benchmark.simulator.render import RenderedClip
from fidget.benchmark.simulator.render_videos import SUFFIX, mark_videos, renderer_sha256, write_clip
from fidget.benchmark.simulator.simulate import in_order
from fidget.benchmark.simulator.untrimmed_motion import state_in_motion
from fidget.benchmark.simulator.untrimmed_plan import PlannedAction, PlannedRecording, in_the_way
from fidget.emotion.simulated import SHOWN_BESIDE
from poses.cache_schema import CacheMetadata, CacheRow, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.whole_file import replacing
from protocols.emotion_sets import emotion_set
from protocols.trees import action_indices, class_counts, tree

DOMAIN = "psychiatric"  # people who sit and talk, near enough for a face
EXPRESSIONS = {
    "anger": (-0.4, -0.9, 0.05, 0.9),
    "melancholy": (-0.5, 0.3, 0.0, 0.6),
    "disgust": (-0.8, -0.5, 0.15, 0.7),
    "fear": (-0.2, 0.8, 0.35, 1.0),
    "sad": (-0.9, 0.4, 0.0, 0.7),
    "happy": (0.9, 0.2, 0.1, 0.85),
    "surprise": (0.1, 1.0, 0.5, 1.0),
}
"""Emotion -> corners of the mouth (-1..1), brows (-1..1), mouth open, eyes open: ours."""

_LOWER = ("Shaking legs", "Crossing legs", "Placing hands on legs with elbows outward", "Patting legs")
_SHARES = {"train": 0.6, "val": 0.1, "test": 0.3}
FEWEST = 10  # clips, so that every split has some
_TRIES = 20
_AT_ONCE = 4


@dataclass(frozen=True)
class FilmStrengths:
    """How plain things are.

    Attributes:
        beside: times as often a micro-action comes with an emotion that it is shown beside.
        face: largest share of the emotion's expression that a face takes; each clip draws its own below it.
        face_noise: standard deviation of what the face does besides.
    """

    beside: float = 8.0
    face: float = 1.0
    face_noise: float = 0.25


@dataclass(frozen=True)
class FilmSettings:
    """What films are like.

    Attributes:
        frames: T.
        fps: frames a second.
        size: pixels of the shorter side, even.
    """

    frames: int = 45
    fps: int = 15
    size: int = 192


@dataclass(frozen=True)
class PlannedFilm:
    """One clip.

    Attributes:
        plan: who does what, when.
        emotion: index of MMA-82's.
        expression: mouth, brows, opening, eyes, as the clip's face has them.
    """

    plan: PlannedRecording
    emotion: int
    expression: tuple[float, float, float, float]


def pool_of_actions() -> tuple[int, ...]:
    """Micro-actions that films have: those of the Sankey diagram, and some of the legs."""
    names = dict.fromkeys(name for beside in SHOWN_BESIDE.values() for name in beside)
    there = set(tree("mma82").actions)
    return action_indices(tree("mma82"), [*names, *(name for name in _LOWER if name in there)])


def plan_films(
    clips: int, seed: int, strengths: FilmStrengths, settings: FilmSettings
) -> tuple[PlannedFilm, ...]:
    """Films of all splits; people stay in one of them.

    Raises:
        ValueError: fewer than `FEWEST` clips.
    """
    if clips < FEWEST:
        raise ValueError(f"expected at least {FEWEST} clips, so that every split has some, got {clips}")
    people = split_subjects(DOMAIN)
    emotions = emotion_set("mma82").emotions
    ends = np.round(np.cumsum(list(_SHARES.values())) * clips).astype(int)
    splits = np.array(list(_SHARES))[np.searchsorted(ends, np.arange(clips), side="right")]
    films = []
    for number, split in enumerate(splits.tolist()):
        rng = np.random.default_rng([seed, number, 91])
        names = people[split]
        subject = names[int(rng.integers(len(names)))]
        label = int(number % len(emotions))
        film_id = f"{DOMAIN}/{subject}/e{number + 1:05d}"
        empty = PlannedRecording(film_id, DOMAIN, subject, split, Fraction(settings.fps), settings.frames, ())
        plan = replace(empty, actions=_actions(empty, emotions[label], rng, strengths))
        share = strengths.face * rng.uniform()
        told = share * np.array(EXPRESSIONS[emotions[label]]) + (1 - share) * np.array((0, 0, 0, 1.0))
        told = told + rng.normal(0, strengths.face_noise, 4) * (1, 1, 0.3, 0.3)
        films.append(PlannedFilm(plan, label, tuple(told.tolist())))
    return tuple(films)


def _actions(
    plan: PlannedRecording, emotion: str, rng: np.random.Generator, strengths: FilmStrengths
) -> tuple[PlannedAction, ...]:
    pool = np.array(pool_of_actions())
    weights = np.sqrt(np.array(class_counts("mma82"), np.float64)[pool])
    weights[np.isin(pool, action_indices(tree("mma82"), SHOWN_BESIDE[emotion]))] *= strengths.beside
    wanted = 1 + int(rng.integers(3))
    chosen = rng.choice(pool, wanted, replace=False, p=weights / weights.sum())
    actions: list[PlannedAction] = []
    for action in chosen.tolist():
        side = LEFT if rng.random() < 0.4 else RIGHT
        for _ in range(_TRIES):
            length_s = float(rng.uniform(0.9, 1.6))
            start_s = round(float(rng.uniform(0.05, plan.duration_s - length_s - 0.05)), 3)
            one = PlannedAction(start_s, round(start_s + length_s, 3), action, action, side)
            if not any(in_the_way(one, other, plan.duration_s) for other in actions):
                actions.append(one)
                break
    return tuple(sorted(actions, key=lambda one: one.start_s))


def stage_film(film: PlannedFilm, seed: int, settings: SimulationSettings) -> StagedClip:
    """Body, face and camera of a film."""
    plan = film.plan
    rng = np.random.default_rng([seed, crc32(plan.recording_id.encode()), 1])
    person = make_subject(plan.domain, plan.subject, seed, settings.camera)
    time_s = (np.arange(plan.frames) / float(plan.fps)).astype(np.float32)
    state = state_in_motion(person, plan, time_s, rng)
    mouth, brow, opening, eyes = film.expression
    state.smile += np.float32(mouth)
    state.brow += np.float32(brow)
    state.mouth_open += np.float32(max(opening, 0.0))
    state.eyes *= np.float32(np.clip(eyes, 0.3, 1.0))
    np.clip(state.mouth_open, 0, 1, out=state.mouth_open)
    label = plan.actions[0].performed if plan.actions else 0
    body = placed(person, state)
    return before_camera(
        plan.recording_id, label, plan.subject, person, body, time_s, rng, settings, plan.fps
    )


def simulate_films(
    directory: Path,
    clips: int,
    seed: int = 0,
    workers: int = 1,
    strengths: FilmStrengths | None = None,
    settings: FilmSettings | None = None,
    on_clip: Callable[[], None] | None = None,
) -> int:
    """Write table.csv, the pose cache `poses` and the videos `videos`; go on with what was begun.

    Args:
        directory: is made.
        clips: how many.
        seed: of everything.
        workers: processes that draw.
        strengths: how plain emotions are; the defaults where None.
        settings: of the films.
        on_clip: called after each video.

    Returns:
        How many videos were made now.

    Raises:
        ValueError: too few clips, or a directory that holds something else.
        OSError: the place is read-only or full.
    """
    strengths, settings = strengths or FilmStrengths(), settings or FilmSettings()
    films = plan_films(clips, seed, strengths, settings)
    of_bodies = SimulationSettings(label_noise=0.0)
    said = {"clips": clips, "seed": seed, **asdict(settings), **asdict(strengths)}
    videos, digest = directory / "videos", films_sha256(films)
    directory.mkdir(parents=True, exist_ok=True)
    mark_videos(videos, {"simulated": True, "emotions": "mma82", **said, "renderer": digest})
    metadata = CacheMetadata(
        layout=LAYOUT,
        models={"simulator": digest},
        settings={"simulated": "true", **{name: str(value) for name, value in said.items()}},
    )
    with CacheWriter(directory / "poses", metadata) as writer:
        todo = [film for film in films if film.plan.recording_id not in writer]
        make = partial(_rows, seed=seed, settings=of_bodies, size=settings.size)
        for row in in_order(todo, make, workers, _AT_ONCE):
            writer.add(row)
    todo = [film for film in films if not _video(videos, film).exists()]
    write = partial(_write, root=videos, seed=seed, settings=of_bodies, size=settings.size)
    for _ in in_order(todo, write, workers, 1):
        if on_clip is not None:
            on_clip()
    _write_table(directory / "table.csv", films)
    return len(todo)


def films_sha256(films: tuple[PlannedFilm, ...]) -> str:
    """Over the simulator's source files, the function that stages films, and their plan."""
    content = f"{renderer_sha256()} {inspect.getsource(stage_film)} {films!r}"
    return hashlib.sha256(content.encode()).hexdigest()


def _rows(pack: list[PlannedFilm], seed: int, settings: SimulationSettings, size: int) -> list[CacheRow]:
    nowhere = SourceStamp("simulated", 0, 0)
    rows = []
    for film in pack:
        staged = stage_film(film, seed, settings)
        hw = RenderedClip(staged, seed, size).frame_hw
        rows.append(encode_clip(_as_filmed(estimated(staged), hw), nowhere))
    return rows


def _as_filmed(clip: PoseClip, hw: tuple[int, int]) -> PoseClip:
    """The poses in pixels of the video, which is smaller than what the estimator looked at."""
    scale = np.array([hw[1] / clip.frame_hw[1], hw[0] / clip.frame_hw[0]], np.float32)
    return replace(
        clip,
        xy_px=(clip.xy_px + 0.5) * scale - 0.5,
        box_px=(clip.box_px + 0.5) * np.tile(scale, 2) - 0.5,
        frame_hw=hw,
    )


def _write(
    pack: list[PlannedFilm], root: Path, seed: int, settings: SimulationSettings, size: int
) -> list[None]:
    emotions, names = emotion_set("mma82").emotions, tree("mma82").actions
    for film in pack:
        done = ", ".join(names[action.performed] for action in film.plan.actions)
        clip = RenderedClip(stage_film(film, seed, settings), seed, size)
        write_clip(_video(root, film), clip, f"{emotions[film.emotion]}: {done}")
    return [None] * len(pack)


def _video(root: Path, film: PlannedFilm) -> Path:
    return root / f"{film.plan.recording_id}{SUFFIX}"


def _write_table(path: Path, films: tuple[PlannedFilm, ...]) -> None:
    emotions, names = emotion_set("mma82").emotions, tree("mma82").actions
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("clip_id", "emotion", "micro_actions", "subject", "split", "simulated"))
        for film in films:
            plan = film.plan
            done = ";".join(names[action.performed] for action in plan.actions) or "none"
            writer.writerow((
                plan.recording_id, emotions[film.emotion], done, plan.subject, plan.split, "true"
            ))  # fmt: skip
