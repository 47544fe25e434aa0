"""This machine, as far as extraction is concerned: what is installed, and what really works."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pose_extract.blaze_weights import BODY_WEIGHTS
from pose_extract.installed_wheels import ONNX_WHEELS, installed

State = Literal["ok", "note", "warning", "broken"]

# y = Identity(x) for one float, ONNX IR 8, opset 13, written out as protobuf: field number << 3 | type,
# then a varint (type 0), or a length and so many bytes (type 2). onnx.checker accepts it.
TINY_ONNX = bytes.fromhex(
    "0808"  # ModelProto.ir_version = 8
    "3a37"  # .graph, 55 bytes
    "0a10" "0a0178" "120179" "22084964656e74697479"  # .node: input x, output y, op_type Identity
    "120167"  # .name = g
    "5a0f" "0a0178" "120a0a08080112040a020801"  # .input: x, tensor of float, one dimension of 1
    "620f" "0a0179" "120a0a08080112040a020801"  # .output: y, the same
    "42040a00100d"  # .opset_import: default domain, version 13
)  # fmt: skip

# distribution, module, what for, how to get it; the ones every extraction needs
_NEEDED = (
    ("numpy", "numpy"),
    ("pyarrow", "pyarrow"),
    ("scipy", "scipy.optimize"),
    ("av", "av"),
    ("opencv-python-headless", "cv2"),
    ("ai-edge-litert", "ai_edge_litert.interpreter"),
)
_OPENCV_WHEELS = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
_DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4")


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        subject: what was looked at.
        state: `ok`; `note`: absent but not needed; `warning`; `broken`: extraction fails.
        value: what was found.
        fix: what to do about it, or empty.
    """

    subject: str
    state: State
    value: str
    fix: str = ""


