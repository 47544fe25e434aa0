"""Many clips: what is to do, doing it, keeping what is done."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pose_extract.events import ClipDone, Engine, FramesDone, WorkerReady
from pose_extract.extract_clip import stamp_of
from pose_extract.partial_clip import forget_partial, partial_directory
from pose_extract.progress import Progress
from pose_extract.settings import ExtractSettings
from pose_extract.sources import VideoSource
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, CacheRow, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import failed_row

RUN_LOG = "_runs.jsonl"
"""One JSON line per run, in the cache directory: when, what really ran the model, what came of it."""


@dataclass
class Plan:
    """What a job has to do.

    Attributes:
        todo: clips that are missing, changed, or failed and to be retried.
        replaced: ids among them whose old row goes first.
        kept: clips that are in the cache already and good.
        failed_before: clip id -> error of clips that failed earlier and are left alone.
        conflicts: clips whose id another video holds in this cache.
    """

    todo: list[VideoSource] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    kept: int = 0
    failed_before: dict[str, str] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)


@dataclass
class JobReport:
    """What came of a job; `failed` and `notes` map a clip id to one line."""

    output: str
    model: str
    layout: str
    runtime: str = ""
    ok: int = 0
    no_person: int = 0
    kept: int = 0
    frames: int = 0
    seconds: float = 0.0
    stopped: bool = False
    failed: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if everything went well, 1 if something failed, 130 after Ctrl-C."""
        if self.stopped:
            return 130
        return 1 if self.failed or self.problems else 0


def make_plan(cache: Path, sources: Sequence[VideoSource], retry_failed: bool) -> Plan:
    """Compare the sources with what a cache holds; an absent cache holds nothing."""
    known = _known(cache)
    plan = Plan()
    asked = {source.clip_id for source in sources}
    held = {stamp.path: name for name, (stamp, _, _) in known.items() if name not in asked}
    for source in sources:
        if source.clip_id not in known and str(source.path) in held:
            source = VideoSource(source.path, held[str(source.path)])  # a.mp4 was `a` before a.mkv came
        if source.clip_id not in known:
            plan.todo.append(source)
            continue
        old, status, error = known[source.clip_id]
        now = stamp_of(source.path)
        same = (old.bytes, old.mtime_ns) == (now.bytes, now.mtime_ns)
        if not same and _is_another_file(old, source.path):
            plan.conflicts[source.clip_id] = (
                f"this cache holds {old.path} under the id {source.clip_id!r}, so {source.path} was left "
                "out: extract it into another directory (-o), or from a common parent directory"
            )
        elif not same or (status == "failed" and retry_failed):
            plan.todo.append(source)
            plan.replaced.append(source.clip_id)
        elif status == "failed":
            plan.failed_before[source.clip_id] = error
        else:
            plan.kept += 1
    return plan


def _known(cache: Path) -> dict[str, tuple[SourceStamp, str, str]]:
    if not cache.is_dir() or not any(cache.iterdir()):
        return {}
    reader = PoseCache(cache)
    errors = reader.failed()
    return {
        clip_id: (stamp, status, errors.get(clip_id, ""))
        for clip_id, (stamp, status) in reader.stamps().items()
    }


def _is_another_file(old: SourceStamp, path: Path) -> bool:
    """Whether the row's video still exists elsewhere, so that `path` is not simply its newer version."""
    held = Path(old.path)
    try:
        return held.exists() and not held.samefile(path)
    except OSError:
        return False


