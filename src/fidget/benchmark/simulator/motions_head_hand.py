"""The fourteen actions in which a hand goes to the head; each has its own place, hand and stroke."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator.hand_shapes import draw_sides, look, other, shape_hand, toward, xyz
from fidget.benchmark.simulator.pose_state import PoseState, Timing, smooth_step
from fidget.benchmark.simulator.timing import oscillation, pulses, visit
from fidget.benchmark.simulator.touching import lie, stroke, touch_or_scratch

_TO_EYES = (-0.3, -0.3, -0.9)


def scratching_or_touching_forehead(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Finger tips on the forehead, wiping across it or scratching."""
    size = xyz(0.028, 0.006, 0.0) * amplitude
    weight = touch_or_scratch(state, timing, rng, side, "forehead", size, 0.55)
    look(state, weight, pitch=0.14, yaw=toward(side) * 0.05)


def rubbing_eyes(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A knuckle or finger goes round on the shut eye; sometimes both hands on both eyes."""
    weight = visit(timing, rng)
    hz = (1.8, 3.2)
    around, up = (oscillation(timing, rng, hz, cycles=2, phase=p) * weight for p in (0.0, np.pi / 2))
    way = xyz(0.014 * amplitude * around, 0.011 * amplitude * up, 0.0)
    for hand in draw_sides(rng, side, both=0.35):
        shape_hand(state, hand, "two", weight)
        state.reach(hand, "eye", weight, way, contact="index")
    state.eyes *= 1 - weight
    look(state, weight, pitch=0.16)


def covering_eyes(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A flat hand lies over both eyes, or two hands do; nothing is rubbed, the head sinks."""
    weight = visit(timing, rng, (0.4, 0.7), (0.4, 0.7), unfinished=0.35)
    hands = draw_sides(rng, side, both=0.45)
    for hand in hands:
        if len(hands) == 2:
            at, way = (0.0, 0.0, 0.012), (-0.25, 0.95, -0.1)
        else:
            at, way = (-0.015, 0.0, 0.014), (-0.8, 0.55, -0.1)
        lie(state, timing, rng, hand, "eye", weight, at, "flat", way, (0.0, -0.1, -1.0), "palm")
    state.eyes *= 1 - weight
    look(state, weight, pitch=rng.uniform(0.18, 0.35))


def pushing_glasses(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """One finger comes to the bridge of the nose, or finger and thumb to the frame, and pushes up."""
    weight = visit(timing, rng, (0.35, 0.5), (0.3, 0.5), unfinished=0.1, begun=0.05)
    push = pulses(timing, rng, (1, 2), (0.2, 0.35)) * weight * amplitude
    bridge = rng.random() < 0.65
    if bridge:
        shape_hand(state, side, "point", weight)
        at = xyz(0.0, 0.034 + 0.016 * push, -0.02 - 0.004 * push)
        state.reach(side, "nose", weight, at, (-0.25, 0.9, -0.35), _TO_EYES, "index")
    else:
        shape_hand(state, side, "pinch", weight)
        state.reach(side, "glasses", weight, xyz(0.012, -0.006 + 0.018 * push, 0.0), contact="index")
    look(state, push, pitch=-0.07)


def touching_nose(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Finger and thumb at the tip of the nose: they touch, pinch or rub it."""
    weight = visit(timing, rng)
    at = xyz(rng.uniform(0.0, 0.012), rng.uniform(-0.008, 0.004), -0.004)
    if rng.random() < 0.5:
        size = xyz(0.012, 0.006, 0.0) * amplitude
        stroke(state, timing, rng, side, "nose", weight, size, (1.8, 2.9), at, "pinch")
    else:
        lie(state, timing, rng, side, "nose", weight, at, "pinch")
    look(state, weight, pitch=0.04)


def scratching_or_touching_cheek(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Finger tips or the whole hand at the cheek."""
    size = xyz(0.006, 0.024, 0.006) * amplitude
    weight = touch_or_scratch(state, timing, rng, side, "cheek", size)
    look(state, weight, pitch=0.02, roll=toward(side) * 0.06)


def cradling_chin(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The chin rests in the palm, the head leans into it; the other arm may hold the elbow. Held."""
    weight = visit(timing, rng, (0.4, 0.7), (0.4, 0.7), unfinished=0.55, begun=0.35)
    both = draw_sides(rng, side, both=0.12)
    for hand in both:
        at, way = (0.025, -0.015, -0.005), (0.12, 0.9, -0.35)
        lie(state, timing, rng, hand, "chin", weight, at, "cupped", way, (-0.35, 0.35, -0.85), "palm")
        state.elbow_out[:, hand] -= 0.15 * weight
    if len(both) == 1 and rng.random() < 0.5:
        lie(state, timing, rng, other(side), "far_elbow", weight, shape="cupped")
    look(state, weight, pitch=0.1, roll=toward(side) * 0.14 if len(both) == 1 else 0.0)


def rubbing_lip(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A finger slides along the lips from one corner to the other and back."""
    weight = visit(timing, rng)
    shape_hand(state, side, "point", weight)
    size = xyz(0.027, 0.002, 0.0) * amplitude
    stroke(state, timing, rng, side, "lip", weight, size, (1.2, 2.2), (0.0, 0.0, 0.0), contact="index")
    state.mouth_open += 0.12 * weight


def covering_mouth(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A flat hand across the mouth, finger tips at the far cheek; still."""
    weight = visit(timing, rng, (0.35, 0.6), (0.35, 0.6))
    for hand in draw_sides(rng, side, both=0.15):
        at, way = (-0.012, 0.0, 0.016), (-0.85, 0.5, -0.25)
        lie(state, timing, rng, hand, "lip", weight, at, "flat", way, (0.0, 0.0, -1.0), "palm")
    look(state, weight, pitch=0.08)
    state.smile += rng.uniform(0, 0.6) * weight


def scratching_or_touching_philtrum(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The index finger is laid across below the nose, like a moustache, and moves a little."""
    size = xyz(0.016, 0.002, 0.0) * amplitude
    way, palm = (-0.97, 0.12, -0.2), (-0.1, -0.4, -0.9)
    touch_or_scratch(
        state,
        timing,
        rng,
        side,
        "philtrum",
        size,
        0.5,
        (-0.02, 0, 0.004),
        ("point", "point"),
        way,
        palm,
        "index",
    )


def scratching_or_touching_chin(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Finger and thumb stroke down the chin, or scratch it."""
    if rng.random() < 0.6:
        weight = visit(timing, rng)
        size = xyz(0.004, 0.02, 0.004) * amplitude
        stroke(state, timing, rng, side, "chin", weight, size, (0.9, 1.8), (0.0, -0.004, 0.004), "pinch")
    else:
        size = xyz(0.02, 0.008, 0.0) * amplitude
        weight = touch_or_scratch(state, timing, rng, side, "chin", size, 0.7)
    look(state, weight, pitch=-0.08)


def touching_ears(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Finger and thumb take the ear, and may pull at its lobe."""
    weight = visit(timing, rng)
    pull = (
        pulses(timing, rng, (1, 3), (0.25, 0.45)) * weight * amplitude if rng.random() < 0.5 else 0 * weight
    )
    for hand in draw_sides(rng, side, both=0.12):
        shape_hand(state, hand, "pinch", weight)
        at = xyz(0.004 + 0.006 * pull, rng.uniform(-0.03, 0.015) - 0.016 * pull, 0.0)
        state.reach(hand, "ear", weight, at, contact="index")
    look(state, weight, pitch=0.0, yaw=-toward(side) * 0.06, roll=toward(side) * 0.07)


def scratching_or_touching_head(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Finger tips on top or at the back of the head, scratching mostly; the hand comes from the side."""
    place = "crown" if rng.random() < 0.7 else "back_of_head"
    size = xyz(0.024, 0.004 if place == "crown" else 0.02, 0.02) * amplitude
    weight = visit(timing, rng, (0.8, 1.1), (0.7, 1.0))
    ahead, beside = xyz(0.12, -0.02, -0.12), xyz(0.2, 0.0, 0.06)
    state.reach(side, "side_front", np.minimum(2.2 * weight, 1), ahead, (0.0, 0.2, 1.0), contact="palm")
    state.reach(side, "hair", np.clip((weight - 0.2) / 0.5, 0, 1), beside, arc=0.0)
    onto = smooth_step((weight - 0.5) / 0.5)
    if rng.random() < 0.7:
        stroke(state, timing, rng, side, place, onto, size, shape="claw", arc=-0.03)
    else:
        lie(state, timing, rng, side, place, onto, arc=-0.03)
    look(state, weight, pitch=0.1, roll=-toward(side) * 0.08)


def playing_or_tidying_hair(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A hand strokes hair back from the temple, or twists a strand beside the cheek."""
    weight = visit(timing, rng)
    if rng.random() < 0.6:
        stroke_ = 0.5 - 0.5 * oscillation(timing, rng, (0.5, 1.0), cycles=1, phase=np.pi / 2)
        along = np.clip(stroke_, 0, 1) * weight * amplitude
        at = xyz(0.004, 0.02 - 0.07 * along, 0.045 - 0.1 * along)
        for hand in draw_sides(rng, side, both=0.25):
            shape_hand(state, hand, "open", weight)
            state.reach(hand, "hair", weight, at, contact="tips")
    else:
        hz = (1.0, 2.0)
        around, up = (oscillation(timing, rng, hz, cycles=1.5, phase=p) for p in (0.0, np.pi / 2))
        shape_hand(state, side, "pinch", weight)
        at = xyz(0.035 + 0.016 * around, -0.15 + 0.02 * amplitude * up, 0.045)
        state.reach(side, "hair", weight, at, contact="index")
    look(state, weight, pitch=0.04, roll=toward(side) * 0.12)
