from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from pose_extract.mmpose_adapter import (
    MmposeMissingError,
    MmposeModel,
    MmposeModelError,
    check_layout,
    check_loaded,
)
from pose_extract.onnx_session import DeviceUnavailableError
from poses.layout import get_layout

COCO = get_layout("coco17")

# A stand-in for MMPose: its answers can be foreseen, and it takes a frame without boxes for one person, as
# the real one does.
FAKE = """
import numpy as np
from types import SimpleNamespace

META = {"dataset_name": "coco", "num_keypoints": 17}
META["flip_indices"] = [0] + [i + 1 if i % 2 else i - 1 for i in range(1, 17)]
calls = []


class Model:
    dataset_meta = META

    def parameters(self):
        yield SimpleNamespace(device=self.device)


def init_model(config, checkpoint, device):
    calls.append((config, checkpoint, device))
    text = open(config).read()
    if "raise" in text:
        raise KeyError("no such backbone")
    model = Model()
    model.device = device
    if "meta" in text:
        model.dataset_meta = eval(text.split("meta", 1)[1])
    return model


def inference_topdown(model, frame, boxes, bbox_format):
    assert bbox_format == "xyxy" and boxes.dtype == np.float32
    if len(boxes) == 0:
        boxes = np.array([[0, 0, frame.shape[1], frame.shape[0]]])
    answers = []
    for x1, y1, x2, y2 in boxes:
        steps = np.arange(17)[:, None] / 16
        xy = np.concatenate([x1 + steps * (x2 - x1), y1 + steps * (y2 - y1)], axis=1)[None]
        score = np.full((1, 17), 0.5, np.float32)
        score[0, 0], score[0, 1] = 0.0, 1.5
        xy[0, 2] = np.nan
        answers.append(SimpleNamespace(pred_instances=SimpleNamespace(keypoints=xy, keypoint_scores=score)))
    return answers
"""


@pytest.fixture
def mmpose(tmp_path, monkeypatch):
    """The stand-in, importable as mmpose, and a config and checkpoint for it."""
    package = tmp_path / "site" / "mmpose"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "1.3.2"\n')
    (package / "apis.py").write_text(FAKE)
    monkeypatch.syspath_prepend(package.parent)
    for name in ("mmpose", "mmpose.apis", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "config.py").write_text("")
    (tmp_path / "model.pth").write_bytes(b"weights")
    yield importlib.import_module("mmpose.apis")
    for name in ("mmpose", "mmpose.apis"):
        sys.modules.pop(name, None)


def build(tmp_path: Path, device: str = "cpu", layout=COCO) -> MmposeModel:
    return MmposeModel(tmp_path / "config.py", tmp_path / "model.pth", device, layout)


def test_answers_are_given_per_frame_and_person(mmpose, tmp_path):
    model = build(tmp_path)
    frame = np.zeros((100, 200, 3), np.uint8)
    boxes = np.array([[0, 0, 160, 80], [10, 20, 26, 36]], np.float32)
    answers = model.estimate([frame, frame], [boxes, boxes[1:]])
    assert [xy.shape for xy, _ in answers] == [(2, 17, 2), (1, 17, 2)]
    xy, score = answers[0]
    assert xy.dtype == score.dtype == np.float32
    np.testing.assert_allclose(xy[0, 3], [30, 15])
    np.testing.assert_allclose(xy[1, 16], [26, 36])
    np.testing.assert_array_equal(answers[1][0], xy[1:])


def test_what_was_not_found_has_score_0_and_nan_and_no_score_exceeds_1(mmpose, tmp_path):
    xy, score = build(tmp_path).estimate(
        [np.zeros((9, 9, 3), np.uint8)], [np.array([[0, 0, 8, 8]], np.float32)]
    )[0]
    np.testing.assert_array_equal(score[0, :4], [0, 1, 0, 0.5])
    np.testing.assert_array_equal(np.isnan(xy[0, :, 0]), np.isin(np.arange(17), [0, 2]))


def test_a_frame_without_boxes_has_nobody(mmpose, tmp_path):
    frame = np.zeros((9, 9, 3), np.uint8)
    for none in (np.empty((0, 4), np.float32), np.empty(0, np.float32)):
        xy, score = build(tmp_path).estimate([frame], [none])[0]
        assert xy.shape == (0, 17, 2) and score.shape == (0, 17)


def test_weights_and_runtime_are_recorded(mmpose, tmp_path):
    model = build(tmp_path)
    assert model.weights == {
        "mmpose:config.py": hashlib.sha256(b"").hexdigest(),
        "mmpose:model.pth": hashlib.sha256(b"weights").hexdigest(),
    }
    assert model.runtime == "mmpose 1.3.2, cpu"
    assert mmpose.calls == [(str(tmp_path / "config.py"), str(tmp_path / "model.pth"), "cpu")]


def test_auto_without_cuda_is_the_cpu(mmpose, tmp_path):
    assert build(tmp_path, "auto").runtime == "mmpose 1.3.2, cpu"


