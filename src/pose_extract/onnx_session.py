"""ONNX Runtime behind one door: which execution provider runs a model, and the proof that it really does.

A GPU build of ONNX Runtime lists providers that cannot load and falls back to the CPU without an error. So
the provider in use is read back from the session; where it is not the one asked for, that is an error.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.installed_wheels import ONNX_WHEELS, installation_warning, installed

if TYPE_CHECKING:
    from types import ModuleType

CPU = "CPUExecutionProvider"


class DeviceUnavailableError(RuntimeError):
    """The device asked for does not run models here; the message says what came instead and what to do."""


class OnnxRuntimeMissingError(ImportError):
    """ONNX Runtime is not installed, or two of its builds have broken each other."""


class OnnxModelError(ValueError):
    """A file is no ONNX model that this ONNX Runtime can load, or it was fed what it does not take."""


@dataclass(frozen=True)
class Device:
    """How one device is asked for.

    Attributes:
        provider: ONNX Runtime's name of the execution provider.
        options: its options; values are strings, as ONNX Runtime wants them.
        numbered: whether `:N` chooses one of several.
        advice: what to do where it does not load.
    """

    provider: str
    options: Mapping[str, str] = field(default_factory=dict)
    numbered: bool = False
    advice: str = ""


_NVIDIA_ADVICE = (
    "install fidget[gpu] alone (onnxruntime and onnxruntime-gpu break each other) with the CUDA and cuDNN "
    "that it names, or use --device cpu"
)

DEVICES: Mapping[str, Device] = {
    "tensorrt": Device(
        "TensorrtExecutionProvider",
        {"trt_engine_cache_enable": "1", "trt_timing_cache_enable": "1"},
        numbered=True,
        advice=_NVIDIA_ADVICE.replace("cuDNN", "cuDNN and TensorRT"),
    ),
    "cuda": Device(
        "CUDAExecutionProvider",
        # EXHAUSTIVE, the default, times every convolution again for every new batch size
        {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"},
        numbered=True,
        advice=_NVIDIA_ADVICE,
    ),
    "coreml": Device(
        "CoreMLExecutionProvider",
        {"ModelFormat": "MLProgram"},
        advice="CoreML needs macOS; use --device cpu",
    ),
    "directml": Device(
        "DmlExecutionProvider",
        numbered=True,
        advice="install onnxruntime-directml alone, on Windows, or use --device cpu",
    ),
    "openvino": Device(
        "OpenVINOExecutionProvider",
        {"device_type": "AUTO"},
        advice="install onnxruntime-openvino alone, or use --device cpu",
    ),
    "cpu": Device(CPU),
}
"""Every device by the name `--device` takes; an option of an execution provider is set here, nowhere else."""

AUTO_ORDER = ("cuda", "coreml", "directml", "openvino", "cpu")
"""What `auto` tries, best first. TensorRT is not among them: it builds for minutes before the first frame."""


class OnnxSession:
    """A loaded ONNX model.

    One thread per session unless told otherwise, and no spinning: two sessions whose threads spin double each
    other's time on two cores.

    Attributes:
        path: the model file.
        provider: the execution provider that really runs it, read back.
        device: the name of `DEVICES` behind it, also where `auto` was asked for.
        runtime: one line for the record, e.g. `onnxruntime 1.31.1 CPUExecutionProvider, 1 thread`.
        warning: what is wrong with the installation though it works, else None.
        input_names: names of the inputs.
        input_shapes: their shapes; an int where it is fixed, a name or None where it is not.
        output_names: names of the outputs.
    """

    def __init__(self, path: str | Path, device: str = "auto", threads: int = 1) -> None:
        """Load a model.

        Raises:
            DeviceUnavailableError: another provider came than the one asked for.
            OnnxRuntimeMissingError: ONNX Runtime is not there.
            OnnxModelError: the file is not an ONNX model that loads.
            FileNotFoundError: there is no such file.
            ValueError: no device is called that, or threads is below 1.
        """
        if threads < 1:
            raise ValueError(f"expected at least 1 thread, got {threads}")
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"no ONNX model at {self.path}: fidget weights list shows what is where")
        runtime = _import_runtime()
        self.device, self._session = _open(runtime, self.path, device, threads)
        self.provider: str = self._session.get_providers()[0]
        self.runtime = (
            f"onnxruntime {runtime.__version__} {self.provider}, {threads} thread{'s' * (threads > 1)}"
        )
        self.warning = installation_warning(list(installed(ONNX_WHEELS)))
        self.input_names = [node.name for node in self._session.get_inputs()]
        self.input_shapes: list[list[int | str | None]] = [
            list(node.shape) for node in self._session.get_inputs()
        ]
        self.output_names = [node.name for node in self._session.get_outputs()]
        self._errors: tuple[type[Exception], ...] = (*_model_errors(runtime), ValueError)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All outputs, in the order of `output_names`; OnnxModelError if the inputs do not fit the model."""
        try:
            outputs: list[NDArray[Any]] = self._session.run(self.output_names, dict(inputs))
        except self._errors as error:
            fed = ", ".join(
                f"{name} {np.asarray(a).dtype} {np.asarray(a).shape}" for name, a in inputs.items()
            )
            wanted = ", ".join(
                f"{name} {shape}" for name, shape in zip(self.input_names, self.input_shapes, strict=True)
            )
            raise OnnxModelError(
                f"{self.path.name}: expected {wanted}, got {fed}: {_first_line(error)}"
            ) from error
        return outputs


