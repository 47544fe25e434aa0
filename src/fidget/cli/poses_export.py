"""`fidget poses export`: a pose cache in another program's format, or a smaller one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fidget.cli.export_profile import add_arguments, expect_no_profile, run_profile

if TYPE_CHECKING:
    from poses.cache_reader import PoseCache
    from poses.formats.record import LabelledClip
    from poses.layout import Layout

FORMATS = ("pyskl", "coco", "npz", "csv", "openpose")
_FORMS = {"pyskl": ("dict", "list"), "coco": ("ground-truth", "results")}

_EPILOG = """\
examples:
  fidget poses export poses --format pyskl --labels labels.csv -o poses.pkl
  fidget poses export poses --format csv -o poses.csv
  fidget poses export poses --format openpose -o poses-openpose
  fidget poses export poses --profile low-bandwidth -o poses-small
  fidget poses export poses --profile low-bandwidth --budget-kib 4 -o poses-4k

--labels is a CSV with the columns clip_id, label (a class index) and split; a clip in several splits has
several rows. Clips that failed at extraction cannot be exported and are named; clips without people are
exported as such and named. docs/formats.md says what each format cannot hold.
--profile writes a pose cache with less in it, which everything reads that reads pose caches; the labels
beside the cache (CACHE-labels.csv) go with it.
Exit status: 0 every clip was exported, 1 some were not (each is named), 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "export",
        help="write a pose cache as pyskl pickle, COCO JSON, NPZ, CSV or OpenPose folder, or a smaller one",
        description="Write a pose cache in another program's format, or as a smaller pose cache.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cache", metavar="CACHE", help="a pose cache")
    parser.add_argument("--format", choices=FORMATS, help="pyskl is mmaction2's as well")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="file (openpose: directory)")
    parser.add_argument("--layout", metavar="NAME", help="convert to this joint set first")
    parser.add_argument("--labels", metavar="CSV", help="labels and splits to write with the clips")
    parser.add_argument("--form", metavar="NAME", help="pyskl: dict, list; coco: ground-truth, results")
    parser.add_argument("--float16", action="store_true", help="pyskl: half the size, up to 1 px off")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT where it exists")
    add_arguments(parser)
    parser.set_defaults(run=run)


@dataclass
class _Outcome:
    """What became of the clips of one export."""

    written: int = 0
    frames: int = 0
    without_people: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    unlabelled: int = 0


def run(args: argparse.Namespace) -> int:
    """Export; returns the exit status."""
    import sys

    from fidget.cli.usage import UsageError
    from poses.cache_reader import PoseCache
    from poses.layout import get_layout

    if args.profile:
        return run_profile(args)
    if not args.format:
        raise UsageError("expected --format FORMAT, or --profile low-bandwidth for a smaller pose cache")
    expect_no_profile(args)
    form = _form(args)
    cache = PoseCache(args.cache)
    output = _output(args)
    try:
        layout = get_layout(args.layout) if args.layout else cache.layout
    except ValueError as error:
        raise UsageError(f"--layout: {error}") from None
    body = layout if args.format == "openpose" and args.layout in ("openpose18", "openpose25") else None
    _expect_covered(cache.layout, layout)
    labels = _labels(Path(args.labels)) if args.labels else {}
    if cache.metadata.axes == "xyz" and layout != cache.layout:
        raise UsageError(f"--layout {layout.name}: joints in space are not converted; leave it out")
    outcome = _Outcome(failed=cache.failed())
    clips = _clips(cache, cache.layout if body else layout, labels, outcome)
    _write(args, form, output, clips, layout, body)
    for clip_id, problem in outcome.failed.items():
        print(f"fidget: clip {clip_id!r} not exported: {' '.join(problem.split())}", file=sys.stderr)
    for clip_id in outcome.without_people:
        print(f"fidget: clip {clip_id!r} has nobody in it", file=sys.stderr)
    print(f"{args.cache} -> {output}")
    print(f"  clips exported: {outcome.written:,} ({outcome.frames:,} frames, {layout.name})")
    if cache.metadata.axes == "xyz" and args.format != "npz":
        print(f"  note: x and y only, {args.format} is written without the third coordinate; npz has it")
    for count, what in (
        (len(outcome.without_people), "without people (exported, named above)"),
        (len(outcome.failed), "not exported (named above)"),
        (outcome.unlabelled if labels else 0, "without a row in the labels"),
        (len(labels.keys() - set(cache.clip_ids)), "in the labels, but not in the cache"),
    ):
        if count:
            print(f"  {what}: {count:,}")
    return 1 if outcome.failed else 0


