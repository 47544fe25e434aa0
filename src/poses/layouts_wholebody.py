"""COCO-WholeBody's 133 joints (Jin et al., ECCV 2020): body, feet, 68 face points, two hands of 21.

The face points are the 68 of iBUG 300-W, numbered from 0: 0-16 jaw from the person's right ear to the left,
17-26 brows, 27-30 ridge of the nose, 31-35 nostrils, 36-41 right eye, 42-47 left eye, 48-59 outer lips,
60-67 inner lips.
"""

from __future__ import annotations

from poses.layouts_body import COCO17, COCO17_SIGMAS

FEET = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")
FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")

# Counterpart of each face point.
FACE_MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1),
    *range(59, 54, -1),
    *range(64, 59, -1),
    67, 66, 65,
)  # fmt: skip

# Parent of each face point; -1 is the body's nose. The same on both sides: jaw from the chin outwards, brows
# from the middle outwards, eyes from their inner corners, lips from their middles.
FACE_PARENT = (
    1, 2, 3, 4, 5, 6, 7, 8, 30, 8, 9, 10, 11, 12, 13, 14, 15,
    18, 19, 20, 21, 27, 27, 22, 23, 24, 25,
    28, 29, 30, -1, 32, 33, 30, 33, 34,
    37, 38, 39, 27, 39, 40, 27, 42, 43, 44, 47, 42,
    49, 50, 51, 33, 51, 52, 53, 56, 57, 8, 57, 58,
    61, 62, 51, 62, 63, 66, 57, 66,
)  # fmt: skip

# Drawn curves of the face: first, last, closed.
FACE_CURVES = (
    (0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False),
    (36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True),
)  # fmt: skip

# The published evaluation's falloffs: feet, face, one hand (the same on both sides).
_FOOT_SIGMAS = (0.068, 0.066, 0.066, 0.092, 0.094, 0.094)
_FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043,
    0.041, 0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007,
    0.007, 0.012, 0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011,
    0.012, 0.010, 0.034, 0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007,
    0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.010, 0.008,
)  # fmt: skip
_HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021,
    0.021, 0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip
COCO_WHOLEBODY133_SIGMAS = (*COCO17_SIGMAS, *_FOOT_SIGMAS, *_FACE_SIGMAS, *_HAND_SIGMAS, *_HAND_SIGMAS)


def _hand(side: str) -> list[str]:
    """The 21 lines of one hand: its root at the wrist, then four joints a finger, towards the tip."""
    lines = [f"{side}_hand_root {side}_wrist"]
    for finger in FINGERS:
        lines.append(f"{side}_{finger}1 {side}_hand_root")
        lines += [f"{side}_{finger}{joint} {side}_{finger}{joint - 1}" for joint in (2, 3, 4)]
    return lines


COCO_WHOLEBODY133 = "\n".join(
    [
        COCO17,
        *(f"{joint} {joint.split('_')[0]}_ankle" for joint in FEET),
        *(f"face-{i} {'nose' if parent < 0 else f'face-{parent}'}" for i, parent in enumerate(FACE_PARENT)),
        *_hand("left"),
        *_hand("right"),
    ]
)

# What MMN feeds of Halpe's 136: 26 of body and feet, 6 of the face, wrist and finger tips of both hands.
# This set has no head top, neck and mid-hip (so 23 of the 26), which leaves 41 of the 44; MMN does not
# publish its six face points, so these are the two brows, the mouth's corners and the middles of the lips.
MICRO44 = (
    *(line.split()[0] for line in COCO17.split("\n") if line),
    *FEET,
    *(f"face-{i}" for i in (19, 24, 48, 51, 54, 57)),
    *(
        f"{side}_{joint}"
        for side in ("left", "right")
        for joint in ("hand_root", *(f"{f}4" for f in FINGERS))
    ),
)
