"""Every network of the zoo on one page: where it comes from, what it costs, which checkpoints load.

Run: python -m benchmarks.models [-o docs/models.md]

Parameters and operations are counted, papers and differences are listed here, recipes are looked up. The
count runs on torch's meta device, so nothing is computed.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from fidget.training.recipe import Recipe, load_recipe, stream_recipes
from fidget.training.recipe_files import shipped_recipes
from poses.layout import get_layout
from skeleton_models.model import SkeletonModel
from skeleton_models.zoo import create_model, list_models

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
LAYOUT = "coco17"
CLASSES = 60


class About(NamedTuple):
    """What no program can count.

    Attributes:
        title: the network, in its paper's words.
        source: authors, title, venue and year.
        differs: from the public code.
    """

    title: str
    source: str
    differs: str


_POSEC3D = "Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022"
_SKATEFORMER = (
    "Do and Kim: SkateFormer: Skeletal-Temporal Transformer for Human Action Recognition, ECCV 2024"
)
_EQUAL = "nothing"

ABOUT: Mapping[str, About] = {
    "aagcn": About(
        "AAGCN",
        "Shi et al.: Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph "
        "Convolutional Networks, TIP 2020",
        "nothing; the three gates of a block are applied in one product",
    ),
    "agcn": About(
        "2s-AGCN, one stream",
        "Shi et al.: Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action "
        "Recognition, CVPR 2019",
        "its NTU graph hangs the thumbs on the hand tips, `ntu25` on the hands; for its checkpoints pass a "
        "layout with those parents (`dataclasses.replace`)",
    ),
    "ctrgcn": About(
        "CTR-GCN",
        "Chen et al.: Channel-wise Topology Refinement Graph Convolution for "
        "Skeleton-Based Action Recognition, ICCV 2021",
        "nothing; authors' code and PYSKL's differ from each other, `convention` chooses",
    ),
    "ddnet": About(
        "DD-Net",
        "Yang et al.: Make Skeleton-based Action Recognition Model Smaller, Faster and Better, "
        "ACM MM Asia 2019",
        'distances and motion are computed in the network; `norm="channels"` is the authors\' Keras code, '
        '`"frames"` the PyTorch port',
    ),
    "dgstgcn": About(
        "DG-STGCN",
        "Duan et al.: DG-STGCN: Dynamic Spatial-Temporal Modeling for Skeleton-based Action "
        "Recognition, 2022",
        "nothing up to 25 joints; more joints have weights of their own, where PYSKL has 25",
    ),
    "mmn": About(
        "MMN",
        "Gu et al.: Motion Matters: Motion-guided Modulation Network for Skeleton-based Micro-Action "
        "Recognition, ACM MM 2025",
        "the default follows the paper: motion is passed between joints, modulated features are what is "
        "aggregated, a layer norm follows; `as_released=True` is the code",
    ),
    "msg3d": About(
        "MS-G3D",
        "Liu et al.: Disentangling and Unifying Graph Convolutions for Skeleton-Based "
        "Action Recognition, CVPR 2020",
        "nothing; authors' code and PYSKL's differ from each other, `convention` chooses; a residual of "
        "PYSKL's that is always zero is left out",
    ),
    "posec3d_c3d_light": About("PoseC3D, C3D-light", _POSEC3D, _EQUAL),
    "posec3d_c3d_small": About(
        "PoseC3D, C3D-light at half width", _POSEC3D, "ours, not published: half as wide, for two CPU cores"
    ),
    "posec3d_slowonly_r50": About("PoseC3D, SlowOnly-R50", _POSEC3D, _EQUAL),
    "posec3d_x3d_shallow": About(
        "PoseC3D, X3D-shallow", _POSEC3D, "nothing; depthwise 3D convolutions are sums of 2D ones"
    ),
    "rgbpose_conv3d_pose": About(
        "RGBPose-Conv3D, pose path",
        _POSEC3D,
        "the pose path alone: what the two-stream network computes where nothing comes from the RGB path; "
        "`select_pose_path` takes it out of a two-stream checkpoint",
    ),
    "sgn": About(
        "SGN",
        "Zhang et al.: Semantics-Guided Neural Networks for Efficient Skeleton-Based "
        "Human Action Recognition, CVPR 2020",
        "nothing; authors' code and PYSKL's differ from each other, `convention` chooses",
    ),
    "skateformer": About(
        "SkateFormer",
        _SKATEFORMER,
        "the bias for frames apart lies where the paper has it; `as_released=True` is the code, whose table "
        "is repeated in another order than its tokens",
    ),
    "skateformer_small": About(
        "SkateFormer, small", _SKATEFORMER, "ours, not published: half as wide and half as deep"
    ),
    "stgcn": About(
        "ST-GCN",
        "Yan et al.: Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action "
        "Recognition, AAAI 2018",
        "nothing; the graph is applied before the 1x1 convolution",
    ),
    "stgcnpp": About(
        "ST-GCN++",
        "Duan et al.: PYSKL: Towards Good Practices for Skeleton Action Recognition, ACM MM 2022",
        "nothing; the graph is applied before the 1x1 convolution, pointwise branches are one product",
    ),
}

_TWO_PERSONS = {"data_bn": "MVC", "persons": 2}

# Options of a network that takes a toolbox's checkpoint, where they are not the defaults.
OPTIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("aagcn", "pyskl"): _TWO_PERSONS,
    ("aagcn", "mmaction2"): _TWO_PERSONS,
    ("aagcn", "original"): _TWO_PERSONS,
    ("agcn", "original_agcn"): _TWO_PERSONS,
    ("ctrgcn", "original"): _TWO_PERSONS,
    ("ctrgcn", "pyskl"): {"convention": "pyskl", **_TWO_PERSONS},
    ("ctrgcn", "mmaction2"): {"convention": "pyskl", **_TWO_PERSONS},
    ("ddnet", "original"): {"norm": "frames"},
    ("dgstgcn", "pyskl"): {},
    ("mmn", "mmn"): {"as_released": True},
    ("msg3d", "original"): _TWO_PERSONS,
    ("msg3d", "pyskl"): {"convention": "pyskl", **_TWO_PERSONS},
    ("msg3d", "mmaction2"): {"convention": "pyskl", **_TWO_PERSONS},
    ("posec3d_c3d_light", "pyskl"): {},
    ("posec3d_slowonly_r50", "pyskl"): {},
    ("posec3d_slowonly_r50", "mmaction2"): {},
    ("posec3d_x3d_shallow", "pyskl"): {},
    ("rgbpose_conv3d_pose", "pyskl"): {},
    ("rgbpose_conv3d_pose", "mmaction2"): {},
    ("sgn", "original"): {},
    ("sgn", "pyskl"): {"convention": "pyskl", "frames": 30},
    ("skateformer", "skateformer"): {"as_released": True, "persons": 2},
    ("stgcn", "pyskl"): {},
    ("stgcn", "mmaction2"): {},
    ("stgcn", "original"): {"shared_graph": True},
    ("stgcnpp", "pyskl"): {},
    ("stgcnpp", "mmaction2"): {},
}

_INTRODUCTION = """\
# Skeleton networks