def _form(args: argparse.Namespace) -> str:
    from fidget.cli.usage import UsageError

    known = _FORMS.get(args.format, ())
    if args.form is not None and args.form not in known:
        expected = f"one of {', '.join(known)}" if known else "no --form"
        raise UsageError(f"--form {args.form}: expected {expected} for the format {args.format}")
    if args.float16 and args.format != "pyskl":
        raise UsageError(f"--float16: expected with --format pyskl only, got --format {args.format}")
    return args.form or (known[0] if known else "")


def _output(args: argparse.Namespace) -> Path:
    from fidget.cli.usage import UsageError

    output = Path(args.output)
    if output.resolve().is_relative_to(Path(args.cache).resolve()):
        raise UsageError(f"-o {output}: expected a place outside the cache, which holds only poses")
    is_folder = args.format == "openpose"
    if output.exists() and output.is_dir() != is_folder:
        kind = "a directory" if is_folder else "a file"
        raise UsageError(
            f"-o {output}: {args.format} is written as {kind}, this is something else; name another"
        )
    if not is_folder and output.exists() and not args.overwrite:
        raise UsageError(f"-o {output}: there is such a file already; name another, or add --overwrite")
    output.parent.mkdir(parents=True, exist_ok=True)
    return output


def _expect_covered(source: Layout, target: Layout) -> None:
    """A layout that the cache's joints do not cover is refused before anything is written."""
    import numpy as np

    from fidget.cli.usage import UsageError
    from poses.layout import convert

    nobody = np.zeros((0, len(source.joints), 2), np.float32)
    try:
        convert(nobody, nobody[..., 0], source, target)
    except ValueError as error:
        raise UsageError(f"--layout: {error}") from None


def _labels(path: Path) -> dict[str, tuple[int | None, tuple[str, ...]]]:
    """Clip id -> label and splits, from a CSV with the columns clip_id, label and split."""
    import csv

    labels: dict[str, tuple[int | None, tuple[str, ...]]] = {}
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file)
        if "clip_id" not in (rows.fieldnames or ()):
            raise ValueError(f"{path}: expected the columns clip_id, label, split; got {rows.fieldnames}")
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            text = (row.get("label") or "").strip()
            try:
                label = int(text) if text else None
            except ValueError:
                raise ValueError(f"{where}: expected a class index as label, got {text!r}") from None
            split = row.get("split")
            before, splits = labels.get(row["clip_id"], (label, ()))
            if before != label:
                raise ValueError(f"{where}: clip {row['clip_id']!r} has the labels {before} and {label}")
            labels[row["clip_id"]] = (label, (*splits, split) if split else splits)
    return labels


def _clips(
    cache: PoseCache,
    layout: Layout,
    labels: dict[str, tuple[int | None, tuple[str, ...]]],
    outcome: _Outcome,
) -> Iterator[LabelledClip]:
    """The clips that can be read, converted and labelled, one in memory at a time."""
    import dataclasses

    from fidget.cli.ticker import Ticker
    from poses.formats.record import LabelledClip
    from poses.layout import convert

    ticker = Ticker(len(cache.clip_ids))
    for clip_id in cache.clip_ids:
        try:
            clip = cache.read(clip_id)
            if layout != cache.layout:
                xy_px, score = convert(clip.xy_px, clip.score, cache.layout, layout)
                clip = dataclasses.replace(clip, layout=layout, xy_px=xy_px, score=score)
        except ValueError as error:  # a damaged row: the others are sound
            outcome.failed[clip_id] = str(error)
            continue
        label, splits = labels.get(clip_id, (None, ()))
        outcome.unlabelled += clip_id not in labels
        outcome.written += 1
        outcome.frames += clip.frames
        if not clip.persons:
            outcome.without_people.append(clip_id)
        yield LabelledClip(clip, label, splits)
        ticker.step()
    ticker.close()


def _write(
    args: argparse.Namespace,
    form: str,
    output: Path,
    clips: Iterator[LabelledClip],
    layout: Layout,
    body: Layout | None,
) -> None:
    if args.format == "pyskl":
        import numpy as np

        from poses.formats.pyskl import write_pyskl

        write_pyskl(
            output, clips, "list" if form == "list" else "dict", np.float16 if args.float16 else np.float32
        )
    elif args.format == "coco":
        from poses.formats.coco_writing import write_coco, write_coco_results

        (write_coco_results if form == "results" else write_coco)(output, clips, layout)
    elif args.format == "npz":
        from poses.formats.npz import write_npz

        write_npz(output, clips, layout)
    elif args.format == "csv":
        from poses.formats.long_csv import write_csv

        write_csv(output, clips)
    else:
        from poses.formats.openpose import write_openpose

        write_openpose(output, clips, body)
