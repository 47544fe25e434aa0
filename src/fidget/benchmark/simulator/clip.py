"""One simulated clip: a subject in a domain does an action before a camera, and an estimator looks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator.body import PlacedBody, place_frames, rest_ankles
from fidget.benchmark.simulator.camera import Camera
from fidget.benchmark.simulator.clip_plan import FPS
from fidget.benchmark.simulator.domains import Setting, clip_camera, domain_named, draw_rest, draw_setting
from fidget.benchmark.simulator.estimator_noise import NoiseLevel, estimate
from fidget.benchmark.simulator.motions import apply_motion
from fidget.benchmark.simulator.pose_state import LEFT, PITCH, RIGHT, ROLL, YAW, PoseState
from fidget.benchmark.simulator.style import MotionStyle, draw_style
from fidget.benchmark.simulator.subjects import Build, draw_build
from poses.clip import PoseClip
from poses.layout import get_layout

LAYOUT = "coco_wholebody133"
_OTHER_REST = 0.25  # share of clips in which a hand rests elsewhere than usual


@dataclass(frozen=True)
class SimulationSettings:
    """What decides, with the seed, how every clip looks; 1 leaves a domain as it is.

    Attributes:
        camera: how far cameras stand aside and wander, 0 puts all before the subject and still.
        noise: size of the estimator's errors, 0 gives true joints.
        missing: rates of lost parts and occluders, 0 loses only what is outside the picture.
        label_noise: share of clips whose label is another clip's.

    Raises:
        ValueError: a number outside its range.
    """

    camera: float = 1.0
    noise: float = 1.0
    missing: float = 1.0
    label_noise: float = 0.02

    def __post_init__(self) -> None:
        for name, largest in (("camera", 3.0), ("noise", 20.0), ("missing", 20.0), ("label_noise", 1.0)):
            got = getattr(self, name)
            if not 0 <= got <= largest:
                raise ValueError(f"{name}: expected a number within 0..{largest:g}, got {got}")


@dataclass(frozen=True)
class Subject:
    """A person: body, way of moving, and where they are recorded."""

    build: Build
    style: MotionStyle
    setting: Setting


@lru_cache(maxsize=1024)
def make_subject(domain: str, subject: str, seed: int, camera: float = 1.0) -> Subject:
    """The person of a name; the same for every clip and in every process."""
    rng = np.random.default_rng([seed, crc32(subject.encode())])
    where = domain_named(domain)
    return Subject(
        draw_build(rng),
        draw_style(rng, where.amplitude, where.restlessness),
        draw_setting(where, rng, camera),
    )


@dataclass(frozen=True, eq=False)
class StagedClip:
    """What is before the camera, and where that stands; nobody has looked yet.

    Attributes:
        clip_id: its name.
        label: the action that is done.
        subject: name of the person.
        person: who.
        body: in space, true.
        camera: of the clip.
        level: of the estimator's noise; it says whether a thing stands before the body.
        drawn: state of the clip's generator, from which the estimator draws on.
        fps: frames a second.
    """

    clip_id: str
    label: int
    subject: str
    person: Subject
    body: PlacedBody
    camera: Camera
    level: NoiseLevel
    drawn: dict[str, object]
    fps: Fraction = Fraction(FPS)

    def rng(self) -> np.random.Generator:
        """A generator where the estimator's draws begin; a new one each time."""
        rng = np.random.default_rng(0)
        rng.bit_generator.state = self.drawn
        return rng


def stage_clip(
    clip_id: str,
    label: int,
    frames: int,
    domain: str,
    subject: str,
    seed: int,
    settings: SimulationSettings,
) -> StagedClip:
    """Body and camera of a clip; arguments as of `simulate_clip`."""
    rng = np.random.default_rng([seed, crc32(clip_id.encode()), 1])
    person = make_subject(domain, subject, seed, settings.camera)
    time_s = np.arange(frames, dtype=np.float32) / np.float32(FPS)
    body = body_in_motion(person, label, time_s, rng)
    return before_camera(clip_id, label, subject, person, body, time_s, rng, settings)


