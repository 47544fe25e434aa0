"""`fidget benchmark simulate`: an MMA-82 made by kinematics, to try, test and teach the protocols with."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

from fidget.cli.benchmark_untrimmed import add_options as add_untrimmed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fidget.benchmark.simulator.render_videos import SimulatedVideos
    from fidget.benchmark.simulator.simulate import Simulated
    from fidget.cli.ticker import Ticker

_SIZE = 224
_SCALE = 0.05
_LARGEST_SIZE = 1080
Made = TypeVar("Made")

_EPILOG = """\
examples:
  fidget benchmark simulate --scale 0.05 -o simulated
  fidget benchmark simulate --scale 1 --workers 2 --seed 1 -o simulated-full
  fidget benchmark simulate --noise 0 --missing 0 --camera 0 --label-noise 0 -o ideal
  fidget benchmark run mma82/cross-domain --poses simulated --method stgcnpp
  fidget benchmark simulate --scale 0.02 --videos -o simulated
  fidget benchmark simulate --untrimmed 200 --videos -o recordings

A body of 133 joints does the 82 actions before the cameras of four domains, and an estimator with errors
looks. Class frequencies, split sizes, subjects and lengths are MMA-82's, the movements are ours: no number
from it says anything about people. DIR is a pose cache, DIR-labels.csv its labels; both say "simulated".
--videos draws the same clips as well, the true body before the same camera: DIR-videos/CLIP.mp4, whose
titles say simulated.
--untrimmed makes recordings of 5 to 15 s instead, in which actions follow each other and go on at once as
often, as long and as early as MMA-52's annotations say; DIR-detection.csv has an instance a line.
--camera, --noise and --missing multiply what each domain has by itself, 0 takes it away.
The same command goes on where an earlier one stopped, a directory of other content is refused.
Exit status: 0 all clips are there, 1 they could not be written, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "simulate",
        help="make a simulated MMA-82: poses, labels, videos",
        description="Make a simulated MMA-82: a pose cache and its labels, and videos of the same clips.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", default="simulated", help="the pose cache to write (simulated)"
    )
    parser.add_argument("--scale", metavar="X", type=float, help="share of the published 39,816 clips (0.05)")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="other subjects, other clips (0)")
    parser.add_argument("--workers", metavar="N", type=int, help="processes (one a core)")
    parser.add_argument(
        "--camera", metavar="X", type=float, default=1.0, help="how oblique and unsteady cameras are (1)"
    )
    parser.add_argument("--noise", metavar="X", type=float, default=1.0, help="errors of the estimator (1)")
    parser.add_argument(
        "--missing", metavar="X", type=float, default=1.0, help="lost joints and things before the body (1)"
    )
    parser.add_argument(
        "--label-noise", metavar="SHARE", type=float, default=0.02, help="share of wrong labels (0.02)"
    )
    parser.add_argument("--videos", action="store_true", help="also draw the clips, to DIR-videos")
    parser.add_argument(
        "--size", metavar="PX", type=int, help="shorter side of the videos, even (224); needs --videos"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_untrimmed(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate; returns the exit status."""
    from functools import partial

    from fidget.benchmark.simulator.clip import SimulationSettings
    from fidget.benchmark.simulator.render_videos import simulate_videos, videos_beside
    from fidget.benchmark.simulator.simulate import simulate
    from fidget.cli.benchmark_untrimmed import checked, simulate_recordings
    from fidget.cli.usage import UsageError

    workers, domains = _checked(args), checked(args)
    try:
        settings = SimulationSettings(args.camera, args.noise, args.missing, args.label_noise)
    except ValueError as error:
        name, _, problem = str(error).partition(":")
        raise UsageError(f"--{name.replace('_', '-')}:{problem}") from None
    size = args.size or _SIZE
    if domains:
        return simulate_recordings(args, domains, workers, settings, size, _followed)
    chosen = args.output, _SCALE if args.scale is None else args.scale, args.seed, workers, settings
    made = _followed(args.output, "clips", partial(simulate, *chosen))
    videos = None
    if args.videos:
        write = partial(simulate_videos, *chosen, size)
        videos = _followed(str(videos_beside(args.output)), "videos", write)
    _report(made, videos, args.json)
    return 0


def _followed(output: str, what: str, job: Callable[..., Made]) -> Made:
    """What a job gives that reports what there is to do, and each step."""
    progress = _Progress(output, what)
    try:
        return job(on_start=progress.start, on_clip=progress.step)
    finally:
        progress.close()


def _checked(args: argparse.Namespace) -> int:
    """See that the options make sense; the number of processes."""
    from pathlib import Path

    from fidget.benchmark.simulator.render import SMALLEST_SIZE
    from fidget.cli.usage import UsageError

    workers = _cores() if args.workers is None else int(args.workers)
    if workers < 1:
        raise UsageError(f"--workers: expected at least 1, got {workers}")
    if args.scale is not None and args.untrimmed is not None:
        raise UsageError("--scale: it is of trimmed clips, --untrimmed says how many recordings")
    if args.scale is not None and not 0 < args.scale <= 100:
        raise UsageError(f"--scale: expected a number above 0 and up to 100, such as 0.05, got {args.scale}")
    if Path(args.output).exists() and not Path(args.output).is_dir():
        raise UsageError(f"-o {args.output}: expected a directory, or a new name for one; this is a file")
    if args.seed < 0:
        raise UsageError(f"--seed: expected a whole number from 0, got {args.seed}")
    if args.size is not None:
        if not args.videos:
            raise UsageError("--size: it is the size of the videos, so it needs --videos")
        if not SMALLEST_SIZE <= args.size <= _LARGEST_SIZE or args.size % 2:
            raise UsageError(
                f"--size: expected an even number of pixels within {SMALLEST_SIZE}..{_LARGEST_SIZE}, "
                f"got {args.size}"
            )
    return workers


class _Progress:
    """Says what is to do, then where it stands; the clock runs from the first clip, not from a cold start."""

    def __init__(self, output: str, what: str) -> None:
        self._output, self._what, self._clips = output, what, 0
        self._ticker: Ticker | None = None

    def start(self, to_make: int, there: int) -> None:
        """Before the first clip."""
        import sys

        known = f", {there:,} are there already" if there else ""
        print(f"simulated MMA-82 -> {self._output}: {to_make:,} {self._what} to make{known}", file=sys.stderr)
        self._clips = to_make

    def step(self) -> None:
        """After each clip."""
        from fidget.cli.ticker import Ticker

        if self._ticker is None:
            self._ticker = Ticker(self._clips)
        self._ticker.step()

    def close(self) -> None:
        """Clear the live line."""
        if self._ticker is not None:
            self._ticker.close()


def _cores() -> int:
    """Cores this process may use."""
    import os

    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _report(made: Simulated, videos: SimulatedVideos | None, as_json: bool) -> None:
    """What is there now: clips by domain and split."""
    import csv
    import json
    from collections import Counter

    from protocols.clip_table import SPLITS

    with made.labels.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts = Counter((row["domain"], row["split"]) for row in rows)
    domains = list(dict.fromkeys(row["domain"] for row in rows))
    if as_json:
        result = {
            "simulated": True,
            "poses": str(made.directory),
            "labels": str(made.labels),
            "videos": None if videos is None else str(videos.directory),
            "clips": made.clips,
            "made_now": made.made,
            "subjects": len({row["subject"] for row in rows}),
            "clips_by_domain": {
                domain: {split: counts[domain, split] for split in SPLITS} for domain in domains
            },
        }
        print(json.dumps(result))
        return
    print(f"simulated poses: {made.directory} ({made.clips:,} clips, {made.made:,} made now)")
    print(f"simulated labels: {made.labels}")
    if videos is not None:
        print(f"simulated videos: {videos.directory} ({videos.clips:,} clips, {videos.made:,} made now)")
    print("".join(f"{word:>12}" for word in ("domain", *SPLITS, "subjects")))
    for domain in domains:
        people = len({row["subject"] for row in rows if row["domain"] == domain})
        numbers = "".join(f"{n:>12,}" for n in (*(counts[domain, split] for split in SPLITS), people))
        print(f"{domain:>12}{numbers}")
