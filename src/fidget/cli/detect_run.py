"""`fidget detect run`: actions in any video or pose cache, without annotations."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fidget.detection.inference import Found
    from fidget.detection.recordings import Recordings, VideoRecordings
    from fidget.detection.trained_detector import TrainedDetector
    from poses.clip import PoseClip

_EPILOG = """\
examples:
  fidget detect run interview.mp4 --run runs/det
  fidget detect run poses --run runs/det -o found --overlay
  fidget detect run videos --run runs/adatad -o found

A detector over poses takes a pose cache, or videos, whose poses are extracted first into OUT/poses; one over
frames takes videos. OUT gets detections.parquet (for fidget detect evaluate), .csv and .json, and overlays of
what is surer than --min-score. Exit status: 0 all is well, 1 some recordings failed (each is named), 2 wrong
usage.
"""
_LIVE_EVERY_S, _PLAIN_EVERY_S = 0.5, 20.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "run",
        help="find actions in a video or a pose cache",
        description="Find actions in videos or a pose cache with a trained detector.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="VIDEO_OR_CACHE", help="a video, a directory of videos, or a pose cache")
    add("--run", type=Path, required=True, metavar="RUN", dest="trained", help="a run of fidget detect train")
    add(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="directory of the results (default: SOURCE-detections)",
    )
    add("--overlay", action="store_true", help="also write videos that show what was found")
    add("--min-score", type=float, default=0.2, metavar="S", help="of what is shown and told (default: 0.2)")
    add("--model", default="auto", metavar="NAME", help="that extracts poses of videos (default: auto)")
    add("--poses", type=Path, metavar="DIR", help="pose cache of the videos, where the recipe crops persons")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the detector runs")
    add("--batch", type=int, default=0, metavar="N", help="windows at once (default: as the recipe says)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Find, write, tell.

    Raises:
        UsageError: the source is nothing that the detector takes.
        ValueError: no finished run, or poses of other joints.
    """
    from fidget.cli.usage import UsageError

    if not args.source.exists():
        raise UsageError(
            f"{args.source}: expected a video, a directory of videos or a pose cache; there is none"
        )
    if args.batch < 0 or not 0 <= args.min_score <= 1:
        raise UsageError(
            f"--batch is at least 1 and --min-score in 0..1, got {args.batch} and {args.min_score:g}"
        )
    from fidget.detection.trained_detector import load_detector

    detector = load_detector(args.trained, args.device)
    output = args.output or Path(f"{args.source.name.rstrip('.')}-detections")
    recordings = _recordings(args, detector, output)
    names, failed = _usable(recordings)
    for problem in failed:
        print(f"fidget detect run: {problem}", file=sys.stderr)
    if not names:
        raise ValueError(f"{args.source}: no recording in which anything could be found")
    found, told = _find(detector, recordings, names, args.batch)

    from fidget.detection.found_files import write_found

    duration_s = {name: _duration_s(recordings, name) for name in names}
    files = write_found(output, found, detector.tree, detector.recipe.name, duration_s)
    if args.overlay:
        files += [_overlay(args, recordings, one, detector, output) for one in found]
    _tell(found, detector, args.min_score)
    if detector.simulated:
        told += "; the detector was trained on simulated data"
    print(
        f"{told}; {', '.join(map(str, files[:3]))}" + (f" and {len(files) - 3} overlays" if files[3:] else "")
    )
    return 1 if failed else 0


def _recordings(args: argparse.Namespace, detector: TrainedDetector, output: Path) -> Recordings:
    """What is at the source, as the detector takes it; poses of videos are extracted first."""
    from fidget.cli.usage import UsageError
    from fidget.detection.places import open_videos
    from fidget.detection.recordings import PoseRecordings
    from poses.cache_schema import NotACacheError
    from poses.cache_shards import cache_json

    form = detector.recipe.input.form
    is_cache = args.source.is_dir()
    if is_cache:
        try:
            cache_json(args.source)
        except NotACacheError:
            is_cache = False
    if form == "features":
        raise UsageError(
            f"{args.trained} is over feature files, which do not say how long a recording is: name one over "
            "poses or frames"
        )
    if form == "frames":
        if is_cache:
            raise UsageError(f"{args.trained} is over frames: name the videos, not their pose cache")
        if detector.recipe.input.person_crop and args.poses is None:
            raise UsageError(
                f"{args.trained} crops persons: give a pose cache of the videos with --poses DIR"
            )
        return open_videos(detector.recipe, args.source, args.poses, None, _note)
    if is_cache:
        return PoseRecordings(args.source, detector.shapes.layout)
    poses = output / "poses"
    _extract(args, poses, detector.shapes.layout.partition("/")[0])  # the whole set, of which it takes a part
    return PoseRecordings(poses, detector.shapes.layout)


