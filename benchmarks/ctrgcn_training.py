"""A training step of CTR-GCN against the eager module of the same architecture, same weights, same numbers.

Measured as in `graph_training`: one thread, steps taking turns, medians of CPU time.

Run: python -m benchmarks.ctrgcn_training [--rounds 9] [--clips 16] [--frames 100]
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from benchmarks.eager_ctrgcn import EagerCTRGCN
from benchmarks.graph_training import CLASSES, measure_interleaved, training_step
from benchmarks.table import Row, report
from poses.layout import get_layout
from skeleton_models.ctrgcn import PUBLISHED_NAMES, ctrgcn
from skeleton_models.graph import adjacency
from weights.checkpoint import load_exactly, rename

WANTED = 1.5


def build() -> tuple[nn.Module, nn.Module]:
    """The eager module and ours, with the same weights, graphs refined."""
    layout = get_layout("coco17")
    eager = EagerCTRGCN(torch.from_numpy(adjacency(layout, "spatial")), CLASSES)
    for name, parameter in eager.named_parameters():
        if name.endswith("alpha"):
            nn.init.constant_(parameter, 0.5)
    ours = ctrgcn(num_classes=CLASSES, layout=layout)
    load_exactly(ours, rename(eager.state_dict(), PUBLISHED_NAMES["original"]))
    return eager, ours


def main() -> None:
    """Measure, print, and write `results/ctrgcn_training.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--frames", type=int, default=100)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    eager, ours = build()
    x = torch.randn(asked.clips, 1, asked.frames, 17, 3)
    label = torch.randint(0, CLASSES, (asked.clips,))
    with torch.no_grad():  # in evaluation: in training, batch norms of single precision drift apart by more
        expected = eager.eval()(x)
        gap = ((ours.eval()(x) - expected).abs().max() / expected.abs().max()).item()
    eager.train()
    ours.train()
    steps = {
        "eager fp32": training_step(eager, eager, x, label, half=False),
        "eager bf16": training_step(eager, eager, x, label, half=True),
        "ours fp32": training_step(ours, ours, x, label, half=False),
        "ours bf16": training_step(ours, ours, x, label, half=True),
    }
    ms = measure_interleaved(steps, asked.rounds)
    full = {name: ms["eager fp32"] / value for name, value in ms.items()}
    half = ms["eager bf16"] / ms["ours bf16"]
    report(
        "ctrgcn_training",
        [
            Row("CTR-GCN step, eager fp32", ms["eager fp32"], "ms"),
            Row("CTR-GCN step, eager bf16", ms["eager bf16"], "ms", full["eager bf16"]),
            Row("CTR-GCN step, ours fp32", ms["ours fp32"], "ms", full["ours fp32"]),
            Row(
                "CTR-GCN step, ours bf16",
                ms["ours bf16"],
                "ms",
                full["ours bf16"],
                f">= {WANTED:g}",
                full["ours bf16"] >= WANTED,
            ),
            Row("the same against eager bf16", ms["ours bf16"], "ms", half, f">= {WANTED:g}", half >= WANTED),
            Row("largest difference in evaluation, fp32", gap, "of largest", None, "< 1e-5", gap < 1e-5),
        ],
    )


if __name__ == "__main__":
    main()
