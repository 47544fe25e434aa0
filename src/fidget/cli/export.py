"""`fidget export`: the network of a run directory as an ONNX file or a `torch.export` program, checked."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from fidget.training.recipe import Recipe
    from poses.layout import Layout
    from skeleton_models.model import SkeletonModel

_EPILOG = """\
examples:
  fidget export runs/stgcnpp-nw_ucla-seed0 -o model.onnx
  fidget export runs/stgcnpp-nw_ucla-seed0 -o model.onnx --any-number
  fidget export runs/posec3d-ntu60-seed0 -o model.pt2 --format torch

The weights are those that were measured (checkpoints/selected.pt). The file takes x as the recipe's input
makes it in evaluation, in float32, and gives logits; every person is computed, those who are not there too.
Frames are red first and normalised with the recipe's mean and std of pixel values.
It is written only where its logits equal the network's on made-up input to 1e-4 of the largest.
Exit status: 0 written, 1 something failed, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "export",
        help="a run's network as an ONNX file or a torch.export program",
        description="Write a run's network as an ONNX file or a torch.export program.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="directory of a trained run")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where it goes")
    parser.add_argument("--format", choices=("onnx", "torch"), default="onnx", help="default: onnx")
    parser.add_argument(
        "--any-number", action="store_true", help="take any number of clips at once, not one (onnx only)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, and say what was compared.

    Raises:
        UsageError: no run lies there, or the options do not fit each other.
        ValueError: the run's files do not fit together, or the network cannot be exported.
    """
    from fidget.cli.usage import UsageError

    if args.any_number and args.format != "onnx":
        raise UsageError("--any-number is for --format onnx; a torch program takes one clip")
    if not (args.run_directory / "recipe.toml").exists():
        raise UsageError(
            f"{args.run_directory} holds no recipe.toml; give a directory that fidget train made"
        )
    from fidget.training.recipe import parse_recipe
    from fidget.training.run_directory import RunDirectory

    directory = RunDirectory(args.run_directory)
    stored = directory.path / "recipe.toml"
    recipe = parse_recipe(stored.read_text(encoding="utf-8"), str(stored))
    if not directory.selected.exists():
        raise ValueError(
            f"{directory.selected} is missing; train on: fidget train with the same recipe and -o "
            f"{directory.path}"
        )
    model: Any
    if recipe.input.form == "frames":
        model, x, position = _of_frames(recipe, directory.selected), _frames(recipe), None
    else:
        layout = _layout(directory.path)
        model, in_channels = _network(recipe, layout, directory.selected)
        x, position = _example(recipe, layout, in_channels, model.takes_position)
    _write(args, model, x, position)
    _tell(args, recipe, model, x, position)
    return 0


def _layout(directory: Path) -> Layout:
    import json

    from poses.layout import get_layout

    file = directory / "environment.json"
    name = json.loads(file.read_text(encoding="utf-8")).get("layout")
    if not name:
        raise ValueError(f"{file} names no layout; the run was made by an older fidget: train it again")
    return get_layout(name)


def _network(recipe: Recipe, layout: Layout, checkpoint: Path) -> tuple[SkeletonModel, int]:
    """The network with its weights, and its `in_channels`: whether joints had 2 or 3 axes, the weights know.

    The projection onto label embeddings stays behind; it is of use in training only.
    """
    from fidget.training.builders import build_input
    from fidget.training.network import make_network
    from fidget.training.run_directory import load_tensors
    from protocols.label_tree import LabelTree
    from weights.checkpoint import load_exactly

    stored: dict[str, Tensor] = load_tensors(checkpoint)["model"]
    state = {name[6:]: tensor for name, tensor in stored.items() if name.startswith("model.")}
    builder = build_input(recipe, layout)[2]
    flat = recipe.model_copy(update={"loss": recipe.loss.model_copy(update={"soft_hierarchy": False})})
    refused = None
    for in_channels in dict.fromkeys(builder.channels(dimensions) for dimensions in (2, 3)):
        model: Any = make_network(flat, layout, in_channels, LabelTree("any", ("one",)), None).model
        head = next(name for name, module in model.named_modules() if module is model.get_classifier())
        if f"{head}.bias" in state:
            model.reset_classifier(len(state[f"{head}.bias"]))
        try:
            load_exactly(model, state)
        except ValueError as error:
            refused = error
        else:
            return model, in_channels
    raise ValueError(f"{checkpoint} does not fit its recipe: {refused}") from refused


def _of_frames(recipe: Recipe, checkpoint: Path) -> Any:
    """A network over frames with its weights, called as those over skeletons are."""
    import torch

    from fidget.training.network import make_network
    from fidget.training.run_directory import load_tensors
    from protocols.label_tree import LabelTree
    from weights.checkpoint import load_exactly

    class _Frames(torch.nn.Module):
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor, present: object = None, position: object = None) -> Tensor:
            logits: Tensor = self.model(x)
            return logits

    stored: dict[str, Tensor] = load_tensors(checkpoint)["model"]
    state = {name[6:]: tensor for name, tensor in stored.items() if name.startswith("model.")}
    flat = recipe.model_copy(update={"loss": recipe.loss.model_copy(update={"soft_hierarchy": False})})
    model: Any = make_network(flat, None, 3, LabelTree("any", ("one",)), None).model
    head = next(name for name, module in model.named_modules() if module is model.get_classifier())
    if f"{head}.bias" in state:
        model.reset_classifier(len(state[f"{head}.bias"]))
    try:
        load_exactly(model, state)
    except ValueError as error:
        raise ValueError(f"{checkpoint} does not fit its recipe: {error}") from error
    wrapped: Any = _Frames(model)
    wrapped.num_classes = model.num_classes
    return wrapped


def _frames(recipe: Recipe) -> Tensor:
    """One clip of noise, (1, 3, T, H, W), of the sizes that the recipe's input has in evaluation."""
    import torch

    from fidget.training.builders import build_input
    from fidget.training.frame_batches import FrameBatches

    builder = build_input(recipe, None)[2]
    assert isinstance(builder, FrameBatches)
    size = builder.preprocessing.size
    return torch.randn(1, 3, builder.frames, size, size, generator=torch.Generator().manual_seed(0))


def _example(
    recipe: Recipe, layout: Layout, in_channels: int, takes_position: bool
) -> tuple[Tensor, Tensor | None]:
    """One clip of numbers in 0..1, of the sizes that the recipe's input has in evaluation."""
    import torch

    from fidget.training.builders import HeatmapBatches, build_input

    batches: Any = build_input(recipe, layout)[2]
    builder = batches.builder
    if isinstance(batches, HeatmapBatches):
        shape = (1, in_channels, builder.frames, *builder.test_size_hw)  # (N, C, T, H, W)
    else:
        shape = (1, builder.persons, builder.frames, len(layout.joints), in_channels)  # (N, M, T, V, C)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return x, torch.linspace(-1, 1, builder.frames)[None] if takes_position else None


def _write(args: argparse.Namespace, model: SkeletonModel, x: Tensor, position: Tensor | None) -> None:
    from poses.whole_file import replacing
    from skeleton_models.export import export_onnx, export_program

    if args.format == "onnx":
        export_onnx(model, x, args.output, position=position, any_batch=args.any_number)
        return
    import torch

    program = export_program(model, x, position=position)
    with replacing(args.output) as part, open(part, "wb") as file:
        torch.export.save(program, file)


def _tell(
    args: argparse.Namespace, recipe: Recipe, model: SkeletonModel, x: Tensor, position: Tensor | None
) -> None:
    from skeleton_models.export import LARGEST_DIFFERENCE

    first = "any number" if args.any_number else "1"
    axes = ", ".join([first, *(str(size) for size in x.shape[1:])])
    letters = "(N, M, T, V, C)" if recipe.input.form == "graph" else "(N, C, T, H, W)"
    print(f"{args.output}: {recipe.model.name}, {args.output.stat().st_size / 1e6:.1f} MB")
    print(f"  x         {letters} = ({axes}), float32")
    if position is not None:
        print(f"  position  (N, T) = ({first}, {position.shape[1]}), float32, -1 to 1 over the clip")
    groups = "; groups come before the actions" if recipe.loss.soft_hierarchy else ""
    print(f"  logits    (N, {model.num_classes}){groups}")
    tried = "1 and of 2 clips" if args.any_number else "1 clip"
    print(
        f"compared with the network on made-up input of {tried}: the logits differ by less than "
        f"{LARGEST_DIFFERENCE:g} of the largest"
    )
