"""The networks over frames on one page: what they cost, counted and published, and how long a step takes.

Run: python -m benchmarks.rgb_models [-o docs/rgb-models.md]      the page, from counts and the CSV
     python -m benchmarks.rgb_models --measure [--rounds 2]       results/rgb_training_steps.csv as well

Parameters and operations are counted on torch's meta device. A step is forward, loss, backward and SGD on two
clips of the published size, on one thread; variants of a network take turns, and medians of CPU time count.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.graph_training import measure_interleaved
from benchmarks.table import RESULTS, Row, report
from rgb_models.model import RgbModel
from rgb_models.zoo import create_model, list_models, preprocessing, published_names

PAGE = Path(__file__).parents[1] / "docs" / "rgb-models.md"
CLASSES = 400  # Kinetics, for which the published counts are
CLIPS = 2  # of a step; GC-TSM normalises over clips, so that one is too few
_MEASURED = ["[!v]*", "videomae_small", "videomae_base"]  # the large ones are for GPUs


class Stated(NamedTuple):
    """What a publication states of a network, and of which size.

    Attributes:
        parameters_m: millions.
        giga_macs: multiply-adds of one view, thousand millions; toolboxes count normalisation layers too.
        frames: of the view.
        size: of the view, pixels.
        classes: of the head.
        where: it is stated.
    """

    parameters_m: float
    giga_macs: float
    frames: int
    size: int
    classes: int
    where: str


class About(NamedTuple):
    """What no program can count.

    Attributes:
        title: the network.
        source: authors, title, venue and year.
        stated: published costs; None where nobody states them.
    """

    title: str
    source: str
    stated: Stated | None


_VIDEOMAE = "Tong et al.: VideoMAE: Masked Autoencoders are Data-Efficient Learners, NeurIPS 2022"
_SWIN = "Liu et al.: Video Swin Transformer, CVPR 2022"

ABOUT: Mapping[str, About] = {
    "c3d": About(
        "C3D",
        "Tran et al.: Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015",
        Stated(78.4, 38.5, 16, 112, 101, "MMAction2"),
    ),
    "gc_tsm_r50": About(
        "GC-TSM",
        "Hao et al.: Group Contextualization for Video Recognition, CVPR 2022",
        None,
    ),
    "i3d_r50": About(
        "I3D, ResNet-50",
        "Carreira and Zisserman: Quo Vadis, Action Recognition?, CVPR 2017",
        Stated(28.0, 43.5, 32, 256, 400, "MMAction2"),
    ),
    "manet_r50": About(
        "MANet",
        "Guo et al.: Benchmarking Micro-action Recognition, TCSVT 2024",
        None,
    ),
    "slowfast_r50": About(
        "SlowFast-R50, 4x16",
        "Feichtenhofer et al.: SlowFast Networks for Video Recognition, ICCV 2019",
        Stated(34.5, 36.3, 32, 256, 400, "MMAction2"),
    ),
    "swin3d_small": About("Video Swin-S", _SWIN, Stated(49.8, 166, 32, 224, 400, "table 1 of the paper")),
    "swin3d_tiny": About("Video Swin-T", _SWIN, Stated(28.2, 88, 32, 224, 400, "table 1 of the paper")),
    "timesformer_base": About(
        "TimeSformer, divided attention",
        "Bertasius et al.: Is Space-Time Attention All You Need for Video Understanding?, ICML 2021",
        Stated(121.4, 196, 8, 224, 400, "table 2 of the paper, MMAction2"),
    ),
    "tin_r50": About(
        "TIN",
        "Shao et al.: Temporal Interlacing Network, AAAI 2020",
        Stated(24.359, 32.966, 8, 224, 400, "MMAction2"),
    ),
    "tsm_r50": About(
        "TSM",
        "Lin et al.: TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019",
        Stated(23.87, 32.88, 8, 224, 174, "MMAction2"),
    ),
    "tsn_r50": About(
        "TSN",
        "Wang et al.: Temporal Segment Networks, ECCV 2016",
        Stated(24.33, 102.7, 25, 224, 400, "MMAction2"),
    ),
    "uniformer_small": About(
        "UniFormer-S",
        "Li et al.: UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning, "
        "ICLR 2022",
        Stated(21.4, 41.8, 16, 224, 400, "table 2 of the paper"),
    ),
    "videomae_base": About("VideoMAE-B", _VIDEOMAE, Stated(87, 180, 16, 224, 400, "table 8 of the paper")),
    "videomae_huge": About("VideoMAE-H", _VIDEOMAE, Stated(633, 1192, 16, 224, 400, "table 8 of the paper")),
    "videomae_large": About("VideoMAE-L", _VIDEOMAE, Stated(305, 597, 16, 224, 400, "table 8 of the paper")),
    "videomae_small": About("VideoMAE-S", _VIDEOMAE, Stated(22, 57, 16, 224, 400, "table 8 of the paper")),
}

_INTRODUCTION = """\
# Networks over frames

