"""`fidget poses import`: keypoints from elsewhere become a pose cache."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from poses.cache_schema import SourceStamp
    from poses.cache_writer import CacheWriter
    from poses.formats.record import LabelledClip, OnBroken
    from poses.layout import Layout

FORMATS = ("pyskl", "coco", "mmpose", "npz", "csv", "openpose", "skeletons")
_SUFFIXES = {".pkl": "pyskl", ".pickle": "pyskl", ".json": "coco", ".npz": "npz", ".csv": "csv"}

_EPILOG = """\
examples:
  fidget poses import ntu60_2d.pkl --layout coco17 -o ntu60
  fidget poses import openpose_output/ --format openpose --layout openpose25 --fps 25 -o poses
  fidget poses import keypoints.csv --layout halpe26 --frame-size 1080x1296 -o poses
  fidget poses import nw_ucla.npz -o nw_ucla

pyskl and mmaction2 pickles are one format (pyskl); a directory of one-clip pickles will do. skeletons is an
NPZ of a published data set (Northwestern-UCLA, JHMDB), known by its keys; its joints may be in space. Labels
and splits in the file are written to <DIR>-labels.csv. docs/formats.md has every format key by key.
Exit status: 0 every clip was imported, 1 some were not (each is named), 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "import",
        help="make a pose cache from another program's keypoints",
        description="Make a pose cache from another program's keypoints.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="FILE", help="the file, or the directory, to import")
    parser.add_argument("--format", choices=FORMATS, help="what it is (default: by its suffix)")
    parser.add_argument("--layout", metavar="NAME", help="its joint set, such as coco17 (npz names its own)")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="the pose cache to write")
    parser.add_argument("--fps", metavar="RATE", help="frame rate where the file has none (30 or 30000/1001)")
    parser.add_argument("--frame-size", metavar="WxH", help="frame size where the file has none: 1080x1296")
    parser.add_argument("--images", metavar="FILE", help="ground truth that COCO results belong to")
    parser.add_argument(
        "--max-gib", metavar="N", type=float, default=16.0, help="largest pickle that is opened"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


@dataclass
class _Outcome:
    """What became of the clips of one import."""

    imported: int = 0
    kept: int = 0
    without_people: int = 0
    seen: set[str] = field(default_factory=set)
    broken: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    labels: list[tuple[str, int | None, str]] = field(default_factory=list)
    class_names: dict[int, str] = field(default_factory=dict)


def run(args: argparse.Namespace) -> int:
    """Import; returns the exit status."""
    import itertools
    import sys

    from fidget.cli.ticker import Ticker
    from fidget.cli.usage import UsageError
    from poses.cache_schema import CacheMetadata
    from poses.cache_writer import CacheWriter

    path, directory = Path(args.path), Path(args.output)
    if not path.exists():
        raise UsageError(f"{path}: expected a file or a directory to import, there is none; check the name")
    format_name = args.format or _format_of(path)
    layout, fps, frame_hw = _layout(args, path, format_name), _rate(args.fps), _frame_hw(args.frame_size)
    stamp, sha256 = _stamp(path)
    outcome = _Outcome()

    def on_broken(clip_id: str, problem: str) -> None:
        outcome.broken[clip_id] = problem
        print(f"fidget: clip {clip_id!r} not imported: {' '.join(problem.split())}", file=sys.stderr)

    clips = _clips(args, path, format_name, layout, fps, frame_hw, on_broken)
    first = next(clips, None)  # before the cache is made: a file of the wrong kind leaves nothing behind
    if first is None:
        print(f"fidget: {path}: expected clips, found none that can be imported", file=sys.stderr)
        return 1
    metadata = CacheMetadata(
        layout=layout.name,
        models={f"import:{format_name}": sha256},
        settings={
            "importer": "fidget poses import",
            "format": format_name,
            "fps": str(fps) if fps else "the file's, else 30",
            "frame_size": args.frame_size,
        },
        axes="xy" if first.clip.z is None else "xyz",
    )
    ticker = Ticker()
    with CacheWriter(directory, metadata) as writer:
        for labelled in itertools.chain([first], clips):
            _take(labelled, writer, stamp, outcome, on_broken)
            ticker.step()
    ticker.close()
    labels = _write_labels(directory, outcome)
    _report(args, path, directory, outcome, labels)
    return 1 if outcome.broken else 0


def _format_of(path: Path) -> str:
    from fidget.cli.usage import UsageError

    if path.is_dir():
        return "pyskl" if any(path.glob("*.pkl")) else "openpose"
    if path.suffix.lower() == ".npz":
        from poses.formats.skeletons import is_skeletons

        return "skeletons" if is_skeletons(path) else "npz"
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: the suffix tells no format; add --format {'|'.join(FORMATS)}")
    return _SUFFIXES[path.suffix.lower()]


def _layout(args: argparse.Namespace, path: Path, format_name: str) -> Layout:
    from fidget.cli.usage import UsageError
    from poses.layout import LAYOUTS, get_layout

    name = args.layout
    if name is None and format_name == "npz":
        from poses.formats.npz import layout_name

        return get_layout(layout_name(path))
    if name is None and format_name == "skeletons":
        from poses.formats.skeletons import skeleton_layout

        name = skeleton_layout(path)
    if name is None:
        raise UsageError(
            f"--layout: the {format_name} format does not name its joints; one of {', '.join(LAYOUTS)}"
        )
    try:
        return get_layout(name)
    except ValueError as error:
        raise UsageError(f"--layout: {error}") from None


def _rate(text: str | None) -> Fraction | None:
    from fractions import Fraction

    from fidget.cli.usage import UsageError

    try:
        rate = None if text is None else Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate is not None and rate <= 0:
        raise UsageError(f"--fps: expected a rate above 0 such as 30 or 30000/1001, got {text!r}")
    return rate


def _frame_hw(text: str | None) -> tuple[int, int] | None:
    from fidget.cli.usage import UsageError

    if text is None:
        return None
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--frame-size: expected WIDTHxHEIGHT such as 1080x1296, got {text!r}")
    return int(height), int(width)


def _stamp(path: Path) -> tuple[SourceStamp, str]:
    """Name, size and time of the source, and its SHA-256: of a directory, over names and contents."""
    import hashlib

    from poses.cache_schema import SourceStamp

    digest = hashlib.sha256()
    size, changed = 0, path.stat().st_mtime_ns
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode("utf-8", "surrogateescape") + b"\0")
        with file.open("rb") as content:
            for block in iter(lambda: content.read(1 << 20), b""):
                digest.update(block)
                size += len(block)
        changed = max(changed, file.stat().st_mtime_ns)
    return SourceStamp(str(path), size, changed), digest.hexdigest()


