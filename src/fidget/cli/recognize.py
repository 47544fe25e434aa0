"""`fidget recognize`: own videos to micro-actions over time, as files for people and programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fidget.recognition.analysis import AnalysisRules, Model
    from fidget.recognition.job import JobResult

_EPILOG = """\
examples:
  fidget recognize interview.mp4 --run runs/stgcnpp
  fidget recognize videos -o found --run runs/stgcnpp --private
  fidget recognize --poses poses --run runs/skeleton_detector -o found --threshold 0.3
  fidget recognize --live 0 --run runs/stgcnpp
  fidget recognize demo/videos --run demo
  fidget recognize talk.mp4 --run runs/joint --run runs/manet --fusion fusion.json

RUN is a run of fidget train, or of fidget detect train, over poses or frames; demo is a small one that comes
with the project, trained on simulated data, for trying things: what it says of people means nothing. Several
runs of fidget train with the same actions are fused: by the mean of their logarithms, or as --fusion says. A
directory that holds the runs of several streams stands for all of them.
For every video OUT gets NAME.json (all of it), NAME.csv, NAME.eaf (ELAN), NAME-boris.csv and
NAME-boris-import.csv (BORIS), NAME-overlay.mp4 and NAME.html. Poses are extracted into OUT/poses unless
--poses names a cache; the same command again does only what is missing. --private writes skeletons on a plain
background instead of pictures of people. Nothing is sent anywhere. Exit status: 0 all is well, 1 some inputs
failed (each is named, the rest is done), 2 wrong usage.
"""

DEMO = "demo"  # the name of the run that comes with the project


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "recognize",
        help="own videos to micro-actions over time: JSON, CSV, ELAN, BORIS, overlay, HTML",
        description="See micro-actions in videos with a trained recogniser or detector.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("videos", nargs="*", metavar="VIDEO", help="files, directories, globs, lists (.txt)")
    add(
        "--run",
        type=Path,
        action="append",
        required=True,
        metavar="RUN",
        dest="trained",
        help="a trained model; demo: ours; give several to fuse them",
    )
    add("--fusion", type=Path, metavar="FILE", help="how runs are fused, of fidget fuse --save")
    add("-o", "--output", type=Path, default=Path("recognized"), metavar="OUT", help="default: recognized")
    add("--poses", type=Path, metavar="DIR", help="a pose cache of the videos; without VIDEO, all its clips")
    add("--threshold", type=float, default=0.5, metavar="P", help="least probability said (default: 0.5)")
    add("--margin", type=float, default=0.1, metavar="P", help="least lead over the second (default: 0.1)")
    add("--window", type=float, default=2.0, metavar="S", help="seconds a recogniser sees (default: 2)")
    add("--step", type=float, default=0.5, metavar="S", help="seconds between windows (default: 0.5)")
    add("--one-view", action="store_true", help="one view of a window, not all of the recipe: quicker")
    add("--private", action="store_true", help="skeletons on a plain background; no picture is written")
    add("--no-overlay", action="store_true", help="write no video")
    add("--model", default="auto", metavar="NAME", help="pose model, as of extract-poses (default: auto)")
    add("--max-persons", type=int, default=2, metavar="N", help="people kept per video (default: 2)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="of the network (default: auto)")
    add("--live", metavar="SOURCE", help="webcam number, rtsp://... address, or a file played in real time")
    add("--seconds", type=float, default=0.0, metavar="S", help="end --live after so long (default: never)")
    add(
        "--reconnect",
        type=int,
        default=5,
        metavar="N",
        help="tries to open a broken stream (default: 5)",
    )
    add("--json", action="store_true", help="print the result, or live events, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Recognise; see the module.

    Raises:
        UsageError: what was asked for cannot be meant.
        ValueError: no finished run, or poses of other joints.
    """
    from fidget.cli.usage import UsageError

    if args.live is not None and (args.videos or args.poses):
        raise UsageError("--live looks at one source alone: leave VIDEO and --poses out")
    if args.live is None and not args.videos and not args.poses:
        raise UsageError("name a video, or a pose cache with --poses, or a source with --live")
    if args.max_persons < 1 or args.seconds < 0 or args.reconnect < 0:
        raise UsageError("--max-persons is at least 1, --seconds and --reconnect are not below 0")
    if args.private and args.no_overlay:
        raise UsageError("--private writes skeletons as a video: leave --no-overlay out")
    rules = _rules(args)

    from fidget.recognition.analysis import load_model

    runs = [_run_directory(run, args.output) for run in args.trained]
    model = load_model(runs, args.device, args.fusion)
    if args.live is not None:
        return _live(args, model, rules)
    return _files(args, model, rules)


def _run_directory(trained: Path, output: Path) -> Path:
    """The run that was named, or the one that comes with the project, unpacked into OUT."""
    if str(trained) != DEMO or (trained / "recipe.toml").is_file():
        return trained
    from fidget.recognition.demo_recogniser import FILE, unpack_run

    _note("demo recogniser: trained on simulated data; what it says of people means nothing")
    return unpack_run(FILE, output / "demo-recogniser")