@pytest.mark.parametrize(
    ("device", "said"),
    [("cuda", "finds no CUDA"), ("cuda:1", "finds no CUDA"), ("coreml", "cpu, cuda or cuda:N")],
)
def test_a_device_that_is_not_there_is_an_error(mmpose, tmp_path, device, said):
    with pytest.raises(DeviceUnavailableError, match=said):
        build(tmp_path, device)
    assert mmpose.calls == []


def test_another_layout_is_refused_naming_both(mmpose, tmp_path):
    with pytest.raises(
        MmposeModelError, match=r"\(coco, 17 keypoints\) does not answer in layout halpe26 \(26"
    ):
        build(tmp_path, layout=get_layout("halpe26"))


def test_a_config_that_mmpose_refuses_is_named(mmpose, tmp_path):
    (tmp_path / "config.py").write_text("raise")
    with pytest.raises(MmposeModelError, match=r"cannot build .*config.py .* KeyError: 'no such backbone'"):
        build(tmp_path)


@pytest.mark.parametrize("missing", ["config.py", "model.pth"])
def test_a_missing_file_is_named(mmpose, tmp_path, missing):
    (tmp_path / missing).unlink()
    with pytest.raises(FileNotFoundError, match=rf"got .*{missing}; give --mmpose-config"):
        build(tmp_path)


def test_answers_of_another_shape_are_refused(mmpose, tmp_path):
    wrong = '{"num_keypoints": 26, "flip_indices": None}'
    (tmp_path / "config.py").write_text(f"meta{wrong}")
    model = build(tmp_path, layout=get_layout("halpe26"))
    with pytest.raises(MmposeModelError, match=r"expected 26 joints of halpe26, got keypoints \(17, 2\)"):
        model.estimate([np.zeros((9, 9, 3), np.uint8)], [np.array([[0, 0, 8, 8]], np.float32)])


def test_without_mmpose_the_message_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "config.py").write_text("")
    (tmp_path / "model.pth").write_text("")
    monkeypatch.setitem(sys.modules, "mmpose", None)
    with pytest.raises(
        MmposeMissingError, match=r"pip install --no-deps mmengine==0.10.7 .*mmpose==1.3.2.*docs/mmpose.md"
    ):
        build(tmp_path)


def test_a_broken_part_of_mmpose_is_named_too(mmpose, tmp_path, monkeypatch):
    Path(mmpose.__file__).write_text("import mmcv_that_is_not_there\n")
    for name in ("mmpose", "mmpose.apis"):
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    with pytest.raises(MmposeMissingError, match="mmcv_that_is_not_there"):
        build(tmp_path)


def mirror_of(layout) -> dict[str, object]:
    return {"dataset_name": "x", "num_keypoints": len(layout.joints), "flip_indices": list(layout.mirror)}


@pytest.mark.parametrize("name", ["coco17", "halpe26", "coco_wholebody133"])
def test_the_right_layout_passes_with_indices_or_pairs(name):
    layout = get_layout(name)
    meta = mirror_of(layout)
    check_layout(meta, layout, "c.py")
    pairs = [(i, j) for i, j in enumerate(layout.mirror) if i < j]
    check_layout({**meta, "flip_indices": None, "flip_pairs": pairs}, layout, "c.py")
    check_layout({**meta, "flip_indices": None}, layout, "c.py")


def test_the_same_number_in_another_order_is_refused():
    meta = mirror_of(COCO)
    meta["flip_indices"] = [16 - i for i in meta["flip_indices"][::-1]]
    with pytest.raises(MmposeModelError, match="left/right pairs differ at nose, "):
        check_layout(meta, COCO, "c.py")


@pytest.mark.parametrize("meta", [None, {}, {"dataset_name": "x"}])
def test_a_model_that_says_nothing_of_its_keypoints_is_refused(meta):
    with pytest.raises(MmposeModelError, match=r"c\.py says nothing of its keypoints"):
        check_layout(meta, COCO, "c.py")


def test_a_checkpoint_must_hold_every_parameter_in_its_shape():
    model = {"a.weight": (3, 4), "a.bias": (3,), "bn.num_batches_tracked": ()}
    check_loaded(model, {"a.weight": (3, 4), "a.bias": (3,), "more": (1,)}, "m.pth")
    with pytest.raises(
        MmposeModelError, match=r"m.pth belongs to another config: 1 of 3 .* 0 have .* a.bias"
    ):
        check_loaded(model, {"a.weight": (3, 4)}, "m.pth")
    with pytest.raises(MmposeModelError, match=r"0 of 3 .* 1 have another shape, such as a.weight"):
        check_loaded(model, {"a.weight": (4, 4), "a.bias": (3,)}, "m.pth")


def test_the_module_alone_imports_neither_mmpose_nor_torch():
    import subprocess

    code = "import sys, pose_extract.mmpose_adapter; sys.exit(bool({'mmpose', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
