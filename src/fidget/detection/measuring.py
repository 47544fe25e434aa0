"""What a detector's run measures: the validation of an epoch; at the end detection files and the summary."""

from __future__ import annotations

import time
from typing import Any

import torch

from fidget.detection.inference import Found, as_detections, detect
from fidget.detection.recipe import recipe_hash
from fidget.detection.recording_sets import RecordingSet
from fidget.detection.run import DetectionRun
from fidget.detection.run_report import write_run_report
from fidget.training.ema import holding
from fidget.training.progress import clock
from fidget.training.run_directory import Row, load_tensors, read_rows, write_json
from protocols.detection import measure_detections
from protocols.detection_rules import OPENTAD
from protocols.detections import Detections, write_detections

_VALIDATED = ("avg", "action_avg", "body_avg", "action@0.5")


def validate(run: DetectionRun, epoch: int, timing: dict[str, float]) -> Row:
    """Mean average precision on the validation split, with the averaged weights where there are any."""
    row: Row = {f"val_{name}": None for name in _VALIDATED}
    begin_s = time.perf_counter()
    due = (epoch + 1) % run.recipe.eval.every == 0 or epoch + 1 == run.recipe.train.epochs
    if "val" in run.sets and not run.sets["val"].withheld and due:
        with holding(run.network, run.average):
            found = measured(_detections(run, run.sets["val"]), run.sets["val"])
        row = {f"val_{name}": found.get(name) for name in _VALIDATED}
    timing["validation_s"] = time.perf_counter() - begin_s
    return row


def measured(detections: Detections, recording_set: RecordingSet) -> dict[str, float]:
    """Measures by the rules of OpenTAD; all of them 0 where nothing was found."""
    if not len(detections):
        return dict.fromkeys(("avg", "action_avg", "action@0.5"), 0.0)
    return measure_detections(
        detections, recording_set.all_instances, recording_set.recordings, rule=OPENTAD
    ).table()


def measure(run: DetectionRun, history: list[Row]) -> dict[str, Any]:
    """Detection files of the splits with the selected weights, the summary and the report."""
    selected = load_tensors(run.directory.selected)
    run.network.load_state_dict(selected["model"])
    recipe = run.recipe
    summary: dict[str, Any] = {
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
        "annotations": run.table.name,
        "simulated": run.table.simulated or run.recordings.simulated,
        "content_hash": run.recordings.content_hash,
        "seed": recipe.train.seed,
        "epochs": len(history),
        "selected_epoch": selected["epoch"] + 1,
        "select": recipe.eval.select,
        "rule": OPENTAD.name,
        "data": [one.summary() for one in run.sets.values()],
        "used": run.used,
    }
    for name in ("val", "test"):
        if name not in run.sets or name not in recipe.eval.splits:
            continue
        recording_set = run.sets[name]
        detections = _detections(run, recording_set)
        if run.fabric.global_rank == 0:
            write_detections(run.directory.path / "detections" / f"{name}.parquet", detections)
        if recording_set.withheld:
            run.progress.say(f"{name}: instances are kept back, {len(detections):,} detections written")
            continue
        summary[name] = {
            "recordings": len(recording_set),
            "instances": len(recording_set.all_instances),
            "detections": len(detections),
            **measured(detections, recording_set),
        }
        run.progress.say(
            f"{name}: mAP {100 * summary[name]['avg']:.2f} % (actions "
            f"{100 * summary[name]['action_avg']:.2f} %) of {len(recording_set):,} recordings"
        )
    if run.fabric.global_rank == 0:
        timing = read_rows(run.directory.path / "timing.csv")
        summary["train_s"] = sum(float(row["train_s"]) for row in timing)
        summary["validation_s"] = sum(float(row["validation_s"]) for row in timing)
        write_json(run.directory.path / "summary.json", summary)
        write_run_report(run.directory.path)
        run.progress.say(
            f"trained {clock(summary['train_s'])} on {run.used['device']}; report: "
            f"{run.directory.path / 'report.html'}"
        )
    return summary


def _detections(run: DetectionRun, recording_set: RecordingSet) -> Detections:
    """Of a split's recordings, shared by the processes; each ends up with all."""
    fabric, recipe = run.fabric, run.recipe
    mine = recording_set.recordings[fabric.global_rank :: fabric.world_size]
    if fabric.world_size > 1:
        for tensor in run.network.state_dict().values():
            torch.distributed.broadcast(tensor, 0)
    found: list[Found] = list(
        detect(
            run.network, run.seen_input, run.recordings, mine, recipe, fabric.device, fabric.autocast,
            recipe.eval.batch_size or recipe.train.batch_size, recipe.train.prefetch,
        )
    )  # fmt: skip
    if fabric.world_size > 1:
        parts: list[Any] = [None] * fabric.world_size
        torch.distributed.all_gather_object(parts, found)
        by_name = {one.recording: one for part in parts for one in part}
        found = [by_name[name] for name in recording_set.recordings]
    return as_detections(found, run.table.tree, recipe.name)
