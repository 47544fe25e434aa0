"""Joint tables of the two-dimensional body sets: one joint a line in index order, its parent behind it.

A joint without a parent is a root. Left and right are the person's own. Where sources name the same place
differently, one name stands for it everywhere: `neck`, `mid_hip` (Halpe's hip, Kinect's hip centre and
spine base), `head` (its top), `head_center` (its middle).
"""

from __future__ import annotations

# COCO keypoints (https://cocodataset.org/#keypoints-eval). The tree hangs on the nose, as in PYSKL's graph.
COCO17 = """
nose
left_eye nose
right_eye nose
left_ear left_eye
right_ear right_eye
left_shoulder nose
right_shoulder nose
left_elbow left_shoulder
right_elbow right_shoulder
left_wrist left_elbow
right_wrist right_elbow
left_hip left_shoulder
right_hip right_shoulder
left_knee left_hip
right_knee right_hip
left_ankle left_knee
right_ankle right_knee
"""

# Seventeen limbs, in the default order of pyskl's and MMAction2's limb heatmaps; their published checkpoints
# take another, `PYSKL_COCO_LIMBS` of skeleton_models/heatmap.py.
COCO17_LIMBS = (
    (0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (5, 7), (7, 9), (0, 6), (6, 8), (8, 10),
    (5, 11), (11, 13), (13, 15), (6, 12), (12, 14), (14, 16), (11, 12),
)  # fmt: skip

COCO17_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
    0.089, 0.089,
)  # fmt: skip

# Halpe-FullBody, its first 26 (https://github.com/Fang-Haoshu/Halpe-FullBody).
HALPE26 = """
nose neck
left_eye nose
right_eye nose
left_ear left_eye
right_ear right_eye
left_shoulder neck
right_shoulder neck
left_elbow left_shoulder
right_elbow right_shoulder
left_wrist left_elbow
right_wrist right_elbow
left_hip mid_hip
right_hip mid_hip
left_knee left_hip
right_knee right_hip
left_ankle left_knee
right_ankle right_knee
head neck
neck
mid_hip neck
left_big_toe left_ankle
right_big_toe right_ankle
left_small_toe left_ankle
right_small_toe right_ankle
left_heel left_ankle
right_heel right_ankle
"""

# HalpeCOCOAPI, cocoeval.
HALPE26_SIGMAS = (*COCO17_SIGMAS, 0.026, 0.026, 0.066, 0.079, 0.079, 0.079, 0.079, 0.079, 0.079)

# BlazePose GHUM (Bazarevsky et al. 2020, and the model card). foot_index is the tip of the foot; pinky,
# index and thumb are knuckles.
BLAZEPOSE33 = """
nose
left_eye_inner nose
left_eye left_eye_inner
left_eye_outer left_eye
right_eye_inner nose
right_eye right_eye_inner
right_eye_outer right_eye
left_ear left_eye_outer
right_ear right_eye_outer
mouth_left nose
mouth_right nose
left_shoulder nose
right_shoulder nose
left_elbow left_shoulder
right_elbow right_shoulder
left_wrist left_elbow
right_wrist right_elbow
left_pinky left_wrist
right_pinky right_wrist
left_index left_wrist
right_index right_wrist
left_thumb left_wrist
right_thumb right_wrist
left_hip left_shoulder
right_hip right_shoulder
left_knee left_hip
right_knee right_hip
left_ankle left_knee
right_ankle right_knee
left_heel left_ankle
right_heel right_ankle
left_foot_index left_heel
right_foot_index right_heel
"""

# Drawn besides the tree's own bones, and bones that are not drawn.
BLAZEPOSE33_DRAWN = (
    "mouth_left-mouth_right left_shoulder-right_shoulder left_hip-right_hip "
    "left_pinky-left_index right_pinky-right_index left_ankle-left_foot_index right_ankle-right_foot_index"
)
BLAZEPOSE33_NOT_DRAWN = "left_shoulder-nose right_shoulder-nose mouth_left-nose mouth_right-nose"

# OpenPose's COCO model, 18 points (https://github.com/CMU-Perceptual-Computing-Lab/openpose, doc 02_output).
OPENPOSE18 = """
nose neck
neck
right_shoulder neck
right_elbow right_shoulder
right_wrist right_elbow
left_shoulder neck
left_elbow left_shoulder
left_wrist left_elbow
right_hip neck
right_knee right_hip
right_ankle right_knee
left_hip neck
left_knee left_hip
left_ankle left_knee
right_eye nose
left_eye nose
right_ear right_eye
left_ear left_eye
"""

# OpenPose's BODY_25 (same source).
OPENPOSE25 = """
nose neck
neck
right_shoulder neck
right_elbow right_shoulder
right_wrist right_elbow
left_shoulder neck
left_elbow left_shoulder
left_wrist left_elbow
mid_hip neck
right_hip mid_hip
right_knee right_hip
right_ankle right_knee
left_hip mid_hip
left_knee left_hip
left_ankle left_knee
right_eye nose
left_eye nose
right_ear right_eye
left_ear left_eye
left_big_toe left_ankle
left_small_toe left_big_toe
left_heel left_ankle
right_big_toe right_ankle
right_small_toe right_big_toe
right_heel right_ankle
"""

# The MA-52 pickles of PCAN: OpenPose-18, then five points of the left hand (they hang on joint 7) and five of
# the right (on joint 4). Their finger is not published; thumb to little finger is the order of every hand
# model, so they carry the names of the five finger tips. The published flip list leaves the hand points
# where they are; here they are mirrored like all else.
OPENPOSE28 = (
    OPENPOSE18
    + """
left_thumb4 left_wrist
left_forefinger4 left_wrist
left_middle_finger4 left_wrist
left_ring_finger4 left_wrist
left_pinky_finger4 left_wrist
right_thumb4 right_wrist
right_forefinger4 right_wrist
right_middle_finger4 right_wrist
right_ring_finger4 right_wrist
right_pinky_finger4 right_wrist
"""
)

# JHMDB's 15 puppet joints (Jhuang et al., ICCV 2013).
JHMDB15 = """
neck
belly neck
face neck
right_shoulder neck
left_shoulder neck
right_hip belly
left_hip belly
right_elbow right_shoulder
left_elbow left_shoulder
right_knee right_hip
left_knee left_hip
right_wrist right_elbow
left_wrist left_elbow
right_ankle right_knee
left_ankle left_knee
"""
