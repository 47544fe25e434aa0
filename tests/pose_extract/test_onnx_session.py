from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
from tiny_graphs import write_doubling

from pose_extract.installed_wheels import installation_warning
from pose_extract.onnx_session import (
    AUTO_ORDER,
    CPU,
    DEVICES,
    DeviceUnavailableError,
    OnnxModelError,
    OnnxRuntimeMissingError,
    OnnxSession,
    check_provider,
    parse_device,
    providers_for,
)

CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    return write_doubling(tmp_path / "doubling.onnx")


def test_runs_and_says_on_what(doubling: Path) -> None:
    session = OnnxSession(doubling, "cpu")
    (y,) = session.run({"x": np.array([[1, 2, 3]], np.float32)})
    assert y.tolist() == [[2, 4, 6]]
    assert (session.input_names, session.output_names) == (["x"], ["y"])
    assert session.input_shapes == [["batch", 3]]
    assert (session.provider, session.device) == (CPU, "cpu")
    assert session.runtime == f"onnxruntime {onnxruntime.__version__} {CPU}, 1 thread"


def test_auto_takes_the_cpu_where_there_is_nothing_better(doubling: Path) -> None:
    if set(onnxruntime.get_available_providers()) & {DEVICES[name].provider for name in AUTO_ORDER[:-1]}:
        pytest.skip("this machine's ONNX Runtime offers more than the CPU")
    assert OnnxSession(doubling, "auto").device == "cpu"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"x": np.zeros((1, 4), np.float32)}, "float32 (1, 4)"),
        ({"x": np.zeros((1, 3), np.float64)}, "float64 (1, 3)"),
        ({"z": np.zeros((1, 3), np.float32)}, "got z float32"),
    ],
)
def test_wrong_inputs_are_named(doubling: Path, inputs: dict[str, np.ndarray], said: str) -> None:
    session = OnnxSession(doubling, "cpu")
    with pytest.raises(OnnxModelError, match=r"doubling.onnx: expected x \['batch', 3\]") as raised:
        session.run(inputs)
    assert said in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x08\x12\x04onnx"])
def test_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(content)
    with pytest.raises(OnnxModelError, match=r"broken\.onnx: expected an ONNX model") as raised:
        OnnxSession(broken, "cpu")
    assert "\n" not in str(raised.value)


