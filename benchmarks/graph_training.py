"""A training step of ST-GCN++ against the eager module of the same architecture, same weights, same numbers.

One thread; the variants take turns, and medians of CPU time are compared, so that neighbours on the machine
weigh on all alike. A step is forward, loss, backward and SGD with momentum.

Run: python -m benchmarks.graph_training [--rounds 9] [--clips 16] [--frames 100]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.eager_stgcnpp import EagerSTGCNpp
from benchmarks.table import Row, report
from poses.layout import get_layout
from skeleton_models.graph import adjacency
from skeleton_models.stgcnpp import PUBLISHED_NAMES, stgcnpp
from weights.checkpoint import load_exactly, rename

CLASSES = 60


def build() -> tuple[EagerSTGCNpp, nn.Module]:
    """The eager module and ours, with the same weights."""
    layout = get_layout("coco17")
    eager = EagerSTGCNpp(torch.from_numpy(adjacency(layout, "spatial")), CLASSES)
    ours = stgcnpp(num_classes=CLASSES, layout=layout)
    load_exactly(ours, rename(eager.state_dict(), PUBLISHED_NAMES["pyskl"]))
    return eager, ours


def training_step(
    forward: Callable[[Tensor], Tensor], model: nn.Module, x: Tensor, label: Tensor, half: bool
) -> Callable[[], None]:
    """One step as a function; `half` is bf16 autocast."""
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = functional.cross_entropy(forward(x), label)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def measure_interleaved(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of each step; the steps take turns, and the first round is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            if number:
                taken[name].append(1e3 * (time.process_time() - begin))
    return {name: statistics.median(values) for name, values in taken.items()}


def gradients(model: nn.Module, x: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Of a copy of the model, in training mode and float64."""
    exact = copy.deepcopy(model).double().train()
    functional.cross_entropy(exact(x.double()), label).backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in exact.named_parameters() if p.grad is not None}


def largest_difference(eager: nn.Module, ours: nn.Module, x: Tensor, label: Tensor) -> float:
    """Of all gradients, relative to the largest entry of any.

    In float64, where only a different sum would show: in float32 both differ from it by some per cent, since
    a rounded input to a ReLU near zero falls on the other side.
    """
    wanted = rename(gradients(eager, x, label), PUBLISHED_NAMES["pyskl"])
    got = gradients(ours, x, label)
    if got.keys() != wanted.keys():
        raise ValueError(f"the two networks have different parameters: {sorted(got.keys() ^ wanted.keys())}")
    scale = max(grad.abs().max().item() for grad in wanted.values())
    return max((got[name] - wanted[name]).abs().max().item() for name in wanted) / scale


def main() -> None:
    """Measure, print, and write `results/graph_training.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--frames", type=int, default=100)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    eager, ours = build()
    single = torch.randn(asked.clips, 1, asked.frames, 17, 3)
    padded = torch.cat([single, torch.zeros_like(single)], 1)  # as PYSKL pads every clip to two persons
    present = torch.tensor([[True, False]]).expand(asked.clips, -1)
    label = torch.randint(0, CLASSES, (asked.clips,))
    gap = largest_difference(eager, ours, single, label)
    steps = {
        "eager fp32": training_step(eager, eager, single, label, half=False),
        "eager bf16": training_step(eager, eager, single, label, half=True),
        "ours fp32": training_step(ours, ours, single, label, half=False),
        "ours bf16": training_step(ours, ours, single, label, half=True),
        "ours fp32, padded person computed": training_step(ours, ours, padded, label, half=False),
        "ours fp32, padded person left out": training_step(
            lambda x: ours(x, present), ours, padded, label, half=False
        ),
    }
    ms = measure_interleaved(steps, asked.rounds)
    base = ms["eager fp32"]
    float_wanted, half_wanted, person_wanted = 1.3, 2.0, 1.8
    gain = ms["ours fp32, padded person computed"] / ms["ours fp32, padded person left out"]
    report(
        "graph_training",
        [
            Row("ST-GCN++ step, eager fp32", base, "ms"),
            Row("ST-GCN++ step, eager bf16", ms["eager bf16"], "ms", base / ms["eager bf16"]),
            _row("ST-GCN++ step, ours fp32", ms["ours fp32"], base / ms["ours fp32"], float_wanted),
            _row("ST-GCN++ step, ours bf16", ms["ours bf16"], base / ms["ours bf16"], half_wanted),
            Row("two persons, the absent one computed", ms["ours fp32, padded person computed"], "ms"),
            _row("two persons, one absent", ms["ours fp32, padded person left out"], gain, person_wanted),
            Row("gradient difference, float64", gap * 1e9, "1e-9 of largest", None, "< 1", gap < 1e-9),
        ],
    )


def _row(what: str, ms: float, ratio: float, wanted: float) -> Row:
    return Row(what, ms, "ms", ratio, f">= {wanted:g}", ratio >= wanted)


if __name__ == "__main__":
    main()
