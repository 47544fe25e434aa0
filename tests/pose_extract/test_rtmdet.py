from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from model_fakes import FakeSession

from pose_extract.boxes import iou_matrix
from pose_extract.onnx_session import OnnxModelError, OnnxSession
from pose_extract.rtmdet import RtmDet
from weights.manifest import get_weight

MEAN, STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


def detector(*outputs: np.ndarray, score_threshold: float = 0.3) -> tuple[RtmDet, FakeSession]:
    session = FakeSession(*outputs)
    return RtmDet(session, (320, 320), "bgr", MEAN, STD, score_threshold), session


def dets(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(1, -1, 5)


NOBODY = (dets(), np.zeros((1, 0), np.int64))


def test_letterbox_is_the_published_one() -> None:
    found, session = detector(*NOBODY)
    frame = np.zeros((160, 640, 3), np.uint8)
    frame[..., 0], frame[..., 2] = 255, 10  # halved: the upper 80 rows
    found.detect(frame)
    (fed,) = session.fed
    assert (fed.shape, fed.dtype) == ((1, 3, 320, 320), np.float32)
    picture = (np.array([255, 0, 10]) - MEAN) / STD
    grey = (np.array([114, 114, 114]) - MEAN) / STD
    np.testing.assert_allclose(
        fed[0, :, :80], np.broadcast_to(picture[:, None, None], (3, 80, 320)), atol=1e-6
    )
    np.testing.assert_allclose(fed[0, :, 80:], np.broadcast_to(grey[:, None, None], (3, 240, 320)), atol=1e-6)


def test_border_is_grey_again_after_a_frame_of_another_shape() -> None:
    found, session = detector(*NOBODY)
    for shape in ((320, 320, 3), (320, 160, 3), (160, 320, 3)):
        found.detect(np.full(shape, 200, np.uint8))
    grey = (114 - np.array(MEAN)) / STD
    assert np.allclose(session.fed[1][0, :, :, 160:], grey[:, None, None], atol=1e-6)
    assert np.allclose(session.fed[2][0, :, 160:], grey[:, None, None], atol=1e-6)


@pytest.mark.parametrize(
    ("frame_hw", "in_input", "in_frame"),
    [
        ((320, 320), (10, 20, 30, 40), (9.5, 19.5, 29.5, 39.5)),  # edges to pixel centres
        ((640, 320), (10, 20, 30, 40), (19.5, 39.5, 59.5, 79.5)),  # halved
        ((160, 80), (0, 0, 160, 320), (-0.5, -0.5, 79.5, 159.5)),  # doubled: the whole frame
        ((640, 640), (-5, -5, 400, 400), (-0.5, -0.5, 639.5, 639.5)),  # clipped
        ((1296, 1080), (0, 0, 267, 320), (-0.5, -0.5, 1079.5, 1295.5)),  # 266.67 wide, drawn 267 wide
    ],
)
def test_boxes_come_back_to_the_frame(frame_hw, in_input, in_frame) -> None:
    found, _ = detector(dets((*in_input, 0.9)), np.zeros((1, 1), np.int64))
    boxes, scores = found.detect(np.zeros((*frame_hw, 3), np.uint8))
    np.testing.assert_allclose(boxes, [in_frame], atol=1e-3)
    np.testing.assert_allclose(scores, [0.9])
    assert boxes.dtype == scores.dtype == np.float32


def test_threshold_labels_order_and_empty_boxes() -> None:
    rows = dets(
        (0, 0, 10, 10, 0.4),
        (0, 0, 20, 20, 0.9),
        (0, 0, 30, 30, 0.95),  # a bicycle
        (0, 0, 40, 40, 0.29),  # too unsure
        (330, 0, 340, 10, 0.8),  # beyond the frame
        (0, 0, 0, 0, 0.0),  # how an export fills up
    )
    found, _ = detector(rows, np.array([[0, 0, 1, 0, 0, 0]]))
    boxes, scores = found.detect(np.zeros((320, 320, 3), np.uint8))
    np.testing.assert_allclose(scores, [0.9, 0.4])
    np.testing.assert_allclose(boxes[:, 2], [19.5, 9.5])


def test_nobody() -> None:
    boxes, scores = detector(*NOBODY)[0].detect(np.zeros((100, 50, 3), np.uint8))
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))


