"""`fidget detect train`: a recipe, recordings and annotations become a trained detector and its report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fidget.cli.detect_annotations import TOLD, read_annotations

if TYPE_CHECKING:
    from fidget.detection.recipe import DetectionRecipe
    from fidget.detection.recordings import Recordings
    from protocols.detection_table import DetectionTable

_EPILOG = f"""\
examples:
  fidget detect train --list
  fidget detect train sim_skeleton_detector --poses sim --annotations sim-detection.csv
  fidget detect train mma52_adatad_small --videos videos --annotations annotations/mma52 \\
      --checkpoint videomae_small_kinetics400 -o runs/adatad
  fidget detect train actionformer_features --features features --annotations mma52.json

{TOLD}
RECIPE is a file or the name of a shipped recipe; its input.form says whether it takes --poses, --videos or
--features. --pasted takes trimmed clips as more training data, and the run says so. The same command again
resumes a run that was stopped, and on a CPU it ends with the same numbers.
Exit status: 0 trained, 1 something failed, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "train",
        help="train a detector from poses, videos or features",
        description="Train a detector of actions in time from a pose cache, videos or feature files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE", help="a .toml file or a shipped recipe's name")
    add("--list", action="store_true", help="list the shipped recipes and leave")
    add("--annotations", metavar="DATASET", help="what happens in the recordings, and their splits")
    add("--columns", action="append", default=[], metavar="WHAT=NAME,...", help="which column holds what")
    add("--fps", metavar="RATE", help="frame rate of MMA-52 videos that state none (older release)")
    add("--poses", type=Path, metavar="DIR", help="a pose cache; with --videos to find persons")
    add("--videos", type=Path, metavar="DIR", help="the videos, for recipes over frames")
    add("--features", type=Path, metavar="DIR", help="feature files, one a recording")
    add("--pasted", type=Path, metavar="DIR", help="pose cache of trimmed clips to paste into more tracks")
    add("--pasted-labels", metavar="DATASET", help="their labels")
    add("--pasted-tracks", type=int, default=100, metavar="N", help="tracks to make of them (default: 100)")
    add("-o", "--output", type=Path, metavar="RUN", help="directory of the run")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override the recipe",
    )
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train")
    add("--devices", type=int, default=1, metavar="N", help="processes, one a GPU")
    add("--nodes", type=int, default=1, metavar="N", help="machines that train together")
    add("--checkpoint", metavar="FILE", help="pretrained weights, or a name of fidget weights list")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, or list the recipes.

    Raises:
        UsageError: an option is missing, or the recipe is wrong.
        ValueError: recordings, annotations and recipe do not fit together, or training failed.
    """
    from fidget.cli.usage import UsageError

    if args.list:
        return _list()
    lacking = [
        name for name, value in (("RECIPE", args.recipe), ("--annotations", args.annotations)) if not value
    ]
    if lacking:
        raise UsageError(f"fidget detect train needs {' and '.join(lacking)}; see fidget detect train --help")
    if min(args.devices, args.nodes) < 1:
        raise UsageError(f"--devices and --nodes are at least 1, got {args.devices} and {args.nodes}")
    from fidget.detection.recipe import load_recipe

    try:
        recipe = load_recipe(args.recipe, args.overrides)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"recipe {args.recipe}: {error.strerror or error}") from error
    _check_places(args, recipe)
    table = read_annotations(args)
    output = args.output or Path("runs") / f"{recipe.name}-{table.name}-seed{recipe.train.seed}"
    recordings = _recordings(args, recipe, table)
    if args.pasted is not None:
        from fidget.detection.more_tracks import with_pasted_tracks

        place = output.with_name(f"{output.name}-pasted")
        recordings, table = with_pasted_tracks(
            recordings, table, args.pasted, args.pasted_labels, args.pasted_tracks, place, recipe.train.seed
        )

    from fidget.detection.training import train_detector
    from fidget.training.run import Machines

    machines = Machines(args.device, args.devices, args.nodes)
    train_detector(recipe, recordings, table, output, machines, args.checkpoint, _say, sys.stderr)
    return 0


def _check_places(args: argparse.Namespace, recipe: DetectionRecipe) -> None:
    """See that there is what the recipe takes, and nothing that it would not use."""
    from fidget.cli.usage import UsageError

    if (args.pasted is None) != (args.pasted_labels is None) or args.pasted_tracks < 1:
        raise UsageError("--pasted and --pasted-labels go together, and --pasted-tracks is at least 1")
    if args.pasted is not None and recipe.input.form != "poses":
        raise UsageError(f"--pasted is for recipes over poses, {recipe.name} takes {recipe.input.form}")
    wanted = {"poses": "--poses", "frames": "--videos", "features": "--features"}[recipe.input.form]
    takes = {wanted}
    if recipe.input.form == "frames" and recipe.input.person_crop:
        takes.add("--poses")
    given = {f"--{name}" for name in ("poses", "videos", "features") if getattr(args, name) is not None}
    if given != takes:
        useless = " and ".join(sorted(given - takes))
        raise UsageError(
            f"recipe {recipe.name} takes {recipe.input.form}: give {' and '.join(sorted(takes))}"
            + (f", and leave out {useless}" if useless else "")
        )


def _recordings(args: argparse.Namespace, recipe: DetectionRecipe, table: DetectionTable) -> Recordings:
    """The recordings, opened."""
    from fidget.detection.places import open_features, open_videos
    from fidget.detection.recordings import PoseRecordings

    if recipe.input.form == "poses":
        return PoseRecordings(args.poses, recipe.input.layout)
    if recipe.input.form == "features":
        return open_features(recipe, args.features, table)
    return open_videos(recipe, args.videos, args.poses, set(table.video_ids), _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _list() -> int:
    import tomllib

    from fidget.detection.recipe import shipped_recipes

    for name, text in shipped_recipes().items():
        print(f"{name:<26} {tomllib.loads(text).get('note', '')}".rstrip())
    return 0