def before_camera(
    clip_id: str,
    label: int,
    subject: str,
    person: Subject,
    body: PlacedBody,
    time_s: NDArray[np.float32],
    rng: np.random.Generator,
    settings: SimulationSettings,
    fps: Fraction = Fraction(FPS),
) -> StagedClip:
    """Put a camera before a moving body, and draw how badly the estimator sees it."""
    place = person.setting.domain
    camera = clip_camera(person.setting, time_s, rng, settings.camera, settings.camera)
    level = NoiseLevel(
        noise=place.noise * settings.noise,
        resolution_px=place.resolution_px,
        drop_per_s=place.drop_per_s * settings.missing,
        occluder=bool(rng.random() < place.occluder * settings.missing),
        swap=bool(rng.random() < place.swap * settings.noise),
    )
    return StagedClip(
        clip_id, label, subject, person, body, camera, level, dict(rng.bit_generator.state), fps
    )


def simulate_clip(
    clip_id: str,
    label: int,
    frames: int,
    domain: str,
    subject: str,
    seed: int,
    settings: SimulationSettings,
) -> PoseClip:
    """The clip of an id; it depends on its arguments alone.

    Args:
        clip_id: every draw of this clip comes from it and the seed.
        label: the action that is done.
        frames: T.
        domain: where.
        subject: who.
        seed: of the data set.
        settings: of cameras and noise.
    """
    return estimated(stage_clip(clip_id, label, frames, domain, subject, seed, settings))


def estimated(staged: StagedClip) -> PoseClip:
    """What the estimator makes of a staged clip."""
    place = staged.person.setting.domain
    true_px, depth_m = staged.camera.project(staged.body.joints_m)
    fps = float(staged.fps)
    xy_px, score = estimate(true_px, depth_m, place.frame_hw, staged.level, staged.rng(), fps)
    return PoseClip(
        clip_id=staged.clip_id,
        layout=get_layout(LAYOUT),
        xy_px=xy_px[None],
        score=score[None],
        box_px=_boxes(xy_px, place.frame_hw)[None],
        time_s=np.arange(len(xy_px)) / fps,
        frame_hw=place.frame_hw,
        fps=staged.fps,
        track_ids=np.zeros(1, np.int64),
    )


def body_in_motion(
    person: Subject, label: int, time_s: NDArray[np.float32], rng: np.random.Generator
) -> PlacedBody:
    """A person who does an action."""
    state = body_at_rest(person, len(time_s), rng)
    apply_motion(state, label, rng, time_s, person.style)
    return placed(person, state)


def body_at_rest(person: Subject, frames: int, rng: np.random.Generator) -> PoseState:
    """A person who does nothing, as the clip's own draws make them sit or stand."""
    setting = person.setting
    state = PoseState(frames, setting.posture)
    for side in (LEFT, RIGHT):
        place = setting.rests[side]
        if rng.random() < _OTHER_REST:
            place = draw_rest(setting.domain, setting.posture, rng)
        offset = rng.normal(0, (0.03, 0.01, 0.03))
        state.reach(side, place, offset=offset)
        state.curl[:, side] += rng.uniform(-0.1, 0.15, 5).astype(np.float32)
    state.torso[:, PITCH] += setting.lean + rng.normal(0, 0.025)
    state.torso[:, ROLL] += rng.normal(0, 0.025)
    state.head[:, PITCH] += setting.chin + rng.normal(0, 0.04)
    state.head[:, YAW] += rng.normal(0, 0.08)
    state.head[:, ROLL] += rng.normal(0, 0.03)
    state.foot[:, :, :] += rng.normal(0, (0.02, 0.0, 0.03), (2, 3)).astype(np.float32)
    return state


def placed(person: Subject, state: PoseState) -> PlacedBody:
    """A person's state as joints in space."""
    setting = person.setting
    ankles = rest_ankles(person.build, setting.posture, setting.apart, setting.ahead)
    return place_frames(state, person.build, ankles)


def _boxes(xy_px: NDArray[np.float32], frame_hw: tuple[int, int]) -> NDArray[np.float32]:
    """(T, 4) around what was found, with a tenth of the larger side of room; NaN where nothing was."""
    found = np.isfinite(xy_px[..., 0])
    low = np.where(found[..., None], xy_px, np.inf).min(axis=1)
    high = np.where(found[..., None], xy_px, -np.inf).max(axis=1)
    room = 0.1 * (high - low).max(axis=1, keepdims=True)
    limit = np.array([frame_hw[1] - 1, frame_hw[0] - 1], np.float32)
    boxes = np.concatenate([np.maximum(low - room, 0), np.minimum(high + room, limit)], axis=1)
    boxes[~found.any(axis=1)] = np.nan
    return boxes.astype(np.float32)