def test_a_foreign_model_is_named() -> None:
    found, _ = detector(np.zeros((1, 17, 384), np.float32), np.zeros((1, 17, 512), np.float32))
    with pytest.raises(OnnxModelError, match=r"fake.onnx: expected outputs dets \(1, N, 5\)"):
        found.detect(np.zeros((320, 320, 3), np.uint8))


@pytest.mark.parametrize(
    "shape", [["batch", 3, 640, 640], [1, 1, 320, 320], ["batch", 51], ["batch", 3, 320, "w", 1]]
)
def test_a_file_of_another_input_is_named(shape: list) -> None:
    session = FakeSession(*NOBODY)
    session.input_shapes = [shape]
    with pytest.raises(OnnxModelError, match=r"expected an input \['N', 3, 320, 320\], the file has"):
        RtmDet(session, (320, 320), "bgr", MEAN, STD)


@pytest.mark.parametrize("hw", [(1, 1), (1, 4000), (3000, 2)])
def test_frames_of_odd_shapes(hw: tuple[int, int]) -> None:
    found, session = detector(dets((0, 0, 320, 320, 0.9)), np.zeros((1, 1), np.int64))
    boxes, _ = found.detect(np.zeros((*hw, 3), np.uint8))
    assert session.fed[0].shape == (1, 3, 320, 320)
    np.testing.assert_allclose(boxes, [[-0.5, -0.5, hw[1] - 0.5, hw[0] - 0.5]], atol=1e-3)


def test_nonsense_from_the_network_is_nobody() -> None:
    nan, inf = float("nan"), float("inf")
    rows = dets((nan, 0, 9, 9, 0.9), (0, 0, 9, 9, nan), (inf, inf, inf, inf, 0.9), (9, 9, 5, 5, 0.9))
    boxes, scores = detector(rows, np.zeros((1, 4), np.int64))[0].detect(np.zeros((320, 320, 3), np.uint8))
    assert len(boxes) == len(scores) == 0


def test_a_row_without_preprocessing_is_named() -> None:
    with pytest.raises(ValueError, match="weight demo_portrait: expected input_hw, colour, mean and std"):
        RtmDet.from_weight(FakeSession(*NOBODY), get_weight("demo_portrait"))


@pytest.fixture(scope="module")
def real(shared_dir: Path) -> RtmDet:
    row = get_weight("rtmdet_nano")
    return RtmDet.from_weight(OnnxSession(shared_dir / "weights" / row.file, "cpu"), row, 0.5)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("picture", "at_least"), [("000000000785.jpg", (0.9,)), ("000000040083.jpg", (0.8, 0.8))]
)
def test_real_photographs_against_coco(real: RtmDet, shared_dir: Path, picture: str, at_least) -> None:
    import cv2

    coco = json.loads((shared_dir / "data/images/coco_keypoints.json").read_text())
    (image_id,) = (image["id"] for image in coco["images"] if image["file_name"] == picture)
    truth = np.array(
        [
            (x - 0.5, y - 0.5, x + w - 0.5, y + h - 0.5)
            for a in coco["annotations"]
            if a["image_id"] == image_id and a["num_keypoints"]
            for x, y, w, h in [a["bbox"]]
        ]
    )
    boxes, scores = real.detect(cv2.imread(str(shared_dir / "data/images" / picture)))
    assert len(boxes) == len(truth) == len(at_least)
    best = iou_matrix(truth, boxes).max(axis=1)
    assert np.all(best >= at_least), f"IoU {best}, scores {scores}"


@pytest.mark.shared
def test_real_clips_have_their_one_person(real: RtmDet, shared_dir: Path) -> None:
    from pose_extract.video import VideoFrames

    clips = sorted((shared_dir / "data/clips").glob("[AB][12]_*.mp4"))
    assert len(clips) == 4
    for clip in clips:
        with VideoFrames(clip) as video:
            for number, (_, frame_bgr) in enumerate(video):
                if number % 12 == 0:
                    boxes, scores = real.detect(frame_bgr)
                    assert len(boxes) == 1 and scores[0] > 0.8, f"{clip.name}, frame {number}: {scores}"
