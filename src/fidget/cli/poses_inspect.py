"""`fidget poses inspect`: what is in a pose cache or a keypoint file, in plain words."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from poses.formats.describe import Description

_EPILOG = """\
examples:
  fidget poses inspect poses
  fidget poses inspect ntu60_2d.pkl
  fidget poses inspect keypoints.csv --json

A note is what an import assumes or asks for. Exit status: 0 nothing is wrong, 1 something is (named; an
import may still take the rest), 2 wrong usage.
"""
_CLIPS_SHOWN = 5


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "inspect",
        help="say what is in a pose cache or a keypoint file",
        description="Say what a pose cache or keypoint file (or folder) holds, and what is wrong with it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="a pose cache, or a keypoint file or folder")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Inspect; returns the exit status."""
    from fidget.cli.usage import UsageError
    from poses.cache_reader import NotACacheError

    path = Path(args.path)
    if not path.exists():
        raise UsageError(f"{path}: expected a pose cache or a keypoint file, there is none; check the name")
    if path.is_dir():
        try:
            result = _cache(path)
        except NotACacheError:
            if not _holds(path, "*_keypoints.json") and not _holds(path, "*.pkl"):
                raise
            result = _as_result(path, _folder(path))
    else:
        result = _as_result(path, _file(path))
    if args.json:
        import json

        print(json.dumps(result))
    else:
        _print(result)
    return 1 if result["problems"] else 0


def _holds(path: Path, pattern: str) -> bool:
    return next(path.rglob(pattern), None) is not None


def _cache(path: Path) -> dict[str, Any]:
    """Metadata and totals of a cache, from its small columns."""
    import pyarrow.compute as pc

    from poses.cache_reader import PoseCache

    cache = PoseCache(path)
    columns = ("clip_id", "status", "frames", "persons", "width", "height")
    table = cache.table(columns)
    statuses = table["status"].value_counts().to_pylist()
    first = table.slice(0, _CLIPS_SHOWN).to_pylist()
    files = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    failed = cache.failed()
    return {
        "path": str(path),
        "kind": "pose cache",
        "layout": cache.layout.name,
        "joints": len(cache.layout.joints),
        "coordinates": cache.metadata.axes,
        "models": dict(cache.metadata.models),
        "settings": dict(cache.metadata.settings),
        "clips": table.num_rows,
        "statuses": {row["values"]: row["counts"] for row in statuses},
        "frames": int(pc.sum(table["frames"]).as_py() or 0),
        "bytes": sum(files),
        "first_clips": first,
        "notes": [f"clip {clip_id!r} failed: {error}" for clip_id, error in failed.items()],
        "problems": [],
    }


def _file(path: Path) -> Description:
    from fidget.cli.usage import UsageError
    from poses.formats import describe, describe_pickle

    suffix = path.suffix.lower()
    if suffix in (".pkl", ".pickle"):
        return describe_pickle.describe_pickle(path)
    if suffix == ".npz":
        return describe.describe_arrays(path)
    if suffix == ".json":
        return describe.describe_json(path)
    if suffix == ".csv":
        return describe.describe_csv(path)
    raise UsageError(
        f"{path}: expected a pose cache or a .pkl, .npz, .json or .csv file; rename it if it is one"
    )


def _folder(path: Path) -> Description:
    """An OpenPose folder, or a directory of pickles."""
    from poses.formats import describe, describe_pickle
    from poses.formats.openpose import find_clips
    from poses.formats.people import load_json

    pickles = sorted(path.rglob("*.pkl"))
    if pickles and not _holds(path, "*_keypoints.json"):
        description = describe_pickle.describe_pickle(pickles[0])
        description.kind = f"directory of {len(pickles)} pickles; the first: {description.kind}"
        return description
    clips = {clip_id: files for clip_id, files in find_clips(path)}
    first = next(iter(clips.values()))
    content = load_json(first[min(first)])
    people = content.get("people") if isinstance(content, dict) else None
    keys = people[0] if isinstance(people, list) and people and isinstance(people[0], dict) else {}
    axes = {
        key: f"{len(value) // 3} joints x, y, score" for key, value in keys.items() if value and "_2d" in key
    }
    axes = {"files": f"{sum(map(len, clips.values())):,} frames", **axes}
    return describe.Description(
        "OpenPose folder",
        clips=len(clips),
        axes=axes,
        notes=["no frame rate and no frame size: import with --fps and --frame-size"],
    )


def _as_result(path: Path, description: Description) -> dict[str, Any]:
    return {
        "path": str(path),
        "kind": description.kind,
        "clips": description.clips,
        "axes": description.axes,
        "notes": description.notes,
        "problems": description.problems,
    }


def _print(result: dict[str, Any]) -> None:
    print(f"{result['path']}: {result['kind']}")
    if result["clips"] is not None:
        print(f"  clips: {result['clips']:,}")
    if "layout" in result:
        counts = ", ".join(f"{count:,} {status}" for status, count in sorted(result["statuses"].items()))
        print(f"  status: {counts or 'none'}")
        print(f"  frames: {result['frames']:,}   bytes: {result['bytes']:,}")
        space = " in space" if result["coordinates"] == "xyz" else ""
        print(f"  layout: {result['layout']} ({result['joints']} joints{space})")
        for name, sha256 in result["models"].items():
            print(f"  model: {name} (SHA-256 {sha256[:16]})")
        for name, value in result["settings"].items():
            print(f"  setting: {name} = {value}")
        for clip in result["first_clips"]:
            people = f"{clip['persons']} person{'s' * (clip['persons'] != 1)}"
            print(
                f"  {clip['clip_id']!r}: {clip['status']}, {people}, "
                f"{clip['frames']} frames of {clip['width']}x{clip['height']}"
            )
        if result["clips"] > len(result["first_clips"]):
            print(f"  ... {result['clips'] - len(result['first_clips']):,} more")
    for key, words in result.get("axes", {}).items():
        print(f"  {key}: {words}")
    for note in result.get("notes", ()):
        print(f"  note: {note}")
    for problem in result["problems"]:
        print(f"  wrong: {problem}")