def test_truncated_file_is_named(tmp_path: Path, doubling: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(doubling.read_bytes()[:-20])
    with pytest.raises(OnnxModelError, match=r"cut\.onnx"):
        OnnxSession(cut, "auto")


def test_absent_file_and_threads(tmp_path: Path, doubling: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no ONNX model at"):
        OnnxSession(tmp_path / "absent.onnx")
    with pytest.raises(ValueError, match="at least 1 thread, got 0"):
        OnnxSession(doubling, threads=0)


@pytest.mark.parametrize(
    ("device", "parsed"),
    [
        ("auto", ("auto", None)),
        ("cpu", ("cpu", None)),
        ("cuda", ("cuda", None)),
        ("cuda:0", ("cuda", 0)),
        ("cuda:12", ("cuda", 12)),
        ("tensorrt:1", ("tensorrt", 1)),
        ("coreml", ("coreml", None)),
        ("directml", ("directml", None)),
        ("openvino", ("openvino", None)),
    ],
)
def test_devices(device: str, parsed: tuple[str, int | None]) -> None:
    assert parse_device(device) == parsed


@pytest.mark.parametrize(
    "device", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "auto:0", "CUDA", "coreml:1"]
)
def test_unknown_devices(device: str) -> None:
    with pytest.raises(ValueError, match=r"expected --device to be auto, tensorrt\[:N\], cuda\[:N\]"):
        parse_device(device)


def test_providers_carry_the_device_number_and_end_on_the_cpu(tmp_path: Path) -> None:
    tensorrt = providers_for("tensorrt:2", tmp_path)
    assert [name for name, _ in tensorrt] == [TENSORRT, CUDA, CPU]
    assert [options.get("device_id") for _, options in tensorrt] == ["2", "2", None]
    assert tensorrt[0][1]["trt_engine_cache_path"] == str(tmp_path / "tensorrt")  # not the user's directory
    assert [name for name, _ in providers_for("cuda", tmp_path)] == [CUDA, CPU]
    assert "device_id" not in providers_for("cuda", tmp_path)[0][1]
    assert providers_for("cpu", tmp_path) == [(CPU, {})]


def test_provider_read_back() -> None:
    check_provider("cuda:1", [CUDA, CPU], [CUDA, CPU])
    check_provider("cpu", [CPU], [CPU])
    with pytest.raises(DeviceUnavailableError, match=f"needs {CUDA}, which is listed but does not load"):
        check_provider("cuda", [CPU], [TENSORRT, CUDA, CPU])
    with pytest.raises(DeviceUnavailableError, match="which is not part of this build"):
        check_provider("coreml", [CPU], [CPU])
    with pytest.raises(DeviceUnavailableError, match=f"would run on {CUDA} instead"):
        check_provider("tensorrt", [CUDA, CPU], [TENSORRT, CUDA, CPU])


def test_cuda_without_cuda_is_an_error(doubling: Path) -> None:
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(DeviceUnavailableError, match=r"--device cuda:0 needs .* use --device cpu"):
        OnnxSession(doubling, "cuda:0")


class FakeMachine:
    """Stands in for `onnxruntime.InferenceSession` on a machine where only some providers load."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, offered: list[str], loads: list[str], fails: str = ""
    ) -> None:
        self.asked: list[list[str]] = []
        self.options: onnxruntime.SessionOptions | None = None
        real = onnxruntime.InferenceSession

        def open_session(path, options, providers):
            self.options = options
            self.asked.append([name for name, _ in providers])
            if providers[0][0] == fails:
                raise onnxruntime.capi.onnxruntime_pybind11_state.Fail(
                    "CUDA failure 101: invalid device ordinal"
                )
            session = real(path, options, providers=[CPU])
            running = [name for name, _ in providers if name in loads]
            session.get_providers = lambda: running
            return session

        monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)


def test_listed_but_not_loading_is_an_error(monkeypatch: pytest.MonkeyPatch, doubling: Path) -> None:
    FakeMachine(monkeypatch, offered=[TENSORRT, CUDA, CPU], loads=[CPU])
    with pytest.raises(DeviceUnavailableError, match="is listed but does not load"):
        OnnxSession(doubling, "cuda")


def test_auto_takes_the_best_that_really_loads(monkeypatch: pytest.MonkeyPatch, doubling: Path) -> None:
    working = FakeMachine(monkeypatch, offered=[TENSORRT, CUDA, CPU], loads=[CUDA, CPU])
    session = OnnxSession(doubling, "auto")
    assert (session.device, session.provider) == ("cuda", CUDA)
    assert working.asked == [[CUDA, CPU]]  # TensorRT is not tried unasked


def test_auto_goes_on_where_it_does_not_load(monkeypatch: pytest.MonkeyPatch, doubling: Path) -> None:
    broken = FakeMachine(monkeypatch, offered=[TENSORRT, CUDA, CPU], loads=[CPU])
    session = OnnxSession(doubling, "auto")
    assert (session.device, session.provider) == ("cpu", CPU)
    assert broken.asked == [[CUDA, CPU], [CPU]]


def test_a_device_that_fails_is_told_from_a_file_that_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, doubling: Path
) -> None:
    FakeMachine(monkeypatch, offered=[CUDA, CPU], loads=[CPU], fails=CUDA)
    with pytest.raises(
        DeviceUnavailableError, match=r"cuda:9 does not load doubling.onnx, which the CPU does: CUDA"
    ):
        OnnxSession(doubling, "cuda:9")
    assert OnnxSession(doubling, "auto").device == "cpu"
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    for device in ("cuda:9", "auto"):
        with pytest.raises(OnnxModelError, match=r"broken\.onnx: expected an ONNX model"):
            OnnxSession(broken, device)


def test_threads_do_not_spin(monkeypatch: pytest.MonkeyPatch, doubling: Path) -> None:
    machine = FakeMachine(monkeypatch, offered=[CPU], loads=[CPU])
    session = OnnxSession(doubling, "cpu", threads=3)
    assert machine.options is not None
    assert machine.options.intra_op_num_threads == 3
    assert machine.options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert session.runtime.endswith("3 threads")


def test_absent_runtime_names_the_extras(monkeypatch: pytest.MonkeyPatch, doubling: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OnnxRuntimeMissingError, match=r"fidget\[cpu\].*fidget\[gpu\]"):
        OnnxSession(doubling)


def test_emptied_runtime_folder_is_explained(monkeypatch: pytest.MonkeyPatch, doubling: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(OnnxRuntimeMissingError, match="uninstall every onnxruntime wheel"):
        OnnxSession(doubling)


def test_two_builds_are_warned_of() -> None:
    assert installation_warning([]) is None
    assert installation_warning(["onnxruntime-gpu"]) is None
    warning = installation_warning(["onnxruntime", "onnxruntime-gpu"])
    assert warning is not None and warning.startswith("onnxruntime and onnxruntime-gpu are both installed")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    modules = "onnx_session, rtmdet, yolox, simcc, rtmpose, top_down"
    code = f"""import sys; from pose_extract import {modules}
print(sorted({{'onnxruntime', 'cv2', 'scipy'}} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
