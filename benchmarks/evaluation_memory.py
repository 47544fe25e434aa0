"""Peak memory of evaluating many clips with ten test clips each: it does not grow with their number.

A pose cache of random people in COCO's 17 joints is written, and a small network scores it, for graphs
and for heatmap volumes: 1,000 clips in one process, 10,000 in another. The peak is the resident memory of the
whole process, with Python, torch and the pages of the pose cache in it.

Run: python -m benchmarks.evaluation_memory [--clips 1000 10000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.table import Row, report

FORMS = {
    "graph": """
name = "graph"
[model]
name = "ddnet"
options = { filters = 4, frames = 16 }
[input]
form = "graph"
frames = 16
[train]
epochs = 1
batch_size = 64
learning_rate = 0.01
[eval]
test_clips = 10
""",
    "heatmap": """
name = "heatmap"
[model]
name = "posec3d_c3d_small"
options = { base_channels = 2, num_stages = 2 }
[input]
form = "heatmap"
frames = 8
size_hw = [24, 24]
dtype = "uint8"
[train]
epochs = 1
batch_size = 64
learning_rate = 0.01
[eval]
test_clips = 10
""",
}
TRAINED = 32  # clips: the rest are only scored


def write_cache(directory: Path, clips: int) -> None:
    """Clips `000000`, `000001`, ... of 20 to 60 frames of noise."""
    from poses.cache_schema import CacheMetadata, SourceStamp
    from poses.cache_writer import CacheWriter
    from poses.clip import PoseClip
    from poses.encoding import encode_clip
    from poses.layout import get_layout

    layout, rng = get_layout("coco17"), np.random.default_rng(0)
    with CacheWriter(directory, CacheMetadata("coco17", {"random": "0" * 64}, {})) as writer:
        for number in range(clips):
            frames = int(rng.integers(20, 61))
            clip = PoseClip(
                clip_id=f"{number:06d}",
                layout=layout,
                xy_px=rng.uniform(10, 90, (1, frames, 17, 2)).astype(np.float32),
                score=np.full((1, frames, 17), 0.9, np.float32),
                box_px=np.full((1, frames, 4), np.nan, np.float32),
                time_s=np.arange(frames) / 30,
                frame_hw=(100, 100),
                fps=Fraction(30),
                track_ids=np.zeros(1, np.int64),
            )
            writer.add(encode_clip(clip, SourceStamp(f"/random/{number}", 1, 1)))


def evaluate(form: str, clips: int) -> dict[str, float]:
    """In this process: peak memory in MiB and seconds of scoring."""
    import torch

    from fidget.training.loop import train
    from fidget.training.recipe import parse_recipe
    from protocols.label_tree import LabelTree
    from protocols.protocol import Protocol, Split

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        write_cache(Path(place) / "poses", clips + TRAINED)
        names = [f"{number:06d}" for number in range(clips + TRAINED)]
        splits = {"train": names[:TRAINED], "test": names[TRAINED:]}
        protocol = Protocol(
            "random",
            LabelTree("random", ("even", "odd")),
            {split: Split(tuple(ids), tuple(int(one) % 2 for one in ids)) for split, ids in splits.items()},
        )
        begin = time.perf_counter()
        recipe = parse_recipe(FORMS[form], form)
        train(recipe, Path(place) / "poses", protocol, Path(place) / "run", say=lambda _: None)
        seconds = time.perf_counter() - begin
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak_mib": peak_mib, "seconds": seconds}


def main() -> int:
    """Measure, print, and write `results/evaluation_memory.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs=2, default=(1000, 10_000))
    parser.add_argument("--one", choices=tuple(FORMS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(evaluate(asked.one, asked.clips[0])))
        return 0
    rows = []
    for form in FORMS:
        peaks = []
        for clips in asked.clips:
            command = [sys.executable, "-m", "benchmarks.evaluation_memory", "--one", form]
            done = subprocess.run(
                [*command, "--clips", str(clips), "0"], capture_output=True, text=True, check=True
            )
            found = json.loads(done.stdout.strip().splitlines()[-1])
            peaks.append(found["peak_mib"])
            rows.append(Row(f"{form}: {clips:,} clips, ten test clips each", found["peak_mib"], "MiB"))
            rows.append(Row(f"{form}: {clips:,} clips, the whole run", found["seconds"], "s"))
        growth = peaks[1] - peaks[0]
        rows.append(
            Row(f"{form}: more for ten times the clips", growth, "MiB", None, "<= 100", growth <= 100)
        )
    report("evaluation_memory", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
