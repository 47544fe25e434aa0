"""`fidget train`: a recipe, a pose cache and a protocol become a trained network and its report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fidget.training.recipe import Recipe
    from protocols.protocol import Protocol

_EPILOG = """\
examples:
  fidget train --list
  fidget train nw_ucla_stgcnpp --poses poses/nw_ucla --protocol nw_ucla
  fidget train ctrgcn --poses poses --protocol labels.csv --set train.epochs=20 --set train.seed=2 -o runs/two

RECIPE is a file or the name of a shipped recipe. The same command again resumes a run that was stopped, and
on a CPU it ends with the same numbers. A recipe with separate streams makes one run for each, in folders of
their names; fidget fuse joins their scores. Exit status: 0 trained, 1 something failed, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `train`."""
    parser = subparsers.add_parser(
        "train",
        help="train a skeleton network from a pose cache",
        description="Train a skeleton network from a pose cache.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a .toml file or a shipped recipe's name")
    parser.add_argument("--list", action="store_true", help="list the shipped recipes and leave")
    parser.add_argument("--poses", type=Path, metavar="DIR", help="the pose cache")
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
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="pretrained weights to begin with")
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
    lacking = [
        name
        for name, value in (("RECIPE", args.recipe), ("--poses", args.poses), ("--protocol", args.protocol))
        if value is None
    ]
    if lacking:
        raise UsageError(f"fidget train needs {', '.join(lacking)}; see fidget train --help")
    if min(args.devices, args.nodes) < 1:
        raise UsageError(f"--devices and --nodes are at least 1, got {args.devices} and {args.nodes}")
    from fidget.training.recipe import load_recipe, stream_recipes

    try:
        recipe = load_recipe(args.recipe, args.overrides)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"recipe {args.recipe}: {reason}; see fidget train --list") from error
    protocol = _protocol(args.protocol, args.poses, recipe.data.missing == "drop")
    output = args.output or Path("runs") / f"{recipe.name}-{protocol.name}-seed{recipe.train.seed}"
    streams = stream_recipes(recipe)
    for stream, stream_recipe in streams.items():
        if len(streams) > 1:
            print(f"stream {stream}:", flush=True)
        _train(args, stream_recipe, protocol, output / stream if len(streams) > 1 else output)
    return 0


def _protocol(name: str, poses: Path, without_poses: bool) -> Protocol:
    from fidget.cli.usage import UsageError
    from poses.cache_reader import PoseCache
    from protocols.catalogue import PROTOCOLS, find_protocol
    from protocols.clip_tables import KINDS

    clip_ids = list(PoseCache(poses).stamps())
    try:
        return find_protocol(name, clip_ids, without_poses)
    except ValueError as error:
        kind, _, place = name.partition(":")
        of_a_data_set = kind in KINDS and Path(place).exists()
        if (
            name in PROTOCOLS
            or of_a_data_set
            or Path(name).exists()
            or Path(name.rpartition(":")[0]).is_file()
        ):
            raise  # the labels and the poses do not fit: a failure, not a wrong word
        raise UsageError(str(error)) from error


def _train(args: argparse.Namespace, recipe: Recipe, protocol: Protocol, output: Path) -> dict[str, Any]:
    from fidget.training.loop import train
    from fidget.training.run import Machines

    machines = Machines(args.device, args.devices, args.nodes)
    return train(recipe, args.poses, protocol, output, machines, args.checkpoint, _say, sys.stderr)


def _say(line: str) -> None:
    print(line, flush=True)


def _list() -> int:
    import tomllib

    from fidget.training.recipe_files import shipped_recipes

    for name, text in shipped_recipes().items():
        print(f"{name:<34} {tomllib.loads(text).get('note', '')}".rstrip())
    return 0
