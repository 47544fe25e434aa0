from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_fakes import FakeSession
from numpy.typing import NDArray
from tiny_graphs import write_profile_simcc

from pose_extract.onnx_session import OnnxModelError, OnnxSession
from pose_extract.rtmpose import RtmPose
from poses.layout import Layout, get_layout
from weights.manifest import get_weight

HW = (256, 192)
RGB_JOINTS = Layout("rgb", ("red", "green", "blue"), (0, 0, 0), ((0, 1), (0, 2)), (0, 1, 2))


def frame_with_spots(
    spots_xy: NDArray, hw: tuple[int, int] = (480, 640), sigma: float = 12.0
) -> NDArray[np.uint8]:
    """A red, a green and a blue spot on black, as BGR."""
    y, x = np.mgrid[: hw[0], : hw[1]]
    planes = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy in spots_xy]
    return np.round(255 * np.stack(planes[::-1], axis=-1)).astype(np.uint8)


def spot_model(path: Path, batch: int | str = "batch", **more) -> RtmPose:
    session = OnnxSession(write_profile_simcc(path, HW, batch), "cpu")
    return RtmPose(session, RGB_JOINTS, HW, "rgb", (0, 0, 0), (255, 255, 255), **more)


BOX = np.array([[200, 100, 360, 330]], np.float32)
SPOTS = np.array([[250.3, 150.8], [281.0, 222.2], [330.6, 300.1]])


@pytest.mark.parametrize("flip_test", [False, True])
def test_joints_come_back_to_the_frame_below_the_pixel(tmp_path: Path, flip_test: bool) -> None:
    pose = spot_model(tmp_path / "m.onnx", flip_test=flip_test)
    ((xy_px, score),) = pose.estimate([frame_with_spots(SPOTS)], [BOX])
    assert (xy_px.shape, xy_px.dtype, score.shape, score.dtype) == ((1, 3, 2), np.float32, (1, 3), np.float32)
    np.testing.assert_allclose(xy_px[0], SPOTS, atol=0.15)  # a bin is 0.75 px here
    assert np.all(score > 0.9)


def test_small_and_huge_people(tmp_path: Path) -> None:
    pose = spot_model(tmp_path / "m.onnx")
    for scale in (0.5, 4.0):
        spots, box = SPOTS * scale, BOX * np.float32(scale)
        frame = frame_with_spots(spots, (int(480 * scale), int(640 * scale)), sigma=12 * scale)
        ((xy_px, _),) = pose.estimate([frame], [box])
        np.testing.assert_allclose(xy_px[0], spots, atol=0.15 * scale)


def test_a_person_cut_by_the_frame(tmp_path: Path) -> None:
    pose = spot_model(tmp_path / "m.onnx")
    spots = SPOTS - [240, 120]
    ((xy_px, _),) = pose.estimate([frame_with_spots(spots)], [np.array([[-0.5, -0.5, 120, 210]], np.float32)])
    np.testing.assert_allclose(xy_px[0], spots, atol=0.2)


@pytest.mark.parametrize("batch_crops", [1, 2, None])
def test_people_of_several_frames_share_batches_and_go_home(tmp_path: Path, batch_crops: int) -> None:
    pose = spot_model(tmp_path / "m.onnx", batch_crops=batch_crops)
    moved = [SPOTS, SPOTS + np.array([20, 5]), SPOTS - [8, 30]]
    frames = [frame_with_spots(spots) for spots in moved]
    boxes = [np.repeat(BOX, 2, axis=0), np.empty((0, 4), np.float32), BOX - np.float32(10)]
    answers = pose.estimate(frames, boxes)
    assert [xy.shape for xy, _ in answers] == [(2, 3, 2), (0, 3, 2), (1, 3, 2)]
    assert [score.shape for _, score in answers] == [(2, 3), (0, 3), (1, 3)]
    np.testing.assert_allclose(answers[0][0], [moved[0]] * 2, atol=0.15)
    np.testing.assert_allclose(answers[2][0], [moved[2]], atol=0.15)


def test_a_model_of_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    pose = spot_model(tmp_path / "m.onnx", batch=4)
    answers = pose.estimate([frame_with_spots(SPOTS)] * 5, [BOX] * 5)
    assert len(answers) == 5
    for xy_px, _ in answers:
        np.testing.assert_allclose(xy_px[0], SPOTS, atol=0.15)


@pytest.mark.parametrize(("crops", "fed"), [(1, [1]), (3, [4]), (5, [8]), (16, [16]), (19, [16, 4])])
def test_a_gpu_sees_few_sizes_of_batch(tmp_path: Path, crops: int, fed: list[int]) -> None:
    pose = spot_model(tmp_path / "m.onnx", batch_crops=16)
    sizes = []
    run = pose.session.run

    def watched(inputs):
        sizes.append(len(inputs["input"]))
        return run(inputs)

    pose.session.provider, pose.session.run = "CUDAExecutionProvider", watched
    answers = pose.estimate([frame_with_spots(SPOTS)] * crops, [BOX] * crops)
    assert sizes == fed
    np.testing.assert_allclose(np.concatenate([xy for xy, _ in answers]), [SPOTS] * crops, atol=0.15)


def test_no_frames_and_no_boxes(tmp_path: Path) -> None:
    pose = spot_model(tmp_path / "m.onnx")
    assert pose.estimate([], []) == []
    ((xy_px, score),) = pose.estimate([frame_with_spots(SPOTS)], [np.empty((0, 4), np.float32)])
    assert (xy_px.shape, score.shape) == ((0, 3, 2), (0, 3))


