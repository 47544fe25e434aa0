"""What the verbs of `fidget benchmark` that train have in common: arguments as lists, data, what failed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fidget.benchmark.benchmark_directory import Contents
    from fidget.benchmark.cell import Cell
    from fidget.benchmark.cell_jobs import Work
    from fidget.benchmark.clip_sources import BenchmarkVideos
    from fidget.benchmark.methods import Method
    from fidget.benchmark.unseen import UnseenWork
    from protocols.clip_table import ClipTable
    from protocols.column_map import ColumnMap
    from protocols.task import Task


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """What changes recipes, and where and how many networks train side by side."""
    add = parser.add_argument
    add(
        "--set", action="append", default=[], metavar="[RECIPE:]KEY=VALUE", dest="overrides",
        help="override all recipes, or one",
    )  # fmt: skip
    add("--jobs", type=int, default=0, metavar="N", help="processes (default: as many as there is room for)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train")


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    """Where clips lie: poses, videos, or both, and what keeps decoded frames."""
    add = parser.add_argument
    add("--poses", metavar="DIR", help="the pose cache, or a URI; for methods over poses")
    add("--videos", type=Path, metavar="DIR", help="the videos, for methods over frames")
    add("--labels", metavar="FILE", help="the labels (default: beside the clips, <POSES>-labels.csv)")
    add("--columns", action="append", default=[], metavar="WHAT=NAME,...", help="which column holds what")
    add("--frame-cache", type=Path, metavar="DIR", help="where input.frame_store keeps decoded frames")
    add("--frame-cache-gib", type=float, metavar="N", help="what they may take there, GiB (default: 20)")


def numbers_given(option: str, text: str, kind: type[int] | type[float]) -> tuple[float, ...]:
    """Numbers between commas, each once and not negative."""
    from fidget.cli.usage import UsageError

    try:
        found = tuple(kind(part) for part in text.split(","))
    except ValueError:
        found = (-1,)
    if not all(number >= 0 for number in found) or len(set(found)) < len(found):
        raise UsageError(f"{option} takes numbers of 0 or more between commas, each once, got {text!r}")
    return found


def names_given(option: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Known names between commas, in their own order, or `all` of them."""
    import difflib

    from fidget.cli.usage import UsageError

    asked = list(known) if text == "all" else text.split(",")
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{option}: no {name!r}: {hint}expected all, or some of {', '.join(known)}")
    return tuple(name for name in known if name in asked)


def columns_given(texts: Sequence[str]) -> ColumnMap | None:
    """Which column holds what; None where nothing was named."""
    from fidget.cli.usage import UsageError
    from protocols.column_map import parse_columns

    try:
        return parse_columns(",".join(texts)) if texts else None
    except ValueError as error:
        raise UsageError(f"--columns: {error}") from error


def data_given(
    args: argparse.Namespace, benchmark: str, columns: ColumnMap | None, output: Path
) -> tuple[Path, ClipTable]:
    """The cache, here, and its labelled clips."""
    from fidget.benchmark.labelled_poses import labelled_clips
    from fidget.cli.usage import UsageError

    try:
        return labelled_clips(benchmark, args.poses, args.labels, columns, output / "poses", say)
    except FileNotFoundError as error:
        raise UsageError(str(error)) from error


def clips_given(
    args: argparse.Namespace,
    benchmark: str,
    columns: ColumnMap | None,
    output: Path,
    methods: Sequence[Method],
) -> tuple[Path | None, BenchmarkVideos | None, ClipTable]:
    """The pose cache, here, and the videos, as far as they were given, and their labelled clips.

    Raises:
        UsageError: what a method needs was not given, or what none needs was.
        ValueError: clips and labels do not fit.
    """
    from dataclasses import replace

    from fidget.benchmark.labelled_poses import labelled_videos
    from fidget.cli.usage import UsageError
    from fidget.frames.simulated_videos import videos_simulated

    _expect_clips(args, methods)
    poses: Path | None = None
    if args.poses is not None:
        poses, table = data_given(args, benchmark, columns, output)
    else:
        try:
            table = labelled_videos(benchmark, args.videos, args.labels, columns, say)
        except FileNotFoundError as error:
            raise UsageError(str(error)) from error
    if args.videos is None:
        return poses, None, table
    if videos_simulated(args.videos):
        table = replace(table, simulated=True)
    return poses, _videos(args, poses, table, methods), table


