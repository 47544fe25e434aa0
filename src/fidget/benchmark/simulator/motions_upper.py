"""Arms and hands on their own: gestures with a meaning, and gestures while speaking.

The other upper-limb actions, in which two hands meet, are in `motions_hands_together.py`.
"""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator.hand_shapes import draw_sides, look, other, shape_hand, toward, xyz
from fidget.benchmark.simulator.pose_state import INDEX, LEFT, PITCH, RIGHT, PoseState, Timing
from fidget.benchmark.simulator.timing import arrive, bursts, oscillation, pulses, visit, wander
from fidget.benchmark.simulator.touching import raise_hand, stroke

_UPRIGHT, _TO_VIEWER = (-0.1, 1.0, 0.1), (-0.1, 0.05, 1.0)


def pointing(state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float) -> None:
    """A straight index finger goes out, forward or to one side, with a jab or two."""
    weight = visit(timing, rng, (0.3, 0.55), (0.3, 0.5))
    aside, up = rng.uniform(-0.25, 0.7), rng.uniform(-0.1, 0.35)
    jab = 0.05 * amplitude * pulses(timing, rng, (1, 3), (0.2, 0.35))
    way = np.float32([aside, up, 1.0]) / np.linalg.norm([aside, up, 1.0])
    at = np.float32([0.05, 0.1, 0.08]) + np.multiply.outer(0.12 * amplitude + jab, way)
    shape_hand(state, side, "point", weight)
    state.reach(side, "side_front", weight, at, fingers=way, palm=(-0.6, -0.75, 0.0), contact="index")
    look(state, weight, pitch=-0.1 * up, yaw=toward(side) * 0.3 * aside)