def test_an_unseen_joint_is_nan_with_score_0(tmp_path: Path) -> None:
    pose = spot_model(tmp_path / "m.onnx")
    frame = frame_with_spots(SPOTS)
    frame[..., 0] = 0  # no blue spot
    ((xy_px, score),) = pose.estimate([frame], [BOX])
    assert np.isnan(xy_px[0, 2]).all() and score[0, 2] == 0
    assert np.isfinite(xy_px[0, :2]).all()


def test_flip_test_swaps_left_and_right(tmp_path: Path) -> None:
    pose = spot_model(tmp_path / "m.onnx", flip_test=True)
    pose.layout = replace(RGB_JOINTS, mirror=(0, 2, 1))
    # this network goes by colour and takes the mirror image's green for green: the mean has two peaks
    ((_, swapped),) = pose.estimate([frame_with_spots(SPOTS)], [BOX])
    assert swapped[0, 0] > 0.9
    assert np.all(swapped[0, 1:] < 0.6)


class TestPreprocessing:
    def feed(self, weight_name: str, frame: NDArray, box: NDArray) -> NDArray:
        row = get_weight(weight_name)
        joints, (height, width) = len(get_layout(row.layout).joints), row.input_hw
        session = FakeSession(
            np.ones((1, joints, 2 * width), np.float32),
            np.ones((1, joints, 2 * height), np.float32),
            names=("simcc_x", "simcc_y"),
        )
        RtmPose.from_weight(session, row).estimate([frame], [box])
        return session.fed[0]

    def test_rgb_and_published_mean(self) -> None:
        frame = np.zeros((400, 400, 3), np.uint8)
        frame[:] = (10, 100, 200)  # blue, green, red
        fed = self.feed("rtmpose_m", frame, np.array([[150, 150, 250, 250]], np.float32))
        assert fed.shape == (1, 3, 256, 192)
        expected = (np.array([200, 100, 10]) - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
        np.testing.assert_allclose(fed[0, :, 128, 96], expected, rtol=1e-5)

    def test_box_is_padded_and_lengthened_to_the_aspect(self) -> None:
        frame = np.zeros((400, 400, 3), np.uint8)
        frame[150:250, 150:250] = 255  # a box of 100 x 100: 125 wide after padding, 166.7 high at 3:4
        box = np.array([[149.5, 149.5, 249.5, 249.5]], np.float32)
        white = self.feed("rtmpose_m", frame, box)[0, 0] > 0
        assert white.any(axis=0).sum() == pytest.approx(192 / 1.25, abs=1)
        assert white.any(axis=1).sum() == pytest.approx(192 / 1.25, abs=1)
        assert np.flatnonzero(white.any(axis=0)).mean() == pytest.approx(95.5, abs=0.5)
        assert np.flatnonzero(white.any(axis=1)).mean() == pytest.approx(127.5, abs=0.5)

    @pytest.mark.parametrize(
        ("name", "joints", "shape"),
        [
            ("rtmpose_m", 17, (1, 3, 256, 192)),
            ("rtmpose_l_halpe26", 26, None),
            ("dwpose_l_384", 133, (1, 3, 384, 288)),
        ],
    )
    def test_rows_of_the_manifest(self, name: str, joints: int, shape: tuple[int, ...] | None) -> None:
        fed = self.feed(name, np.zeros((200, 100, 3), np.uint8), np.array([[10, 10, 60, 160]], np.float32))
        assert len(get_layout(get_weight(name).layout).joints) == joints
        assert shape is None or fed.shape == shape


def test_rtmw_scores_are_brought_to_one() -> None:
    row = get_weight("rtmw_m")
    session = FakeSession(
        np.full((1, 133, 384), 7.0, np.float32),
        np.full((1, 133, 512), 6.0, np.float32),
        names=("simcc_x", "simcc_y"),
    )
    pose = RtmPose.from_weight(session, row)
    ((_, score),) = pose.estimate(
        [np.zeros((99, 99, 3), np.uint8)], [np.array([[10, 10, 60, 90]], np.float32)]
    )
    np.testing.assert_allclose(score, 0.6, rtol=1e-6)


def test_another_joint_count_is_named(tmp_path: Path) -> None:
    session = OnnxSession(write_profile_simcc(tmp_path / "m.onnx", HW), "cpu")
    pose = RtmPose.from_weight(session, get_weight("rtmpose_m"))
    with pytest.raises(OnnxModelError, match=r"17 joints of coco17\), got \(1, 3, 384\)"):
        pose.estimate([frame_with_spots(SPOTS)], [BOX])


def test_another_input_size_is_named(tmp_path: Path) -> None:
    session = OnnxSession(write_profile_simcc(tmp_path / "m.onnx", (384, 288)), "cpu")
    with pytest.raises(OnnxModelError, match=r"expected an input \['N', 3, 256, 192\], the file has"):
        RtmPose.from_weight(session, get_weight("rtmpose_m"))


def test_a_row_that_is_no_pose_model_is_named(tmp_path: Path) -> None:
    session = OnnxSession(write_profile_simcc(tmp_path / "m.onnx", HW), "cpu")
    with pytest.raises(ValueError, match="weight rtmdet_nano: expected layout and simcc_split_ratio"):
        RtmPose.from_weight(session, get_weight("rtmdet_nano"))
