"""`extract-poses` against what its parts cost with nothing between them.

Limit: as many processes as workers, each decoding its share of the clips and calling the bare models as
often as the pipeline has to. Peers: a straightforward loop in one process, one frame at a time (decode,
detect, crop, infer, decode the answer), and, with --mediapipe-python, MediaPipe's own pose solution in an
environment of its own.

    python -m benchmarks.end_to_end --clips DIR [--detector FILE.onnx] [--mediapipe-python PYTHON]

The SimCC network is a stand-in of RTMPose-m's size with random weights: speed does not depend on them.
Every round runs all contenders once, in turn; figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.table import Row, report

WORKERS = 2
DETECT_EVERY = 10


def _frames(path: Path) -> Iterator[object]:
    """PyAV's own loop and one-call conversion, one thread, and nothing else."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            yield frame.to_ndarray(format="bgr24")


def bare_blazepose(paths: list[Path]) -> tuple[int, float]:
    """Decode and call the landmark model once a frame and the detector once a clip; frames and seconds."""
    from pose_extract.litert_session import LiteRtSession
    from weights.fetch import find_weight

    landmarks = LiteRtSession(find_weight("pose_landmark_full"), outputs=(0, 1, 3))
    detector = LiteRtSession(find_weight("pose_detection"), outputs=(0, 1))
    for session in (landmarks, detector):
        session.input()[:] = 0
    begin_s, frames = time.perf_counter(), 0
    for path in paths:
        detector.run_views()
        for _ in _frames(path):
            landmarks.run_views()
            frames += 1
    return frames, time.perf_counter() - begin_s


def bare_simcc(paths: list[Path], detector: Path, pose: Path) -> tuple[int, float]:
    """Decode, call the detector every tenth frame and the SimCC network once a frame, ten at a time."""
    import numpy as np

    from pose_extract.onnx_session import OnnxSession

    sessions = [OnnxSession(path, "cpu", threads=1) for path in (detector, pose)]
    small = {sessions[0].input_names[0]: np.zeros((1, 3, 320, 320), np.float32)}
    begin_s, frames = time.perf_counter(), 0
    for path in paths:
        waiting = 0
        for _ in _frames(path):
            if waiting == 0:
                sessions[0].run(small)
            waiting += 1
            if waiting == DETECT_EVERY:
                _simcc_batch(sessions[1], waiting)
                frames, waiting = frames + waiting, 0
        if waiting:
            _simcc_batch(sessions[1], waiting)
            frames += waiting
        sessions[0].run(small)  # the last frame, so that boxes can be interpolated up to it
    return frames, time.perf_counter() - begin_s


def _simcc_batch(session: object, crops: int) -> None:
    import numpy as np

    session.run({session.input_names[0]: np.zeros((crops, 3, 256, 192), np.float32)})


def naive_loop(paths: list[Path], detector: Path, pose: Path) -> tuple[int, float]:
    """One frame at a time in one process: read, detect, crop, infer, argmax."""
    import cv2
    import numpy as np
    import onnxruntime

    detect = onnxruntime.InferenceSession(str(detector), providers=["CPUExecutionProvider"])
    infer = onnxruntime.InferenceSession(str(pose), providers=["CPUExecutionProvider"])
    detect_input, infer_input = detect.get_inputs()[0].name, infer.get_inputs()[0].name
    det_mean, det_std = np.array([103.53, 116.28, 123.675]), np.array([57.375, 57.12, 58.395])
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    begin_s, frames = time.perf_counter(), 0
    for path in paths:
        capture = cv2.VideoCapture(str(path))
        while True:
            there, frame = capture.read()
            if not there:
                break
            scale = min(320 / frame.shape[0], 320 / frame.shape[1])
            padded = np.full((320, 320, 3), 114, np.uint8)
            small = cv2.resize(frame, None, fx=scale, fy=scale)
            padded[: small.shape[0], : small.shape[1]] = small
            image = ((padded - det_mean) / det_std).astype(np.float32).transpose(2, 0, 1)[None]
            boxes = detect.run(None, {detect_input: np.ascontiguousarray(image)})[0][0]
            box = boxes[0, :4] / scale if len(boxes) else np.array([0, 0, frame.shape[1], frame.shape[0]])
            centre, size = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * 1.25
            size = np.maximum(size, size[::-1] * [0.75, 4 / 3])
            source = np.array([centre - size / 2, centre + size / 2, centre + size * [-0.5, 0.5]], np.float32)
            target = np.array([[0, 0], [192, 256], [0, 256]], np.float32)
            crop = cv2.warpAffine(frame, cv2.getAffineTransform(source, target), (192, 256))
            crop = ((crop[..., ::-1] - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]
            x, y = infer.run(None, {infer_input: np.ascontiguousarray(crop)})[:2]
            np.stack([x.argmax(-1), y.argmax(-1)], axis=-1) / 2 * size / [192, 256] + centre - size / 2
            frames += 1
    return frames, time.perf_counter() - begin_s


MEDIAPIPE = """
import sys, time
import cv2, mediapipe
pose = mediapipe.solutions.pose.Pose(model_complexity=1)
begin, frames = time.perf_counter(), 0
for path in sys.argv[1:]:
    pose.reset()
    capture = cv2.VideoCapture(path)
    while True:
        there, frame = capture.read()
        if not there:
            break
        pose.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        frames += 1
print(frames, time.perf_counter() - begin)
"""


def in_parallel(work: Callable[..., tuple[int, float]], paths: list[Path], *more: object) -> float:
    """Frames per second of `work` over WORKERS processes; models are loaded before the clock starts."""
    shares = [paths[i::WORKERS] for i in range(WORKERS)]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        done = [pool.submit(work, share, *more) for share in shares]
        results = [future.result() for future in done]
    return sum(frames for frames, _ in results) / max(seconds for _, seconds in results)


def extract(paths: list[Path], *options: str, environment: dict[str, str] | None = None) -> float:
    """Frames per second of the whole command, start-up included."""
    import json

    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pose_extract.command", *map(str, paths)]
        command += ["-o", f"{directory}/cache", "--workers", str(WORKERS), "--json", "--quiet", *options]
        begin_s = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | (environment or {})
        )
        seconds = time.perf_counter() - begin_s
        return json.loads(done.stdout)["frames"] / seconds