def look_around() -> Iterator[Finding]:
    """Everything worth knowing, one finding after another; takes a second or two."""
    yield Finding("system", "ok", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield _python()
    yield from packages()
    yield from decoders()
    devices = list(onnx_runtime(installed(ONNX_WHEELS)))
    yield from devices
    yield from gpu(any(found.subject == "--device cuda" and found.state == "ok" for found in devices))
    yield _cores()
    yield _memory()
    yield from weight_files()


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")


def packages() -> Iterator[Finding]:
    """The packages of the base install: their versions, and whether they import."""
    for wheel, module in _NEEDED:
        names = _OPENCV_WHEELS if module == "cv2" else (wheel,)
        found = installed(names)
        text = ", ".join(found.values() if list(found) == [wheel] else (f"{k} {v}" for k, v in found.items()))
        problem = import_problem(module)
        if problem:
            yield Finding(
                wheel, "broken", f"{text or 'absent'}: {problem}", f"pip install --force-reinstall {wheel}"
            )
        elif len(found) > 1:
            fix = f"uninstall them all, then pip install {wheel}"
            yield Finding(wheel, "warning", f"{text}: they share one folder, the last installed wins", fix)
        else:
            yield Finding(wheel, "ok", text + (f", FFmpeg {_ffmpeg()}" if wheel == "av" else ""))


def import_problem(module: str) -> str | None:
    """Why a module does not import, in one line; None when it does."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError, AttributeError, RuntimeError, SystemError) as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def _ffmpeg() -> str:
    import av

    major, minor, micro = av.library_versions["libavcodec"]
    return str(getattr(av, "ffmpeg_version_info", "") or f"libavcodec {major}.{minor}.{micro}")


def decoders() -> Iterator[Finding]:
    """The video codecs PyAV's FFmpeg decodes, and the encoder that previews are written with."""
    if import_problem("av"):
        return
    import av

    have, lack = [], []
    for name in _DECODERS:
        try:
            av.codec.Codec(name, "r")
        except ValueError:
            lack.append(name)
        else:
            have.append(name)
    fix = "pip install --force-reinstall av (its wheels hold all of these)" if lack else ""
    state: State = "broken" if "h264" in lack else "warning" if lack else "ok"
    yield Finding("decoders", state, ", ".join(have) + (f"; absent: {', '.join(lack)}" if lack else ""), fix)
    from fidget.reports.video_file import video_encoder

    try:
        yield Finding("encoder", "ok", f"{video_encoder()} (previews and demo clips)")
    except ValueError as error:
        yield Finding("encoder", "warning", str(error), "pip install --force-reinstall av")


def onnx_runtime(wheels: dict[str, str]) -> Iterator[Finding]:
    """ONNX Runtime: which build, and which devices really run a model on it."""
    text = ", ".join(f"{name} {number}" for name, number in wheels.items())
    problem = import_problem("onnxruntime")
    if problem is None and not hasattr(importlib.import_module("onnxruntime"), "InferenceSession"):
        problem = "its folder is empty" if wheels else "No module named 'onnxruntime'"
    if problem and not wheels:
        fix = "for RTMPose, RTMW, DWPose: pip install 'fidget[cpu]', or 'fidget[gpu]' for NVIDIA, never both"
        yield Finding("onnxruntime", "note", "absent; BlazePose does not need it", fix)
    elif problem:
        fix = f"pip uninstall {' '.join(wheels)}, then pip install 'fidget[cpu]' or 'fidget[gpu]'"
        yield Finding("onnxruntime", "broken", f"{text}: {problem}", fix)
    else:
        if len(wheels) > 1:
            fix = f"pip uninstall {' '.join(wheels)}, then install one: 'fidget[cpu]' or 'fidget[gpu]'"
            yield Finding(
                "onnxruntime", "warning", f"{text}: they share one folder, the last installed wins", fix
            )
        else:
            yield Finding("onnxruntime", "ok", text)
        yield from _devices()


def _devices() -> Iterator[Finding]:
    """Each device this build offers, tried with a model of one operator."""
    import numpy as np
    import onnxruntime

    from pose_extract.onnx_session import DEVICES, DeviceUnavailableError, OnnxModelError, OnnxSession

    offered = onnxruntime.get_available_providers()
    with tempfile.TemporaryDirectory(prefix="fidget-doctor-") as directory:
        model = Path(directory) / "identity.onnx"
        model.write_bytes(TINY_ONNX)
        for name, device in DEVICES.items():
            if device.provider not in offered:
                continue
            subject = f"--device {name}"
            try:
                session = OnnxSession(model, name)
                (y,) = session.run({"x": np.array([3], np.float32)})
            except (DeviceUnavailableError, OnnxModelError) as error:
                state: State = "broken" if name == "cpu" else "warning"
                yield Finding(subject, state, " ".join(str(error).split()), device.advice)
                continue
            works = y.tolist() == [3.0]
            text = (
                f"{session.provider} {'runs models' if works else f'computes nonsense: {y.tolist()} for 3'}"
            )
            yield Finding(subject, "ok" if works else "broken", text, "" if works else device.advice)
    known = {device.provider for device in DEVICES.values()}
    others = [provider for provider in offered if provider not in known]
    if others:
        yield Finding("other providers", "note", f"{', '.join(others)}: listed, not used by Fidget")


def gpu(cuda_works: bool) -> Iterator[Finding]:
    """NVIDIA GPUs as their own driver lists them, and whether ONNX Runtime can use them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        yield Finding("GPU", "note", "no nvidia-smi on the PATH; extraction runs on the CPU")
        return
    asked = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        text = " ".join(str(error).split())
        yield Finding(
            "GPU",
            "warning",
            f"nvidia-smi does not answer: {text}",
            "mend the NVIDIA driver, or use --device cpu",
        )
        return
    for line in answer.splitlines():
        name, memory, driver = (*(part.strip() for part in line.split(",")), "", "")[:3]
        text = f"{name}, {memory}, driver {driver}"
        if cuda_works:
            yield Finding("GPU", "ok", text)
        else:
            fix = (
                "pip uninstall onnxruntime, then pip install 'fidget[gpu]' (BlazePose runs on the CPU anyway)"
            )
            yield Finding("GPU", "warning", f"{text}: there, but --device cuda does not work", fix)


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    there = os.cpu_count() or usable
    return Finding("cores", "ok", str(usable) if usable == there else f"{usable} of {there}")


def _memory() -> Finding:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return Finding("memory", "note", "unknown on this system; a worker takes up to 0.7 GiB")
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    if gib < 1.5:
        return Finding("memory", "warning", f"{gib:.1f} GiB", "a worker takes up to 0.7 GiB: use --workers 1")
    return Finding("memory", "ok", f"{gib:.1f} GiB")


def weight_files() -> Iterator[Finding]:
    """Where weights lie, which are there, and whether BlazePose's are what they should be."""
    from weights.errors import WeightError
    from weights.fetch import find_weight, is_present
    from weights.manifest import load_manifest
    from weights.places import writable_dir

    names = list(load_manifest())
    try:
        present = [name for name in names if is_present(name)]
        missing = [name for name in BODY_WEIGHTS if name not in present]
        for name in BODY_WEIGHTS:
            if name in present:
                find_weight(name)  # verifies the bytes
    except WeightError as error:
        yield Finding(
            "weights", "broken", " ".join(str(error).split()), "delete that file, then fidget weights fetch"
        )
        return
    text = f"{len(present)} of {len(names)} here: {', '.join(present) or 'none'}"
    try:
        place = str(writable_dir())
    except WeightError as error:
        state: State = "broken" if missing else "warning"
        yield Finding("weights directory", state, " ".join(str(error).split()), "set FIDGET_WEIGHTS")
    else:
        yield Finding("weights directory", "ok", place)
    if missing:
        yield Finding(
            "weights",
            "warning",
            f"{text}; BlazePose lacks {', '.join(missing)}",
            "fidget weights fetch blazepose",
        )
    else:
        yield Finding("weights", "ok", text)
