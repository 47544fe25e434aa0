"""Simulated untrimmed recordings on disk: a pose cache, and beside it the table of what happens when.

Every recording depends on its name, the seed, the settings and the person alone, so the cache is the same
for any number of processes, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path

from fidget.benchmark.simulator.clip import LAYOUT, SimulationSettings, estimated
from fidget.benchmark.simulator.simulate import Simulated, in_order, simulator_sha256, write_beside
from fidget.benchmark.simulator.untrimmed_motion import stage_recording
from fidget.benchmark.simulator.untrimmed_plan import PlannedRecording, plan_recordings, table_of
from poses.cache_schema import CacheMetadata, CacheRow, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import encode_clip
from protocols.instances_csv import instances_csv

_RECORDINGS_AT_ONCE = 8  # one message of a process
_ROWS_PER_SHARD = 128
_DRAWING = "untrimmed_videos.py"  # changes no pose


def simulate_untrimmed(
    directory: Path | str,
    recordings: int,
    seed: int = 0,
    workers: int = 1,
    settings: SimulationSettings | None = None,
    domains: Sequence[str] = ("laboratory",),
    on_start: Callable[[int, int], None] | None = None,
    on_clip: Callable[[], None] | None = None,
) -> Simulated:
    """Write simulated untrimmed recordings; go on with those that were begun in the same way.

    Args:
        directory: of the pose cache, one row a recording; the table goes to `<directory>-detection.csv`.
        recordings: number of them.
        seed: of everything.
        workers: processes that make recordings, besides this one, which writes; 1 makes them here.
        settings: cameras, noise, missing joints; label noise is the share of instances with another label.
        domains: where they are recorded, in turn.
        on_start: called with the number of recordings to make and the number that are there.
        on_clip: called after each recording.

    Raises:
        CacheMismatchError: the directory holds a cache that was made otherwise.
        NotACacheError: it holds something else.
        ValueError: settings out of range, or a table of other content.
        OSError: the place is read-only or full.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    chosen = settings or SimulationSettings()
    directory = Path(directory)
    plan = plan_recordings(recordings, seed, chosen.label_noise, domains)
    metadata = untrimmed_metadata(recordings, seed, chosen, domains)
    with CacheWriter(directory, metadata, rows_per_shard=_ROWS_PER_SHARD) as writer:
        table = write_beside(directory, "detection", instances_csv(table_of(plan)))
        jobs = [one for one in plan if one.recording_id not in writer]
        if on_start is not None:
            on_start(len(jobs), len(plan) - len(jobs))
        make = partial(_make_rows, seed=seed, settings=chosen)
        for row in in_order(jobs, make, workers, _RECORDINGS_AT_ONCE):
            writer.add(row)
            if on_clip is not None:
                on_clip()
    return Simulated(directory, table, len(plan), len(jobs))


def untrimmed_metadata(
    recordings: int, seed: int, settings: SimulationSettings, domains: Sequence[str]
) -> CacheMetadata:
    """What a cache of recordings says of itself."""
    return CacheMetadata(
        layout=LAYOUT,
        models={"simulator": untrimmed_sha256()},
        settings={
            "simulated": "true",
            "untrimmed": recordings,
            "domains": ", ".join(domains),
            "seed": seed,
            **{name: repr(value) for name, value in asdict(settings).items()},
        },
    )


def untrimmed_sha256() -> str:
    """Over the simulator's source files, those of recordings, and the measured numbers."""
    digest = hashlib.sha256(simulator_sha256().encode())
    for file in sorted(files("fidget.benchmark.simulator").iterdir(), key=lambda file: file.name):
        counts = file.name.startswith("untrimmed") and file.name.endswith((".py", ".json"))
        if counts and file.name != _DRAWING:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _make_rows(pack: list[PlannedRecording], seed: int, settings: SimulationSettings) -> list[CacheRow]:
    """The rows of some recordings; runs in a process of its own."""
    nowhere = SourceStamp("simulated", 0, 0)
    return [encode_clip(estimated(stage_recording(plan, seed, settings)), nowhere) for plan in pack]
