"""BlazePose against the bare calls of its own landmark model, and against MediaPipe, on one clip.

With the frames in memory one sees what the pipeline adds to the model: crop, heatmap refinement, bookkeeping,
the detector's calls. "Decoding, then" is one thread that does both in turn; "decoding beside" is what
extraction does, and MediaPipe does with threads of its own.

    python -m benchmarks.blazepose [--clip FILE] [--mediapipe-python PYTHON] [--rounds 5]

Every round runs all contenders once, in turn; figures are medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, report

MEDIAPIPE = """
import sys, time
import cv2, mediapipe
name, repeats = sys.argv[1], int(sys.argv[3])
solution = getattr(mediapipe.solutions, sys.argv[2])
model = solution.Pose(model_complexity=1) if sys.argv[2] == "pose" else solution.Holistic(model_complexity=1)
model.process(cv2.cvtColor(cv2.VideoCapture(name).read()[1], cv2.COLOR_BGR2RGB))
begin, frames = time.perf_counter(), 0
for _ in range(repeats):
    model.reset()
    capture = cv2.VideoCapture(name)
    while True:
        there, frame = capture.read()
        if not there:
            break
        model.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        frames += 1
print(frames / (time.perf_counter() - begin))
"""


def mediapipe(python: str, clip: Path, solution: str, repeats: int) -> float:
    """Frames per second of a solution of MediaPipe's own, decoding included, start-up not."""
    command = [python, "-c", MEDIAPIPE, str(clip), solution, str(repeats)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def decode(clip: Path) -> list[NDArray[np.uint8]]:
    """Every frame of a clip, upright BGR."""
    from pose_extract.video import VideoFrames

    with VideoFrames(clip) as video:
        return [frame for _, frame in video]


def per_second(work: Callable[[], int]) -> float:
    """Frames per second of work that tells how many frames it did."""
    begin_s = time.perf_counter()
    frames = work()
    return frames / (time.perf_counter() - begin_s)


def bare(outputs: tuple[int, ...] | None, frames: int) -> Callable[[], float]:
    """The landmark model alone, once a frame, on an input that stays."""
    from pose_extract.litert_session import LiteRtSession
    from weights.fetch import find_weight

    session = LiteRtSession(find_weight("pose_landmark_full"), outputs=outputs)
    session.input()[...] = 0.5

    def work() -> int:
        for _ in range(frames):
            session.run_views()
        return frames

    return lambda: per_second(work)


def in_turn(
    clip: Path, repeats: int, each: Callable[[], Callable[[NDArray[np.uint8]], object]]
) -> Callable[[], float]:
    """Decode a frame, work on it, decode the next; `each` begins a clip and returns the work."""
    from pose_extract.video import VideoFrames

    def work() -> int:
        frames = 0
        for _ in range(repeats):
            on_frame = each()
            with VideoFrames(clip) as video:
                for _, frame in video:
                    on_frame(frame)
                    frames += 1
        return frames

    return lambda: per_second(work)


def bare_in_turn(clip: Path, repeats: int) -> Callable[[], float]:
    """Decoding and the bare pruned model, with nothing between them."""
    from pose_extract.litert_session import LiteRtSession
    from weights.fetch import find_weight

    session = LiteRtSession(find_weight("pose_landmark_full"), outputs=(0, 1, 3))
    session.input()[...] = 0.5
    return in_turn(clip, repeats, lambda: lambda frame: session.run_views())


def body_in_turn(clip: Path, repeats: int) -> Callable[[], float]:
    """Decoding and our pipeline in one thread."""
    from pose_extract.blazepose import BlazePoseEstimator
    from poses.layout import get_layout

    estimator = BlazePoseEstimator(get_layout("coco17"), max_persons=1, detect_every_frames=10)

    def begin() -> Callable[[NDArray[np.uint8]], object]:
        estimation = estimator.start_clip()
        return lambda frame: estimation.push([frame])

    return in_turn(clip, repeats, begin)


def pipeline(layout: str, frames: list[NDArray[np.uint8]]) -> Callable[[], float]:
    """Our pipeline, one person, on frames that are decoded already."""
    from pose_extract.blazepose import BlazePoseEstimator
    from poses.layout import get_layout

    estimator = BlazePoseEstimator(get_layout(layout), max_persons=1, detect_every_frames=10)

    def work() -> int:
        found = estimator.start_clip().push(frames)
        if not any(len(one.score) for one in found):
            raise SystemExit("nobody was found in the clip: give one that shows a person (--clip)")
        return len(found)

    return lambda: per_second(work)


def reading(layout: str, clip: Path, repeats: int) -> Callable[[], float]:
    """Our pipeline, decoding beside inference, as extraction runs it."""
    from pose_extract.blazepose import BlazePoseEstimator
    from pose_extract.read_ahead import read_ahead
    from pose_extract.video import VideoFrames
    from poses.layout import get_layout

    estimator = BlazePoseEstimator(get_layout(layout), max_persons=1, detect_every_frames=10)

    def work() -> int:
        frames = 0
        for _ in range(repeats):
            estimation = estimator.start_clip()
            with VideoFrames(clip) as video:
                for batch in read_ahead(video, estimator.batch):
                    frames += len(estimation.push([frame for _, frame in batch]))
        return frames

    return lambda: per_second(work)


def contenders(clip: Path, repeats: int, mediapipe_python: str | None) -> dict[str, Callable[[], float]]:
    """What is measured, by name."""
    frames = decode(clip)
    calls = {
        "landmark model alone, as it ships": bare(None, len(frames)),
        "landmark model alone, pruned": bare((0, 1, 3), len(frames)),
        "body, frames in memory": pipeline("coco17", frames),
        "decoding, then the pruned model alone": bare_in_turn(clip, repeats),
        "decoding, then body": body_in_turn(clip, repeats),
        "body, decoding beside": reading("coco17", clip, repeats),
        "whole body, decoding beside": reading("coco_wholebody133", clip, 1),
    }
    if mediapipe_python:
        calls["MediaPipe pose, decoding included"] = lambda: mediapipe(
            mediapipe_python, clip, "pose", repeats
        )
        calls["MediaPipe holistic, decoding included"] = lambda: mediapipe(
            mediapipe_python, clip, "holistic", 1
        )
    return calls


def rows(measured: dict[str, list[float]]) -> list[Row]:
    """Medians as a table; ratios are medians of the ratios within one round."""

    def row(what: str, against: str | None = None, target: float | None = None) -> Row:
        value = statistics.median(measured[what])
        if against is None:
            return Row(what, value, "frames/s")
        ratio = statistics.median(a / b for a, b in zip(measured[what], measured[against], strict=True))
        return Row(
            what,
            value,
            "frames/s",
            ratio,
            f">= {target} of: {against}" if target else f"of: {against}",
            None if target is None else ratio >= target,
        )

    shipped, pruned = "landmark model alone, as it ships", "landmark model alone, pruned"
    table = [row(shipped), row(pruned, shipped), row("body, frames in memory", pruned)]
    limit = "decoding, then the pruned model alone"
    table += [row(limit), row("decoding, then body", limit, 0.9)]
    body, whole = "body, decoding beside", "whole body, decoding beside"
    theirs = [what for what in measured if what.startswith("MediaPipe")]
    table += [row(what) for what in theirs]
    table.append(row(body, theirs[0], 1.5) if theirs else row(body))
    table.append(row(whole, theirs[1]) if theirs else row(whole))
    return table


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, help="a clip that shows a person (default: a demo clip)")
    parser.add_argument("--mediapipe-python", help="interpreter of an environment with mediapipe 0.10.21")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3, help="times the file is read in one round")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        clip = args.clip
        if clip is None:
            from fidget.demo_clips import make_demo_clips

            clip = make_demo_clips(Path(directory))[0][0]
        calls = contenders(clip, args.repeats, args.mediapipe_python)
        measured: dict[str, list[float]] = {what: [] for what in calls}
        for _ in range(args.rounds):
            for what, call in calls.items():
                measured[what].append(call())
    report("blazepose", rows(measured))


if __name__ == "__main__":
    main()