def _rules(args: argparse.Namespace) -> AnalysisRules:
    from fidget.cli.usage import UsageError
    from fidget.recognition.analysis import AnalysisRules
    from fidget.recognition.decisions import DecisionRules
    from fidget.recognition.person_windows import WindowLength

    try:
        return AnalysisRules(
            WindowLength(args.window, args.step),
            DecisionRules(args.threshold, args.margin),
            not (args.one_view or args.live is not None),
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _files(args: argparse.Namespace, model: Model, rules: AnalysisRules) -> int:
    from fidget.recognition.job import recognise_all
    from fidget.recognition.video_files import OutputRules

    sources, failed = _sources(args)
    cache = args.poses
    if cache is None:
        if not sources:
            for problem in failed:
                _note(f"failed: {problem}")
            return 1
        cache = args.output / "poses"
        _extract(args, model, cache)
    output = OutputRules(args.output, not args.no_overlay, args.private)
    advice = "see what extract-poses said" if args.poses is None else "extract them, or leave --poses out"
    result = recognise_all(model, cache, sources, rules, output, _note, advice)
    result.failed[:0] = failed
    for problem in result.failed:
        _note(f"failed: {problem}")
    if args.private:
        _note(
            "private: skeletons on a plain background; no picture of a person was written, and no face "
            "leaves this machine"
        )
    _tell(args, result)
    return 1 if result.failed else 0


def _sources(args: argparse.Namespace) -> tuple[list[tuple[str, Path]], list[str]]:
    """Clip id and path of each video, and what leads nowhere."""
    from pose_extract.sources import find_videos

    if not args.videos:
        return [], []
    found = find_videos(args.videos)
    problems = list(found.problems)
    if not found.sources and not problems:
        problems.append(f"{', '.join(args.videos)}: no video is there")
    if args.poses is not None and not found.sources:
        raise ValueError("; ".join(problems))
    return [(one.clip_id, one.path) for one in found.sources], problems


def _extract(args: argparse.Namespace, model: Model, cache: Path) -> None:
    """Poses of the videos, by the command that a user would give; what is there is kept."""
    from contextlib import redirect_stdout

    from fidget.recognition.analysis import extraction_layout
    from pose_extract.command import main as extract_poses

    words = [*args.videos, "-o", str(cache), "--model", args.model, "--quiet"]
    words += ["--max-persons", str(args.max_persons)]
    layout = extraction_layout(model)
    words += ["--layout", layout] if layout else []  # a model over frames alone takes no joints
    with redirect_stdout(sys.stderr):  # what is printed is the result, perhaps for a program
        status = extract_poses(words)
    if status == 130:
        raise KeyboardInterrupt
    if status == 2 or not cache.is_dir() or not any(cache.iterdir()):
        of = f" of layout {layout!r}, which the model takes," if layout else ""
        raise ValueError(f"poses{of} could not be extracted (extract-poses {' '.join(words)})")


def _tell(args: argparse.Namespace, result: JobResult) -> None:
    """The sure segments, or JSON of all."""
    if args.json:
        import json

        from fidget.recognition.result import to_json

        records = [to_json(found) for found, _ in result.done]
        print(json.dumps({"videos": records, "failed": result.failed}, allow_nan=False))
        return
    for found, files in result.done:
        print(f"{found.video_id}: {files.page if files.page.is_file() else files.json}")
        for person in found.persons:
            for one in person.segments[:12]:
                span = f"{one.start_s:8.2f} - {one.end_s:8.2f} s"
                print(f"  {person.name}  {span}  {one.probability:.2f}  {one.words}")
            if len(person.segments) > 12:
                print(f"  {person.name}  and {len(person.segments) - 12} segments more")


def _live(args: argparse.Namespace, model: Model, rules: AnalysisRules) -> int:
    from fidget.cli.usage import UsageError
    from fidget.recognition.recogniser import Recogniser

    if not isinstance(model, Recogniser):
        raise UsageError("--live takes a recogniser (fidget train): a detector looks at whole recordings")
    if model.takes_frames:
        named = ", ".join(one.name for one in model.networks if one.takes_frames)
        raise UsageError(
            f"--live takes recognisers over poses: {named} sees frames, of which --live keeps none"
        )
    import json

    from fidget.recognition.analysis import extraction_layout
    from fidget.recognition.live import LiveRecogniser
    from fidget.recognition.live_frames import LiveFrames, StreamBrokenError
    from pose_extract.settings import ExtractSettings
    from pose_extract.zoo import build_estimator, resolve

    stream = LiveFrames(args.live, args.seconds, args.reconnect, _note)
    settings = ExtractSettings(args.model, extraction_layout(model), max_persons=args.max_persons)
    live = LiveRecogniser(model, build_estimator(resolve(settings)), rules, args.max_persons)
    live.warm_up()
    _note(f"{stream.source.shown}: {model.method}; {model.calibration}; Ctrl-C ends it")
    broken = ""
    with stream as frames:
        try:
            for event in live.events(iter(frames)):
                print(json.dumps(event.to_json()) if args.json else event.line(), flush=True)
        except KeyboardInterrupt:
            pass
        except StreamBrokenError as error:  # what was seen until then is told all the same
            broken = str(error)
        dropped = frames.dropped
    if args.json:
        end = {**live.counts.to_json(), "dropped_frames": dropped, "reconnected": stream.breaks}
        print(json.dumps(end), flush=True)
    else:
        print(f"{live.counts.line()}; {dropped} frames came too soon and were passed over", flush=True)
    if broken:
        _note(f"failed: {broken}")
    return 1 if broken else 0


def _note(line: str) -> None:
    print(" ".join(line.split()) if "\n" in line else line, file=sys.stderr, flush=True)