This page is written by `python -m benchmarks.models`; a test compares the two.

```python
from skeleton_models.zoo import create_model, list_models

list_models("stgcn*")  # ["stgcn", "stgcnpp"]
model = create_model("stgcnpp", num_classes=52, layout="coco17", in_channels=2)
```

Every network takes any joint layout, or a part of one such as `coco_wholebody133/micro44`, and any number
of persons; the confidence of a joint is one more channel. Graph networks take (N, M, T, V, C) joints,
heatmap networks (N, C, T, H, W) volumes of joints or limbs. Absent persons are not computed; the published
code computes padded ones, and so does `present=None`. `fidget train` uses a network through a recipe:
[training.md](training.md).

## What they cost

One clip with one person, {classes} classes, `{layout}` joints of two coordinates, the frames and the map
size of the recipe named. Operations are counted by torch's `FlopCounterMode`: convolutions and matrix
products, two operations a multiply-add. A second person about doubles the figure of a graph network and
changes nothing for a heatmap network.
"""

_CHECKPOINTS = """\
## Published checkpoints

These load entry by entry: a name that is missing or left over is an error. `fidget train --checkpoint FILE`
finds out by itself whose names a file has. The options are those that shapes or results depend on, beside
the sizes that the checkpoint was trained with (layout, classes, channels, frames, width).