def _expect_clips(args: argparse.Namespace, methods: Sequence[Method]) -> None:
    from fidget.cli.usage import UsageError

    frames = [method.name for method in methods if method.over_frames]
    joints = [method.name for method in methods if not method.over_frames]
    if frames and args.videos is None:
        raise UsageError(f"method {frames[0]} is over frames: give --videos DIR")
    if joints and args.poses is None:
        raise UsageError(f"method {joints[0]} is over poses: give --poses DIR")
    given = {
        "--videos": args.videos,
        "--frame-cache": args.frame_cache,
        "--frame-cache-gib": args.frame_cache_gib,
    }
    useless = [option for option, value in given.items() if value is not None]
    if not frames and useless:
        raise UsageError(f"no method is over frames: leave out {' and '.join(useless)}")


def _videos(
    args: argparse.Namespace, poses: Path | None, table: ClipTable, methods: Sequence[Method]
) -> BenchmarkVideos:
    from fidget.benchmark.clip_sources import BenchmarkVideos
    from fidget.cli.usage import UsageError
    from fidget.training.network import check_input
    from fidget.training.videos import VideoPlaces, check_places

    if not args.videos.exists():
        raise UsageError(f"--videos {args.videos}: no such directory")
    if args.frame_cache_gib is not None and (args.frame_cache is None or args.frame_cache_gib <= 0):
        raise UsageError("--frame-cache-gib is a number above 0, and goes with --frame-cache DIR")
    size = {} if args.frame_cache_gib is None else {"frame_cache_gib": args.frame_cache_gib}
    places = VideoPlaces(args.videos, poses, args.frame_cache, **size)
    ids = frozenset(table.clip_ids[row] for row in table.rows())
    videos = BenchmarkVideos(places, ids)
    recipes = [method.recipe("", 0) for method in methods if method.over_frames]
    if args.frame_cache is not None and all(recipe.input.frame_store == "video" for recipe in recipes):
        raise UsageError(
            "--frame-cache is for recipes that keep frames: --set input.frame_store=jpeg (or raw), "
            "or leave it out"
        )
    for recipe in recipes:
        check_input(recipe)
        try:
            check_places(recipe, videos.places_of(recipe))
        except ValueError as error:
            raise UsageError(f"method {recipe.name}: {error}") from error
    return videos


def contents_of(work: Work | UnseenWork, tasks: Sequence[Task], benchmark: str, table: ClipTable) -> Contents:
    """What decides the results; new videos are read once here, before processes need them."""
    from fidget.benchmark.benchmark_directory import Contents
    from fidget.benchmark.clip_sources import content_hash
    from fidget.benchmark.plan import task_hashes
    from fidget.training.data import PoseClips

    videos_hash = ""
    for method in work.methods:
        if method.over_frames and work.videos is not None:
            videos_hash = content_hash(work.videos.open(method.recipe("", 0), say))
    return Contents(
        benchmark,
        table.name,
        table.simulated,
        "" if work.poses is None else PoseClips(work.poses).cache_hash,
        task_hashes(tasks),
        {method.name: method.recipe_hash for method in work.methods},
        "" if work.poses is None else str(work.poses.resolve()),
        videos_hash,
        "" if work.videos is None else str(work.videos.places.videos.resolve()),
    )


def name_failures(cells: Sequence[Cell]) -> int:
    """Name what failed; the exit status."""
    import sys

    failed = [cell for cell in cells if cell.status != "done"]
    reasons: dict[str, list[Cell]] = {}
    for cell in failed:
        reasons.setdefault(cell.error, []).append(cell)
    for error, them in reasons.items():
        first = f"{them[0].task}, {them[0].method}, seed {them[0].seed}"
        more = f" and {len(them) - 1} more cells" if len(them) > 1 else ""
        print(f"fidget: failed: {first}{more}: {error}", file=sys.stderr)
    return 1 if failed else 0


def say(line: str) -> None:
    """A line of progress, at once."""
    print(line, flush=True)
