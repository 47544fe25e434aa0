"""`fidget emotion train`: face only, micro-actions only, both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fidget.cli.emotion_arguments import TOLD, add_table_options, at_least, naming, read_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fidget.emotion.deepface_faces import Faces
    from fidget.emotion.inputs import Source
    from fidget.emotion.training import Trained
    from protocols.emotion_table import EmotionTable

_OVER_VIDEOS = ("two_branch", "face_branch", "action_branch", "vaanet", "emotion_fan")
_EPILOG = f"""\
examples:
  fidget emotion train table.csv --set mma82 --tree mma82 --face poses --actions tsm.parquet -o runs/emotion
  fidget emotion train table.csv --events detections.parquet --network attention -o runs/events
  fidget emotion train table.csv --tree ma52 --face poses --network two_branch -o runs/pro
  fidget emotion train table.csv --tree ma52 --labels --without-groups 'Lower limb,Leg-hand' -o runs/upper
  fidget emotion train table.csv --tree ma52 --videos videos --poses poses --network two_branch -o runs/both
  fidget emotion train table.csv --tree ma52 --videos videos --poses poses --network face_branch \\
      --recipe ma52pro_small --set train.epochs=20 -o runs/face

{TOLD}
--face takes a pose cache with face points (face landmarks: a stand-in, no published network), or a score
file of a face network. Micro-actions: --actions a recogniser's score file, --events a detection file, or
--labels, what the table says. With a column split models are fitted on train and score test; else every
clip is scored by folds that have not seen it, people kept together where there is a column subject.
--network linear: logistic regression. attention: Emotion-FAN over the face in time, attention over events.
two_branch: MA-52-Pro's network over face and body in time, its micro-actions from the table.
With --videos networks are trained end to end from pictures, on the splits train, val and test of the table:
two_branch, its face_branch or action_branch alone, vaanet, emotion_fan. A recipe says how;
--set KEY=VALUE overrides one. The same command again resumes a run that was
stopped, and on a CPU it ends with the same numbers.
Exit status: 0 trained, 1 something failed, 2 wrong usage.
"""
_NETWORKS = ("linear", "attention", *_OVER_VIDEOS)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "train",
        help="face only, micro-actions only, both: fitted and scored on held-out clips",
        description="Fit emotion models on some clips and score others; writes one score file a condition.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_options(parser, overrides=True)
    add = parser.add_argument
    add("-o", "--output", required=True, metavar="RUN", type=Path, help="directory, is made")
    faces = parser.add_mutually_exclusive_group()
    faces.add_argument(
        "--face", metavar="POSES|SCORES", type=Path, help="pose cache, or a face network's scores"
    )
    faces.add_argument(
        "--deepface", metavar="VIDEOS", type=Path,
        help="faces by the package deepface; with --poses, on the heads of these people",
    )  # fmt: skip
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--actions", metavar="SCORES", type=Path, help="a recogniser's score file")
    actions.add_argument("--events", metavar="DETECTIONS", type=Path, help="a detection file")
    actions.add_argument("--labels", action="store_true", help="micro-actions as the table has them")
    add("--network", choices=_NETWORKS, default="linear", help="default: linear")
    add("--folds", type=int, default=5, metavar="N", help="where there is no column split (default: 5)")
    add("--epochs", type=int, default=40, metavar="N", help="of networks (default: 40)")
    videos = parser.add_argument_group("end to end from videos")
    add = videos.add_argument
    add("--videos", metavar="DIR", type=Path, help="of the table's clips")
    add("--poses", metavar="DIR", type=Path, help="pose cache of these videos: who is where, and their head")
    add(
        "--recipe", metavar="NAME|FILE", help="ma52pro, ma52pro_small, vaanet, vaanet_small, emotion_fan, "
        "emotion_fan_small or a .toml file (default: as the network was published)"
    )  # fmt: skip
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train (default: auto)")
    add(
        "--checkpoint", metavar="FILE", help="weights to begin with: a file, or a name of fidget weights list"
    )
    add("--faces", metavar="FILE", type=Path, help="where boxes of faces are kept (default: your cache)")
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

    if args.videos is not None:
        from fidget.cli.emotion_train_videos import run_videos

        return run_videos(args)
    _expect_no_videos(args)
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
    with naming(args.table):
        trained = train_emotions(table, settings, face, actions, body)
    _write(args, table, trained, notes)
    return 0


def _expect_no_videos(args: argparse.Namespace) -> None:
    """See that nothing is asked for that needs videos.

    Raises:
        UsageError: it is.
    """
    from fidget.cli.usage import UsageError

    if args.network in _OVER_VIDEOS[1:]:
        raise UsageError(f"--network {args.network} looks at pictures: give --videos DIR and --poses DIR")
    with_videos = ["recipe", "checkpoint", "faces"] + ["poses"] * (args.deepface is None)
    given = [f"--{name}" for name in with_videos if getattr(args, name)]
    given += ["--set KEY=VALUE"] * bool(args.overrides)
    if given:
        raise UsageError(f"{', '.join(given)}: only with --videos DIR (--poses also with --deepface DIR)")


def _faces(
    args: argparse.Namespace, table: EmotionTable
) -> tuple[EmotionTable, Source | None, NDArray[np.float32] | None, tuple[str, ...]]:
    """The clips that remain, their faces and bodies, and what was left out."""
    import numpy as np

    from fidget.cli.usage import UsageError
    from fidget.emotion.inputs import face_scores, pose_series
    from protocols.scores import read_scores

    if args.deepface is not None:
        from protocols.scores import write_scores

        found = _deepface(args, table)
        write_scores(args.output / "deepface.parquet", found.scores)
        there = set(found.scores.clip_ids)
        kept = [row for row, clip in enumerate(table.clip_ids) if clip in there]
        table = table.rows(np.array(kept, np.int64))
        left_out = tuple(f"left out, {line}" for line in found.left_out)
        return table, face_scores(table, found.scores), None, (found.told(), *left_out)
    if args.face is None:
        return table, None, None, ()
    if args.face.is_dir():
        series = pose_series(table, args.face)
        notes = tuple(f"left out, {line}" for line in series.left_out)
        return series.table, series.face, series.body, notes
    if not args.face.exists():
        raise UsageError(f"--face {args.face}: expected a pose cache or a score file, there is nothing")
    scores = read_scores(args.face)
    with naming(args.face):
        return table, face_scores(table, scores), None, ()


def _deepface(args: argparse.Namespace, table: EmotionTable) -> Faces:
    """Faces by the package: in whole frames, or on the heads of a pose cache's people."""
    from fidget.cli.usage import UsageError
    from fidget.emotion.deepface_faces import deepface_analyse, score_faces, score_posed_faces, video_frames
    from fidget.faces.clip_faces import open_faces
    from poses.cache_reader import PoseCache

    if not args.deepface.is_dir():
        raise UsageError(f"--deepface {args.deepface}: expected a directory of videos")
    analyse = deepface_analyse(faces_given=args.poses is not None)
    if args.poses is not None:
        return score_posed_faces(table.clip_ids, open_faces(PoseCache(args.poses), args.deepface), analyse)
    return score_faces(((clip, video_frames(args.deepface, clip)) for clip in table.clip_ids), analyse)


def _actions(args: argparse.Namespace, table: EmotionTable) -> Source | None:
    from fidget.emotion.inputs import action_events, action_labels, action_scores
    from protocols.detections import read_detections
    from protocols.scores import read_scores

    if args.actions is not None:
        scores = read_scores(args.actions)
        with naming(args.actions):
            return action_scores(table, scores)
    if args.events is not None:
        events = read_detections(args.events)
        with naming(args.events):
            return action_events(table, events)
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
