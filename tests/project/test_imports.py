"""Importing a module does nothing, and needs only what its floor may need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
HEAVY = ("av", "ai_edge_litert", "cv2", "lightning", "numba", "onnxruntime", "ray", "scipy", "torch")


def modules(*packages: str) -> list[str]:
    found = [path for package in packages for path in (SRC / package).rglob("*.py")]
    names = [".".join(path.relative_to(SRC).with_suffix("").parts) for path in sorted(found)]
    return [name.removesuffix(".__init__") for name in names]


def in_fresh_interpreter(program: str, *arguments: str) -> None:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


BLOCKED = """
import sys
names, *blocked = sys.argv[1:]
for name in blocked:
    sys.modules[name] = None  # an import of it raises ImportError
for name in names.split():
    try:
        __import__(name)
    except ImportError as error:
        sys.exit(f"{name}: {error}")
"""


WITH_TORCH = {"weights.checkpoint"}  # reads the files of networks


@pytest.mark.parametrize("package", ["poses", "weights", "protocols"])
def test_records_and_scoring_import_without_heavy_libraries(package: str) -> None:
    """All modules of a package in one interpreter: what is blocked stays blocked for each."""
    in_fresh_interpreter(BLOCKED, " ".join(sorted({*modules(package)} - WITH_TORCH)), *HEAVY)


def test_a_clip_and_its_layout_need_numpy_only() -> None:
    for module in ("poses.clip", "poses.layout", "poses.quality", "poses.smoothing", "poses.sampling"):
        in_fresh_interpreter(BLOCKED, module, *HEAVY, "pyarrow")


QUIET = """
import os, signal, sys, threading, warnings
import numpy as np

def surroundings():
    state = np.random.get_state()[1].tobytes()
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    filters = list(warnings.filters)
    return dict(os.environ), os.getcwd(), sys.path[:], threading.active_count(), handlers, filters, state

for module in sys.argv[2:]:  # what libraries do on import is theirs
    try:
        __import__(module)
    except ImportError:
        pass
before = surroundings()
for module in sys.argv[1].split():
    __import__(module)
    after = surroundings()
    assert before == after, [module, *(pair for pair in zip(before, after) if pair[0] != pair[1])]
"""
LOADED_BEFORE = (
    "av",
    "cv2",
    "pyarrow",
    "pyarrow.parquet",
    "scipy.ndimage",
    "scipy.optimize",
    "torch",
    "numba",
    "lightning.fabric",
    "pydantic",
)


PACKAGES = (
    "poses", "weights", "protocols", "pose_extract", "skeleton_models", "rgb_models", "temporal_detection",
    "emotion_models", "fidget",
)  # fmt: skip


def test_importing_changes_nothing() -> None:
    in_fresh_interpreter(QUIET, " ".join(modules(*PACKAGES)), *LOADED_BEFORE)
