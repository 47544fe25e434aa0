"""A training step of PoseC3D's SlowOnly-R50 against the eager module, same weights, same numbers.

One thread; the variants take turns, and medians of CPU time are compared, so that neighbours on the machine
weigh on all alike. A step is forward, loss, backward and SGD with momentum; no dropout, so that both networks
compute the same. Beside it X3D-shallow's depthwise convolution alone, forward and backward, against conv3d.

Run: python -m benchmarks.posec3d_training [--rounds 3] [--clips 4]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.eager_slowonly import EagerSlowOnly
from benchmarks.graph_training import measure_interleaved, training_step
from benchmarks.table import Row, report
from poses.layout import get_layout
from skeleton_models.posec3d import PUBLISHED_NAMES, SlowOnly, posec3d_slowonly_r50
from skeleton_models.volume_network import convolve
from weights.checkpoint import load_exactly, rename

CLASSES = 60
FRAMES, PIXELS = 48, 56


def build() -> tuple[EagerSlowOnly, SlowOnly]:
    """The eager module and ours, with the same weights."""
    eager = EagerSlowOnly(CLASSES, dropout=0.0)
    ours = posec3d_slowonly_r50(num_classes=CLASSES, layout=get_layout("coco17"), dropout=0.0)
    load_exactly(ours, rename(eager.state_dict(), PUBLISHED_NAMES["pyskl"]))
    return eager, ours


def depthwise_steps(half: bool) -> dict[str, Callable[[], None]]:
    """X3D-shallow's depthwise 3x3x3 of its second stage, forward and backward: conv3d, and ours."""
    dtype = torch.bfloat16 if half else torch.float32
    x = torch.randn(2, 108, FRAMES, 14, 14, dtype=dtype, requires_grad=True)  # (N, C, T, H, W)
    last = x.detach().permute(0, 2, 3, 4, 1).contiguous().requires_grad_()  # (N, T, H, W, C)
    weight = torch.randn(108, 1, 3, 3, 3, dtype=dtype, requires_grad=True)

    def backward(out: Tensor) -> None:
        out.backward(torch.ones_like(out))  # type: ignore[no-untyped-call]

    name = "bf16" if half else "fp32"
    return {
        f"depthwise conv3d {name}": lambda: backward(functional.conv3d(x, weight, padding=1, groups=108)),
        f"depthwise ours {name}": lambda: backward(convolve(last, weight, groups=108)),
    }


def main() -> None:
    """Measure, print, and write `results/posec3d_training.csv`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clips", type=int, default=4)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    eager, ours = build()
    x = torch.rand(asked.clips, 17, FRAMES, PIXELS, PIXELS)
    label = torch.randint(0, CLASSES, (asked.clips,))
    with torch.no_grad():
        losses = [functional.cross_entropy(net.train()(x), label).item() for net in (eager, ours)]
    gap = abs(losses[1] - losses[0]) / losses[0]
    steps = {
        "eager fp32": training_step(eager, eager, x, label, half=False),
        "eager bf16": training_step(eager, eager, x, label, half=True),
        "ours fp32": training_step(ours, ours, x, label, half=False),
        "ours bf16": training_step(ours, ours, x, label, half=True),
        **depthwise_steps(half=False),
        **depthwise_steps(half=True),
    }
    ms = measure_interleaved(steps, asked.rounds)
    base = ms["eager fp32"]
    rows = [
        Row(f"SlowOnly step of {asked.clips} clips, eager fp32", base, "ms"),
        Row("SlowOnly step, eager bf16", ms["eager bf16"], "ms", base / ms["eager bf16"]),
        _row("SlowOnly step, ours fp32", ms["ours fp32"], base, 1.3),
        _row("SlowOnly step, ours bf16", ms["ours bf16"], base, 4.0),
    ]
    for kind in ("fp32", "bf16"):
        plain, own = ms[f"depthwise conv3d {kind}"], ms[f"depthwise ours {kind}"]
        rows.append(Row(f"X3D depthwise 3x3x3, conv3d {kind}", plain, "ms"))
        rows.append(Row(f"X3D depthwise 3x3x3, ours {kind}", own, "ms", plain / own))
    rows.append(Row("loss difference, fp32, training mode", gap, "of the loss", None, "< 1e-5", gap < 1e-5))
    report("posec3d_training", rows)


def _row(what: str, ms: float, base: float, wanted: float) -> Row:
    return Row(what, ms, "ms", base / ms, f">= {wanted:g}", base / ms >= wanted)


if __name__ == "__main__":
    main()
