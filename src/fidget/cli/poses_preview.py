"""`fidget poses preview`: overlay videos and a contact sheet, to see what was extracted."""

from __future__ import annotations

import argparse

from fidget.cli.usage import UsageError

_MOST_CLIPS = 24
_EPILOG = f"""\
examples:
  fidget poses preview poses
  fidget poses preview poses --limit 3 --smooth one-euro -o preview-smooth
  fidget poses preview poses --limit 1 --background plain -o preview-plain

Each clip becomes an MP4 at its own times: limbs of the person's left side blue, of the right orange, joints
fainter where the model was less certain, the track id at the head, the time in seconds. A contact sheet
(PNG) shows a few frames of each. Without --clip and --limit, {_MOST_CLIPS} clips spread over the
cache are drawn. The videos must still lie where they were when the poses were extracted; else the background
is plain.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "preview",
        help="overlay videos and a contact sheet",
        description="Draw the skeletons of a pose cache over its videos.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("cache", metavar="DIR", help="a pose cache")
    add("--clip", action="append", default=[], metavar="ID", help="only this clip (repeatable)")
    add("-o", "--output", metavar="DIR", help="default: DIR-preview, beside the cache")
    add("--smooth", choices=("one-euro", "savgol"), help="draw smoothed keypoints")
    add(
        "--background",
        choices=("video", "plain"),
        default="video",
        help="default: the video, where it is found",
    )
    add("--limit", type=int, metavar="N", help=f"at most N clips, 0 for all (default: {_MOST_CLIPS})")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw the clips; 1 if one could not be drawn (it is named, the rest is done)."""
    from pathlib import Path

    from fidget.cli.places import output_beside
    from fidget.reports.preview import all_clip_ids, preview_cache, spread
    from poses.cache_reader import PoseCache

    if args.limit is not None and args.limit < 0:
        raise UsageError(f"--limit expects a number of clips, or 0 for all; got {args.limit}")
    directory = Path(args.cache)
    cache = PoseCache(directory)
    output = output_beside(directory, args.output, "preview")
    clip_ids = all_clip_ids(cache)
    for clip_id in set(args.clip).difference(clip_ids):
        raise UsageError(f"--clip {clip_id!r}: expected a clip of {directory}{_nearest(clip_id, clip_ids)}")
    chosen = list(dict.fromkeys(args.clip)) or clip_ids
    limit = args.limit if args.limit is not None else len(chosen) if args.clip else _MOST_CLIPS
    drawn = preview_cache(
        cache, spread(chosen, limit or len(chosen)), output, args.smooth, args.background == "video"
    )
    if drawn.sheet:
        print(drawn.sheet)
    print(f"{output}: {drawn.clips} of {len(clip_ids)} clips drawn, video by {drawn.encoder}")
    return 1 if drawn.not_drawn else 0


def _nearest(clip_id: str, clip_ids: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(clip_id, clip_ids[:5000], n=1)
    return f", such as {near[0]!r}" if near else "; fidget poses inspect lists them"
