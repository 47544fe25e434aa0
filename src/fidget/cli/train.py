"""`fidget train`: a recipe, poses or videos, and a protocol become a trained network and its report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fidget.training.data import ClipSource
    from fidget.training.recipe import Recipe
    from fidget.training.videos import VideoPlaces
    from protocols.protocol import Protocol

_EPILOG = """\
examples:
  fidget train --list
  fidget train nw_ucla_stgcnpp --poses poses/nw_ucla --protocol nw_ucla
  fidget train ctrgcn --poses poses --protocol labels.csv --set train.epochs=20 --set train.seed=2 -o runs/two
  fidget train tsm --videos videos --protocol labels.csv --checkpoint resnet50_imagenet
  fidget train manet --videos videos --poses poses --protocol labels.csv --set input.person_crop=true

RECIPE is a file or the name of a shipped recipe. The same command again resumes a run that was stopped, and
on a CPU it ends with the same numbers. A recipe with separate streams makes one run for each, in folders of
their names; fidget fuse joins their scores. Recipes over frames (input.form = "frames") read videos, and
poses only to find persons. Exit status: 0 trained, 1 something failed, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `train`."""
    parser = subparsers.add_parser(
        "train",
        help="train a network from a pose cache, or from videos",
        description="Train a skeleton network from a pose cache, or a network over frames from videos.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a .toml file or a shipped recipe's name")
    parser.add_argument("--list", action="store_true", help="list the shipped recipes and leave")
    parser.add_argument("--poses", type=Path, metavar="DIR", help="the pose cache")
    parser.add_argument("--videos", type=Path, metavar="DIR", help="the videos, for recipes over frames")
    parser.add_argument("--protocol", metavar="NAME", help="a protocol's name, or a file of labels")
    parser.add_argument("-o", "--output", type=Path, metavar="RUN", help="directory of the run")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override the recipe",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="processes, one a GPU")
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="machines that train together")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="pretrained weights to begin with; over frames also a name of fidget weights list",
    )
    parser.add_argument(
        "--frame-cache", type=Path, metavar="DIR", help="where input.frame_store keeps decoded frames"
    )
    parser.add_argument(
        "--frame-cache-gib", type=float, metavar="N", help="what they may take there, in GiB (default: 20)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, or list the recipes.

    Raises:
        UsageError: an option is missing, or the recipe is wrong.
        ValueError: cache, protocol and recipe do not fit together, or training failed.
    """
    from fidget.cli.usage import UsageError

    if args.list:
        return _list()
    given = {
        "RECIPE": args.recipe,
        "--poses or --videos": args.poses or args.videos,
        "--protocol": args.protocol,
    }
    lacking = [name for name, value in given.items() if value is None]
    if lacking:
        raise UsageError(f"fidget train needs {', '.join(lacking)}; see fidget train --help")
    if min(args.devices, args.nodes) < 1:
        raise UsageError(f"--devices and --nodes are at least 1, got {args.devices} and {args.nodes}")
    from fidget.training.recipe import FrameRecipe, load_recipe, stream_recipes

    try:
        recipe = load_recipe(args.recipe, args.overrides)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"recipe {args.recipe}: {reason}; see fidget train --list") from error
    over_frames = isinstance(recipe, FrameRecipe)
    clips, protocol = _over_frames(args, recipe) if over_frames else _of_poses(args, recipe)
    output = args.output or Path("runs") / f"{recipe.name}-{protocol.name}-seed{recipe.train.seed}"
    streams = stream_recipes(recipe)
    for stream, stream_recipe in streams.items():
        if len(streams) > 1:
            print(f"stream {stream}:", flush=True)
        _train(args, clips, stream_recipe, protocol, output / stream if len(streams) > 1 else output)
    return 0


