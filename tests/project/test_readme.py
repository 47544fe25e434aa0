"""What the README tells a reader to type, typed; and the promises of the project's own files."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINING = README.split("## Train a skeleton network\n")[1].split("\n## ")[0]
BENCHMARKS = README.split("## Compare numbers\n")[1].split("\n## ")[0]


def shell_lines(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.weights
def test_the_readme_commands_run_in_their_order(tmp_path: Path) -> None:
    from fidget.demo_clips import make_demo_clips

    (tmp_path / "videos").mkdir()
    make_demo_clips(tmp_path / "made")
    clip = sorted((tmp_path / "made").glob("*.mp4"))[0]
    shutil.copy(clip, tmp_path / "videos")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    here = {"cwd": tmp_path, "env": os.environ | {"PATH": path}}
    lines = shell_lines(README.replace(TRAINING, "").replace(BENCHMARKS, ""))
    assert any(line.startswith("extract-poses") for line in lines)
    for line in lines:
        done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, **here)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    for block in python_blocks(README):
        subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)


def small_nw_ucla(path: Path) -> None:
    """Ten actions, each once to train (camera 1), to validate (performer 10) and to test (camera 3)."""
    names = [
        f"a{action:02d}_s{performer:02d}_e00_v{camera:02d}"
        for performer, camera in ((1, 1), (10, 2), (1, 3))
        for action in (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
    ]
    rng = np.random.default_rng(0)
    np.savez(
        path,
        xyz=rng.normal(size=(len(names) * 16, 20, 3)).astype(np.float32),
        offsets=np.arange(len(names) + 1) * 16,
        labels=np.arange(len(names)) % 10,
        split=np.array(["train"] * 20 + ["test"] * 10),
        names=np.array(names),
        class_names=np.array([f"action {number}" for number in range(10)]),
    )


def test_the_readme_commands_of_benchmarks_run_in_their_order(tmp_path: Path) -> None:
    """With fewer clips, one epoch and one shot."""
    from fidget.cli.main import main

    simulate, run, table = shell_lines(BENCHMARKS)
    assert "--scale 0.05" in simulate
    less = "--set train.epochs=1 --set train.warmup_epochs=0 --set eval.test_clips=1 --shots 1 --draws 2"
    with contextlib.chdir(tmp_path):
        assert main(shlex.split(simulate.replace("--scale 0.05", "--scale 0.002 --workers 1"))[1:]) == 0
        assert main([*shlex.split(run)[1:], *less.split(), "--jobs", "1", "--device", "cpu"]) == 0
        assert main(shlex.split(table)[1:]) == 0
        assert (tmp_path / "sim" / "report.html").stat().st_size > 10_000


def test_the_readme_commands_of_training_run_in_their_order(tmp_path: Path) -> None:
    """With a small file in the data set's place, and two epochs."""
    from fidget.cli.main import main

    small_nw_ucla(tmp_path / "nw_ucla.npz")
    lines = shell_lines(TRAINING)
    assert [line.split()[1] for line in lines] == ["poses", "train", "fuse", "evaluate"]
    with contextlib.chdir(tmp_path):
        for line in lines:
            words = [path for word in shlex.split(line)[1:] for path in (sorted(glob.glob(word)) or [word])]
            short = ["--set", "train.epochs=2", "--set", "train.warmup_epochs=1", "--set", "train.threads=1"]
            assert main(words + (short if words[0] == "train" else [])) == 0, line
    assert sorted(path.parent.name for path in tmp_path.glob("run/*/report.html")) == ["bone", "joint"]


def test_every_command_of_the_table_exists() -> None:
    from fidget.cli.main import build_parser

    named = set(re.findall(r"^\| `fidget (\w+(?: \w+)?)", README, re.MULTILINE))
    assert {"poses inspect", "poses check", "doctor"} <= named
    for verb in sorted(named):
        words = [
            word for word in verb.split() if word in build_parser().format_help() or word != verb.split()[0]
        ]
        with pytest.raises(SystemExit) as left:
            build_parser().parse_args([*words, "--help"])
        assert left.value.code == 0, verb


def test_links_and_pictures_of_the_readme_are_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_make_names_the_two_commands() -> None:
    for target in ("poses", "test"):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_base_install_names_no_onnx_runtime_and_no_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = " ".join(project["dependencies"])
    assert "onnxruntime" not in base
    assert "torch" not in base
    assert "mediapipe" not in base
    assert {"cpu", "gpu", "train", "ray", "mmpose", "dev"} <= set(project["optional-dependencies"])


def test_torchvision_is_absent() -> None:
    """Its wheels tie the torch build, and break transformers and lightning beside a CPU torch."""
    assert "torchvision" not in packages_distributions()


def test_no_file_over_1_mb_and_no_weights_or_videos() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert len(files) > 50
    for file in files:
        if file.exists():
            assert file.stat().st_size <= 1_000_000, file
            assert file.suffix not in {".tflite", ".onnx", ".mp4", ".pth", ".task"}, file
