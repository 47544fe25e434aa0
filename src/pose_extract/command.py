"""`extract-poses`: videos in, a pose cache out."""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False  # importing typing would double the time that --help takes
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pose_extract.events import Engine
    from pose_extract.settings import ExtractSettings

_EPILOG = """\
examples:
  extract-poses videos -o cache
  extract-poses videos/a.mp4 'videos/*.mkv' -o cache --layout coco17
  extract-poses videos -o cache --workers 2 --retry-failed

The same command again does only what is missing or has changed. Ctrl-C finishes the clips in flight and
keeps all. Exit status: 0 all is well, 1 some inputs failed (each is named, the rest is done), 2 wrong usage.
Look at the result with: fidget poses inspect cache; fidget poses check cache; fidget poses preview cache
"""


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """argparse's own, without the import of shutil that asking for the width costs."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 100
        super().__init__(prog, width=columns - 2)


def build_parser() -> argparse.ArgumentParser:
    """The command line; importing nothing heavy."""
    parser = argparse.ArgumentParser(
        prog="extract-poses",
        description="Turn videos into a small pose cache: keypoints of the people in every frame.",
        epilog=_EPILOG,
        formatter_class=_HelpFormatter,
    )
    add = parser.add_argument
    add(
        "videos",
        nargs="*",
        metavar="VIDEOS",
        help="files, directories (searched in depth), globs, lists (.txt)",
    )
    add("-o", "--output", default="poses", metavar="DIR", help="the cache directory (default: poses)")
    add(
        "--model",
        default="auto",
        metavar="NAME",
        help="see --list-models (default: auto: RTMPose if its weights are there, else blazepose)",
    )
    add("--layout", default="", metavar="NAME", help="joint layout (default: the model's own)")
    add("--detector", default=None, metavar="NAME", help="person detector of a top-down model")
    add(
        "--device",
        default="auto",
        metavar="NAME",
        help="auto, cpu, cuda, cuda:N, tensorrt, coreml, directml, openvino",
    )
    add("--workers", type=int, default=0, metavar="N", help="processes (default: one per core, or per GPU)")
    add("--engine", choices=("local", "ray"), default="local", help="this machine, or a Ray cluster")
    add(
        "--max-persons",
        type=int,
        default=2,
        metavar="N",
        help="people kept per clip, main subject first (default: 2)",
    )
    add(
        "--detect-every",
        type=int,
        default=10,
        metavar="N",
        help="frames between two looks of the person detector (default: 10)",
    )
    add("--flip-test", action="store_true", help="average with the mirror image: better, twice the cost")
    add("--mmpose-config", default=None, metavar="FILE", help="with --model mmpose")
    add("--mmpose-checkpoint", default=None, metavar="FILE", help="with --model mmpose")
    add("--retry-failed", action="store_true", help="try clips that failed before again")
    add(
        "--stall-timeout",
        type=float,
        default=300.0,
        metavar="S",
        help="give a clip up that answers no frame for so many seconds (default: 300)",
    )
    add("--json", action="store_true", help="print the report as JSON on standard output")
    add("--quiet", action="store_true", help="no progress")
    add("--list-models", action="store_true", help="print the models and leave")
    add("--version", action="store_true", help="print the version and leave")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.version:
        from importlib.metadata import version

        print(f"extract-poses {version('fidget')}")
        return 0
    if args.list_models:
        return _to_reader(_list_models)
    if not args.videos:
        parser.error("expected at least one file, directory, glob or list of videos")
    for name in ("max_persons", "detect_every"):
        if getattr(args, name) < 1:
            parser.error(
                f"--{name.replace('_', '-')} expects a whole number of at least 1, got {getattr(args, name)}"
            )
    if args.workers < 0:
        parser.error(f"--workers expects a whole number of at least 1, got {args.workers}")
    if not args.stall_timeout > 0:
        parser.error(f"--stall-timeout expects a number of seconds above 0, got {args.stall_timeout:g}")
    return _to_reader(lambda: _guarded(args))


def _to_reader(work: Callable[[], int]) -> int:
    """The exit status of `work`; 141 where whoever reads our output has left (`extract-poses ... | head`)."""
    try:
        status = work()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print(
            "\nextract-poses: stopped; finished clips are kept, and what is found of a long one; "
            "the same command goes on",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor may Python's own flush fail
        return 141


def _guarded(args: argparse.Namespace) -> int:
    """Run, and turn what we know can go wrong into one line and an exit status."""
    from poses.cache_reader import NotACacheError
    from poses.cache_writer import CacheLockedError, CacheMismatchError
    from weights.errors import ManifestError, WeightError

    try:
        return _run(args)
    except BrokenPipeError:
        raise
    except ManifestError as error:
        return _fail(error, 2)
    except WeightError as error:  # a missing one is an OSError as well
        return _fail(error, 1)
    except (CacheMismatchError, NotACacheError, ValueError) as error:
        return _fail(error, 2)
    except (CacheLockedError, RuntimeError, ImportError, LookupError) as error:
        return _fail(error, 1)
    except OSError as error:
        import errno

        may_not = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        advice = "make it writable" if may_not else "make room"
        return _fail(
            f"{args.output}: {error.strerror or error}; what was finished is kept: {advice} or choose "
            "another -o, then give the same command again",
            1,
        )


def _fail(error: object, status: int) -> int:
    print("extract-poses: " + " ".join(str(error).split()), file=sys.stderr)
    return status


def _run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from pose_extract.job import run_job
    from pose_extract.sources import find_videos
    from pose_extract.summary import say_end, say_start
    from pose_extract.zoo import weights_in_use

    output = Path(args.output)
    settings = _settings(args, output)
    models = weights_in_use(settings)
    found = find_videos(args.videos)
    for problem in found.problems:
        print(f"extract-poses: {problem}", file=sys.stderr)
    for note in found.notes:
        print(f"extract-poses: note: {note}", file=sys.stderr)
    if not found.sources:
        print("extract-poses: no video to read: name files, directories, globs or lists", file=sys.stderr)
        return 1
    workers = args.workers or _default_workers(settings)
    if not args.quiet:
        say_start(settings, len(found.sources), workers, args.engine, args.output)
    report = run_job(
        found.sources,
        found.problems,
        output,
        settings,
        models,
        _engine(args, settings, workers),
        retry_failed=args.retry_failed,
        quiet=args.quiet,
    )
    say_end(report, args.json)
    return report.exit_code


def _settings(args: argparse.Namespace, output: Path) -> ExtractSettings:
    from pose_extract.settings import ExtractSettings
    from pose_extract.zoo import resolve

    model, layout, detector = _as_in_cache(args, output)
    return resolve(
        ExtractSettings(
            model=model,
            layout=layout,
            detector=detector,
            max_persons=args.max_persons,
            detect_every_frames=args.detect_every,
            flip_test=args.flip_test,
            device=args.device,
            mmpose_config=args.mmpose_config,
            mmpose_checkpoint=args.mmpose_checkpoint,
        )
    )


def _as_in_cache(args: argparse.Namespace, output: Path) -> tuple[str, str, str | None]:
    """`auto` goes on with what an existing cache was made with: two models never mix in one."""
    from poses.cache_reader import PoseCache

    if args.model != "auto" or not output.is_dir() or not any(output.iterdir()):
        return args.model, args.layout, args.detector
    made_with = PoseCache(output).metadata.settings
    if "model" not in made_with:
        return args.model, args.layout, args.detector
    detector = args.detector or (str(made_with["detector"]) if made_with.get("detector") else None)
    return str(made_with["model"]), args.layout or str(made_with["layout"]), detector


def _default_workers(settings: ExtractSettings) -> int:
    if ":" in settings.device:
        return 1
    if gpus := _gpus_for(settings):
        return len(gpus)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus_for(settings: ExtractSettings) -> list[str]:
    """GPUs to spread workers over: none where the model runs on the CPU, or one GPU was named."""
    if settings.device not in ("auto", "cuda", "tensorrt") or settings.model == "blazepose":
        return []
    if settings.device == "auto" and settings.model != "mmpose":
        import onnxruntime

        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            return []
    return _visible_gpus()


def _visible_gpus() -> list[str]:
    """GPUs that CUDA programs see here: the visible list where one is set, else what the driver lists."""
    import shutil
    import subprocess

    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return [name.strip() for name in visible.split(",") if name.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    return [
        str(index) for index in range(sum(line.startswith("GPU ") for line in listed.stdout.splitlines()))
    ]


def _engine(args: argparse.Namespace, settings: ExtractSettings, workers: int) -> Engine:
    if args.engine == "ray":
        from pose_extract.ray_engine import RayEngine

        return RayEngine(settings, args.workers or None)
    from pathlib import Path

    from pose_extract.workers import LocalEngine

    return LocalEngine(
        settings, workers, gpus=_gpus_for(settings), stall_s=args.stall_timeout, keep=Path(args.output)
    )


def _list_models() -> int:
    from pose_extract.zoo import list_models
    from weights.fetch import is_present

    for choice in list_models():
        own = (
            "" if choice.name in ("blazepose", "mmpose") or is_present(choice.name) else "  (weights absent)"
        )
        print(f"{choice.name:32} {', '.join(choice.layouts)}{own}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