def _of_poses(args: argparse.Namespace, recipe: Recipe) -> tuple[Path, Protocol]:
    """The pose cache, and the protocol of its clips."""
    from fidget.cli.usage import UsageError
    from poses.cache_reader import PoseCache

    given = {
        "--videos": args.videos,
        "--frame-cache": args.frame_cache,
        "--frame-cache-gib": args.frame_cache_gib,
    }
    useless = [option for option, value in given.items() if value is not None]
    if useless or args.poses is None:
        raise UsageError(
            f"recipe {recipe.name} is over poses: give --poses DIR; leave out {' and '.join(useless)}, "
            "for recipes over frames"
        )
    clip_ids = list(PoseCache(args.poses).stamps())
    return args.poses, _protocol(args.protocol, clip_ids, recipe.data.missing == "drop")


def _over_frames(args: argparse.Namespace, recipe: Recipe) -> tuple[ClipSource, Protocol]:
    """The videos, opened, and the protocol of their clips."""
    from fidget.cli.usage import UsageError
    from fidget.training.data import PoseClips
    from fidget.training.network import check_input
    from fidget.training.posed_videos import PosedVideos
    from fidget.training.videos import check_places, open_videos
    from pose_extract.sources import find_videos

    places = _places(args, recipe)
    try:
        check_places(recipe, places)
    except ValueError as error:
        raise UsageError(f"recipe {recipe.name}: {error}") from error
    check_input(recipe)
    found = find_videos([str(places.videos)])
    if found.problems:
        raise UsageError(found.problems[0])
    protocol = _protocol(args.protocol, [source.clip_id for source in found.sources], True)
    wanted = {clip_id for split in protocol.splits.values() for clip_id in split.clip_ids}
    videos = open_videos(recipe, places, wanted, _say)
    if recipe.input.form == "frames_and_heatmap" and places.poses is not None:
        return PosedVideos(videos, PoseClips(places.poses, recipe.input.layout)), protocol
    return videos, protocol


def _places(args: argparse.Namespace, recipe: Recipe) -> VideoPlaces:
    from fidget.cli.usage import UsageError
    from fidget.training.videos import VideoPlaces

    if args.videos is None:
        raise UsageError(
            f"recipe {recipe.name} is over frames: give --videos DIR; --poses alone is for recipes over poses"
        )
    if args.frame_cache_gib is not None and (args.frame_cache is None or args.frame_cache_gib <= 0):
        raise UsageError("--frame-cache-gib is a number above 0, and goes with --frame-cache DIR")
    places = VideoPlaces(args.videos, args.poses, args.frame_cache)
    if args.frame_cache_gib is None:
        return places
    return replace(places, frame_cache_gib=args.frame_cache_gib)


def _protocol(name: str, clip_ids: Sequence[str], others_too: bool) -> Protocol:
    """A protocol of these clips; with `others_too` a table may name clips that are not among them."""
    from fidget.cli.usage import UsageError
    from protocols.catalogue import PROTOCOLS, find_protocol
    from protocols.clip_tables import KINDS

    try:
        return find_protocol(name, clip_ids, others_too)
    except ValueError as error:
        kind, _, place = name.partition(":")
        of_a_data_set = kind in KINDS and Path(place).exists()
        if (
            name in PROTOCOLS
            or of_a_data_set
            or Path(name).exists()
            or Path(name.rpartition(":")[0]).is_file()
        ):
            raise  # the labels and the clips do not fit: a failure, not a wrong word
        raise UsageError(str(error)) from error


def _train(
    args: argparse.Namespace, clips: Path | ClipSource, recipe: Recipe, protocol: Protocol, output: Path
) -> dict[str, Any]:
    from fidget.training.loop import train
    from fidget.training.run import Machines

    machines = Machines(args.device, args.devices, args.nodes)
    return train(recipe, clips, protocol, output, machines, args.checkpoint, _say, sys.stderr)


def _say(line: str) -> None:
    print(line, flush=True)


def _list() -> int:
    import tomllib

    from fidget.training.recipe_files import shipped_recipes

    for name, text in shipped_recipes().items():
        print(f"{name:<34} {tomllib.loads(text).get('note', '')}".rstrip())
    return 0
