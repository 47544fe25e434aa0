"""`fidget export`: a run directory becomes a file that computes what the trained network computes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tests.fidget.training.training_samples import RECIPE, TREE
from tests.skeleton_models.graph_checks import shake

from fidget.cli.main import main
from fidget.training.builders import build_input
from fidget.training.network import ActionNetwork, make_network
from fidget.training.recipe import Recipe, parse_recipe, to_toml
from fidget.training.run_directory import RunDirectory, save_tensors, write_json
from poses.layout import get_layout

COCO = get_layout("coco17")
VOLUMES = """
name = "tiny volumes"
[model]
name = "posec3d_slowonly_r50"
[model.options]
base_channels = 4
stage_blocks = [1]
temporal = [true]
spatial_strides = [2]
temporal_strides = [2]
[input]
form = "heatmap"
frames = 4
size_hw = [16, 16]
streams = ["joint"]
[train]
epochs = 1
batch_size = 2
learning_rate = 0.1
"""


def make_run(
    directory: Path, text: str, dimensions: int = 2, *overrides: str
) -> tuple[Recipe, ActionNetwork]:
    """What `fidget train` leaves of a network, with made-up weights."""
    recipe = parse_recipe(text, "tiny", overrides)
    channels = build_input(recipe, COCO)[0].channels(dimensions)
    network = make_network(recipe, COCO, channels, TREE, torch.zeros(3, 5)).eval()
    shake(network)
    directory.mkdir()
    (directory / "recipe.toml").write_text(to_toml(recipe), encoding="utf-8")
    write_json(directory / "environment.json", {"layout": "coco17"})
    run = RunDirectory(directory)
    run.selected.parent.mkdir()
    save_tensors(run.selected, {"model": network.state_dict(), "epoch": 0})
    return recipe, network


def equal(got: np.ndarray, network: ActionNetwork, x: torch.Tensor) -> None:
    with torch.no_grad():
        expected = network.model(x)
    torch.testing.assert_close(
        torch.from_numpy(got), expected, rtol=0, atol=1e-4 * expected.abs().max().item()
    )


def onnx(file: Path, x: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"x": x.numpy()})
    return np.asarray(logits)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_graph_network_as_onnx(dimensions: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, network = make_run(tmp_path / "run", RECIPE, dimensions, "input.persons=2")
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "model.onnx")]) == 0
    x = torch.rand(1, 2, 8, 17, dimensions)
    equal(onnx(tmp_path / "model.onnx", x), network, x)
    said = capsys.readouterr().out
    assert f"(1, 2, 8, 17, {dimensions}), float32" in said
    assert "logits    (N, 3)\n" in said
    assert "differ by less than 0.0001 of the largest" in said


def test_pose_tokens_as_onnx(tmp_path: Path) -> None:
    options = 'model.options={tokens = "parts", token_width = 8, width = 16}'
    _, network = make_run(tmp_path / "run", RECIPE, 2, "model.name=pose_tokens", options, "input.persons=1")
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "model.onnx"), "--any-number"]) == 0
    x = torch.rand(3, 1, 8, 17, 2)
    equal(onnx(tmp_path / "model.onnx", x), network, x)


def test_volumes_of_any_number_of_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, network = make_run(tmp_path / "run", VOLUMES, 2, "loss.soft_hierarchy=true")
    file = tmp_path / "model.onnx"
    assert main(["export", str(tmp_path / "run"), "-o", str(file), "--any-number"]) == 0
    x = torch.rand(3, 17, 4, 18, 18)  # larger than in training
    equal(onnx(file, x), network, x)
    said = capsys.readouterr().out
    assert "(any number, 17, 4, 18, 18)" in said
    assert "(N, 5); groups come before the actions" in said


def test_torch_program(tmp_path: Path) -> None:
    _, network = make_run(tmp_path / "run", VOLUMES)
    file = tmp_path / "model.pt2"
    assert main(["export", str(tmp_path / "run"), "-o", str(file), "--format", "torch"]) == 0
    x = torch.rand(1, 17, 4, 18, 18)
    equal(torch.export.load(file).module()(x).detach().numpy(), network, x)


def test_wrong_usage_and_broken_runs_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "model.onnx"

    def refused(*more: str) -> tuple[int, str]:
        status = main(["export", str(tmp_path / "run"), "-o", str(output), *more])
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and not output.exists()
        return status, said

    status, said = refused()
    assert status == 2 and "holds no recipe.toml" in said
    status, said = refused("--any-number", "--format", "torch")
    assert status == 2 and "--any-number is for --format onnx" in said

    make_run(tmp_path / "run", VOLUMES)
    recipe = tmp_path / "run" / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("base_channels = 4", "base_channels = 8"), encoding="utf-8")
    status, said = refused()
    assert status == 1 and "selected.pt does not fit its recipe" in said
    recipe.write_text(text, encoding="utf-8")
    environment = tmp_path / "run" / "environment.json"
    environment.write_text(json.dumps({}), encoding="utf-8")
    status, said = refused()
    assert status == 1 and "names no layout" in said
    (tmp_path / "run" / "checkpoints" / "selected.pt").unlink()
    status, said = refused()
    assert status == 1 and "selected.pt is missing" in said