With `data_bn="MVC"`, `persons` is the number of persons of the checkpoint's own training: 2 for NTU, 1 for
CTR-GCN's Northwestern-UCLA. SkateFormer's for Northwestern-UCLA has `mlp_ratio=1.0` and one person. PYSKL's
and MMAction2's AGCN is `aagcn` with `attention=False`. A checkpoint of both paths of RGBPose-Conv3D goes
through `rgbpose_conv3d.select_pose_path` first.
"""

_SOURCES = """\
## Where they come from

"Nothing": the same weights give the same logits as the published code, to 1e-5; a test compares them.
"""


def usual_recipe(name: str) -> str:
    """The shipped recipe of a network: the one of its name, else the first that uses it."""
    users = [recipe for recipe, text in shipped_recipes().items() if _model_of(text) == name]
    return name if name in users else users[0]


def _model_of(recipe: str) -> str:
    return str(tomllib.loads(recipe)["model"]["name"])


def usual_input(recipe: Recipe) -> tuple[int, ...]:
    """Shape of one clip of `LAYOUT`: one person in two dimensions, or the maps of one stream."""
    layout = get_layout(LAYOUT)
    first = next(iter(stream_recipes(recipe).values())).input
    if first.form == "heatmap":
        limbs = first.streams[0] == "limb"
        return (1, len(layout.limbs if limbs else layout.joints), first.frames, *first.size_hw)
    channels = len(first.streams) * (2 + first.confidence)
    return (1, 1, first.frames, len(layout.joints), channels)


def build(name: str, recipe: Recipe) -> SkeletonModel:
    """The network as its recipe builds it, on the meta device, in evaluation."""
    shape = usual_input(recipe)
    channels = shape[-1] if recipe.input.form == "graph" else shape[1]
    options = dict(recipe.model.options)
    model = create_model(name, num_classes=CLASSES, layout=LAYOUT, in_channels=channels, **options)
    return model.to("meta").eval()


def giga_operations(model: SkeletonModel, shape: tuple[int, ...]) -> float:
    """GFLOPs of one forward pass, two operations a multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(shape, device="meta"))
    return counter.get_total_flops() / 1e9


def page() -> str:
    """The text of docs/models.md."""
    head = _INTRODUCTION.format(classes=CLASSES, layout=LAYOUT)
    parts = [head, _cost_table(), _CHECKPOINTS, _checkpoint_table(), _SOURCES, _source_table()]
    return "\n".join(parts)


def _cost_table() -> str:
    lines = [
        "| name | network | input | at | recipe | parameters | GFLOPs |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in list_models():
        recipe = load_recipe(usual_recipe(name))
        model, shape = build(name, recipe), usual_input(recipe)
        size = f"{recipe.input.frames} frames"
        if recipe.input.form == "heatmap":
            size += f", {shape[-2]} x {shape[-1]}"
        parameters = sum(parameter.numel() for parameter in model.parameters())
        cells = [f"`{name}`", ABOUT[name].title, model.input_kind, size, f"`{usual_recipe(name)}`"]
        cells += [f"{parameters / 1e6:.2f} M", f"{giga_operations(model, shape):.3g}"]
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _checkpoint_table() -> str:
    lines = ["| name | names of | options |", "|---|---|---|"]
    for (name, toolbox), options in OPTIONS.items():
        told = ", ".join(f"{key}={_told(value)}" for key, value in options.items())
        lines.append(_row([f"`{name}`", f"`{toolbox}`", f"`{told}`" if told else ""]))
    return "\n".join(lines) + "\n"


def _told(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _source_table() -> str:
    lines = ["| name | paper | differs from the public code |", "|---|---|---|"]
    lines += [_row([f"`{name}`", ABOUT[name].source, ABOUT[name].differs]) for name in list_models()]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    path = parser.parse_args().output
    path.write_text(page(), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
