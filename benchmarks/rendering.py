"""Frames a second of the simulator's renderer, and of videos written whole.

    python -m benchmarks.rendering [--rounds 7] [--size 224]

Each domain's clip of 60 frames is drawn whole, a turn each in every round; figures are frames a second of
processor time on one thread (neighbours on the machine move it little) at the median round. "With the clip's
beginning" counts what is done once a clip as well: body, look and scenery. The promise is 200 frames a second
of 224 x 224 pixels on one core; the domains' pictures of 224 rows are larger, and it is asked of them. The
last rows draw and write H.264 files, processor time of all threads. All clips are simulated.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.table import Row, report
from fidget.benchmark.simulator.clip import SimulationSettings
from fidget.benchmark.simulator.domains import DOMAIN_TABLE
from fidget.benchmark.simulator.render import RenderedClip, render_clip
from fidget.benchmark.simulator.render_videos import write_clip

FRAMES = 60
TARGET = 200.0


def clip_of(domain: str, turn: int, size: int) -> RenderedClip:
    """Another clip of another person in every turn."""
    label = (7 * turn) % 82
    who = f"person{turn}"
    return render_clip(f"{domain}/{who}/{turn}", label, FRAMES, domain, who, 0, SimulationSettings(), size)


def draw_all(clip: RenderedClip, out: np.ndarray) -> None:
    """Every frame, one after the other."""
    for frame in range(clip.frames):
        clip.draw(frame, out)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=224)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    domains = [domain.name for domain in DOMAIN_TABLE]
    drawn: dict[str, list[float]] = {domain: [] for domain in domains}
    whole: dict[str, list[float]] = {domain: [] for domain in domains}
    written: dict[str, list[float]] = {domain: [] for domain in domains}
    sizes = {}
    with tempfile.TemporaryDirectory() as directory:
        for turn in range(args.rounds + 1):
            for domain in domains if turn % 2 else domains[::-1]:
                begin_s = time.process_time()
                clip = clip_of(domain, turn, args.size)
                out = np.empty((*clip.frame_hw, 3), np.uint8)
                clip.draw(0, out)
                ready_s = time.process_time()
                draw_all(clip, out)
                end_s = time.process_time()
                begin_write_s = time.process_time()
                write_clip(Path(directory) / "clip.mp4", clip_of(domain, turn, args.size))
                sizes[domain] = clip.frame_hw
                if turn:  # the first compiles
                    drawn[domain].append(FRAMES / (end_s - ready_s))
                    whole[domain].append(FRAMES / (end_s - begin_s))
                    written[domain].append(FRAMES / (time.process_time() - begin_write_s))
    rows = []
    for domain in domains:
        height, width = sizes[domain]
        figure = statistics.median(drawn[domain])
        what = f"{domain}, {height} x {width}"
        rows.append(Row(f"{what}: drawn", figure, "frames/s", None, f"{TARGET:g} frames/s", figure >= TARGET))
        rows.append(Row(f"{what}: with the clip's beginning", statistics.median(whole[domain]), "frames/s"))
        pixels = height * width / (args.size * args.size)
        rows.append(Row(f"{what}: drawn, counted in squares of {args.size}", figure * pixels, "frames/s"))
    for domain in domains:
        rows.append(Row(f"{domain}: written as video", statistics.median(written[domain]), "frames/s"))
    report("rendering", rows)


if __name__ == "__main__":
    main()