def parse_device(device: str) -> tuple[str, int | None]:
    """`cuda:1` -> (`cuda`, 1), `cpu` -> (`cpu`, None); ValueError names the devices there are."""
    name, colon, number = device.partition(":")
    known = DEVICES.get(name)
    if name == "auto" and not colon:
        return name, None
    if known is None or (colon and not (known.numbered and number.isdecimal())):
        choices = [n + "[:N]" * d.numbered for n, d in DEVICES.items()]
        raise ValueError(f"expected --device to be auto, {', '.join(choices)}; got {device!r}")
    return name, int(number) if colon else None


def providers_for(device: str, models: Path) -> list[tuple[str, dict[str, str]]]:
    """What ONNX Runtime is asked for: the device's provider, then whoever takes the operators it lacks.

    Args:
        device: a name of `DEVICES`, perhaps with a number.
        models: the model's folder; engines that take minutes to build are kept in `tensorrt` beneath it.
    """
    name, number = parse_device(device)
    chain = {"tensorrt": ("tensorrt", "cuda", "cpu"), "cpu": ("cpu",)}.get(name, (name, "cpu"))
    providers = []
    for link in chain:
        options = dict(DEVICES[link].options)
        if DEVICES[link].numbered and number is not None:
            options["device_id"] = str(number)
        if link == "tensorrt":
            options["trt_engine_cache_path"] = options["trt_timing_cache_path"] = str(models / "tensorrt")
        providers.append((DEVICES[link].provider, options))
    return providers


def check_provider(device: str, loaded: Sequence[str], offered: Sequence[str]) -> None:
    """Compare what was asked for with what the session says it runs on.

    Args:
        device: what was asked for; not `auto`.
        loaded: the session's own list, the one in use first.
        offered: what this build of ONNX Runtime lists.

    Raises:
        DeviceUnavailableError: they differ.
    """
    entry = DEVICES[parse_device(device)[0]]
    if loaded and loaded[0] == entry.provider:
        return
    why = "is listed but does not load" if entry.provider in offered else "is not part of this build"
    raise DeviceUnavailableError(
        f"--device {device} needs {entry.provider}, which {why}: "
        f"ONNX Runtime would run on {loaded[0] if loaded else 'nothing'} instead; {entry.advice}"
    )


def _import_runtime() -> ModuleType:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise OnnxRuntimeMissingError(
            "this model needs ONNX Runtime, which does not import here "
            f"({_first_line(error)}): pip install 'fidget[cpu]', or 'fidget[gpu]' for NVIDIA, not both"
        ) from error
    if not hasattr(runtime, "InferenceSession"):  # the folder is there, its files are not
        raise OnnxRuntimeMissingError(
            f"expected one whole ONNX Runtime, got an emptied folder ({', '.join(installed(ONNX_WHEELS))}): "
            "uninstall every onnxruntime wheel, then pip install 'fidget[cpu]', or 'fidget[gpu]', not both"
        )
    return runtime


def _open(runtime: ModuleType, path: Path, device: str, threads: int) -> tuple[str, Any]:
    name, _ = parse_device(device)
    offered = runtime.get_available_providers()
    if name != "auto":
        session = _load(runtime, path, device, threads, offered)
        check_provider(device, session.get_providers(), offered)
        return name, session
    for candidate in AUTO_ORDER[:-1]:
        if DEVICES[candidate].provider not in offered:
            continue
        try:
            session = _load(runtime, path, candidate, threads, offered)
            check_provider(candidate, session.get_providers(), offered)
        except DeviceUnavailableError:
            continue
        return candidate, session
    return "cpu", _load(runtime, path, "cpu", threads, offered)


def _load(runtime: ModuleType, path: Path, device: str, threads: int, offered: Sequence[str]) -> Any:
    entry = DEVICES[parse_device(device)[0]]
    asked = [provider for provider in providers_for(device, path.parent) if provider[0] in offered]
    if not asked or asked[0][0] != entry.provider:
        check_provider(device, [name for name, _ in asked], offered)
    if entry.provider != CPU and hasattr(runtime, "preload_dlls") and "CUDAExecutionProvider" in offered:
        runtime.preload_dlls()  # finds CUDA and cuDNN where pip installed them
    try:
        return runtime.InferenceSession(
            str(path), _options(runtime, threads, entry.provider), providers=asked
        )
    except _model_errors(runtime) as error:
        if device != "cpu":
            _load(runtime, path, "cpu", threads, offered)  # if not even that, the file is to blame
            raise DeviceUnavailableError(
                f"--device {device} does not load {path.name}, which the CPU does: "
                f"{_first_line(error)}; {entry.advice}"
            ) from error
        raise OnnxModelError(
            f"{path}: expected an ONNX model, it does not load: {_first_line(error)}; "
            "fetch it again (fidget weights fetch), or check that the file is what its name says"
        ) from error


def _options(runtime: ModuleType, threads: int, provider: str) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions, a fallback is read back
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if provider == DEVICES["directml"].provider:  # its documented needs
        options.enable_mem_pattern = False
        options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    return options


def _model_errors(runtime: ModuleType) -> tuple[type[Exception], ...]:
    """ONNX Runtime's own exceptions; they have no common base class."""
    state = runtime.capi.onnxruntime_pybind11_state
    names = (
        "EPFail",
        "EngineError",
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "ModelLoadCanceled",
        "ModelLoaded",
        "ModelRequiresCompilation",
        "NoModel",
        "NoSuchFile",
        "NotFound",
        "NotImplemented",
        "RuntimeException",
    )
    return tuple(getattr(state, name) for name in names if hasattr(state, name))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
