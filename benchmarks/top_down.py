"""RTMDet and a SimCC network of RTMPose-m's size on frames in memory, against the bare calls of both.

Bare: as many detector calls and pose batches of the same sizes as the pipeline made, and nothing between
them. One frame at a time: detect, crop, infer, highest bin, as the usual loop does it. All in one process,
one thread a session, in CPU seconds, so that busy neighbours count less; every round runs all in turn,
figures are medians over the rounds.

    python -m benchmarks.top_down --clip VIDEO --detector rtmdet-nano-person-320.onnx
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.simcc_graph import build_simcc_graph
from benchmarks.table import Row, report
from pose_extract.estimator import FrameBgr
from pose_extract.onnx_session import OnnxSession
from pose_extract.rtmdet import RtmDet
from pose_extract.rtmpose import RtmPose
from pose_extract.top_down import TopDownEstimator
from pose_extract.video import VideoFrames
from weights.manifest import get_weight

DETECT_EVERY = 10


class CountingSession(OnnxSession):
    """Remembers the shape of every input."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "cpu", threads=1)
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As `OnnxSession.run`."""
        self.shapes.append(next(iter(inputs.values())).shape)
        return super().run(inputs)


@dataclass
class Contender:
    """Something that works through all frames, and how long it took each time."""

    what: str
    work: Callable[[], None]
    seconds: list[float] = field(default_factory=list)


def read_frames(clip: Path, count: int) -> list[FrameBgr]:
    """The first frames of a clip."""
    frames = []
    with VideoFrames(clip) as video:
        for _, frame_bgr in video:
            frames.append(frame_bgr)
            if len(frames) == count:
                break
    return frames


def pipeline(estimator: TopDownEstimator, frames: Sequence[FrameBgr]) -> None:
    """One clip through the estimator, in the portions it likes."""
    clip = estimator.start_clip()
    answers = []
    for start in range(0, len(frames), estimator.batch):
        answers += clip.push(frames[start : start + estimator.batch])
    answers += clip.finish()
    if len(answers) != len(frames):
        raise RuntimeError(f"expected an answer a frame, got {len(answers)} for {len(frames)} frames")


def bare(detector: CountingSession, pose: CountingSession) -> Callable[[], None]:
    """The calls the pipeline made so far, on zeros of the same shapes."""
    calls = [
        (session, {session.input_names[0]: np.zeros(shape, np.float32)})
        for session in (detector, pose)
        for shape in session.shapes
    ]

    def run() -> None:
        for session, inputs in calls:
            OnnxSession.run(session, inputs)

    return run


def one_at_a_time(detector: RtmDet, pose: CountingSession, frames: Sequence[FrameBgr]) -> None:
    """The usual loop: detect in every frame, one crop a call, float64 normalising, highest bin."""
    import cv2

    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    for frame in frames:
        for box in detector.detect(frame)[0][:1]:
            centre, size = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * 1.25
            size = np.maximum(size, size[::-1] * [0.75, 4 / 3])
            corners = np.array(
                [centre - size / 2, centre + size / 2, centre + size * [-0.5, 0.5]], np.float32
            )
            target = np.array([[0, 0], [192, 256], [0, 256]], np.float32)
            crop = cv2.warpAffine(frame, cv2.getAffineTransform(corners, target), (192, 256))
            planes = ((crop[..., ::-1] - mean) / std).astype(np.float32).transpose(2, 0, 1)[None]
            x, y = OnnxSession.run(pose, {"input": np.ascontiguousarray(planes)})
            np.stack([x.argmax(-1), y.argmax(-1)], axis=-1) / 2 * size / [192, 256] + centre - size / 2


def measure(frames: Sequence[FrameBgr], detector_path: Path, pose_path: Path, rounds: int) -> list[Row]:
    """The table's rows."""
    detector_session, pose_session = CountingSession(detector_path), CountingSession(pose_path)
    detector = RtmDet.from_weight(detector_session, get_weight("rtmdet_nano"))
    pose = RtmPose.from_weight(pose_session, get_weight("rtmpose_m"))
    estimator = TopDownEstimator(detector, pose, 2, DETECT_EVERY, {}, pose_session.runtime)
    pipeline(estimator, frames)  # warms up, and says which calls there are
    calls = bare(detector_session, pose_session)
    detections, crops = len(detector_session.shapes), sum(shape[0] for shape in pose_session.shapes)
    contenders = [
        Contender(f"bare calls ({detections} frames, {crops} crops)", calls),
        Contender("TopDownEstimator", lambda: pipeline(estimator, frames)),
        Contender("one frame at a time", lambda: one_at_a_time(detector, pose_session, frames)),
    ]
    for _ in range(rounds):
        for contender in contenders:
            begin_s = time.process_time()
            contender.work()
            contender.seconds.append(time.process_time() - begin_s)
    bare_s, ours_s, loop_s = (statistics.median(contender.seconds) for contender in contenders)
    ratio = statistics.median(
        b / o for b, o in zip(contenders[0].seconds, contenders[1].seconds, strict=True)
    )
    glue_ms = (ours_s - bare_s) / len(frames) * 1e3
    share = f"{bare_s / crops * 1e3:.1f} ms a bare crop"
    return [
        Row(contenders[0].what, len(frames) / bare_s, "frames/CPU s"),
        Row(contenders[1].what, len(frames) / ours_s, "frames/CPU s", ratio, "x0.9 of bare", ratio >= 0.9),
        Row(f"between the calls ({share})", glue_ms, "ms a frame"),
        Row(contenders[2].what, len(frames) / loop_s, "frames/CPU s"),
        Row(
            "TopDownEstimator over that loop, one core", len(frames) / ours_s, "frames/CPU s", loop_s / ours_s
        ),
    ]


def main() -> None:
    """Measure, print, write `benchmarks/results/top_down.csv`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, required=True, help="a video with people")
    parser.add_argument("--detector", type=Path, required=True, help="rtmdet-nano-person-320.onnx")
    parser.add_argument("--frames", type=int, default=60, help="frames of the clip to use (default: 60)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all contenders (default: 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pose_path = build_simcc_graph(Path(folder) / "simcc.onnx")
        frames = read_frames(arguments.clip, arguments.frames)
        report("top_down", measure(frames, arguments.detector, pose_path, arguments.rounds))


if __name__ == "__main__":
    main()
