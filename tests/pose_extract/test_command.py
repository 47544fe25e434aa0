"""extract-poses as a new user types it, with wrong input too."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from job_fakes import write_video

from pose_extract.command import _gpus_for, build_parser, main
from pose_extract.settings import ExtractSettings


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(list(arguments))
    except SystemExit as left:
        status = int(left.code or 0)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "at least one file"),
        (["x.mp4", "--workers", "-1"], "at least 1"),
        (["x.mp4", "--workers", "many"], "invalid int"),
        (["x.mp4", "--max-persons", "0"], "at least 1"),
        (["x.mp4", "--engine", "spark"], "invalid choice"),
        (["x.mp4", "--layuot", "coco17"], "unrecognized"),
        (["x.mp4", "--model", "blazepoze"], "did you mean 'blazepose'"),
        (["x.mp4", "--model", "blazepose", "--layout", "ntu25"], "answers in layout"),
        (["x.mp4", "--model", "blazepose", "--detector", "rtmdet"], "finds people itself"),
        (["x.mp4", "--model", "blazepose", "--flip-test"], "no flip test"),
        (["x.mp4", "--model", "blazepose", "--device", "tpu"], "got 'tpu'"),
        (["x.mp4", "--model", "blazepose", "--device", "cuda"], "CPU only"),
        (["x.mp4", "--stall-timeout", "-3"], "above 0"),
        (["x.mp4", "--stall-timeout", "nan"], "above 0"),
    ],
)
def test_wrong_usage_is_2_and_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    status, out, err = run(capsys, *arguments, *(["-o", str(tmp_path / "o")] if arguments else []))
    assert status == 2
    assert says in err
    assert out == ""
    assert not (tmp_path / "o").exists()


@pytest.mark.weights
def test_inputs_that_are_not_there_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, _, err = run(capsys, str(tmp_path / "no.mp4"), str(tmp_path / "empty"), "-o", str(tmp_path / "o"))
    assert status == 1
    assert "no.mp4" in err
    assert "empty" in err
    assert not (tmp_path / "o").exists()


@pytest.mark.weights
def test_a_cuda_device_is_never_replaced_by_the_cpu(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mkv")
    status, _, err = run(
        capsys, str(video), "-o", str(tmp_path / "o"), "--model", "blazepose", "--device", "cuda"
    )
    assert status != 0
    assert "CPU only" in err
    assert not list((tmp_path / "o").glob("*.parquet"))


def test_a_missing_or_wrong_weight_is_one_line_about_the_weight(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIDGET_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    arguments = ["x.mp4", "-o", str(tmp_path / "o"), "--model", "blazepose"]
    status, _, err = run(capsys, *arguments)
    assert (status, err.count("\n")) == (1, 1)
    assert "fidget weights fetch pose_detection" in err
    assert "make room" not in err
    (tmp_path / "pose_detection.tflite").write_bytes(b"another file")
    status, _, err = run(capsys, *arguments)
    assert (status, err.count("\n")) == (1, 1)
    assert "expected SHA-256" in err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("arguments", [["--list-models"], ["x.mp4", "--model", "blazepose"]])
def test_a_reader_that_left_is_no_error(arguments: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    code = "import sys; from pose_extract import command; command._guarded = lambda args: print('all') or 0\n"
    code += "sys.exit(command.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


def test_what_is_worth_knowing_is_said_and_is_no_failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pose_extract.sources
    import pose_extract.zoo

    found = pose_extract.sources.FoundVideos([], [], ["two names differ only in case"])
    monkeypatch.setattr(pose_extract.sources, "find_videos", lambda arguments: found)
    monkeypatch.setattr(pose_extract.zoo, "weights_in_use", lambda settings: {})
    _, out, err = run(capsys, "x", "-o", str(tmp_path / "o"), "--model", "blazepose")
    assert "extract-poses: note: two names differ only in case\n" in err
    assert out == ""


@pytest.mark.weights
def test_json_report_and_exit_status(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    (tmp_path / "in/b.mp4").write_text("text")
    arguments = [str(tmp_path / "in"), "-o", str(tmp_path / "o"), "--json", "--quiet", "--workers", "1"]
    status, out, _ = run(capsys, *arguments, "--model", "blazepose")
    report = json.loads(out)
    assert status == 1
    assert list(report["failed"]) == ["b"]
    assert report["no_person"] == 1
    assert "litert" in report["runtime"].lower()
    status, out, _ = run(capsys, *arguments)
    assert status == 1
    assert json.loads(out)["kept"] == 1


@pytest.mark.weights
def test_auto_goes_on_with_what_the_cache_was_made_with(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_video(tmp_path / "in/a.mkv")
    output = ["-o", str(tmp_path / "o"), "--workers", "1"]
    assert run(capsys, str(tmp_path / "in"), *output, "--model", "blazepose", "--layout", "coco17")[0] == 0
    write_video(tmp_path / "in/b.mkv")
    status, _, err = run(capsys, str(tmp_path / "in"), *output)
    assert status == 0
    assert "layout coco17" in err
    status, _, err = run(
        capsys, str(tmp_path / "in"), *output, "--model", "blazepose", "--layout", "blazepose33"
    )
    assert status == 2
    assert "layout" in err


@pytest.mark.weights
def test_an_output_that_is_a_file_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mkv")
    (tmp_path / "o").write_text("mine")
    status, _, err = run(capsys, str(video), "-o", str(tmp_path / "o"))
    assert status != 0
    assert "a file is in the way" in err.splitlines()[-1]
    assert (tmp_path / "o").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.weights
def test_a_full_disk_is_one_line_and_the_job_goes_on_later(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, small_disk: Path
) -> None:
    for index in range(3):
        write_video(tmp_path / f"in/{index}.mkv")
    (small_disk / "ballast").write_bytes(bytes(8192))
    output = ["-o", str(small_disk / "o"), "--workers", "1", "--quiet", "--model", "blazepose"]
    status, _, err = run(capsys, str(tmp_path / "in"), *output)
    assert status == 1
    assert "No space left" in err
    assert "same command again" in err
    assert "Traceback" not in err
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    status, out, _ = run(capsys, str(tmp_path / "in"), *output)
    assert status == 0
    assert "3 without a person" in out


def examples() -> list[str]:
    text = build_parser().epilog or ""
    return [line.strip() for line in text.splitlines() if line.startswith("  extract-poses ")]


@pytest.mark.weights
def test_the_examples_of_help_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_video(tmp_path / "videos/a.mp4")
    write_video(tmp_path / "videos/b.mkv")
    assert len(examples()) >= 3
    for index, example in enumerate(examples()):
        command = [
            sys.executable,
            "-m",
            "pose_extract.command",
            *shlex.split(example)[1:],
            "--model",
            "blazepose",
        ]
        command[command.index("cache")] = f"cache{index}"
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert "0 failed" in done.stdout


def test_help_and_version_import_nothing_heavy() -> None:
    code = (
        "import sys; from pose_extract.command import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'av', 'pyarrow', 'scipy', 'torch', 'typing'} & set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.returncode == 0, done.stderr
    assert "examples:" in done.stdout


def test_extraction_needs_no_torch() -> None:
    code = (
        "import sys, pose_extract.command, pose_extract.job, pose_extract.workers\n"
        "import pose_extract.extract_clip\n"
        "import pose_extract.blazepose, pose_extract.top_down, poses.cache_reader, weights.fetch\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("device", "model", "visible", "gpus"),
    [
        ("cuda", "rtmpose_m", "0,1, 2", ["0", "1", "2"]),
        ("tensorrt", "rtmpose_m", "GPU-a", ["GPU-a"]),
        ("cuda:1", "rtmpose_m", "0,1", []),
        ("cpu", "rtmpose_m", "0,1", []),
        ("auto", "rtmpose_m", "0,1", []),  # this build of ONNX Runtime offers no CUDA
        ("auto", "blazepose", "0,1", []),
        ("auto", "mmpose", "0,1", ["0", "1"]),
    ],
)
def test_gpus_to_spread_workers_over(
    monkeypatch: pytest.MonkeyPatch, device: str, model: str, visible: str, gpus: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert _gpus_for(ExtractSettings(model=model, layout="coco17", device=device)) == gpus
