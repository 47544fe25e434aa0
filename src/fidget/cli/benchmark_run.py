"""`fidget benchmark run`: a protocol, methods and seeds become score files, tables and a report."""

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
    from fidget.benchmark.cell_jobs import Work
    from fidget.benchmark.methods import Method
    from fidget.benchmark.plan import Choices, Plan
    from protocols.clip_table import ClipTable
    from protocols.task import Task

_EPILOG = """\
examples:
  fidget benchmark run mma82/cross-domain --poses simulated --method stgcnpp --seeds 0,1,2
  fidget benchmark run mma82/in-domain --poses poses/mma82 --labels rec.csv --columns clip=video \\
      --method stgcnpp --method posec3d_c3d_light --set train.epochs=30 --set stgcnpp:train.batch_size=32
  fidget benchmark run nw_ucla/cross-camera --poses poses/nw_ucla --method nw_ucla_stgcnpp --shots 1,5
  fidget benchmark run ma52 --poses poses/ma52 --videos ma52 --labels ma52:annotations/ma52 \
      --method stgcnpp --method tsm --frame-cache frames --set tsm:input.frame_store=jpeg
  fidget benchmark run ma52/ablations --videos ma52 --labels ma52:annotations/ma52 \
      --set loss.label_embedding=glove.npy
  fidget benchmark run cross-domain --poses s3://bucket/poses --method stgcnpp --budget-kib 1,4,16,64

benchmarks:
  mma82/in-domain  mma82/cross-domain  mma82/leave-one-domain-out  ma52  ma52/subjects  ma52/ablations
  nw_ucla/cross-camera  jhmdb14  labels (the splits of any labels file)

Trains what is missing, measures, and writes below DIR: cells/*.json (one a cell), scores/*.parquet, runs/,
supports/*.csv (the shots), report.html. The same command again does only what is missing, whatever stopped
it; more methods, seeds, targets or shots add to what is there. A cell that fails is named, the others go on.
Methods over poses read --poses, methods over frames --videos; both have one protocol and one score file each.
ma52/ablations trains the ten networks of MANet's ablations (frames 4, 8, 16; alpha 0 to 10; without SE;
without embedding), from the recipe manet or another of MANet's that --method names.
--poses may be a URI that pyarrow opens (s3://, gs://, file://): the cache is copied to DIR/poses once.
--labels is a table, or NAME:PATH as in fidget benchmark audit; by default the clips' place with -labels.csv.
--adaptations: linear_probe, cosine_prototypes, light_fine_tuning, full_fine_tuning, or all.
--settings: inductive, transductive-statistics, transductive-prior, transductive-pseudo-labels,
transductive-all, or all (each of them).
Exit status: 0 every cell is done, 1 some failed (each is named) or the data do not fit, 2 wrong usage.
"""
_HEADS = "linear_probe,cosine_prototypes"
_SETTINGS = "inductive,transductive-all"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "run",
        help="train what is missing, measure, and write the report",
        description="Run a benchmark: train what is missing, measure, and write the report.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("benchmark", metavar="BENCHMARK", help="such as mma82/cross-domain, or cross-domain")
    add_clip_options(parser)
    add("--method", action="append", default=[], metavar="RECIPE", help="a recipe, shipped or a .toml file")
    add("--seeds", default="0", metavar="N,N,...", help="of the training (default: 0)")
    add("-o", "--output", type=Path, metavar="DIR", help="default: runs/<benchmark>")
    add("--source", metavar="DOMAIN", help="domain that trains, of cross-domain (default: laboratory)")
    add("--targets", metavar="DOMAIN,...", help="domains that are measured (default: all)")
    add(
        "--shots",
        default="1,5,10",
        metavar="K,...",
        help="clips a class; none for no shots (default: 1,5,10)",
    )
    add("--draws", type=int, default=10, metavar="N", help="support lists for each K (default: 10)")
    add("--adaptations", default=_HEADS, metavar="NAME,...", help=f"ways to use shots (default: {_HEADS})")
    add("--settings", default=_SETTINGS, metavar="NAME,...", help=f"what is looked at (default: {_SETTINGS})")
    add("--budget-kib", metavar="KIB,...", help="also on poses made to fit so many KiB a clip")
    add_training_options(parser)
    add("--samples", type=int, default=1000, metavar="N", help="of the bootstrap in tables; 0: no intervals")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the benchmark; 1 if a cell failed.

    Raises:
        UsageError: names or numbers that cannot be meant.
        ValueError: cache, labels and directory do not fit together.
    """
    import os

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that wait leave the cores
    from fidget.benchmark.ablations import BASE, BENCHMARK
    from fidget.benchmark.cell_jobs import Work
    from fidget.benchmark.methods import make_ablations, make_methods
    from fidget.cli.benchmark_table import benchmark_named, default_directory
    from fidget.cli.usage import UsageError

    benchmark = benchmark_named(args.benchmark)
    choices = _choices(args)
    columns = columns_given(args.columns)
    ablations = benchmark == BENCHMARK
    if not args.method and not ablations:
        raise UsageError("name a recipe with --method; fidget train --list shows those that are shipped")
    try:
        make = make_ablations if ablations else make_methods
        methods = make(args.method or [BASE], args.overrides)
    except ValueError as error:
        raise UsageError(str(error)) from error
    output = args.output or default_directory(benchmark)
    _leave_out_budgets(choices, methods)
    poses, videos, table = clips_given(args, benchmark, columns, output, methods)
    tasks, plan = _plan(args, benchmark, table, methods, choices)
    work = Work(output, poses, tasks, methods, args.device, table.simulated, videos)
    return _do(args, work, plan, benchmark, table)


def _leave_out_budgets(choices: Choices, methods: tuple[Method, ...]) -> None:
    """Say which methods have no poses to make small; refuse budgets that are for nobody."""
    from fidget.cli.usage import UsageError

    frames = [method.name for method in methods if method.over_frames]
    if choices.budgets_kib and len(frames) == len(methods):
        raise UsageError("--budget-kib is of poses, and every method is over frames; leave it out")
    if choices.budgets_kib and frames:
        say(f"--budget-kib is of poses: left out for {', '.join(frames)}")


def _choices(args: argparse.Namespace) -> Choices:
    from fidget.benchmark.adaptation import ADAPTATIONS, SETTINGS
    from fidget.benchmark.plan import Choices
    from fidget.cli.usage import UsageError

    if args.jobs < 0 or args.samples < 0 or args.draws < 1:
        raise UsageError(
            f"--jobs and --samples are 0 or more, got {args.jobs} and {args.samples}; "
            f"--draws is 1 or more, got {args.draws}"
        )
    budgets = () if args.budget_kib is None else numbers_given("--budget-kib", args.budget_kib, float)
    if any(not 0 < budget < 2**20 for budget in budgets):
        raise UsageError(f"--budget-kib takes numbers above 0, got {args.budget_kib}")
    return Choices(
        tuple(int(seed) for seed in numbers_given("--seeds", args.seeds, int)),
        args.draws,
        names_given("--adaptations", args.adaptations, ADAPTATIONS),
        names_given("--settings", args.settings, SETTINGS),
        tuple(float(budget) for budget in budgets),
    )


def _plan(
    args: argparse.Namespace, benchmark: str, table: ClipTable, methods: tuple[Method, ...], choices: Choices
) -> tuple[tuple[Task, ...], Plan]:
    from fidget.benchmark.plan import make_plan
    from fidget.cli.usage import UsageError
    from protocols.benchmarks import DOMAINS, make_tasks

    shots = () if args.shots == "none" else tuple(int(k) for k in numbers_given("--shots", args.shots, int))
    targets = None if args.targets is None else args.targets.split(",")
    named = args.source is not None or targets is not None or 0 in shots
    try:
        tasks = make_tasks(benchmark, table, args.source or DOMAINS[0], targets, shots)
    except ValueError as error:
        raise (UsageError(str(error)) if named else error) from error
    return tasks, make_plan(tasks, methods, choices)


def _do(args: argparse.Namespace, work: Work, plan: Plan, benchmark: str, table: ClipTable) -> int:
    """Run what is missing, then write tables and the report of everything that lies there."""
    from fidget.benchmark.benchmark_directory import BenchmarkDirectory
    from fidget.benchmark.paper_tables import paper_tables
    from fidget.benchmark.run_cells import run_cells
    from fidget.benchmark.table import markdown
    from fidget.reports.benchmark_page import write_benchmark_page

    at = BenchmarkDirectory(work.directory)
    lock = at.prepare(contents_of(work, work.tasks, benchmark, table))
    try:
        if work.simulated:
            say("the clips are simulated: so are all results")
        cells = run_cells(plan, work, args.jobs, say)
        every = at.cells()
        tables = paper_tables(benchmark, every, work.directory, args.samples)
        write_benchmark_page(work.directory, tables, every, work.poses, at.report)
    finally:
        lock.release()
    print()
    print("\n".join(markdown(one) for one in tables))
    print(f"report: {at.report}")
    return name_failures(cells)