def run_job(
    sources: Sequence[VideoSource],
    problems: Sequence[str],
    output: Path,
    settings: ExtractSettings,
    models: dict[str, str],
    engine: Engine,
    *,
    retry_failed: bool = False,
    quiet: bool = False,
    flush_s: tuple[float, float] = (2.0, 30.0),
) -> JobReport:
    """Extract every source that the cache at `output` does not hold yet.

    Args:
        sources: the clips.
        problems: inputs that could not even be listed, one line each; they count as failures.
        output: the cache directory, made if absent.
        settings: resolved settings.
        models: name -> SHA-256 of the weights in use, for the cache's metadata.
        engine: where the clips run.
        retry_failed: try rows of status `failed` again.
        quiet: no progress.
        flush_s: finished clips reach the disk after a twentieth of the job's time so far, but not sooner
            and not later than these: what a crash may cost, against the number of shards.

    Raises:
        CacheMismatchError: the cache was made with another layout, model or setting.
        CacheLockedError: another job is writing to it.
        WorkerSetupError: no worker could load the model.
        OSError: the output place is read-only or full; what was finished before is kept.
    """
    report = JobReport(str(output), settings.model, settings.layout, problems=list(problems))
    metadata = CacheMetadata(settings.layout, models, settings.recorded())
    begin_s = time.monotonic()
    with CacheWriter(output, metadata, seconds_per_shard=flush_s[1]) as writer:
        plan = make_plan(output, sources, retry_failed)
        report.kept = plan.kept
        report.failed.update(plan.failed_before)
        report.problems.extend(plan.conflicts.values())
        writer.remove(plan.replaced)
        forget_partial(output, [one.clip_id for one in sources if one not in plan.todo])
        if plan.todo:
            finished = _work(plan, engine, writer, report, quiet, flush_s)
    if plan.todo:
        forget_partial(output, finished)
    report.seconds = time.monotonic() - begin_s
    if plan.todo:
        _log_run(output, report, len(plan.todo))
    return report


def _work(
    plan: Plan,
    engine: Engine,
    writer: CacheWriter,
    report: JobReport,
    quiet: bool,
    flush_s: tuple[float, float],
) -> list[str]:
    """Do it; returns the clips that are with the writer and not on disk yet."""
    sizes = {source.clip_id: max(stamp_of(source.path).bytes, 1) for source in plan.todo}
    progress = Progress(len(plan.todo), sum(sizes.values()), sys.stderr, quiet)
    begun = sum(partial_directory(writer.directory, one.clip_id).is_dir() for one in plan.todo)
    if begun and not quiet:
        progress.say(f"going on within {begun} clip(s) that were stopped half-way")
    finished: list[str] = []
    begin_s = flushed_s = time.monotonic()
    try:
        with _stop_requests(progress) as stopping:
            for event in engine.run(plan.todo, stopping):
                if isinstance(event, ClipDone):
                    _count(_add(writer, event.row), report, progress, sizes)
                    finished.append(event.row.clip_id)
                elif isinstance(event, FramesDone):
                    progress.add_frames(event.frames)
                elif isinstance(event, WorkerReady) and not report.runtime:
                    report.runtime = event.runtime
                    if not quiet:
                        progress.say(f"running on {event.runtime}")
                now_s = time.monotonic()
                if now_s - flushed_s >= min(max((now_s - begin_s) / 20, flush_s[0]), flush_s[1]):
                    writer.flush()
                    flushed_s = now_s
                    forget_partial(writer.directory, finished)
                    finished.clear()
                progress.draw()
            report.stopped = stopping() and progress.clips_done < len(plan.todo)
    finally:
        report.frames = progress.frames_done
        progress.close()
    return finished


def _add(writer: CacheWriter, row: CacheRow) -> CacheRow:
    """Keep a row; one that is beyond what a cache can hold becomes a row that says so."""
    try:
        writer.add(row)
        return row
    except ValueError as error:
        failed = failed_row(row.clip_id, row.source, " ".join(str(error).split()))
        writer.add(failed)
        return failed


def _count(row: CacheRow, report: JobReport, progress: Progress, sizes: dict[str, int]) -> None:
    progress.add_clip(sizes[row.clip_id], row.status == "failed")
    if row.status == "failed":
        report.failed[row.clip_id] = row.error or ""
        progress.say(f"failed: {row.clip_id!r}: {row.error}")
        return
    report.ok += row.status == "ok"
    report.no_person += row.status == "no_person"
    if row.error:
        report.notes[row.clip_id] = row.error
        progress.say(f"note: {row.clip_id!r}: {row.error}")


@contextmanager
def _stop_requests(progress: Progress) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C or SIGTERM asks to stop after the clips in flight, the second stops at once."""
    asked = False

    def on_signal(signum: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        progress.say("stopping after the clips in flight, all of which are kept; Ctrl-C again stops at once")

    if threading.current_thread() is not threading.main_thread():  # whoever called us handles signals
        yield lambda: False
        return
    before = {signum: signal.signal(signum, on_signal) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _log_run(output: Path, report: JobReport, clips: int) -> None:
    from importlib.metadata import version

    entry = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "fidget": version("fidget"),
        "clips": clips,
    }
    entry |= {k: v for k, v in asdict(report).items() if k not in ("failed", "notes", "problems", "output")}
    entry["failed"] = len(report.failed)
    with (output / RUN_LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
