"""`fidget emotion train`: face only, micro-actions only, both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fidget.cli.emotion_arguments import TOLD, add_table_options, at_least, read_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fidget.emotion.inputs import Source
    from fidget.emotion.training import Trained
    from protocols.emotion_table import EmotionTable

_EPILOG = f"""\
examples:
  fidget emotion train table.csv --set mma82 --tree mma82 --face poses --actions tsm.parquet -o runs/emotion
  fidget emotion train table.csv --events detections.parquet --network attention -o runs/events
  fidget emotion train table.csv --tree ma52 --face poses --network two_branch -o runs/pro
  fidget emotion train table.csv --tree ma52 --labels --without-groups 'Lower limb,Leg-hand' -o runs/upper

{TOLD}
--face takes a pose cache with face points (face landmarks: a stand-in, no published network), or a score
file of a face network. Micro-actions: --actions a recogniser's score file, --events a detection file, or
--labels, what the table says. With a column split models are fitted on train and score test; else every
clip is scored by folds that have not seen it, people kept together where there is a column subject.
--network linear: logistic regression. attention: Emotion-FAN over the face in time, attention over events.
two_branch: MA-52-Pro's network over face and body in time, its micro-actions from the table.
"""
_NETWORKS = ("linear", "attention", "two_branch")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "train",
        help="face only, micro-actions only, both: fitted and scored on held-out clips",
        description="Fit emotion models on some clips and score others; writes one score file a condition.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_options(parser)
    add = parser.add_argument
    add("-o", "--output", required=True, metavar="RUN", type=Path, help="directory, is made")
    faces = parser.add_mutually_exclusive_group()
    faces.add_argument(
        "--face", metavar="POSES|SCORES", type=Path, help="pose cache, or a face network's scores"
    )
    faces.add_argument("--deepface", metavar="VIDEOS", type=Path, help="faces by the package deepface")
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--actions", metavar="SCORES", type=Path, help="a recogniser's score file")
    actions.add_argument("--events", metavar="DETECTIONS", type=Path, help="a detection file")
    actions.add_argument("--labels", action="store_true", help="micro-actions as the table has them")
    add("--network", choices=_NETWORKS, default="linear", help="default: linear")
    add("--folds", type=int, default=5, metavar="N", help="where there is no column split (default: 5)")
    add("--epochs", type=int, default=40, metavar="N", help="of networks (default: 40)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fit, score, write.

    Raises:
        UsageError: options that do not go together.
        ValueError: inputs that do not fit the table.
        OSError: a file cannot be read or written.
    """
    from emotion_models.fitting import Schedule
    from fidget.cli.usage import UsageError
    from fidget.emotion.training import TrainingSettings, train_emotions

    for name, smallest in (("folds", 2), ("epochs", 1), ("seed", 0)):
        at_least(f"--{name}", getattr(args, name), smallest)
    if not (args.face or args.deepface or args.actions or args.events or args.labels):
        raise UsageError("nothing to learn from: give --face, --deepface, --actions, --events or --labels")
    if args.network == "two_branch" and (args.actions or args.events or args.labels):
        raise UsageError(
            "--network two_branch takes face and body from --face POSES and no micro-action files"
        )
    if args.output.exists() and not args.output.is_dir():
        raise UsageError(f"-o {args.output}: expected a directory, there is a file")
    table, face, body, notes = _faces(args, read_table(args))
    actions = _actions(args, table)
    settings = TrainingSettings(args.network, args.folds, args.seed, Schedule(epochs=args.epochs))
    trained = train_emotions(table, settings, face, actions, body)
    _write(args, table, trained, notes)
    return 0


def _faces(
    args: argparse.Namespace, table: EmotionTable
) -> tuple[EmotionTable, Source | None, NDArray[np.float32] | None, tuple[str, ...]]:
    """The clips that remain, their faces and bodies, and what was left out."""
    import numpy as np

    from fidget.cli.usage import UsageError
    from fidget.emotion.inputs import face_scores, pose_series
    from protocols.scores import read_scores

    if args.deepface is not None:
        from fidget.emotion.deepface_faces import deepface_analyse, score_faces, video_frames
        from protocols.scores import write_scores

        if not args.deepface.is_dir():
            raise UsageError(f"--deepface {args.deepface}: expected a directory of videos")
        analyse = deepface_analyse()
        clips = ((clip, video_frames(args.deepface, clip)) for clip in table.clip_ids)
        found = score_faces(clips, analyse)
        write_scores(args.output / "deepface.parquet", found.scores)
        there = set(found.scores.clip_ids)
        kept = [row for row, clip in enumerate(table.clip_ids) if clip in there]
        table = table.rows(np.array(kept, np.int64))
        return table, face_scores(table, found.scores), None, (found.told(),)
    if args.face is None:
        return table, None, None, ()
    if args.face.is_dir():
        series = pose_series(table, args.face)
        notes = tuple(f"left out, {line}" for line in series.left_out)
        return series.table, series.face, series.body, notes
    if not args.face.exists():
        raise UsageError(f"--face {args.face}: expected a pose cache or a score file, there is nothing")
    return table, face_scores(table, read_scores(args.face)), None, ()


def _actions(args: argparse.Namespace, table: EmotionTable) -> Source | None:
    from fidget.emotion.inputs import action_events, action_labels, action_scores
    from protocols.detections import read_detections
    from protocols.scores import read_scores

    if args.actions is not None:
        return action_scores(table, read_scores(args.actions))
    if args.events is not None:
        return action_events(table, read_detections(args.events))
    return action_labels(table) if args.labels else None


def _write(args: argparse.Namespace, table: EmotionTable, trained: Trained, notes: tuple[str, ...]) -> None:
    import json

    from poses.whole_file import replacing
    from protocols.scores import write_scores

    note = ", simulated" if table.simulated else ""
    print(f"{args.output}: {len(table):,} clips of {table.name}, {len(table.emotions)} emotions{note}")
    told = {
        "table": table.name,
        "simulated": table.simulated,
        "clips": len(table),
        "network": args.network,
        "seed": args.seed,
        "without_groups": args.without_groups,
        "micro_action_map": trained.micro_action_map,
        "notes": [*trained.notes, *notes],
    }
    for condition, scores in trained.scores.items():
        path = args.output / "scores" / f"{condition}.parquet"
        write_scores(path, scores)
        right = float((scores.scores.argmax(axis=1) == scores.labels).mean())
        more = trained.micro_action_map.get(condition)
        precise = "" if more is None else f", micro-action mAP {100 * more:.2f} %"
        print(f"  {path.name:16} {scores.method}: accuracy {100 * right:.2f} %{precise}")
    with replacing(args.output / "run.json") as part:
        part.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for line in told["notes"]:
        print(f"  note: {line}")
    print(f"measure it: fidget emotion evaluate {args.output}")
