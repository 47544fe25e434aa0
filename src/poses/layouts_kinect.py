"""Joint tables of the two Kinect sensors, in the order of Microsoft's enumerations.

Published names that another set shares with a different word are written its way: hip centre and spine base
are `mid_hip`, the middle of the head is `head_center`, the thumb (its tip) is
`thumb4`. The trees hang on the point between the shoulders, as
in CTR-GCN's and PYSKL's graphs.
"""

from __future__ import annotations

# Kinect 1, NUI_SKELETON_POSITION_INDEX: Northwestern-UCLA.
NWUCLA20 = """
mid_hip spine
spine shoulder_center
shoulder_center
head_center shoulder_center
left_shoulder shoulder_center
left_elbow left_shoulder
left_wrist left_elbow
left_hand left_wrist
right_shoulder shoulder_center
right_elbow right_shoulder
right_wrist right_elbow
right_hand right_wrist
left_hip mid_hip
left_knee left_hip
left_ankle left_knee
left_foot left_ankle
right_hip mid_hip
right_knee right_hip
right_ankle right_knee
right_foot right_ankle
"""

# Kinect 2, JointType: NTU RGB+D 60 and 120. `neck` lies above `shoulder_center` (SpineShoulder).
NTU25 = """
mid_hip spine
spine shoulder_center
neck shoulder_center
head_center neck
left_shoulder shoulder_center
left_elbow left_shoulder
left_wrist left_elbow
left_hand left_wrist
right_shoulder shoulder_center
right_elbow right_shoulder
right_wrist right_elbow
right_hand right_wrist
left_hip mid_hip
left_knee left_hip
left_ankle left_knee
left_foot left_ankle
right_hip mid_hip
right_knee right_hip
right_ankle right_knee
right_foot right_ankle
shoulder_center
left_hand_tip left_hand
left_thumb4 left_hand
right_hand_tip right_hand
right_thumb4 right_hand
"""
