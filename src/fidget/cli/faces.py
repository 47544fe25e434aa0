"""`fidget faces`: in which frames there is a face, whose, and why in the others there is none."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fidget.faces.clip_faces import ClipFaces
    from fidget.faces.face_tracks import FaceTrack

_EPILOG = """\
examples:
  fidget faces poses --videos videos
  fidget faces poses --videos videos --max-fps 5 -o faces.parquet
  fidget faces poses --videos videos --store-crops crops --size 224

A face is looked for around the joints of each head (BlazeFace, on the CPU) and followed over time. It is
taken only where it lies on that person's head: several faces on one head, a face beside the head, and bodies
that the poses have exchanged are counted and named. -o keeps where faces are, no pictures; pictures are
stored only by --store-crops, in a directory that is empty or new. Exit status 1: some clips could not be
looked at; each is named.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "faces",
        help="faces on the heads of a pose cache: where they are, and why not",
        description="Find and follow the faces of the people of a pose cache in their videos.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("poses", metavar="POSES", type=Path, help="a pose cache, with joints of the head")
    add("--videos", metavar="DIR", type=Path, required=True, help="the videos that it was made from")
    add("-o", "--output", metavar="FILE", type=Path, help="where faces are: a Parquet file, no pictures")
    add("--store-crops", metavar="DIR", type=Path, help="PICTURES of every face, as JPEG files")
    add("--size", type=int, default=224, metavar="PX", help="side of stored pictures (default: 224)")
    add("--aligned", action="store_true", help="turn stored pictures so that the eyes are level")
    add("--max-fps", type=float, metavar="N", help="look at so many frames a second (default: all)")
    add("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look at every clip and say what was found.

    Raises:
        UsageError: options that cannot be meant.
        ValueError: a cache without heads, a place without videos.
        MissingWeightError: the face detector is not on this machine.
        OSError: a file cannot be read or written.
    """
    import json
    import sys

    from fidget.faces.clip_faces import open_faces
    from fidget.faces.stored_crops import WARNING
    from fidget.faces.track_file import write_tracks
    from poses.cache_reader import PoseCache

    settings = _checked(args)
    faces = open_faces(
        PoseCache(args.poses), args.videos, settings, lambda line: print(line, file=sys.stderr)
    )
    clips: list[dict[str, Any]] = []
    if args.store_crops is not None:
        print(f"--store-crops {args.store_crops}: {WARNING}", file=sys.stderr)
    found = _every_clip(args, faces, clips)
    if args.output is None:
        for _ in found:
            pass
    else:
        write_tracks(args.output, found)
    told = _summary(args, faces, clips)
    if args.json:
        print(json.dumps({**told, "of_clips": clips}, ensure_ascii=False, indent=1))
    else:
        _say(args, told)
    return 1 if told["failed"] else 0


def _checked(args: argparse.Namespace) -> Any:
    """Settings of the search, when the options can be meant.

    Raises:
        UsageError: they cannot.
    """
    from fidget.cli.usage import UsageError
    from fidget.faces.face_joining import TrackSettings

    if args.size < 1:
        raise UsageError(f"--size: expected pixels, 1 or more, got {args.size}")
    if args.aligned and args.store_crops is None:
        raise UsageError("--aligned is of stored pictures: give --store-crops DIR as well, or leave it out")
    cache = args.poses.resolve()
    for option, place in (("-o", args.output), ("--store-crops", args.store_crops)):
        if place is not None and place.resolve().is_relative_to(cache):
            raise UsageError(
                f"{option} {place}: expected a place outside {args.poses}, which holds only poses"
            )
    if args.output is not None and args.output.is_dir():
        raise UsageError(f"-o {args.output}: expected a file, this is a directory")
    crops = args.store_crops
    if crops is not None and crops.exists() and (not crops.is_dir() or any(crops.iterdir())):
        raise UsageError(
            f"--store-crops {crops}: expected an empty directory or a new name, there is something"
        )
    try:
        return TrackSettings(max_fps=args.max_fps)
    except ValueError as error:
        raise UsageError(f"--max-fps: {error}") from error


def _every_clip(
    args: argparse.Namespace, faces: ClipFaces, clips: list[dict[str, Any]]
) -> Iterator[FaceTrack]:
    """Tracks clip by clip; what is told of each goes to `clips`, and is printed at once."""
    from fidget.cli.main import one_line
    from fidget.faces.stored_crops import store_crops

    for clip_id in faces.poses.clip_ids:
        told: dict[str, Any] = {"clip": clip_id}
        clips.append(told)
        try:
            tracks = faces.tracks(clip_id)
            told["people"] = [_of_person(track) for track in tracks]
            if args.store_crops is not None:
                entry = faces.videos.entry(clip_id)
                for track, person in zip(tracks, told["people"], strict=True):
                    person["pictures"] = store_crops(track, entry, args.store_crops, args.size, args.aligned)
        except ValueError as error:
            told["failed"], tracks = one_line(error), ()
        if not args.json:
            lines = [told["failed"]] if "failed" in told else [track.told() for track in tracks]
            print("\n".join(lines or [f"clip {clip_id!r}: nobody in its poses"]), flush=True)
        yield from tracks


def _of_person(track: FaceTrack) -> dict[str, Any]:
    counts = {way.told: number for way, number in track.counts().items() if number}
    return {
        "person": track.track_id,
        "frames": len(track.frames),
        "with_face": len(track.face_frames),
        "counts": counts,
    }


def _summary(args: argparse.Namespace, faces: ClipFaces, clips: list[dict[str, Any]]) -> dict[str, Any]:
    people = [person for told in clips for person in told.get("people", ())]
    lost = faces.poses.failed()
    failed = sum("failed" in told for told in clips)
    return {
        "poses": str(args.poses),
        "simulated": faces.videos.simulated,
        "clips": len(clips),
        "failed": failed,
        "not_extracted": len(lost),
        "nobody": sum(told.get("people") == [] for told in clips),
        "people": len(people),
        "frames": sum(person["frames"] for person in people),
        "with_face": sum(person["with_face"] for person in people),
        "pictures": sum(person.get("pictures", 0) for person in people),
    }


def _say(args: argparse.Namespace, told: dict[str, Any]) -> None:
    share = 100 * told["with_face"] / max(told["frames"], 1)
    print(
        f"{told['clips']:,} clips, {told['people']:,} people{', simulated' * told['simulated']}: "
        f"{told['with_face']:,} of {told['frames']:,} frames with a face ({share:.1f} %); "
        f"{told['nobody']} clips with nobody, {told['failed']} not looked at"
        + f"; {told['not_extracted']} had failed at extraction"
        * bool(told["not_extracted"])
    )
    if args.output is not None:
        print(f"written: {args.output}")
    if args.store_crops is not None:
        from fidget.faces.stored_crops import WARNING

        print(f"written: {told['pictures']:,} pictures in {args.store_crops}: {WARNING}")
