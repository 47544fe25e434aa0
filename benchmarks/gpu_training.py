"""A training step on a GPU: the eager modules against ours, in float32, bfloat16 and compiled.

A step is forward, loss, backward and SGD with momentum. Medians of CUDA event times, after three steps that
are not counted; compiled networks are timed after compilation, whose seconds have a row of their own.

Run: python -m benchmarks.gpu_training [--steps 15] [--compile]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import ctrgcn_training, graph_training, posec3d_training
from benchmarks.table import Row, report

UNCOUNTED = 3


def _step(model: nn.Module, x: Tensor, label: Tensor, half: bool) -> Callable[[], None]:
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            loss = functional.cross_entropy(model(x), label)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def _median_ms(step: Callable[[], None], steps: int) -> float:
    taken = []
    for number in range(UNCOUNTED + steps):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        step()
        end.record()
        torch.cuda.synchronize()
        if number >= UNCOUNTED:
            taken.append(begin.elapsed_time(end))
    return statistics.median(taken)


def _rows(name: str, eager: nn.Module, ours: nn.Module, x: Tensor, steps: int, compiled: bool) -> list[Row]:
    label = torch.randint(0, 60, (len(x),), device="cuda")
    eager, ours = eager.cuda().train(), ours.cuda().train()
    base = _median_ms(_step(eager, x, label, half=False), steps)
    rows = [Row(f"{name}, {len(x)} clips, eager fp32", base, "ms")]
    for who, model in (("eager", eager), ("ours", ours)):
        for half in (False, True):
            if who == "eager" and not half:
                continue
            ms = _median_ms(_step(model, x, label, half), steps)
            rows.append(Row(f"{name}, {who} {'bf16' if half else 'fp32'}", ms, "ms", base / ms))
    if compiled:
        torch._dynamo.reset()
        step = _step(torch.compile(ours), x, label, half=True)  # type: ignore[arg-type]
        begin = time.perf_counter()
        step()
        torch.cuda.synchronize()
        rows.append(Row(f"{name}, compilation", time.perf_counter() - begin, "s"))
        ms = _median_ms(step, steps)
        rows.append(Row(f"{name}, ours bf16 compiled", ms, "ms", base / ms))
    return rows


def main() -> int:
    """Measure, print, and write `results/gpu_training.csv`; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--compile", action="store_true", help="time torch.compile too (about a minute each)")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print("benchmarks.gpu_training: torch finds no CUDA device here", file=sys.stderr)
        return 2
    torch.manual_seed(0)
    joints = torch.randn(64, 1, 100, 17, 3, device="cuda")
    volumes = torch.rand(32, 17, 48, 56, 56, device="cuda")
    rows = [
        *_rows("ST-GCN++ step", *graph_training.build(), joints, asked.steps, asked.compile),
        *_rows("CTR-GCN step", *ctrgcn_training.build(), joints, asked.steps, asked.compile),
        *_rows("SlowOnly step", *posec3d_training.build(), volumes, asked.steps, asked.compile),
    ]
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}")
    report("gpu_training", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