def illustrative_gestures(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Open hands draw in the air what is being said, with beats; no figure is repeated."""
    speech = timing.envelope(0.2, 0.2)
    beat = pulses(timing, rng, (2, 5), (0.2, 0.4))
    for hand in draw_sides(rng, side, both=0.65):
        weight = visit(timing, rng, (0.3, 0.6), (0.3, 0.6), unfinished=0.35, begun=0.3)
        way = wander(timing, rng, (0.35, 1.1), 3) * np.float32([0.055, 0.045, 0.05]) * amplitude
        way[:, 1] -= 0.07 * amplitude * beat
        way += np.float32([rng.uniform(-0.1, 0.05), rng.uniform(-0.08, 0.08), rng.uniform(-0.06, 0.04)])
        shape_hand(state, hand, "open" if rng.random() < 0.6 else "loose", weight)
        state.reach(hand, "side_front", weight, way)
        state.wrist_twist[:, hand] += weight * (0.35 + 0.3 * wander(timing, rng, (0.3, 1.0))[:, 0])
        state.wrist_bend[:, hand] += weight * 0.25 * wander(timing, rng, (0.4, 1.2))[:, 0]
        state.curl[:, hand] += (weight * 0.12 * wander(timing, rng, (0.4, 1.0))[:, 0])[:, None]
    state.head[:, PITCH] += 0.05 * beat * speech
    state.mouth_open += 0.3 * (0.5 + 0.5 * oscillation(timing, rng, (3, 4.5))) * speech


def _show(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, shape: str, height_m: float
) -> None:
    """Hold a hand shape up for the viewer, palm forward, with a little emphasis."""
    weight = visit(timing, rng, (0.45, 0.7), (0.4, 0.65))
    push = 0.02 * pulses(timing, rng, (1, 2))
    where = xyz(rng.uniform(-0.06, 0.05), height_m + rng.uniform(-0.04, 0.05), push - 0.08)
    shape_hand(state, side, shape, weight)
    raise_hand(state, side, "side_front", weight, where, _UPRIGHT, _TO_VIEWER, "palm")


def ok_gestures(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Thumb and index finger make a ring, the other three stand up."""
    _show(state, timing, rng, side, "ok", 0.13)


def thumbs_up(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A fist in front of the chest with the thumb up."""
    for hand in draw_sides(rng, side, both=0.15):
        weight = visit(timing, rng, (0.45, 0.7), (0.4, 0.65))
        nod = 0.03 * amplitude * pulses(timing, rng, (1, 2))
        shape_hand(state, hand, "thumb", weight)
        at = xyz(rng.uniform(-0.1, 0.0), rng.uniform(-0.02, 0.06), nod)
        state.reach(hand, "side_front", weight, at, (-0.45, 0.05, 0.9), (-0.9, 0.0, -0.45), contact="palm")


def v_gestures(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Index and middle finger spread, near the face."""
    _show(state, timing, rng, side, "v", 0.22)
    look(state, timing.envelope(), pitch=0.0, roll=toward(side) * 0.1)


def waving(state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float) -> None:
    """An open hand at the height of the head goes from side to side."""
    weight = visit(timing, rng, (0.45, 0.7), (0.4, 0.65))
    wave = oscillation(timing, rng, (1.8, 3.2), cycles=2) * weight * amplitude
    at = xyz(0.08 + 0.075 * wave, rng.uniform(0.24, 0.34), -0.1)
    shape_hand(state, side, "open", weight)
    raise_hand(state, side, "side_front", weight, at, _UPRIGHT, _TO_VIEWER, "wrist")
    state.wrist_side[:, side] -= 0.4 * wave


def other_symbolic_gestures(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A sign that is none of the named ones: stop, call me, a raised fist, fingers crossed."""
    sign = rng.choice(["open", "phone", "fist", "crossed"], p=[0.4, 0.25, 0.2, 0.15])
    weight = visit(timing, rng, (0.45, 0.7), (0.4, 0.65))
    shape_hand(state, side, str(sign), weight)
    if sign == "open":  # a flat palm is pushed forward, fingers together
        state.spread[:, side] *= 1 - weight
        push = 0.1 * amplitude * pulses(timing, rng, (1, 2), (0.3, 0.5))
        at = xyz(-0.08, 0.08, 0.02 + push)
        raise_hand(state, side, "side_front", weight, at, (-0.1, 1.0, -0.25), (-0.1, 0.2, 1.0), "palm")
    else:
        shake = 0.3 * oscillation(timing, rng, (1.5, 2.5)) * weight
        at = xyz(0.04, 0.12 + 0.04 * pulses(timing, rng, (1, 3)), -0.04)
        palm = (-0.3, 0.0, -1.0) if sign == "phone" else _TO_VIEWER
        raise_hand(state, side, "side_front", weight, at, (-0.25, 1.0, 0.1), palm, "palm")
        state.wrist_twist[:, side] += shake if sign == "phone" else 0.2 * shake


def clenching_fists(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Fingers close to a fist, held or several times; the hand stays low and the arm tightens."""
    tight = (
        visit(timing, rng, (0.25, 0.45), (0.25, 0.45))
        if rng.random() < 0.5
        else pulses(timing, rng, (2, 3), (0.4, 0.6))
    )
    low = timing.envelope(0.3, 0.3)
    for hand in draw_sides(rng, side, both=0.5):
        shape_hand(state, hand, "fist", np.minimum(tight, 1))
        state.reach(hand, "side_front", 0.45 * low, xyz(-0.03, -0.08 + 0.02 * tight, -0.12), contact="palm")
        state.wrist_bend[:, hand] += 0.3 * tight
        state.elbow_out[:, hand] += 0.15 * tight


def spreading_hands(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Both hands open outward, palms up."""
    weight = visit(timing, rng, (0.35, 0.6), (0.35, 0.6))
    open_ = arrive(timing, rng, (0.4, 0.7), latest=0.15)
    for hand in (LEFT, RIGHT):
        shape_hand(state, hand, "open", weight)
        at = xyz((0.26 * open_ - 0.12) * amplitude, rng.uniform(-0.12, -0.02), -0.06 - 0.02 * open_)
        way = np.stack([0.1 + 0.6 * open_, np.full_like(open_, 0.1), np.full_like(open_, 0.8)], axis=1)
        state.reach(hand, "side_front", weight, at, way, palm=(-0.1, 1.0, 0.1), contact="palm")
    state.shoulder_raise += (0.012 * weight * open_)[:, None]


def shaking(state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float) -> None:
    """A loose hand is shaken out, quickly, from the wrist."""
    for hand in draw_sides(rng, side, both=0.35):
        weight = visit(timing, rng, (0.25, 0.45), (0.25, 0.45))
        wave = oscillation(timing, rng, (4.0, 5.8), cycles=3) * bursts(timing, rng, (0.7, 1.5)) * weight
        shape_hand(state, hand, "loose", weight)
        at = xyz(0.0, -0.02 + 0.03 * amplitude * wave, -0.04)
        state.reach(hand, "side_front", weight, at, (-0.1, -0.25, 1.0), (-0.2, -1.0, -0.2), contact="wrist")
        state.wrist_bend[:, hand] += 0.6 * amplitude * wave


def wrist_movements(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The hand circles slowly about the wrist, the forearm stays."""
    for hand in draw_sides(rng, side, both=0.3):
        weight = visit(timing, rng, (0.3, 0.5), (0.3, 0.5))
        hz = (0.8, 1.5)
        bend, aside = (oscillation(timing, rng, hz, cycles=1.5, phase=p) for p in (0.0, np.pi / 2))
        shape_hand(state, hand, "cupped", weight)
        state.reach(
            hand, "side_front", weight, xyz(-0.03, -0.04, -0.12), (-0.2, 0.6, 0.8), (-0.4, -0.8, 0.6), "wrist"
        )
        state.wrist_bend[:, hand] += 0.75 * amplitude * weight * bend
        state.wrist_side[:, hand] += 0.45 * amplitude * weight * aside
        state.wrist_twist[:, hand] += 0.5 * amplitude * weight * aside


def other_hand_movements(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A hand is turned over above the lap, palm up and down, or drums with its fingers."""
    weight = visit(timing, rng, (0.3, 0.5), (0.3, 0.5))
    state.reach(side, "lap", weight, xyz(0.1, 0.09, 0.06), fingers=(-0.15, 0.1, 1.0), palm=(-0.2, -1.0, 0.0))
    if rng.random() < 0.65:
        turn = 0.5 - 0.5 * oscillation(timing, rng, (0.5, 1.0), phase=np.pi / 2)
        shape_hand(state, side, "open", weight)
        state.wrist_twist[:, side] += 2.2 * np.clip(turn, 0, 1) * weight * amplitude
    else:
        rate = rng.uniform(1.6, 2.4)
        waves = np.stack([timing.swing(rate, -0.7 * finger) for finger in range(4)], axis=1)
        state.curl[:, side, INDEX:] += 0.4 * amplitude * weight[:, None] * waves


def pulling_collar(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Fingers take the collar and pull it away from the neck, twice or more."""
    weight = visit(timing, rng)
    tug = 0.5 + 0.5 * oscillation(timing, rng, (1.0, 2.0), cycles=1.5, phase=-np.pi / 2)
    shape_hand(state, side, "pinch", weight)
    away = xyz(0.01 * tug, -0.01 * tug, 0.01 + 0.055 * amplitude * tug)
    state.reach(side, "collar", weight, away, contact="index")
    look(state, weight, pitch=-0.12, roll=-toward(side) * 0.08)


def checking_time(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The wrist with the watch comes up in front of the chest, the head bends to it."""
    wrist = LEFT if rng.random() < 0.85 else RIGHT
    weight = visit(timing, rng, (0.4, 0.65), (0.35, 0.6))
    at = xyz(rng.uniform(-0.02, 0.06), rng.uniform(-0.04, 0.06), -0.08)
    state.reach(
        wrist, "front", weight, at, fingers=(-1.0, 0.1, 0.15), palm=(0.0, -0.8, -0.6), contact="wrist"
    )
    shape_hand(state, wrist, "cupped", weight)
    if rng.random() < 0.4:  # the other hand pulls back the sleeve
        shape_hand(state, other(wrist), "pinch", weight)
        state.reach(other(wrist), "far_wrist", weight, contact="index")
    state.elbow_out[:, wrist] += 0.3 * weight
    look(state, weight, pitch=0.42 * amplitude, yaw=toward(wrist) * 0.05)


def scratching_arms(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The fingers of one hand scratch the other arm, which is held in front of the body."""
    weight = visit(timing, rng, (0.4, 0.6), (0.35, 0.6))
    place = str(rng.choice(["far_forearm", "far_upper_arm", "far_elbow"], p=[0.5, 0.3, 0.2]))
    held = weight * (0.7 if place == "far_forearm" else 0.35)
    state.reach(other(side), "belly", held, xyz(0.08, 0.02, 0.1), (-0.85, 0.1, 0.5), (-0.2, -0.5, -0.9))
    stroke(state, timing, rng, side, place, weight, xyz(0.012, 0.032, 0.0) * amplitude, shape="claw")
    look(state, weight, pitch=0.15, yaw=-toward(side) * 0.1)


def retracting_and_stretching_arms(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Both arms go straight out, forward or above the head, and are drawn in again."""
    weight = visit(timing, rng, (0.45, 0.7), (0.45, 0.7))
    far = pulses(timing, rng, (1, 2), (0.7, 1.1)) * amplitude
    overhead = rng.random() < 0.3
    for hand in (LEFT, RIGHT):
        shape_hand(state, hand, "flat", weight)
        if overhead:
            at, way = xyz(-0.08, 0.62 * far, 0.02 - 0.22 * far), (-0.2, 1.0, 0.1)
            raise_hand(state, hand, "side_front", weight, at, way, (-0.3, 0.2, 1.0), "wrist")
        else:
            at, way = xyz(-0.08, 0.02 + 0.1 * far, -0.16 + 0.32 * far), (-0.1, 0.1, 1.0)
            state.reach(hand, "side_front", weight, at, way, palm=(-0.2, -1.0, 0.0), contact="wrist")
    state.torso[:, PITCH] += (-0.12 if overhead else 0.06) * far


def hands_behind_back(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Both hands go behind the back and stay there."""
    for hand in (LEFT, RIGHT):
        weight = visit(timing, rng, (0.5, 0.8), (0.5, 0.8), unfinished=0.5, begun=0.3)
        state.reach(hand, "side", np.clip(2 * weight, 0, 1), xyz(0.05, 0.12, -0.05))
        state.reach(hand, "behind", weight, arc=-0.02)
        shape_hand(state, hand, "cupped", weight)
        state.shoulder_forward[:, hand] -= 0.03 * weight
    state.chest[:, PITCH] -= 0.04 * timing.envelope()