This page is written by `python -m benchmarks.rgb_models`; a test compares the two. Step times come from
`benchmarks/results/rgb_training_steps.csv`, which `--measure` writes.

```python
from rgb_models.zoo import create_model, list_models

list_models("*tsm*")  # ["gc_tsm_r50", "tsm_r50"]
model = create_model("manet_r50", num_classes=52, frames=8)
```

Every network takes normalised frames (N, 3, T, H, W). `fidget train RECIPE --videos DIR` uses one through a
recipe: [training.md](training.md). TimeSformer and VideoMAE are those of `transformers`
(`pip install 'fidget[rgb]'`).

## What they cost

With {classes} classes and one view of the published size. Multiply-adds are half of what torch's
`FlopCounterMode` counts, for it counts two operations each; papers call them FLOPs. Convolutions, matrix
products and attention count.
"""


def input_shape(name: str) -> tuple[int, ...]:
    """One view of the published size: (1, 3, T, H, W)."""
    made = preprocessing(name)
    return (1, 3, made.frames, made.size, made.size)


def giga_macs(model: nn.Module, shape: tuple[int, ...]) -> float:
    """Multiply-adds of one forward pass, thousand millions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(shape, device="meta"))
    return counter.get_total_flops() / 2e9


def page(steps: Path = RESULTS / "rgb_training_steps.csv") -> str:
    """The text of docs/rgb-models.md."""
    measured = read_steps(steps)
    lines = [
        "| name | network | view | parameters | G multiply-adds | CPU step | bf16, channels last |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in list_models():
        shape = input_shape(name)
        millions, giga = costs(name, shape, CLASSES)
        cells = [f"`{name}`", ABOUT[name].title, f"{shape[2]} x {shape[3]} x {shape[4]}"]
        cells += [f"{millions:.2f} M", f"{giga:.4g}"]
        cells += [_step(measured.get((name, kind))) for kind in ("fp32", "bf16 channels-last")]
        lines.append(_row(cells))
    parts = [
        _INTRODUCTION.format(classes=CLASSES), "\n".join(lines), "",
        "A step trains on two clips, on one thread of a processor with AVX-512 and bf16 and with other work",
        "beside it: the ratio of the two columns counts.", "",
        "## As published", "",
        "The same counts for the size and the classes that a publication states its own for. MMAction2's",
        "counts hold normalisation and pooling layers too. Nobody states those of the others.",
        "", _stated_table(), "",
        "## Where they come from", "", _source_table(), "",
        "Checkpoints with these names load entry by entry: a name missing or left over is an error.",
        "`fidget train --checkpoint` takes a file, or the name of a weight in `fidget weights list`.",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def costs(name: str, shape: tuple[int, ...], classes: int) -> tuple[float, float]:
    """Million parameters, and thousand million multiply-adds of one view of a shape."""
    with torch.device("meta"):
        fixed = "c3d" in name  # its hidden layers are as large as the frames make them
        model = create_model(name, num_classes=classes, **({} if fixed else {"frames": shape[2]})).eval()
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6, giga_macs(model, shape)


def _stated_table() -> str:
    lines = [
        "| name | view | classes | parameters | published | G multiply-adds | published | by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in list_models():
        stated = ABOUT[name].stated
        if stated is None:
            continue
        shape = (1, 3, stated.frames, stated.size, stated.size)
        millions, giga = costs(name, shape, stated.classes)
        cells = [f"`{name}`", f"{stated.frames} x {stated.size} x {stated.size}", str(stated.classes)]
        cells += [f"{millions:.2f} M", f"{stated.parameters_m:g} M", f"{giga:.4g}", f"{stated.giga_macs:g}"]
        lines.append(_row([*cells, stated.where]))
    return "\n".join(lines)


def _source_table() -> str:
    lines = ["| name | paper | checkpoints of |", "|---|---|---|"]
    for name in list_models():
        toolboxes = ", ".join(f"`{toolbox}`" for toolbox in published_names(name))
        lines.append(_row([f"`{name}`", ABOUT[name].source, toolboxes]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _step(seconds: float | None) -> str:
    return "not measured" if seconds is None else f"{seconds:.2f} s"


def read_steps(path: Path) -> dict[tuple[str, str], float]:
    """(network, kind) -> seconds of a step, from what `--measure` wrote."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["unit"] == "s"]
    found = {}
    for row in rows:
        name, _, kind = row["what"].partition(" step, ")
        found[name, kind] = float(row["value"])
    return found


def training_steps(name: str) -> dict[str, Callable[[], None]]:
    """A step of two clips in float32, and in bf16 with the channels last in memory."""
    steps = {}
    for kind in ("fp32", "bf16 channels-last"):
        model = create_model(name, num_classes=52).train()
        x = torch.rand(CLIPS, *input_shape(name)[1:]) - 0.5
        if "channels-last" in kind:
            _channels_last(model)
            x = x.contiguous(memory_format=torch.channels_last_3d)
        steps[kind] = _step_of(model, x, half="bf16" in kind)
    return steps


def _channels_last(model: nn.Module) -> None:
    """Weights of convolutions with their channels last, in two dimensions and in three."""
    for parameter in model.parameters():
        if parameter.ndim in (4, 5):
            last = torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d
            parameter.data = parameter.data.contiguous(memory_format=last)


def _step_of(model: RgbModel, x: Tensor, half: bool) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    label = torch.zeros(len(x), dtype=torch.int64)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = model(x)
        loss = functional.cross_entropy(logits.float(), label)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def measure(names: list[str], rounds: int) -> None:
    """Print, and write `results/rgb_training_steps.csv`."""
    torch.set_num_threads(1)
    rows = []
    for name in names:
        torch.manual_seed(0)
        found = measure_interleaved(training_steps(name), rounds)  # milliseconds
        base = found["fp32"]
        for kind, ms in found.items():
            ratio = None if kind == "fp32" else base / ms
            rows.append(Row(f"{name} step, {kind}", ms / 1e3, "s", ratio))
        print(f"{name}: {base / 1e3:.2f} s", flush=True)
    report("rgb_training_steps", rows)


def main() -> None:
    """Measure if asked, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    parser.add_argument("--measure", action="store_true", help="take the times of training steps first")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--models",
        nargs="*",
        default=_MEASURED,
        help="patterns of names (default: all but VideoMAE-L and -H)",
    )
    asked = parser.parse_args()
    if asked.measure:
        measure(sorted({name for pattern in asked.models for name in list_models(pattern)}), asked.rounds)
    asked.output.write_text(page(), encoding="utf-8")
    print(asked.output)


if __name__ == "__main__":
    main()
