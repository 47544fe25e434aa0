"""What `extract-poses` says before and after a job."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from pose_extract.job import JobReport
from pose_extract.settings import ExtractSettings


def say_start(settings: ExtractSettings, clips: int, workers: int, engine: str, output: str) -> None:
    """One line on what will run, on standard error."""
    detector = f" behind {settings.detector}" if settings.detector else ""
    model = f"model {settings.model}{detector}, layout {settings.layout}"
    where = f"{counted(workers, 'worker')} ({engine}) -> {output}"
    print(f"{model}, {counted(clips, 'clip')}, {where}", file=sys.stderr)


def say_end(report: JobReport, as_json: bool) -> None:
    """The report on standard output: counts, then every note, failure and problem by name."""
    if as_json:
        print(json.dumps(asdict(report)))
        return
    speed = f", {report.frames / report.seconds:.1f} frames/s" if report.frames and report.seconds else ""
    print(
        f"{counted(report.ok, 'clip')} extracted, {report.no_person} without a person, "
        f"{len(report.failed)} failed, {report.kept} already there; "
        f"{counted(report.frames, 'frame')} in {report.seconds:.1f} s{speed} -> {report.output}"
    )
    for clip_id, note in report.notes.items():
        print(f"  note: {clip_id!r}: {note}")
    for clip_id, error in report.failed.items():
        print(f"  failed: {clip_id!r}: {error}")
    for problem in report.problems:
        print(f"  problem: {problem}")
    if report.stopped:
        print("  stopped early: the same command goes on where it left")


def counted(number: int, noun: str) -> str:
    """`1 clip`, `2 clips`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
