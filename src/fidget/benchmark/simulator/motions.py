"""The 82 actions of MMA-82, each as a motion, and what is around it: side, size, style, idle motion.

A motion is a function named after its class; `MOTIONS` holds them in the order of the classes. `apply_motion`
is all that the simulator calls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fidget.benchmark.simulator import motions_body as body
from fidget.benchmark.simulator import motions_body_hand as body_hand
from fidget.benchmark.simulator import motions_hands_together as hands
from fidget.benchmark.simulator import motions_head as head
from fidget.benchmark.simulator import motions_head_hand as head_hand
from fidget.benchmark.simulator import motions_leg_hand as leg_hand
from fidget.benchmark.simulator import motions_lower as lower
from fidget.benchmark.simulator import motions_upper as upper
from fidget.benchmark.simulator.idle import add_distractors, add_idle
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, Motion, PoseState, Timing
from fidget.benchmark.simulator.style import MotionStyle
from fidget.benchmark.simulator.timing import draw_timing

# In the order of the classes' indices; names are theirs.
MOTIONS: tuple[Motion, ...] = (
    body.swing_body,  # 0
    body.shaking_body,
    body.change_body_direction,
    body.tilting_forward_backward,
    body.sitting_straightly,
    body.shrugging,
    head.nodding,  # 6
    head.shaking_head,
    head.bowing_head,
    head.raising_head,
    head.turning_head,
    head.tilting_head,
    head.compound_head_movements,
    head.semantic_head_movements,
    head.swing_hair,
    upper.pointing,  # 15
    upper.illustrative_gestures,
    upper.ok_gestures,
    upper.thumbs_up,
    upper.v_gestures,
    upper.waving,
    upper.other_symbolic_gestures,
    hands.interlace_fingers,  # 22
    hands.holding_fingers,
    hands.holding_hands,
    hands.putting_hands_together,
    hands.spire_gestures,
    hands.clapping,
    hands.rubbing_hands,
    hands.rubbing_spire_hands,
    hands.rubbing_hands_with_clenched,
    hands.rolling_thumbs,
    hands.other_finger_interaction_movements,
    upper.clenching_fists,  # 33
    upper.spreading_hands,
    upper.shaking,
    upper.wrist_movements,
    upper.other_hand_movements,
    hands.playing_objects,
    upper.pulling_collar,
    upper.checking_time,
    hands.folding_arms,
    hands.folding_arms_rubbing,
    upper.hands_behind_back,
    upper.retracting_and_stretching_arms,
    upper.scratching_arms,
    lower.tiptoe,  # 46
    lower.ankle_movements,
    lower.stretching_legs,
    lower.retracting_legs,
    lower.shaking_legs,
    lower.closing_legs,
    lower.spread_legs,
    lower.crossing_legs,
    lower.curling_legs,
    body_hand.scratching_or_touching_shoulder,  # 55
    body_hand.scratching_or_touching_neck,
    body_hand.scratching_or_touching_back,
    body_hand.arms_akimbo,
    body_hand.scratching_or_touching_chest_or_abdomen,
    head_hand.scratching_or_touching_forehead,  # 60
    head_hand.rubbing_eyes,
    head_hand.covering_eyes,
    head_hand.pushing_glasses,
    head_hand.touching_nose,
    head_hand.scratching_or_touching_cheek,
    head_hand.cradling_chin,
    head_hand.rubbing_lip,
    head_hand.covering_mouth,
    head_hand.scratching_or_touching_philtrum,
    head_hand.scratching_or_touching_chin,
    head_hand.touching_ears,
    head_hand.scratching_or_touching_head,
    head_hand.playing_or_tidying_hair,
    leg_hand.placing_hands_on_legs_with_elbows_outward,  # 74
    leg_hand.patting_legs,
    leg_hand.scratching_legs,
    leg_hand.touching_legs,
    leg_hand.flatting_hands_on_legs,
    leg_hand.folding_hands_on_legs,
    leg_hand.rubbing_knee,
    leg_hand.scratching_feet,  # 81
)

# The first label of each body group, and the parts that its actions use: nothing else moves them.
_GROUP_STARTS = (0, 6, 15, 46, 55, 60, 74)
_BUSY = (
    frozenset({"body"}),
    frozenset({"head"}),
    frozenset({"hand"}),
    frozenset({"leg"}),
    frozenset({"body", "hand"}),
    frozenset({"head", "hand"}),
    frozenset({"leg", "hand"}),
)
_LOWER_LIMB = 3


@dataclass(frozen=True)
class AppliedMotion:
    """What was drawn for one clip.

    Attributes:
        label: index of the action.
        side: LEFT or RIGHT, the acting hand or foot, where one acts.
        amplitude: size, 1 is usual.
        timing: when the action begins and ends, in the subject's own time (`tempo` times the clip's).
        distractors: number of small motions besides.
    """

    label: int
    side: int
    amplitude: float
    timing: Timing
    distractors: int


def apply_motion(
    state: PoseState,
    label: int,
    rng: np.random.Generator,
    time_s: ArrayLike,
    style: MotionStyle | None = None,
    idle: bool = True,
    side: int | None = None,
    amplitude: float | None = None,
) -> AppliedMotion:
    """Add one action to a state, in the subject's style, with the idle motion of all the rest.

    Args:
        state: at rest, its first reaches the rest places of the hands; T frames.
        label: index of the action, 0..81.
        rng: everything random comes from here; the same generator gives the same motion.
        time_s: (T,) seconds of the frames, from 0.
        style: of the subject; the usual one where None.
        idle: False leaves everything but the action still.
        side: LEFT or RIGHT; drawn by the style where None.
        amplitude: size; drawn by the style where None.

    Raises:
        ValueError: no such label, or times that are not one per frame.
    """
    if not 0 <= label < len(MOTIONS):
        raise ValueError(f"expected a label of 0..{len(MOTIONS) - 1}, got {label}; MMA-82 has 82 actions")
    if np.shape(time_s) != (state.frames,):
        raise ValueError(
            f"expected time_s of shape ({state.frames},), one a frame, got {np.shape(time_s)}; "
            "make the state with as many frames"
        )
    own = style if style is not None else MotionStyle()
    group = body_group(label)
    left_share = own.left_foot_share if group == _LOWER_LIMB else own.left_share
    drawn_side = LEFT if rng.random() < left_share else RIGHT
    drawn_size = own.amplitude * float(np.clip(rng.lognormal(0, 0.15), 0.7, 1.4))
    timing = draw_timing(time_s, rng, own.tempo)
    acting = drawn_side if side is None else side
    size = drawn_size if amplitude is None else amplitude
    MOTIONS[label](state, timing, rng, acting, size)
    distractors = 0
    if idle:
        add_idle(state, timing, rng, own)
        distractors = add_distractors(state, timing, rng, own, _BUSY[group])
    np.clip(state.curl, 0, 1, out=state.curl)
    np.clip(state.mouth_open, 0, 1, out=state.mouth_open)
    return AppliedMotion(label, acting, size, timing, distractors)


def body_group(label: int) -> int:
    """Index of the body group that an action belongs to, 0 (body) to 6 (leg-hand)."""
    return sum(label >= start for start in _GROUP_STARTS) - 1
