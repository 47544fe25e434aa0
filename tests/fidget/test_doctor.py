from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

import fidget.machine as machine
from fidget.cli.main import main
from fidget.machine import TINY_ONNX, decoders, gpu, import_problem, onnx_runtime, packages, weight_files


def test_json_lists_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] == (status == 0)
    by_subject = {finding["subject"]: finding for finding in report["findings"]}
    needed = {
        "fidget",
        "python",
        "numpy",
        "pyarrow",
        "av",
        "opencv-python-headless",
        "ai-edge-litert",
        "cores",
    }
    assert needed | {"decoders", "encoder", "onnxruntime", "GPU", "memory", "weights"} <= set(by_subject)
    assert {finding["state"] for finding in report["findings"]} <= {"ok", "note", "warning", "broken"}
    assert by_subject["numpy"]["state"] == "ok"
    assert "FFmpeg" in by_subject["av"]["value"]
    assert "h264" in by_subject["decoders"]["value"]


def test_text_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor"])
    text = capsys.readouterr().out
    assert "opencv-python-headless" in text
    assert ("nothing that extraction needs is broken" in text) == (status == 0)


def test_the_tiny_model_is_sound_and_runs() -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(TINY_ONNX)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Identity"]
    pytest.importorskip("onnxruntime")
    found = {finding.subject: finding for finding in onnx_runtime({"onnxruntime": "1"})}
    assert found["--device cpu"].state == "ok"
    assert found["--device cpu"].value == "CPUExecutionProvider runs models"


def test_a_provider_that_is_listed_but_falls_back_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    ort = pytest.importorskip("onnxruntime")
    real = ort.InferenceSession
    monkeypatch.setattr(
        ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(
        ort,
        "InferenceSession",
        lambda path, options, providers: real(path, options, ["CPUExecutionProvider"]),
    )
    found = {finding.subject: finding for finding in onnx_runtime({"onnxruntime-gpu": "1"})}
    assert found["--device cuda"].state == "warning"
    assert "listed but does not load" in found["--device cuda"].value
    assert found["--device cuda"].fix
    assert found["--device cpu"].state == "ok"


def test_two_onnx_runtimes_are_a_warning_and_none_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    both = next(onnx_runtime({"onnxruntime": "1.31", "onnxruntime-gpu": "1.30"}))
    assert both.state == "warning"
    assert "pip uninstall onnxruntime onnxruntime-gpu" in both.fix
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (absent,) = onnx_runtime({})
    assert absent.state == "note"
    (broken,) = onnx_runtime({"onnxruntime": "1.31"})
    assert broken.state == "broken"
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))  # an emptied folder
    (emptied,) = onnx_runtime({"onnxruntime-gpu": "1.31"})
    assert emptied.state == "broken"
    assert "folder is empty" in emptied.value


def test_something_that_extraction_needs_is_named_with_its_mending(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    found = {finding.subject: finding for finding in packages()}
    assert found["ai-edge-litert"].state == "broken"
    assert found["ai-edge-litert"].fix == "pip install --force-reinstall ai-edge-litert"
    assert found["numpy"].state == "ok"
    assert main(["doctor"]) == 1
    assert "broken: ai-edge-litert" in capsys.readouterr().out


def test_a_second_opencv_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"opencv-python-headless": "4.10", "opencv-python": "4.9"}
    monkeypatch.setattr(
        machine, "installed", lambda wheels: both if "opencv-python" in wheels else {wheels[0]: "1"}
    )
    found = {finding.subject: finding for finding in packages()}
    assert found["opencv-python-headless"].state == "warning"
    assert "opencv-python 4.9" in found["opencv-python-headless"].value


def test_a_missing_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    real = av.codec.Codec

    def without(*lacking: str) -> None:
        def codec(name: str, mode: str) -> object:
            if name in lacking:
                raise ValueError(name)
            return real(name, mode)

        monkeypatch.setattr(av.codec, "Codec", codec)

    without("av1")
    found = next(decoders())
    assert (found.state, found.value) == ("warning", "h264, hevc, vp9, mpeg4; absent: av1")
    without("h264")
    assert next(decoders()).state == "broken"


@pytest.mark.parametrize(
    ("script", "cuda_works", "state", "value"),
    [
        ("echo 'NVIDIA H200, 143771 MiB, 550.1'", True, "ok", "NVIDIA H200, 143771 MiB, driver 550.1"),
        ("echo 'NVIDIA H200, 143771 MiB, 550.1'", False, "warning", "--device cuda does not work"),
        ("exit 9", True, "warning", "nvidia-smi does not answer"),
    ],
)
def test_gpus_are_those_the_driver_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, cuda_works: bool, state: str, value: str
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = gpu(cuda_works)
    assert found.state == state
    assert value in found.value
    program.unlink()
    (found,) = gpu(cuda_works)
    assert found.state == "note"


def test_weights_that_are_missing_or_wrong_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIDGET_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = {finding.subject: finding for finding in weight_files()}
    assert found["weights directory"].value == str(tmp_path)
    assert found["weights"].state == "warning"
    assert found["weights"].fix == "fidget weights fetch blazepose"
    (tmp_path / "pose_detection.tflite").write_bytes(b"not a model")
    (found_broken,) = weight_files()
    assert found_broken.state == "broken"
    assert "pose_detection" in found_broken.value


def test_import_problems_are_one_line() -> None:
    assert import_problem("json") is None
    problem = import_problem("no_such_module_at_all")
    assert problem is not None
    assert problem.startswith("ModuleNotFoundError")
    assert "\n" not in problem
