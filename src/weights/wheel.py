"""Files that lie inside a wheel of the Python package index, fetched through pip itself.

pip is asked, not the index, so that the mirror, proxy and certificates of the user's pip settings hold. The
wheel is one fixed file: neither the user's platform nor the user's Python version decides which. Nothing is
installed and nothing in the wheel is run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from weights.errors import DownloadError
from weights.manifest import WheelMember

PIP_TIMEOUT_S = 1800.0
_SHOWN_LINES = 4


def pip_command(source: WheelMember, directory: Path, python: str = sys.executable) -> list[str]:
    """The command that puts this one wheel into a directory."""
    short = source.python.replace(".", "")
    platforms = [argument for tag in source.platforms for argument in ("--platform", tag)]
    return [
        *(python, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"),
        *("--progress-bar", "off", "--only-binary=:all:"),
        *("--python-version", source.python, "--implementation", "cp", "--abi", f"cp{short}", *platforms),
        *("--dest", str(directory), f"{source.project}=={source.version}"),
    ]


def _said(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-_SHOWN_LINES:]) or "nothing"


def download_wheel(
    source: WheelMember, directory: Path, python: str = sys.executable, timeout_s: float = PIP_TIMEOUT_S
) -> Path:
    """Fetch the wheel that holds this member into an empty directory and return its path.

    Raises:
        DownloadError: pip is missing, failed (its last lines are shown) or brought no single wheel.
    """
    wanted = f"{source.project}=={source.version}"
    command = pip_command(source, directory, python)
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"pip download {wanted}: no end after {timeout_s:.0f} s; try again") from error
    except OSError as error:
        raise DownloadError(f"pip download {wanted}: cannot run {python}: {error}") from error
    if done.returncode != 0:
        if "No module named pip" in done.stdout:
            raise DownloadError(
                f"pip download {wanted}: this Python ({python}) has no pip; add it with "
                f"`{python} -m ensurepip`, then try again"
            )
        if "No space left on device" in done.stdout:
            raise DownloadError(
                f"pip download {wanted}: no space left in {directory.parent} or in pip's temporary "
                "directory; make room, then try again"
            )
        raise DownloadError(f"pip download {wanted} failed, it said: {_said(done.stdout)}")
    wheels = sorted(directory.glob("*.whl"))
    if len(wheels) != 1:
        names = ", ".join(wheel.name for wheel in wheels) or "none"
        raise DownloadError(f"pip download {wanted}: expected one wheel, got {names}: {_said(done.stdout)}")
    return wheels[0]