def mediapipe(python: str, paths: list[Path]) -> float:
    """Frames per second of MediaPipe's own pose solution, decoding included, start-up not."""
    done = subprocess.run(
        [python, "-c", MEDIAPIPE, *map(str, paths)], capture_output=True, text=True, check=True
    )
    frames, seconds = done.stdout.split()[-2:]
    return int(frames) / float(seconds)


def copies(clips: list[Path], frames_wanted: int, directory: Path) -> list[Path]:
    """Enough copies of the clips, under names of their own, to make a job of about so many frames."""
    from pose_extract.video import VideoFrames

    counts = []
    for clip in clips:
        with VideoFrames(clip) as video:
            counts.append(sum(1 for _ in video))
    rounds = max(1, round(frames_wanted / sum(counts)))
    made = []
    for index in range(rounds):
        for clip in clips:
            made.append(directory / f"{index:03d}_{clip.name}")
            shutil.copyfile(clip, made[-1])
    return made


def place_stand_ins(directory: Path, detector: Path) -> tuple[Path, dict[str, str], list[str]]:
    """A weights directory in which the stand-in lies under RTMPose-m's name; path, environment, options."""
    from benchmarks.simcc_graph import build_simcc_graph
    from weights.manifest import load_manifest

    manifest = load_manifest()
    pose_row, detector_row = manifest["rtmpose_m"], manifest["rtmdet_nano"]
    weights = directory / "weights"
    weights.mkdir()
    pose = build_simcc_graph(weights / pose_row.file)
    shutil.copyfile(detector, weights / detector_row.file)
    options = ["--model", pose_row.name, "--detector", detector_row.name, "--detect-every", str(DETECT_EVERY)]
    return pose, {"FIDGET_WEIGHTS": str(weights)}, [*options, "--max-persons", "1"]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, required=True, help="directory of real clips")
    parser.add_argument("--detector", type=Path, help="RTMDet-nano ONNX file; without it no SimCC figures")
    parser.add_argument("--mediapipe-python", help="interpreter of an environment with mediapipe 0.10.21")
    parser.add_argument(
        "--frames", type=int, default=4000, help="frames of one BlazePose run (default: 4000)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    clips = sorted(p for p in args.clips.iterdir() if p.suffix == ".mp4")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        contenders = _contenders(args, clips, directory)
        measured: dict[str, list[float]] = {what: [] for what in contenders}
        for index in range(args.rounds):
            for what, measure in contenders.items():
                measured[what].append(measure())
                print(f"round {index + 1}: {what}: {measured[what][-1]:.1f} frames/s", file=sys.stderr)
    report("end_to_end", _rows(measured))


def _contenders(
    args: argparse.Namespace, clips: list[Path], directory: Path
) -> dict[str, Callable[[], float]]:
    body = copies(clips, args.frames, directory)
    blazepose = ["--model", "blazepose", "--max-persons", "1"]
    contenders: dict[str, Callable[[], float]] = {
        "BlazePose: decoding + bare model calls": lambda: in_parallel(bare_blazepose, body),
        "BlazePose: extract-poses": lambda: extract(body, *blazepose),
    }
    if args.mediapipe_python:
        one = body[: max(len(body) // 4, 1)]
        contenders["BlazePose: MediaPipe's own solution"] = lambda: mediapipe(args.mediapipe_python, one)
    if args.detector:
        pose, environment, options = place_stand_ins(directory, args.detector)
        few = body[: max(len(body) // 3, WORKERS)]
        contenders |= {
            "SimCC: decoding + bare model calls": lambda: in_parallel(bare_simcc, few, args.detector, pose),
            "SimCC: extract-poses": lambda: extract(few, *options, environment=environment),
            "SimCC: one frame at a time": lambda: _alone(few[: max(len(few) // 2, 1)], args.detector, pose),
        }
    return contenders


def _alone(paths: list[Path], detector: Path, pose: Path) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        frames, seconds = pool.submit(naive_loop, paths, detector, pose).result()
    return frames / seconds


def _rows(measured: dict[str, list[float]]) -> list[Row]:
    rows = []
    for what, figures in measured.items():
        rows.append(Row(what, statistics.median(figures), "frames/s"))
    pairs = [
        (
            "BlazePose: extract-poses / limit",
            "BlazePose: extract-poses",
            "BlazePose: decoding + bare model calls",
            0.9,
        ),
        (
            "BlazePose: extract-poses / MediaPipe",
            "BlazePose: extract-poses",
            "BlazePose: MediaPipe's own solution",
            1.5,
        ),
        ("SimCC: extract-poses / limit", "SimCC: extract-poses", "SimCC: decoding + bare model calls", 0.9),
        ("SimCC: extract-poses / one at a time", "SimCC: extract-poses", "SimCC: one frame at a time", 1.5),
    ]
    for what, ours, theirs, promise in pairs:
        if ours in measured and theirs in measured:
            ratio = statistics.median(a / b for a, b in zip(measured[ours], measured[theirs], strict=True))
            rows.append(Row(what, ratio, "ratio", ratio, f">= {promise}", ratio >= promise))
    return rows


if __name__ == "__main__":
    main()
