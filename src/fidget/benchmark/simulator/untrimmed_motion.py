"""A body that does several actions in succession and at once, and is idle between them.

Each action is the motion of the trimmed clips over its own frames, added to what the body does else. It
begins at its start and has come to rest at its end: a motion that is cut off there (a hand still up,
as a trimmed clip may end) comes up or goes down within its time. A change of posture is led up to before and
undone behind it, slowly, which no label counts. At the two ends of a recording nothing has to come to rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator.body import PlacedBody
from fidget.benchmark.simulator.clip import (
    SimulationSettings,
    StagedClip,
    Subject,
    before_camera,
    body_at_rest,
    make_subject,
    placed,
)
from fidget.benchmark.simulator.domains import draw_rest
from fidget.benchmark.simulator.idle import MICRO_MOTIONS, MICRO_PER_S, add_idle
from fidget.benchmark.simulator.motions import MOTIONS
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, Array, PoseState, Reach, Timing, smooth_step
from fidget.benchmark.simulator.untrimmed_parts import (
    HEAD,
    LEFT_HAND,
    LEGS,
    POSTURES,
    RIGHT_HAND,
    TRUNK,
    parts_of,
)
from fidget.benchmark.simulator.untrimmed_plan import PlannedAction, PlannedRecording, moving_s

_RAMP_S = 0.45  # in which a motion that is cut off comes up or goes down
_LONGEST_RAMP = 0.35  # of the action
_EDGE_S = 0.07  # from the ends of a recording: two frames
_STILL = 1e-3  # radians, metres or shares that nobody sees
_SHIFTS_PER_S = 0.03  # hands that are laid elsewhere, which is no action
_PART_OF_MICRO = {"head": (HEAD,), "body": (TRUNK,), "hand": (LEFT_HAND, RIGHT_HAND), "leg": (LEGS,)}


def stage_recording(plan: PlannedRecording, seed: int, settings: SimulationSettings) -> StagedClip:
    """Body and camera of a recording; its label is that of the first action."""
    rng = np.random.default_rng([seed, crc32(plan.recording_id.encode()), 1])
    person = make_subject(plan.domain, plan.subject, seed, settings.camera)
    time_s = (np.arange(plan.frames) / float(plan.fps)).astype(np.float32)
    body = _body_in_motion(person, plan, time_s, rng)
    label = plan.actions[0].performed if plan.actions else 0
    return before_camera(
        plan.recording_id, label, plan.subject, person, body, time_s, rng, settings, plan.fps
    )


def state_in_motion(
    person: Subject, plan: PlannedRecording, time_s: NDArray[np.float32], rng: np.random.Generator
) -> PoseState:
    """All that moves; actions have draws of their own, so none changes with the others."""
    state = body_at_rest(person, len(time_s), rng)
    busy = [
        (part, *moving_s(action, plan.duration_s))
        for action in plan.actions
        for part in parts_of(action.performed, action.side)
    ]
    _lay_hands_elsewhere(state, person, time_s, busy, rng)
    at_rest = state.values.copy()
    own_time = Timing(time_s * np.float32(person.style.tempo), 0.0, 1.0)
    add_idle(state, own_time, rng, person.style)
    _add_small_motions(state, person, time_s, busy, rng)
    for number, action in enumerate(plan.actions):
        draws = int(rng.integers(2**31)), round(1000 * action.start_s), action.performed, number
        add_action(state, at_rest, person, plan, action, time_s, draws)
    np.clip(state.curl, 0, 1, out=state.curl)
    np.clip(state.eyes, 0, 1, out=state.eyes)
    np.clip(state.mouth_open, 0, 1, out=state.mouth_open)
    return state


def _body_in_motion(
    person: Subject, plan: PlannedRecording, time_s: NDArray[np.float32], rng: np.random.Generator
) -> PlacedBody:
    return placed(person, state_in_motion(person, plan, time_s, rng))


def add_action(
    state: PoseState,
    at_rest: Array,
    person: Subject,
    plan: PlannedRecording,
    action: PlannedAction,
    time_s: Array,
    draws: tuple[int, ...],
) -> None:
    """Add one action to a state, over the frames in which it moves."""
    begin_s, end_s = moving_s(action, plan.duration_s)
    from_first, to_last = _at_edges(action, plan)
    inside = np.flatnonzero(((time_s >= begin_s) | from_first) & ((time_s <= end_s) | to_last))
    if not len(inside):
        return
    frames = slice(int(inside[0]), int(inside[-1]) + 1)
    tempo = person.style.tempo
    own_s = ((time_s[frames] - np.float32(action.start_s)) * np.float32(tempo)).astype(np.float32)
    timing = Timing(own_s, 0.0, (action.end_s - action.start_s) * tempo)
    local = _performed(state, at_rest[frames], person, action, timing, draws)
    if action.performed in POSTURES:  # a change that begins some time into the action begins with it
        late_s = _onset_s(local, own_s)
        timing = replace(timing, time_s=own_s + np.float32(late_s))
        local = _performed(state, at_rest[frames], person, action, timing, draws)
    up, down = _ramps(action, plan, time_s[frames])
    change = local.values - at_rest[frames]  # (t, WIDTH)
    change[:, np.abs(change[0]) > _STILL] *= up[:, None]
    change[:, np.abs(change[-1]) > _STILL] *= down[:, None]
    state.values[frames] += change
    for side in (LEFT, RIGHT):
        for reach in local.reaches[side]:
            weight = reach.weight * (up if reach.weight[0] > _STILL else 1)
            weight = weight * (down if reach.weight[-1] > _STILL else 1)
            state.reaches[side].append(_over_all(reach, weight, frames, state.frames))


def _performed(
    state: PoseState,
    at_rest: Array,
    person: Subject,
    action: PlannedAction,
    timing: Timing,
    draws: tuple[int, ...],
) -> PoseState:
    """The motion alone, over its own frames; the same at each call."""
    rng = np.random.default_rng(draws)
    local = PoseState(len(at_rest), state.posture)
    local.values[:] = at_rest
    amplitude = person.style.amplitude * float(np.clip(rng.lognormal(0, 0.15), 0.7, 1.4))
    MOTIONS[action.performed](local, timing, rng, action.side, amplitude)
    return local


def _onset_s(local: PoseState, own_s: Array) -> float:
    """When, after an action's beginning, what it moves leaves its first place; 0 where it does not."""
    moved = (np.abs(local.values - local.values[0]) > _STILL).any(axis=1) & (own_s > 0)
    return float(own_s[np.argmax(moved)]) if moved.any() else 0.0


