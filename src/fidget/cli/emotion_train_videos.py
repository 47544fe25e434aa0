"""`fidget emotion train --videos`: a network, trained end to end from pictures."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from fidget.cli.emotion_arguments import at_least, read_table

if TYPE_CHECKING:
    from fidget.emotion.video_recipe import EmotionRecipe

_OF_FEATURES = ("face", "deepface", "actions", "events", "labels")


def run_videos(args: argparse.Namespace) -> int:
    """Train, or go on.

    Raises:
        UsageError: options that do not go together, or a recipe that is wrong.
        ValueError: table, videos, poses and recipe do not fit together, or training failed.
        OSError: a file cannot be read or written.
    """
    from fidget.cli.usage import UsageError

    at_least("--seed", args.seed, 0)
    given = [f"--{name}" for name in _OF_FEATURES if getattr(args, name)]
    if given:
        raise UsageError(f"{', '.join(given)}: not with --videos, which are all that the network looks at")
    for name, usual in (("epochs", 40), ("folds", 5)):
        if getattr(args, name) != usual:
            how = "--set train.epochs=N" if name == "epochs" else "a column split in the table"
            raise UsageError(f"--{name}: not with --videos; give {how}")
    if args.network in ("linear", "attention"):
        raise UsageError(
            f"--network {args.network} looks at no videos; with --videos give --network two_branch, "
            "face_branch, action_branch, vaanet or emotion_fan"
        )
    if args.poses is None:
        raise UsageError("--videos needs the poses of these videos, which say who is where: give --poses DIR")
    for name in ("videos", "poses"):
        if not getattr(args, name).is_dir():
            raise UsageError(f"--{name} {getattr(args, name)}: expected a directory, there is none")
    if args.output.exists() and not args.output.is_dir():
        raise UsageError(f"-o {args.output}: expected a directory, there is a file")
    recipe = _recipe(args)
    table = read_table(args)

    from fidget.emotion.video_clips import open_emotion_clips
    from fidget.emotion.video_training import train_from_videos

    clips = open_emotion_clips(table, recipe, args.videos, args.poses, _say, args.faces)
    train_from_videos(recipe, clips, args.output, args.device, args.checkpoint, _say, sys.stderr)
    print(f"measure it: fidget emotion evaluate {args.output}")
    return 0


def _recipe(args: argparse.Namespace) -> EmotionRecipe:
    from fidget.cli.usage import UsageError
    from fidget.emotion.video_recipe import load_recipe

    overrides = [f"train.seed={args.seed}", *args.overrides]
    try:
        return load_recipe(args.network, args.recipe or "", overrides)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"--recipe {args.recipe}: {error.strerror or error}") from error


def _say(line: str) -> None:
    print(line, flush=True)
