"""The machine and the software of a run, for its report."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

_PACKAGES = ("fidget", "torch", "lightning", "numba", "numpy", "pyarrow", "pydantic")


def describe_environment() -> dict[str, str]:
    """Versions, processor, GPU and threads, as text."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    found["processor"] = _processor()
    found["cores"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    found["threads"] = str(torch.get_num_threads())
    found["wait_policy"] = os.environ.get("OMP_WAIT_POLICY", "")
    found["cuda"] = torch.version.cuda or ""
    if torch.cuda.is_available():
        found["gpu"] = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    found["command"] = " ".join(sys.argv)
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
