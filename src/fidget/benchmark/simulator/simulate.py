"""A simulated MMA-82 on disk: a pose cache, and the labels beside it.

Every clip depends on its id, the seed and the settings alone, so the cache is the same for any number of
processes, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import csv
import hashlib
import io
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from fidget.benchmark.simulator.clip import LAYOUT, SimulationSettings, simulate_clip
from fidget.benchmark.simulator.clip_plan import FPS, ClipPlan, plan_clips
from poses.cache_schema import CacheMetadata, CacheRow, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import encode_clip
from poses.whole_file import replacing
from protocols.trees import tree

LABEL_COLUMNS = (
    "clip_id",
    "label",
    "split",
    "class_name",
    "group_name",
    "domain",
    "subject",
    "duration_s",
    "simulated",
)
_CLIPS_AT_ONCE = 32  # one message of a process
_PACKS_WORTH_A_PROCESS = 4  # a process needs seconds to start
_ROWS_PER_SHARD = 512

Job = TypeVar("Job")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Simulated:
    """What a run made.

    Attributes:
        directory: of the cache.
        labels: the file beside it.
        clips: number in the cache.
        made: of these, in this run; the others were there.
    """

    directory: Path
    labels: Path
    clips: int
    made: int


# One row of a plan as a process takes it: clip id, performed action, frames, domain, subject.
_Job = tuple[str, int, int, str, str]


def simulate(
    directory: Path | str,
    scale: float = 0.05,
    seed: int = 0,
    workers: int = 1,
    settings: SimulationSettings | None = None,
    on_start: Callable[[int, int], None] | None = None,
    on_clip: Callable[[], None] | None = None,
) -> Simulated:
    """Write a simulated MMA-82; go on with one that was begun in the same way.

    Args:
        directory: of the pose cache; the labels go to `<directory>-labels.csv`.
        scale: share of the published 39,816 clips.
        seed: of everything.
        workers: processes that make clips, besides this one, which writes; 1 makes them here.
        settings: cameras, noise, missing joints, label noise.
        on_start: called with the number of clips to make and the number that are there.
        on_clip: called after each clip.

    Raises:
        CacheMismatchError: the directory holds a cache that was made otherwise.
        NotACacheError: it holds something else.
        ValueError: settings out of range, or a labels file of other content.
        OSError: the place is read-only or full.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    chosen = settings or SimulationSettings()
    directory = Path(directory)
    plan = plan_clips(scale, seed, chosen.label_noise)
    with CacheWriter(directory, _metadata(scale, seed, chosen), rows_per_shard=_ROWS_PER_SHARD) as writer:
        labels = write_labels(directory, plan)
        jobs = [job for job in _jobs(plan) if job[0] not in writer]
        if on_start is not None:
            on_start(len(jobs), len(plan) - len(jobs))
        for row in in_order(jobs, partial(_make_rows, seed=seed, settings=chosen), workers):
            writer.add(row)
            if on_clip is not None:
                on_clip()
    return Simulated(directory, labels, len(plan), len(jobs))


def write_labels(directory: Path, plan: ClipPlan) -> Path:
    """The labels CSV beside a cache; one of other content is never replaced.

    Raises:
        ValueError: there is a file of other content.
        OSError: it cannot be written.
    """
    return write_beside(directory, "labels", labels_csv(plan))


def write_beside(directory: Path, what: str, text: str) -> Path:
    """A CSV `<directory>-<what>.csv`, whole; one of other content is never replaced.

    Raises:
        ValueError: there is a file of other content.
        OSError: it cannot be written.
    """
    content = text.encode()
    resolved = directory.resolve()
    path = resolved.with_name(f"{resolved.name}-{what}.csv")
    if path.exists():
        if path.read_bytes() != content:
            raise ValueError(
                f"{path}: expected the {what} of this simulation or no file, this one has other content and "
                "was left alone; rename it, or name another directory"
            )
        return path
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path


def labels_csv(plan: ClipPlan) -> str:
    """One line a clip; see `LABEL_COLUMNS`."""
    labels = tree("mma82")
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(LABEL_COLUMNS)
    for i, clip_id in enumerate(plan.clip_ids):
        label = int(plan.labels[i])
        rows.writerow(
            [
                clip_id,
                label,
                plan.splits[i],
                labels.actions[label],
                labels.groups[labels.group_of[label]],
                plan.domains[i],
                plan.subjects[i],
                f"{int(plan.frames[i]) / FPS:.3f}",
                "true",
            ]
        )
    return text.getvalue()


def simulator_sha256() -> str:
    """Over the simulator's own source files: another version makes other clips and must not add to these.

    What draws pictures is left out, it changes no pose, and what makes untrimmed recordings of these motions.
    """
    digest = hashlib.sha256()
    for file in sorted(files("fidget.benchmark.simulator").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py") and not file.name.startswith(("render", "untrimmed")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _metadata(scale: float, seed: int, settings: SimulationSettings) -> CacheMetadata:
    return CacheMetadata(
        layout=LAYOUT,
        models={"simulator": simulator_sha256()},
        settings={
            "simulated": "true",
            "scale": repr(scale),
            "seed": seed,
            **{name: repr(value) for name, value in asdict(settings).items()},
        },
    )


def _jobs(plan: ClipPlan) -> Iterator[_Job]:
    for i, clip_id in enumerate(plan.clip_ids):
        yield clip_id, int(plan.performed[i]), int(plan.frames[i]), plan.domains[i], plan.subjects[i]


def in_order(
    jobs: Sequence[Job], make: Callable[[list[Job]], list[Made]], workers: int, at_once: int = _CLIPS_AT_ONCE
) -> Iterator[Made]:
    """What `make` gives of packs of jobs, in the order of the jobs; a bounded number waits at a time.

    Args:
        jobs: what is to be made.
        make: makes some; it is sent to other processes.
        workers: processes, where there are packs enough for them; 1 makes all here.
        at_once: jobs of a pack.
    """
    packs = [list(jobs[start : start + at_once]) for start in range(0, len(jobs), at_once)]
    workers = min(workers, len(packs) // _PACKS_WORTH_A_PROCESS)
    if workers <= 1:
        for pack in packs:
            yield from make(pack)
        return
    # Spawned, as elsewhere: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts) as pool:
        waiting: deque[Future[list[Made]]] = deque()
        try:
            for pack in packs:
                waiting.append(pool.submit(make, pack))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C is the parent's: it stops giving work and keeps what came back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _make_rows(pack: list[_Job], seed: int, settings: SimulationSettings) -> list[CacheRow]:
    """The rows of some clips; runs in a process of its own."""
    nowhere = SourceStamp("simulated", 0, 0)
    return [encode_clip(simulate_clip(*job, seed, settings), nowhere) for job in pack]
