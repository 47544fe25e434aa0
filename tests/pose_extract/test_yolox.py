from __future__ import annotations

import numpy as np
import pytest
from model_fakes import FakeSession

from pose_extract.onnx_session import OnnxModelError
from pose_extract.yolox import YoloX, decode_cells, grid

CELLS_64 = 8 * 8 + 4 * 4 + 2 * 2


def raw(
    *people: tuple[int, tuple[float, float, float, float], float, float], classes: int = 80
) -> np.ndarray:
    """Cell, raw box, objectness, probability of a person."""
    outputs = np.zeros((1, CELLS_64, 5 + classes), np.float32)
    for cell, box, objectness, person in people:
        outputs[0, cell, :4], outputs[0, cell, 4], outputs[0, cell, 5] = box, objectness, person
    return outputs


def detect(
    *outputs: np.ndarray, frame_hw: tuple[int, int] = (64, 64)
) -> tuple[np.ndarray, np.ndarray, FakeSession]:
    session = FakeSession(*outputs)
    return *YoloX(session, (64, 64), score_threshold=0.3).detect(
        np.full((*frame_hw, 3), 50, np.uint8)
    ), session


def test_grid_runs_row_by_row_through_the_strides() -> None:
    cells, strides = grid((64, 96))
    assert len(cells) == len(strides) == 8 * 12 + 4 * 6 + 2 * 3
    assert cells[:2].tolist() == [[0, 0], [1, 0]]
    assert cells[12].tolist() == [0, 1]
    assert (cells[96].tolist(), strides[95, 0], strides[96, 0], strides[-1, 0]) == ([0, 0], 8, 16, 32)
    assert cells[-1].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("cell", "stride", "raw_box", "box"),
    [
        ((0, 0), 8, (0, 0, 0, 0), (-4, -4, 4, 4)),
        ((2, 1), 8, (0.5, 0.5, 0, 0), (16, 8, 24, 16)),
        ((1, 1), 32, (0.25, 0, np.log(2), np.log(0.5)), (8, 24, 72, 40)),
    ],
)
def test_decoding_known_answers(cell, stride, raw_box, box) -> None:
    decoded = decode_cells(
        np.array([raw_box], np.float32), np.array([cell], np.float32), np.array([[stride]], np.float32)
    )
    np.testing.assert_allclose(decoded, [box], rtol=1e-6)


def test_input_is_bgr_as_it_is() -> None:
    *_, session = detect(raw(), frame_hw=(64, 32))
    assert np.all(session.fed[0][0, :, :, :32] == 50) and np.all(session.fed[0][0, :, :, 32:] == 114)


def test_raw_outputs_are_decoded_and_suppressed() -> None:
    cell = 8 * 2 + 3  # row 2, column 3 of stride 8: centre 24, 16
    size = (np.log(3), np.log(2))  # 24 x 16
    boxes, scores, _ = detect(
        raw(
            (cell, (0, 0, *size), 0.9, 0.8),
            (cell + 1, (-1, 0.1, *size), 0.9, 0.7),  # the same person, less sure
            (64 + 15, (0, 0, 0, 0), 0.9, 0.5),  # somebody else: row 3, column 3 of stride 16
            (64 + 1, (0, 0, 0, 0), 0.5, 0.5),  # 0.25: too unsure
            (64, (0, 0, 0, 0), 0.9, 0.1),  # an object, hardly a person
        )
    )
    np.testing.assert_allclose(scores, [0.72, 0.45], rtol=1e-6)
    np.testing.assert_allclose(boxes, [[11.5, 7.5, 35.5, 23.5], [39.5, 39.5, 55.5, 55.5]], atol=1e-4)


def test_raw_outputs_come_back_to_a_larger_frame() -> None:
    boxes, _, _ = detect(raw((19, (0, 0, np.log(3), np.log(2)), 0.9, 0.8)), frame_hw=(128, 96))
    np.testing.assert_allclose(boxes, [[23.5, 15.5, 71.5, 47.5]], atol=1e-4)


def test_suppressed_exports_answer_like_rtmdet() -> None:
    dets = np.array([[[8, 8, 16, 32, 0.6], [0, 0, 8, 8, 0.2], [0, 0, 8, 8, 0.9]]], np.float32)
    boxes, scores, _ = detect(dets, np.array([[0, 0, 5]]))
    np.testing.assert_allclose(boxes, [[7.5, 7.5, 15.5, 31.5]])
    np.testing.assert_allclose(scores, [0.6])


def test_nobody() -> None:
    boxes, scores, _ = detect(raw())
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))


def test_a_person_only_model_has_one_class() -> None:
    _, scores, _ = detect(raw((19, (0, 0, 0, 0), 1.0, 0.5), classes=1))
    np.testing.assert_allclose(scores, [0.5])


def test_outputs_of_another_input_size_are_named() -> None:
    with pytest.raises(
        OnnxModelError, match=r"expected raw YOLOX outputs \(1, 84, 5 \+ classes\).*got \(1, 8400"
    ):
        detect(np.zeros((1, 8400, 85), np.float32))


def test_input_size_must_be_a_multiple_of_32() -> None:
    with pytest.raises(ValueError, match=r"multiple of 32 pixels, got \(100, 64\)"):
        YoloX(FakeSession(), (100, 64))
