"""`fidget benchmark simulate --untrimmed`: recordings with several actions, for detection in time."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fidget.benchmark.simulator.clip import SimulationSettings
    from fidget.benchmark.simulator.render_videos import SimulatedVideos
    from fidget.benchmark.simulator.simulate import Simulated

    # Where a job's result goes, what is made, and the job, which takes `on_start` and `on_clip`.
    Followed = Callable[[str, str, Callable[..., Any]], Any]

_MOST = 100_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of untrimmed recordings."""
    group = parser.add_argument_group("untrimmed recordings, for fidget detect")
    group.add_argument(
        "--untrimmed",
        metavar="N",
        type=int,
        help="make N recordings of several actions in succession and at once, with DIR-detection.csv",
    )
    group.add_argument(
        "--domains",
        metavar="A,B",
        help="where they are recorded: laboratory (usual), psychiatric, street, emotion; needs --untrimmed",
    )


def checked(args: argparse.Namespace) -> tuple[str, ...]:
    """See that the options make sense; the domains.

    Raises:
        UsageError: they do not.
    """
    from fidget.cli.usage import UsageError
    from protocols.mma82 import DOMAINS

    if args.untrimmed is None:
        if args.domains is not None:
            raise UsageError("--domains: it is where recordings are made, so it needs --untrimmed")
        return ()
    if not 1 <= args.untrimmed <= _MOST:
        raise UsageError(f"--untrimmed: expected a number of recordings 1..{_MOST}, got {args.untrimmed}")
    domains = tuple(name.strip() for name in (args.domains or "laboratory").split(","))
    unknown = [name for name in domains if name not in DOMAINS]
    if unknown or len(set(domains)) < len(domains):
        raise UsageError(f"--domains: expected some of {','.join(DOMAINS)}, each once, got {args.domains}")
    return domains


def simulate_recordings(
    args: argparse.Namespace,
    domains: tuple[str, ...],
    workers: int,
    settings: SimulationSettings,
    size: int,
    followed: Followed,
) -> int:
    """Make recordings, and their videos where they are asked for; returns the exit status.

    Args:
        args: of the verb.
        domains: as checked.
        workers: processes.
        settings: of the simulation.
        size: of the videos.
        followed: runs a job with a live line.
    """
    from functools import partial

    from fidget.benchmark.simulator.render_videos import videos_beside
    from fidget.benchmark.simulator.untrimmed import simulate_untrimmed
    from fidget.benchmark.simulator.untrimmed_videos import simulate_untrimmed_videos

    chosen = args.output, args.untrimmed, args.seed, workers, settings, domains
    made: Simulated = followed(args.output, "recordings", partial(simulate_untrimmed, *chosen))
    videos = None
    if args.videos:
        write = partial(simulate_untrimmed_videos, *chosen, size)
        videos = followed(str(videos_beside(args.output)), "videos", write)
    _report(made, videos, args.json)
    return 0


def _report(made: Simulated, videos: SimulatedVideos | None, as_json: bool) -> None:
    """What is there now: recordings and instances by split."""
    import json

    from protocols.clip_table import SPLITS
    from protocols.detection_table import by_video
    from protocols.detection_tables import read_detection_table

    table = read_detection_table("instances", made.labels)
    of_video = by_video(table.instances)
    counts = {}
    for split in SPLITS:
        rows = table.rows(split)
        counts[split] = {
            "recordings": len(rows),
            "instances": sum(len(of_video.get(table.video_ids[row], ())) for row in rows),
            "minutes": round(float(table.duration_s[rows].sum()) / 60, 2),
            "subjects": len({table.subjects[row] for row in rows}),
        }
    if as_json:
        result = {
            "simulated": True,
            "poses": str(made.directory),
            "detection": str(made.labels),
            "videos": None if videos is None else str(videos.directory),
            "recordings": made.clips,
            "made_now": made.made,
            "by_split": counts,
        }
        print(json.dumps(result))
        return
    print(f"simulated poses: {made.directory} ({made.clips:,} recordings, {made.made:,} made now)")
    print(f"simulated instances: {made.labels}")
    if videos is not None:
        print(f"simulated videos: {videos.directory} ({videos.clips:,} recordings, {videos.made:,} made now)")
    print("".join(f"{word:>12}" for word in ("split", *counts["train"])))
    for split, found in counts.items():
        print(f"{split:>12}" + "".join(f"{value:>12,}" for value in found.values()))