def _at_edges(action: PlannedAction, plan: PlannedRecording) -> tuple[bool, bool]:
    """Whether an action goes on when the recording begins, and when it ends."""
    begin_s, end_s = moving_s(action, plan.duration_s)
    return begin_s < _EDGE_S, end_s > plan.duration_s - _EDGE_S


def _ramps(action: PlannedAction, plan: PlannedRecording, time_s: Array) -> tuple[Array, Array]:
    """(t,) twice: how what is there at first comes up, and how what is there at last goes down."""
    begin_s, end_s = moving_s(action, plan.duration_s)
    ramp_s = min(_RAMP_S, _LONGEST_RAMP * (action.end_s - action.start_s))
    up, down = np.ones_like(time_s), np.ones_like(time_s)
    from_first, to_last = _at_edges(action, plan)
    if not from_first:
        length_s = max(action.start_s - begin_s, ramp_s)
        up = smooth_step((time_s - np.float32(begin_s)) / np.float32(length_s))
    if not to_last:
        length_s = max(end_s - action.end_s, ramp_s)
        down = smooth_step((np.float32(end_s) - time_s) / np.float32(length_s))
    return up, down


def _over_all(reach: Reach, weight: Array, frames: slice, whole: int) -> Reach:
    """A reach of some frames as one of the whole recording, where it weighs nothing else."""
    weights = np.zeros(whole, np.float32)
    weights[frames] = weight

    def spread(values: Array | None) -> Array | None:
        if values is None or values.ndim == 1:
            return values
        behind = whole - frames.stop
        return np.pad(values, ((frames.start, behind), (0, 0)), mode="edge")

    offset = spread(reach.offset)
    assert offset is not None
    return Reach(
        reach.place, weights, offset, spread(reach.fingers), spread(reach.palm), reach.contact, reach.arc
    )


_Busy = Sequence[tuple[str, float, float]]


def _free(busy: _Busy, parts: Sequence[str], begin_s: float, end_s: float) -> bool:
    """Whether no action moves one of these parts in that time."""
    return not any(part in parts and end_s > first and begin_s < last for part, first, last in busy)


def _lay_hands_elsewhere(
    state: PoseState, person: Subject, time_s: Array, busy: _Busy, rng: np.random.Generator
) -> None:
    """Now and then a resting hand goes to another resting place, and stays there."""
    setting = person.setting
    whole_s = float(time_s[-1])
    for side, part in ((LEFT, LEFT_HAND), (RIGHT, RIGHT_HAND)):
        for _ in range(int(rng.poisson(_SHIFTS_PER_S * whole_s))):
            at_s, length_s = rng.uniform(0, whole_s), rng.uniform(0.6, 1.1)
            place = draw_rest(setting.domain, setting.posture, rng)
            offset = rng.normal(0, (0.03, 0.01, 0.03))
            if _free(busy, (part,), at_s, at_s + length_s):
                state.reach(side, place, smooth_step((time_s - at_s) / length_s), offset)


def _add_small_motions(
    state: PoseState, person: Subject, time_s: Array, busy: _Busy, rng: np.random.Generator
) -> None:
    """The small motions of trimmed clips, of parts that no action moves at that time."""
    whole_s = float(time_s[-1])
    for _ in range(int(rng.poisson(MICRO_PER_S * person.style.restlessness * whole_s))):
        at_s, width_s = rng.uniform(0, whole_s), rng.uniform(0.15, 0.4)
        part, motion = MICRO_MOTIONS[int(rng.integers(len(MICRO_MOTIONS)))]
        if _free(busy, _PART_OF_MICRO.get(part, ()), at_s - 2 * width_s, at_s + 2 * width_s):
            motion(state, np.exp(-(((time_s - at_s) / width_s) ** 2)).astype(np.float32), rng)