def _clips(
    args: argparse.Namespace,
    path: Path,
    format_name: str,
    layout: Layout,
    fps: Fraction | None,
    frame_hw: tuple[int, int] | None,
    on_broken: OnBroken,
) -> Iterator[LabelledClip]:
    if format_name == "pyskl":
        from poses.formats.pyskl import read_pyskl

        return read_pyskl(path, layout, fps, frame_hw, on_broken, max_bytes=int(args.max_gib * 2**30))
    if format_name == "npz":
        from poses.formats.npz import read_npz

        return read_npz(path, layout, on_broken)
    if format_name == "skeletons":
        from poses.formats.skeletons import read_skeletons

        return read_skeletons(path, layout, fps, on_broken)
    if format_name == "csv":
        from poses.formats.long_csv import read_csv

        return read_csv(path, layout, fps, frame_hw, on_broken)
    if format_name == "openpose":
        from poses.formats.openpose import read_openpose

        return read_openpose(path, layout, fps, frame_hw, on_broken)
    from poses.formats.mmpose_video import is_mmpose_video, read_mmpose_video

    if format_name == "mmpose" or is_mmpose_video(path):
        return read_mmpose_video(path, layout, fps, frame_hw)
    from poses.formats.coco import read_coco

    return read_coco(path, layout, fps, frame_hw, args.images, on_broken)


def _take(
    labelled: LabelledClip, writer: CacheWriter, stamp: SourceStamp, outcome: _Outcome, on_broken: OnBroken
) -> None:
    """Put one clip into the cache, unless an earlier run did."""
    from poses.cache_schema import DEFAULT_XY_STEP
    from poses.encoding import encode_clip, fitting_step
    from poses.formats.record import is_normalised

    clip = labelled.clip
    if clip.clip_id in outcome.seen:
        on_broken(clip.clip_id, "the file has two clips of this id; the first was taken")
        return
    outcome.seen.add(clip.clip_id)
    outcome.notes.update(labelled.notes)
    for split in labelled.splits or ("",):
        if labelled.label is not None or split:
            outcome.labels.append((clip.clip_id, labelled.label, split))
    if labelled.class_name is not None and labelled.label is not None:
        outcome.class_names[labelled.label] = labelled.class_name
    if clip.clip_id in writer:
        outcome.kept += 1
        return
    step = DEFAULT_XY_STEP
    if clip.z is not None:
        step = fitting_step(clip.xy_px, clip.z)
    elif is_normalised(clip):
        step = fitting_step(clip.xy_px)
        outcome.notes["normalised coordinates stored in finer steps than pixels"] += 1
    try:
        writer.add(encode_clip(clip, stamp, xy_step=step))
    except (ValueError, OverflowError) as error:  # numbers or text that a cache cannot hold
        on_broken(clip.clip_id, str(error))
        return
    outcome.imported += 1
    outcome.without_people += clip.persons == 0


def _write_labels(directory: Path, outcome: _Outcome) -> Path | None:
    """Labels and splits beside the cache; a file of other content is never replaced."""
    if not outcome.labels:
        return None
    import csv
    import io

    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\r\n")  # makes it quote a lone \r as well
    names = outcome.class_names
    rows.writerow(["clip_id", "label", "split", *(["class_name"] if names else [])])
    rows.writerows(
        [
            clip_id,
            "" if label is None else label,
            split,
            *([names.get(label, "") if label is not None else ""] if names else []),
        ]
        for clip_id, label, split in outcome.labels
    )
    content = text.getvalue().encode("utf-8", "surrogateescape")
    resolved = directory.resolve()
    path = resolved.with_name(f"{resolved.name}-labels.csv")
    if path.exists() and path.read_bytes() != content:
        raise ValueError(
            f"{path}: expected a new file for the labels, this one has other content and was left alone; "
            "the poses are imported; rename it and repeat the command for the labels"
        )
    path.write_bytes(content)
    return path


def _report(
    args: argparse.Namespace, path: Path, directory: Path, outcome: _Outcome, labels: Path | None
) -> None:
    if args.json:
        import json

        result = {
            "cache": str(directory),
            "imported": outcome.imported,
            "already_there": outcome.kept,
            "without_people": outcome.without_people,
            "not_imported": outcome.broken,
            "notes": dict(outcome.notes),
            "labels": str(labels) if labels else None,
        }
        print(json.dumps(result))
        return
    print(f"{path} -> {directory}")
    print(f"  clips imported: {outcome.imported:,}")
    for count, what in (
        (outcome.kept, "there already"),
        (outcome.without_people, "without people"),
        (len(outcome.broken), "not imported (named above)"),
    ):
        if count:
            print(f"  {what}: {count:,}")
    for note, count in outcome.notes.most_common():
        print(f"  note on {count:,} of them: {note}")
    if labels:
        print(f"  labels and splits: {labels}")
