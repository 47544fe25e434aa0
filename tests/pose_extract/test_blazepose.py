"""BlazePose: when the detector looks, who is followed, and agreement with MediaPipe and with ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.references import (
    EVERY_FRAMES,
    GOLDEN,
    PHOTOGRAPHS,
    annotated_people,
    distance_in_heights,
    mediapipe_pose,
)

from pose_extract.blaze_detector import Detections
from pose_extract.blaze_landmarks import PoseLandmarks
from pose_extract.blazepose import (
    BlazePoseClip,
    BlazePoseEstimator,
    regions_of,
    same_person,
    same_place,
    views_of,
)
from pose_extract.estimator import FramePeople
from pose_extract.geometry import Crop
from poses.layout import get_layout

FRAME = np.zeros((1000, 1000, 3), np.uint8)


def person(x: float, y: float = 500, reach: float = 100) -> PoseLandmarks:
    joints = np.stack([np.linspace(x - reach, x + reach, 33), np.full(33, y)], axis=1).astype(np.float32)
    return PoseLandmarks(joints, np.full(33, 0.9, np.float32), 0.99, (x, y, x, y - reach))


class Scene:
    """Stands in for an estimator: people stand at given x; a region within 50 px of one finds them."""

    def __init__(self, max_persons: int = 1, detect_every_frames: int = 5):
        self.max_persons, self.detect_every_frames = max_persons, detect_every_frames
        self.there: list[float] = []
        self.only_in_squares: list[float] = []
        self.detections = self.looks = 0
        self.detector, self.landmarks = SceneDetector(self), SceneLandmarks(self)

    def people(self, frame_bgr, followed):
        xy = np.array([[one.landmarks.span_px[:2]] for one in followed], np.float32).reshape(-1, 1, 2)
        return FramePeople(xy, np.ones(xy.shape[:2], np.float32), np.zeros((len(xy), 4)), np.ones(len(xy)))


class SceneDetector:
    def __init__(self, scene):
        self.scene = scene

    def detect(self, frame_bgr, region=None):
        self.scene.detections += 1
        seen = [x for x in self.scene.there if x not in self.scene.only_in_squares or region]
        points = np.array([[[x, 500], [x, 400]] for x in seen], np.float32).reshape(-1, 2, 2)
        score = np.full(len(points), 0.9, np.float32)
        return Detections(np.zeros((len(points), 4), np.float32), points, score)


class SceneLandmarks:
    def __init__(self, scene):
        self.scene = scene

    def landmarks(self, frame_bgr, region):
        self.scene.looks += 1
        near = [x for x in self.scene.there if abs(x - region.center_px[0]) < 50]
        return person(near[0]) if near else None


def found(clip: BlazePoseClip, frames: int = 1) -> list[list[float]]:
    answers = clip.push([FRAME] * frames)
    assert len(answers) == frames
    return [answer.xy_px[:, 0, 0].tolist() for answer in answers]


def test_one_person_costs_one_detection_and_one_look_a_frame():
    scene = Scene()
    scene.there = [300]
    assert found(BlazePoseClip(scene), 20) == [[300]] * 20
    assert (scene.detections, scene.looks) == (1, 20)


def test_while_nobody_is_there_the_detector_looks_at_every_frame():
    scene = Scene()
    clip = BlazePoseClip(scene)
    assert found(clip, 6) == [[]] * 6
    assert scene.detections == 6
    scene.there = [300]
    assert found(clip) == [[300]]


def test_a_person_who_is_lost_is_looked_for_in_the_same_frame():
    scene = Scene()
    scene.there = [300]
    clip = BlazePoseClip(scene)
    found(clip, 3)
    scene.there = [700]
    assert found(clip) == [[700]]


def test_room_for_more_people_is_checked_every_few_frames():
    scene = Scene(max_persons=2, detect_every_frames=5)
    scene.there = [300]
    clip = BlazePoseClip(scene)
    found(clip)
    scene.there = [300, 700]
    assert found(clip, 5) == [[300]] * 4 + [[300, 700]]
    detections = scene.detections
    assert found(clip, 20) == [[300, 700]] * 20
    assert scene.detections == detections  # nobody more is wanted


def test_someone_who_left_is_looked_for_at_once_and_then_every_few_frames():
    scene = Scene(max_persons=2, detect_every_frames=5)
    scene.there = [300, 700]
    clip = BlazePoseClip(scene)
    found(clip, 3)
    scene.there = [300]
    before = scene.detections
    assert found(clip, 11) == [[300]] * 11
    assert scene.detections - before == 3  # in frames 1, 6, 11


def test_detections_of_followed_people_bring_nobody_twice():
    scene = Scene(max_persons=5, detect_every_frames=1)
    scene.there = [300, 320, 700]  # the detector sees one person as two
    assert [len(frame) for frame in found(BlazePoseClip(scene), 4)] == [2] * 4


def test_two_regions_that_drift_onto_one_person_become_one():
    scene = Scene(max_persons=2, detect_every_frames=100)
    scene.there = [300, 380]
    clip = BlazePoseClip(scene)
    assert len(found(clip)[0]) == 2
    scene.there = [340]
    assert found(clip) == [[340]]


def test_the_most_prominent_detection_comes_first():
    points = np.array(
        [
            [[100, 500], [100, 400]],  # at the edge
            [[500, 500], [500, 400]],  # in the middle
            [[900, 900], [900, 500]],  # in a corner, four times as large
            [[5, 5], [5, 5]],  # without extent: nobody
        ],
        np.float32,
    )
    detections = Detections(np.zeros((4, 4), np.float32), points, np.array([0.9, 0.8, 0.7, 0.6], np.float32))
    assert [region.center_px for region in regions_of([detections], (1000, 1000))] == [
        (900, 900),
        (500, 500),
        (100, 500),
    ]


def test_regions_of_several_views_and_of_people_who_are_followed():
    def one_at(x, score):
        return Detections(
            np.zeros((1, 4), np.float32),
            np.array([[[x, 500], [x, 400]]], np.float32),
            np.array([score], np.float32),
        )

    views = [one_at(300, 0.6), one_at(310, 0.9), one_at(700, 0.7)]
    assert [r.center_px[0] for r in regions_of(views, (1000, 1000))] == [310, 700]
    followed = [Crop((705, 500), (250, 250))]
    assert [r.center_px[0] for r in regions_of(views, (1000, 1000), followed)] == [310]
    assert regions_of([], (1000, 1000)) == []


@pytest.mark.parametrize(
    ("frame_hw", "centers"),
    [
        ((1296, 1080), []),
        ((480, 640), [(239.5, 239.5), (319.5, 239.5), (399.5, 239.5)]),
        ((1920, 1080), [(539.5, 539.5), (539.5, 959.5), (539.5, 1379.5)]),
    ],
)
def test_long_frames_are_also_looked_at_in_squares(frame_hw, centers):
    whole, *squares = views_of(frame_hw)
    assert whole is None
    assert [square.center_px for square in squares] == centers
    assert all(square.size_px == (min(frame_hw),) * 2 for square in squares)


def test_in_a_long_frame_views_take_turns():
    wide = np.zeros((1000, 2000, 3), np.uint8)
    scene = Scene(max_persons=1)
    scene.there = scene.only_in_squares = [300]
    answers = BlazePoseClip(scene).push([wide] * 3)
    assert [len(answer.score) for answer in answers] == [0, 1, 1] and scene.detections == 2
    scene = Scene(max_persons=2)  # several are wanted: all views at the start
    scene.there, scene.only_in_squares = [300, 700], [700]
    answers = BlazePoseClip(scene).push([wide] * 4)
    assert [len(answer.score) for answer in answers] == [2] * 4 and scene.detections == 4


def test_same_place():
    one = Crop((0, 0), (100, 100), 0.3)
    assert same_place(one, one) and same_place(one, Crop((11, 0), (80, 80)))
    assert not same_place(one, Crop((13, 0), (100, 100)))


def test_same_person():
    assert same_person(person(300), person(310)) and not same_person(person(300), person(340))
    nobody = person(300)
    nobody.xy_px[:] = np.nan
    assert not same_person(nobody, person(300))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (get_layout("halpe26"), 1, 10),
            "answers in blazepose33, coco17, coco_wholebody133, not in 'halpe26'",
        ),
        ((get_layout("coco17"), 0, 10), "at least 1, got 0, 10 and 1"),
        ((get_layout("coco17"), 1, 0), "at least 1, got 1, 0 and 1"),
    ],
)
def test_wrong_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        BlazePoseEstimator(*arguments)


@pytest.mark.weights
@pytest.mark.parametrize("layout", ["blazepose33", "coco17", "coco_wholebody133"])
def test_no_phantoms(layout):
    """Even, noisy and tiny frames show nobody, in every layout."""
    estimator = BlazePoseEstimator(get_layout(layout), 2, 10)
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    frames = [np.full((240, 320, 3), 127, np.uint8), noise, np.zeros((1, 1, 3), np.uint8)]
    for answer in estimator.start_clip().push(frames):
        assert answer.xy_px.shape == (0, len(estimator.layout.joints), 2)
    assert set(estimator.weights) >= {"pose_detection", "pose_landmark_full"}
    assert estimator.runtime.endswith("XNNPACK, 1 thread")


def clip_frames(shared_dir: Path, name: str, count: int, every: int = 1) -> list[np.ndarray]:
    import av

    (path,) = (shared_dir / "data" / "clips").glob(f"{name}_*.mp4")
    with av.open(str(path)) as container:
        frames = []
        for at, frame in enumerate(container.decode(video=0)):
            if at >= count:
                break
            if at % every == 0:
                frames.append(frame.to_ndarray(format="bgr24"))
    return frames


@pytest.mark.shared
@pytest.mark.weights
@pytest.mark.parametrize("name", ["A1", "A2", "B1", "B2"])
def test_agreement_with_mediapipe(shared_dir, name):
    """Mean distance to mediapipe 0.10.21's own pose solution (complexity 1) under 1 % of the person's height.

    Its CPU path places a crop half a crop pixel too low and too far right (about 2 px here), so it is not
    followed to the pixel; see `CropInput`.
    """
    theirs, visibility = mediapipe_pose(name)  # (T, 33, 2), (T, 33)
    frames = clip_frames(shared_dir, name, EVERY_FRAMES * len(theirs) - EVERY_FRAMES + 1)
    answers = BlazePoseEstimator(get_layout("blazepose33"), 1, 10).start_clip().push(frames)
    assert [len(answer.score) for answer in answers] == [1] * len(frames)
    stored = answers[::EVERY_FRAMES]
    assert distance_in_heights(np.stack([answer.xy_px[0] for answer in stored]), theirs) < 0.01
    assert np.abs(np.stack([answer.score[0] for answer in stored]) - visibility).mean() < 0.03


@pytest.mark.shared
@pytest.mark.weights
def test_coco17_is_the_same_person(shared_dir):
    frames = clip_frames(shared_dir, "A1", 2)
    whole, part = (
        BlazePoseEstimator(get_layout(name), 1, 10).start_clip().push(frames)[-1]
        for name in ("blazepose33", "coco17")
    )
    at = [get_layout("blazepose33").index(joint) for joint in get_layout("coco17").joints]
    np.testing.assert_array_equal(part.xy_px[0], whole.xy_px[0, at])
    np.testing.assert_array_equal(part.score[0], whole.score[0, at])


@pytest.mark.shared
@pytest.mark.weights
def test_two_people_and_one_of_them_leaves(shared_dir):
    frame = clip_frames(shared_dir, "B2", 1)[0]
    both = np.concatenate([frame, frame[:, ::-1]], axis=1)
    alone = both.copy()
    alone[:, frame.shape[1] :] = 200
    estimator = BlazePoseEstimator(get_layout("coco17"), 2, 5)
    counts = [len(answer.score) for answer in estimator.start_clip().push([both] * 3 + [alone] * 3)]
    assert counts == [2, 2, 2, 1, 1, 1]
    one = BlazePoseEstimator(get_layout("coco17"), 1, 5).start_clip().push([both, alone])
    assert [len(answer.score) for answer in one] == [1, 1]


@pytest.mark.shared
@pytest.mark.weights
def test_boxes_that_are_handed_in(shared_dir):
    frame = clip_frames(shared_dir, "B1", 1)[0]
    estimator = BlazePoseEstimator(get_layout("coco17"), 1, 10)
    followed = estimator.start_clip().push([frame])[0]
    x1, y1, x2, y2 = followed.box_px[0]
    boxes = np.array([[x1 - 20, y1 - 20, x2 + 20, y2 + 20], [0, 0, 60, 60]], np.float32)
    ((xy_px, score),) = estimator.estimate([frame], [boxes])
    assert xy_px.shape == (2, 17, 2) and score.shape == (2, 17)
    assert np.linalg.norm(xy_px[0] - followed.xy_px[0], axis=1).mean() < 0.02 * (y2 - y1)
    assert (score[1] == 0).all() and np.isnan(xy_px[1]).all()


@pytest.mark.shared
@pytest.mark.weights
def test_object_keypoint_similarity_on_photographs(shared_dir):
    """The people BlazePose finds on two COCO photographs; MediaPipe itself reaches 0.909 and 0.659."""
    layout = get_layout("coco17")
    best = {}
    for image_id in PHOTOGRAPHS:
        truth = annotated_people(shared_dir, image_id)
        (answer,) = BlazePoseEstimator(layout, 5, 10).start_clip().push([truth.frame_bgr])
        assert truth.found(answer.xy_px).all()
        best[image_id] = truth.similarity(answer.xy_px, layout)  # (P,)
    print({image_id: values.round(3).tolist() for image_id, values in best.items()})
    everyone = np.concatenate(list(best.values()))
    assert len(everyone) == 3 and everyone.min() >= 0.7


@pytest.mark.shared
@pytest.mark.weights
def test_whole_body_on_a_real_clip(shared_dir):
    """In B1 the face is half uncovered and the left hand lies under the right one."""
    layout = get_layout("coco_wholebody133")
    answers = BlazePoseEstimator(layout, 1, 10).start_clip().push(clip_frames(shared_dir, "B1", 10))
    xy_px = np.stack([answer.xy_px[0] for answer in answers])
    score = np.stack([answer.score[0] for answer in answers])
    np.testing.assert_array_equal(np.isfinite(xy_px).all(axis=-1), score > 0)
    assert (score[:, 23:91] > 0.5).all() and (score[:, 112:133] > 0.5).all()
    small_toes = [layout.index("left_small_toe"), layout.index("right_small_toe")]
    assert (score[:, small_toes] == 0).all()
    eyes = np.linalg.norm(xy_px[:, 23 + 36] - xy_px[:, 23 + 45], axis=-1)  # outer corners
    body = np.linalg.norm(xy_px[:, 0] - xy_px[:, 23 + 30], axis=-1)  # the body's nose, the face's nose tip
    assert (body < eyes).all()
    assert (xy_px[:, 23 + 36, 0] < xy_px[:, 23 + 45, 0]).all()  # the person's right eye is on the left
    wrists = np.linalg.norm(xy_px[:, 10] - xy_px[:, 112], axis=-1)
    hand = np.linalg.norm(xy_px[:, 112] - xy_px[:, 121], axis=-1)
    assert (wrists < hand).all()


@pytest.mark.shared
@pytest.mark.weights
@pytest.mark.parametrize("name", ["A1", "A2", "B1", "B2"])
def test_hands_and_face_agree_with_mediapipe(shared_dir, name):
    """Against mediapipe 0.10.21's holistic solution: found where it finds them, within a few pixels.

    Faces are covered in three of the clips: there is none to find. The left hand of B1 and the right one of
    A1 are hidden.
    """
    golden = np.load(GOLDEN / "mediapipe_holistic_every_10th_frame.npz")
    parts = {"face": slice(23, 91), "left_hand": slice(91, 112), "right_hand": slice(112, 133)}
    theirs = {part: golden[f"{name}_{part}_x16"] for part in parts}  # (every 10th frame, points, 2)
    frames = clip_frames(shared_dir, name, 10 * len(theirs["face"]) - 9)
    answers = BlazePoseEstimator(get_layout("coco_wholebody133"), 1, 10).start_clip().push(frames)[::10]
    for part, joints in parts.items():
        ours = np.stack([answer.xy_px[0, joints] for answer in answers])
        seen = (theirs[part] > -32768).all(axis=(1, 2))
        found = np.isfinite(ours).all(axis=(1, 2))
        assert (seen == found).mean() >= 0.6, part  # of five to eight frames; A2 throws a hand about
        if (seen & found).any():
            distance = np.linalg.norm(ours - theirs[part] / 16, axis=-1)[seen & found]
            assert distance.mean() < 3 and np.median(distance) < 1.5, part
