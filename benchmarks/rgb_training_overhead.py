"""A training step through `fidget.training` against bare forward, backward and update of the same network.

TSM on eight frames, from videos of 224 pixels that are rendered for it (simulated): decoded at every step,
from a frame cache that is being filled, and from one that is full. Rounds of the bare step and rounds of
whole epochs take turns in one process, computing in one thread; batches are made ahead by another.

What is compared is the time of the thread that computes, so that other work on the machine does not count,
and beside it the wall clock. `batches` is the time of the thread that makes them: as long as it is below a
step, a second core hides it, and the share of time spent waiting for data is near nothing.

Run: python -m benchmarks.rgb_training_overhead [--rounds 3] [--steps 4] [--sizes 112,224] [--batch 4]
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import nn

from benchmarks.table import RESULTS
from fidget.benchmark.simulator.clip import SimulationSettings
from fidget.benchmark.simulator.render import render_clip
from fidget.benchmark.simulator.render_videos import write_clip
from fidget.training.loop import train_epoch
from fidget.training.progress import Progress
from fidget.training.recipe import parse_recipe
from fidget.training.run import Machines, Run, launch, open_run
from fidget.training.run_directory import RunDirectory
from fidget.training.videos import VideoPlaces, open_videos
from protocols.protocol import Protocol, Split
from protocols.trees import tree
from rgb_models.zoo import create_model

CSV = RESULTS / "rgb_training_overhead.csv"
WANTED = 1.05
_SOURCES = {"decoded": "video", "cache, filling": "raw", "cache, full": "raw"}
_RECIPE = """
name = "overhead"
[model]
name = "tsm_r50"
[input]
form = "frames"
frames = 8
[augment]
crop = "multi_scale"
flip_probability = 0.5
[train]
epochs = 1000
batch_size = 4
learning_rate = 0.001
nesterov = false
weight_decay = 1e-4
threads = 1
[data]
empty_classes = "keep"
"""


class Took(NamedTuple):
    """Seconds a step."""

    compute: float  # of the computing thread
    wall: float
    batches: float = 0.0  # of the other threads
    waited: float = 0.0


def make_videos(directory: Path, clips: int) -> Protocol:
    """Simulated clips as files of 224 pixels, and a protocol that trains on them."""
    names = tuple(f"clip{number:03d}" for number in range(clips))
    for number, name in enumerate(names):
        if not (directory / f"{name}.mp4").exists():
            clip = render_clip(
                name, number % 82, 60, "laboratory", f"lab{number}", 0, SimulationSettings(), 224
            )
            write_clip(directory / f"{name}.mp4", clip)
    labels = tuple(number % 82 for number in range(clips))
    return Protocol("overhead", tree("mma82"), {"train": Split(names, labels)})


def opened(place: Path, protocol: Protocol, source: str, size: int, batch: int) -> Run:
    """A run that has made nothing yet."""
    store = _SOURCES[source]
    choices = [f"input.size={size}", f"train.batch_size={batch}", f"input.frame_store={store}"]
    recipe = parse_recipe(_RECIPE, "overhead", choices)
    cache = None if store == "video" else place / f"frames{size}"
    clips = open_videos(recipe, VideoPlaces(place / "videos", frame_cache=cache), say=_silent)
    fabric = launch(recipe, Machines("cpu"))
    directory = RunDirectory(place / f"run-{source.replace(', ', '-')}-{size}-{batch}")
    return open_run(recipe, clips, protocol, directory, fabric, None, Progress(_silent))


def whole_steps(run: Run, epoch: int, steps: int) -> Took:
    """One epoch of the loop."""
    timing: dict[str, float] = {}
    wall_s, thread_s, process_s = time.perf_counter(), time.thread_time(), time.process_time()
    train_epoch(run, epoch, timing)
    wall, compute = time.perf_counter() - wall_s, time.thread_time() - thread_s
    others = time.process_time() - process_s - compute
    return Took(compute / steps, wall / steps, others / steps, timing["data_wait_share"] * wall / steps)


def bare_steps(model: nn.Module, size: int, batch: int, steps: int) -> Took:
    """Forward, backward and update on a batch that is there."""
    optimizer = torch.optim.SGD(model.parameters(), 0.001, momentum=0.9, weight_decay=1e-4)
    x, labels = torch.randn(batch, 3, 8, size, size), torch.arange(batch)
    model.train()
    wall_s, thread_s = time.perf_counter(), time.thread_time()
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return Took((time.thread_time() - thread_s) / steps, (time.perf_counter() - wall_s) / steps)


def measured(
    place: Path, protocol: Protocol, size: int, batch: int, rounds: int, steps: int
) -> list[list[str]]:
    """Rows of the CSV for one size and batch."""
    model = create_model("tsm_r50", num_classes=82, frames=8)
    runs = {source: opened(place, protocol, source, size, batch) for source in _SOURCES}
    took: dict[str, list[Took]] = {name: [] for name in ("bare", *_SOURCES)}
    bare_steps(model, size, batch, 1)
    for number in range(rounds):
        took["bare"].append(bare_steps(model, size, batch, steps))
        for source, run in runs.items():
            if source == "cache, filling":
                for file in (place / f"frames{size}").glob("*.frames"):
                    file.unlink()
            took[source].append(whole_steps(run, number, steps))
    for run in runs.values():
        if run.lock is not None:
            run.lock.release()
    bare = Took(*(median(values) for values in zip(*took["bare"], strict=True)))
    rows = []
    for source in ("bare", *_SOURCES):
        own = Took(*(median(values) for values in zip(*took[source], strict=True)))
        ratio, wall = own.compute / bare.compute, own.wall / bare.wall
        rows.append([
            f"8x{size}", str(batch), source, f"{own.compute:.3f}", f"{ratio:.3f}", f"{own.wall:.3f}",
            f"{wall:.3f}", f"{own.batches:.3f}", f"{own.waited / own.wall:.4f}",
            "" if source == "bare" else str(ratio <= WANTED),
        ])  # fmt: skip
        print(", ".join(rows[-1]), flush=True)
    return rows


def _silent(_: str) -> None:
    pass


def main() -> None:
    """Measure, print, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--sizes", default="112,224")
    parser.add_argument("--batch", type=int, default=4)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = [[
        "frames", "batch", "source", "compute_s", "compute_ratio", "wall_s", "wall_ratio", "batches_s",
        "data_wait_share", "within_5_percent",
    ]]  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "videos").mkdir()
        protocol = make_videos(place / "videos", asked.batch * asked.steps)
        for size in map(int, asked.sizes.split(",")):
            rows += measured(place, protocol, size, asked.batch, asked.rounds, asked.steps)
            with CSV.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