def _extract(args: argparse.Namespace, poses: Path, layout: str) -> None:
    """Poses of the videos, by the command that a user would give."""
    from pose_extract.command import main as extract_poses

    words = [str(args.source), "-o", str(poses), "--model", args.model, "--layout", layout]
    status = extract_poses(words)
    if status == 2 or not poses.is_dir():
        raise ValueError(f"poses of {args.source} could not be extracted (extract-poses {' '.join(words)})")


def _usable(recordings: Recordings) -> tuple[list[str], list[str]]:
    """Recordings that can be looked at, and why others cannot."""
    names, failed = [], []
    for name, status in recordings.status.items():
        if status == "failed":
            failed.append(f"{name}: {recordings.problems.get(name, 'it cannot be read')}")
        elif status == "no_person":
            failed.append(f"{name}: nobody was found in it")
        elif len(recordings.frame_time_s(name)) < 2:
            failed.append(f"{name}: it has one frame only")
        else:
            names.append(name)
    return names, failed


def _duration_s(recordings: Recordings, name: str) -> float:
    start, end = recordings.span_s(name)
    return end - start


def _find(
    detector: TrainedDetector, recordings: Recordings, names: list[str], at_once: int
) -> tuple[list[Found], str]:
    """What was found, and how quickly."""
    length_s = sum(_duration_s(recordings, name) for name in names)
    progress = _Progress(length_s)
    begin_s = time.perf_counter()
    try:
        found = list(detector.find(recordings, names, at_once, progress.step))
    finally:
        progress.close()
    spent_s = time.perf_counter() - begin_s
    pace = length_s / spent_s
    return found, f"{len(names)} recordings of {length_s:.1f} s in {spent_s:.1f} s: {pace:.0f} x real time"


class _Progress:
    """Seconds of recording done: a live line on a terminal, else a line now and then."""

    def __init__(self, length_s: float) -> None:
        self._length_s, self._done_s = length_s, 0.0
        self._live = sys.stderr.isatty()
        self._every_s = _LIVE_EVERY_S if self._live else _PLAIN_EVERY_S
        self._begin_s = time.monotonic()
        self._next_s = self._begin_s + self._every_s

    def step(self, seconds: float) -> None:
        """So many seconds more; windows overlap, so that it is not more than the whole."""
        self._done_s = min(self._done_s + seconds, self._length_s)
        now = time.monotonic()
        if now < self._next_s:
            return
        self._next_s = now + self._every_s
        pace = self._done_s / (now - self._begin_s)
        line = f"{self._done_s:.0f} of {self._length_s:.0f} s, {pace:.0f} x real time"
        sys.stderr.write(f"\r{line:<70}" if self._live else line + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._live:
            sys.stderr.write("\r" + " " * 70 + "\r")
            sys.stderr.flush()


def _overlay(
    args: argparse.Namespace, recordings: Recordings, found: Found, detector: TrainedDetector, output: Path
) -> Path:
    """The overlay of one recording."""
    from fidget.detection.recordings import PoseRecordings, VideoRecordings
    from fidget.reports.detection_overlay import Segment, write_detection_overlay

    path = output / "overlays" / f"{found.recording}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(recordings, PoseRecordings):
        cache = recordings.clips.cache
        clip = cache.read(found.recording)
        source = Path(cache.row(found.recording).source.path)
        source = source if source.is_file() else args.source if args.source.is_file() else None
    else:
        assert isinstance(recordings, VideoRecordings)
        source = recordings.clips.path(found.recording)
        clip = _nobody(source, found.recording, recordings)
    segments = [
        Segment(float(start), float(end), int(label), float(score))
        for (start, end), label, score in zip(found.span_s, found.label, found.score, strict=True)
        if score >= args.min_score
    ]
    words = "trained on simulated data" if detector.simulated else ""
    made = write_detection_overlay(clip, source, path, segments, detector.tree, note=words)
    if made.note:
        _note(f"{found.recording}: {made.note}")
    return path


def _nobody(source: Path, name: str, recordings: VideoRecordings) -> PoseClip:
    """Frames and times of a video without poses."""
    from fidget.reports.detection_overlay import clip_without_people
    from pose_extract.video import VideoFrames

    with VideoFrames(source) as video:
        info = video.info
    return clip_without_people(name, recordings.frame_time_s(name), (info.height, info.width), info.fps)


def _tell(found: list[Found], detector: TrainedDetector, least_score: float) -> None:
    """The surest segments of each recording."""
    for one in found:
        sure = int((one.score >= least_score).sum())
        print(f"{one.recording}: {len(one.score)} segments, {sure} of them surer than {least_score:g}")
        for row in range(min(sure, 8)):
            (start, end), name = one.span_s[row], detector.tree.actions[one.label[row]]
            print(f"  {start:8.2f} - {end:8.2f} s  {one.score[row]:.3f}  {name}")


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
