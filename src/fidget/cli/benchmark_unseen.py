"""`fidget benchmark unseen`: classes that were never trained, recognised by vectors of their names."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fidget.cli.benchmark_arguments import (
    add_clip_options,
    add_training_options,
    clips_given,
    columns_given,
    contents_of,
    name_failures,
    names_given,
    numbers_given,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fidget.benchmark.unseen import UnseenWork
    from fidget.benchmark.unseen_tasks import UnseenTask
    from protocols.clip_table import ClipTable
    from protocols.label_tree import LabelTree
    from protocols.label_vectors import LabelVectors

NAMES = "names"
_EPILOG = """\
examples:
  fidget benchmark unseen --poses simulated --method mma82_stgcnpp_small --unseen 16 --draws 5
  fidget benchmark unseen --poses poses/ma52 --labels ma52:annotations/ma52 --method stgcnpp \\
      --vectors 1214_new_mean_Vectors.npy --unseen 10 --draws 10 --seeds 0,1,2
  fidget benchmark unseen --poses poses/mine --method stgcnpp --unseen "waving,shaking head" --vectors v.npz

Trains on the other classes alone, measures clips of the split test (val where its labels are kept back),
and writes below DIR: cells/*.json, scores/*.parquet, runs/, table.md. The same command again does only
what is missing; other methods, seeds, draws, vectors or classes add to what is there.
--unseen N draws N classes that have measured clips, --draws times; every body group keeps a seen class.
--unseen NAME,... leaves out these; names with commas in them are given one by one, --unseen each.
--vectors FILE.npz holds actions (names) and vectors; FILE.npy vectors in the order of the labels. names, the
default, needs no file: the words in the names of classes and body groups (tf-idf); it knows no meaning.
--ways: conse (the seen classes' vectors, weighted by their probabilities), feature_map (a linear map from
the network's features to the vectors, fitted on training clips), or all.
Exit status: 0 everything is done, 1 something failed (it is named) or the data do not fit, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "unseen",
        help="recognise classes that were never trained, by their names",
        description="Train without some classes, and recognise them by vectors of their names.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_clip_options(parser)
    add("--method", action="append", default=[], metavar="RECIPE", help="a recipe, shipped or a .toml file")
    add(
        "--unseen",
        required=True,
        action="append",
        metavar="N|NAME,...",
        help="how many classes are left out of training, or which",
    )
    add("--vectors", default=NAMES, metavar="FILE", help="of the classes, .npz or .npy (default: names)")
    add("--draws", type=int, default=1, metavar="N", help="how often N classes are drawn (default: 1)")
    add("--seeds", default="0", metavar="N,N,...", help="of the training (default: 0)")
    add("--ways", default="all", metavar="NAME,...", help="conse, feature_map, or all (default)")
    add("--seen-penalty", type=float, default=0.0, metavar="X", help="taken off the cosines of seen classes")
    add("-o", "--output", type=Path, default=Path("runs/unseen"), metavar="DIR", help="default: runs/unseen")
    add_training_options(parser)
    add("--samples", type=int, default=1000, metavar="N", help="of the bootstrap; 0: no intervals")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, measure, print the table; 1 if something failed.

    Raises:
        UsageError: names or numbers that cannot be meant.
        ValueError: cache, labels, vectors and directory do not fit together.
    """
    import os

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that wait leave the cores
    from fidget.benchmark.methods import make_methods
    from fidget.benchmark.unseen import UnseenWork
    from fidget.cli.usage import UsageError

    seeds = _checked(args)
    columns = columns_given(args.columns)
    try:
        methods = make_methods(args.method, args.overrides)
    except ValueError as error:
        raise UsageError(str(error)) from error
    poses, videos, table = clips_given(args, "labels", columns, args.output, methods)
    vectors, vectors_name = _vectors(args.vectors, table.tree)
    tasks = _tasks(args, table, vectors)
    work = UnseenWork(
        args.output, poses, tasks, methods, vectors, vectors_name, args.ways, args.seen_penalty, args.device,
        table.simulated, videos,
    )  # fmt: skip
    return _do(args, work, seeds, table)


def _checked(args: argparse.Namespace) -> tuple[int, ...]:
    """The seeds, of arguments that can be meant."""
    import math

    from fidget.cli.usage import UsageError

    if not args.method:
        raise UsageError("name a recipe with --method; fidget train --list shows those that are shipped")
    if args.jobs < 0 or args.samples < 0 or args.draws < 1:
        raise UsageError(
            f"--jobs and --samples are 0 or more, got {args.jobs} and {args.samples}; "
            f"--draws is 1 or more, got {args.draws}"
        )
    if args.draws > 1 and not _is_number(args.unseen):
        raise UsageError("--draws draws classes where --unseen is a number; named classes are taken once")
    if not (math.isfinite(args.seen_penalty) and args.seen_penalty >= 0):
        raise UsageError(f"--seen-penalty is 0 or more, got {args.seen_penalty}")
    args.ways = names_given("--ways", args.ways, ("conse", "feature_map"))
    return tuple(int(seed) for seed in numbers_given("--seeds", args.seeds, int))


def _vectors(asked: str, tree: LabelTree) -> tuple[LabelVectors, str]:
    """The vectors of all classes, and what they are in a few words."""
    import hashlib

    from fidget.cli.usage import UsageError
    from protocols.label_vectors import read_label_vectors
    from protocols.name_vectors import vectors_of_names

    if asked == NAMES:
        try:
            vectors = vectors_of_names(tree)
        except ValueError as error:
            raise UsageError(f"--vectors names: {error}") from error
        say(
            f"vectors: {vectors.vectors.shape[1]} words of the names of classes and groups; "
            "what they mean is not known"
        )
        return vectors, "words of names"
    path = Path(asked)
    if not path.is_file():
        raise UsageError(f"--vectors {asked}: no such file; expected a .npz, a .npy, or names")
    vectors = read_label_vectors(path, tree.actions)
    try:
        vectors.of(tree.actions)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    order = ""
    if path.suffix.lower() != ".npz":
        order = f", in the order of the labels: {tree.actions[0]!r} first, {tree.actions[-1]!r} last"
    say(f"vectors: {path}, {len(vectors.actions)} vectors of {vectors.vectors.shape[1]} numbers{order}")
    content = repr(vectors.actions).encode("utf-8", "surrogatepass") + vectors.vectors.tobytes()
    return vectors, f"{path.stem} {hashlib.sha256(content).hexdigest()[:6]}"


def _tasks(args: argparse.Namespace, table: ClipTable, vectors: LabelVectors) -> tuple[UnseenTask, ...]:
    from fidget.benchmark.unseen_tasks import make_unseen_tasks, unrelated
    from fidget.cli.usage import UsageError

    unseen: int | tuple[str, ...]
    if _is_number(args.unseen):
        unseen = int(args.unseen[0])
    else:
        several = args.unseen if len(args.unseen) > 1 else args.unseen[0].split(",")
        unseen = tuple(name.strip() for name in several)
    try:
        tasks, left_out = make_unseen_tasks(table, unseen, args.draws)
    except ValueError as error:
        raise UsageError(f"--unseen: {error}") from error
    if left_out:
        more = f" and {len(left_out) - 8} more" if len(left_out) > 8 else ""
        say(f"classes without a training clip take no part: {', '.join(left_out[:8])}{more}")
    for task in tasks:
        say(f"unseen, {task.task.name}: {', '.join(task.unseen)}")
        if unrelated(task.split, vectors) == task.unseen:
            raise UsageError(
                f"--vectors: nothing relates an unseen class of {task.task.name} to a seen one; choose other "
                "classes, or give vectors that know meaning: --vectors FILE"
            )
    return tasks


def _is_number(texts: Sequence[str]) -> bool:
    """Whether a single whole number was given."""
    return len(texts) == 1 and texts[0].strip().isascii() and texts[0].strip().isdecimal()


def _do(args: argparse.Namespace, work: UnseenWork, seeds: tuple[int, ...], table: ClipTable) -> int:
    """Run what is missing, then print and write the table of everything that lies there."""
    from fidget.benchmark.benchmark_directory import BenchmarkDirectory
    from fidget.benchmark.table import markdown
    from fidget.benchmark.unseen import run_unseen
    from fidget.benchmark.unseen_table import unseen_table
    from fidget.benchmark.unseen_tasks import BENCHMARK
    from poses.whole_file import replacing

    at = BenchmarkDirectory(work.directory)
    contents = contents_of(work, [task.task for task in work.tasks], BENCHMARK, table)
    lock = at.prepare(contents)
    try:
        if work.simulated:
            say("the clips are simulated: so are all results")
        cells = run_unseen(work, seeds, args.jobs, say)
        text = markdown(unseen_table(table.name, at.cells(), work.directory, args.samples))
        with replacing(work.directory / "table.md") as part:
            part.write_text(text, encoding="utf-8")
    finally:
        lock.release()
    print()
    print(text)
    print(f"table: {work.directory / 'table.md'}")
    return name_failures(cells)
