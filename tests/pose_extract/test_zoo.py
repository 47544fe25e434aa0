"""Which model a name, or auto, stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_fakes import ScriptedDetector, ScriptedPose

from pose_extract import onnx_session, rtmpose, zoo
from pose_extract.settings import ExtractSettings
from pose_extract.zoo import build_estimator, list_models, resolve, weights_in_use
from poses.layout import get_layout
from weights import fetch
from weights.errors import MissingWeightError
from weights.manifest import load_manifest

AUTO = ExtractSettings(model="auto", layout="")


@pytest.fixture
def by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An otherwise empty machine with a directory of files placed by hand."""
    monkeypatch.setenv("FIDGET_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def place(directory: Path, *names: str) -> None:
    manifest = load_manifest()
    for name in names:
        (directory / manifest[name].file).write_bytes(b"a file")


@pytest.mark.parametrize(
    ("present", "layout", "model"),
    [
        ((), "", "blazepose"),
        (("rtmpose_m",), "", "blazepose"),  # no detector
        (("rtmdet_nano",), "", "blazepose"),  # no pose model
        (("rtmdet_nano", "rtmpose_s", "rtmpose_m"), "", "rtmpose_m"),
        (("rtmdet_nano", "rtmpose_m", "rtmw_l"), "", "rtmpose_m"),
        (("rtmdet_nano", "rtmpose_m", "rtmw_l"), "coco_wholebody133", "rtmw_l"),
        (("rtmdet_nano", "rtmw_l"), "coco17", "rtmw_l"),
        (("rtmdet_nano", "rtmpose_m"), "blazepose33", "blazepose"),
    ],
)
def test_auto(by_hand: Path, present: tuple[str, ...], layout: str, model: str) -> None:
    place(by_hand, *present)
    settings = resolve(ExtractSettings(model="auto", layout=layout))
    assert settings.model == model
    assert settings.layout in (layout, get_layout(settings.layout).name)


def test_every_model_of_the_list_has_layouts_that_exist_and_resolves() -> None:
    for choice in list_models():
        for layout in choice.layouts:
            assert get_layout(layout).joints
            resolved = resolve(ExtractSettings(model=choice.name, layout=layout))
            assert (resolved.model, resolved.layout) == (choice.name, layout)
            assert (resolved.detector is None) == (choice.name == "blazepose")


def test_a_missing_weight_says_how_to_get_it(by_hand: Path) -> None:
    with pytest.raises(MissingWeightError, match="fidget weights fetch") as missing:
        weights_in_use(resolve(ExtractSettings(model="rtmpose_m", layout="")))
    assert all(f"fidget weights fetch {name}" in str(missing.value) for name in ("rtmpose_m", "rtmdet_nano"))


def test_mmpose_asks_for_its_files() -> None:
    with pytest.raises((ValueError, MissingWeightError)):
        weights_in_use(resolve(ExtractSettings(model="mmpose", layout="")))


@pytest.mark.weights
def test_blazepose_refuses_a_gpu_it_cannot_use() -> None:
    with pytest.raises(ValueError, match="CPU only"):
        build_estimator(resolve(ExtractSettings(model="blazepose", layout="", device="cuda")))


def test_two_builds_of_onnx_runtime_are_said_with_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def __init__(self, *_: object) -> None:
            self.runtime, self.warning = "onnxruntime CPU", "two wheels are both installed"

    monkeypatch.setattr(onnx_session, "OnnxSession", Session)
    monkeypatch.setattr(fetch, "find_weight", lambda name: Path(name))
    monkeypatch.setattr(zoo, "weights_in_use", lambda settings: {})
    monkeypatch.setitem(zoo._DETECTOR_BUILDERS, "rtmdet", lambda session, row: ScriptedDetector(lambda _: []))
    monkeypatch.setattr(rtmpose.RtmPose, "from_weight", lambda *_, **__: ScriptedPose())
    settings = resolve(ExtractSettings(model="rtmpose_m", layout="", detector="rtmdet_nano"))
    assert build_estimator(settings).runtime == "onnxruntime CPU; two wheels are both installed"


def test_what_a_cache_records_leaves_the_device_out() -> None:
    recorded = AUTO.recorded()
    assert "device" not in recorded
    assert {"model", "layout", "detector", "max_persons", "detect_every_frames", "flip_test"} <= set(recorded)
