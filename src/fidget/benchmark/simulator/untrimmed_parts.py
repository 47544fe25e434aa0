"""Which actions one body can do at once, by the parts that the motions move.

Two actions go together where they share no part: a nod and folded hands, a shaking leg and a hand at the
chin, a touch of each leg by its own hand; never two uses of one hand. A head may nod while a hand touches it,
a leg may move under a hand: places follow the body. What only leans or looks along a little moves no part.
"""

from __future__ import annotations

from functools import cache

from fidget.benchmark.simulator.motions import body_group
from fidget.benchmark.simulator.pose_state import LEFT

HEAD, TRUNK, LEFT_HAND, RIGHT_HAND, LEGS = "head", "trunk", "left hand", "right hand", "legs"
Parts = frozenset[str]

_BODY, _HEAD, _LOWER_LIMB = 0, 1, 3

# Actions of arms and hands that never need the other hand; every other one has, or may have, both.
ONE_HANDED = frozenset(
    {15, 17, 19, 20, 21, 37, 39, 55, 56, 57, 59, 60, 63, 64, 65, 67, 69, 70, 72, 76, 77, 81}
)
# Actions of hands that bend the trunk, turn the head or lift a leg as well, more than a little.
_BENDING = frozenset({74, 76, 80, 81})
_LOOKING = frozenset({38, 40, 62})
_LIFTING = frozenset({81})
# After these, and before some, the body is in another posture than at rest; it comes back in its own time.
POSTURES = frozenset({2, 4, 9, 48, 49, 51, 52, 53, 54})
# A stroke or a few of them, with nothing between if they had to fill more seconds: shrug, swung hair, tiptoe.
LONGEST_S = {5: 1.6, 14: 1.4, 46: 2.4}


@cache
def parts_of(label: int, side: int) -> Parts:
    """What an action moves; of MMA-82's labels, with the acting side."""
    group = body_group(label)
    if group == _BODY:
        return frozenset({TRUNK})
    if group == _HEAD:
        return frozenset({HEAD})
    if group == _LOWER_LIMB:
        return frozenset({LEGS})
    own = LEFT_HAND if side == LEFT else RIGHT_HAND
    parts = {own} if label in ONE_HANDED else {LEFT_HAND, RIGHT_HAND}
    parts |= {TRUNK} if label in _BENDING else set()
    parts |= {HEAD} if label in _LOOKING else set()
    parts |= {LEGS} if label in _LIFTING else set()
    return frozenset(parts)
