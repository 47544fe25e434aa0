"""`fidget export` of networks over frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tests.fidget.training.frame_samples import SIDES, frame_recipe
from tests.skeleton_models.graph_checks import shake

from fidget.cli.main import main
from fidget.training.network import ActionNetwork, make_network
from fidget.training.recipe import to_toml
from fidget.training.run_directory import RunDirectory, save_tensors, write_json


def _run(directory: Path, *overrides: str) -> ActionNetwork:
    """What `fidget train` leaves of a network, with made-up weights."""
    recipe = frame_recipe(*overrides)
    network = make_network(recipe, None, 3, SIDES, torch.zeros(3, 5)).eval()
    shake(network)
    directory.mkdir()
    (directory / "recipe.toml").write_text(to_toml(recipe), encoding="utf-8")
    write_json(directory / "environment.json", {"frames": "4 frames of 32 px, segment"})
    run = RunDirectory(directory)
    run.selected.parent.mkdir()
    save_tensors(run.selected, {"model": network.state_dict(), "epoch": 0})
    return network


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("model.name=manet_r50", "loss.label_embedding_head=tanh"),
        ("model.name=gc_tsm_r50", "model.options.width=16"),
    ],
)
def test_networks_over_frames_as_onnx(overrides, tmp_path, capsys) -> None:
    network = _run(tmp_path / "run", *overrides)
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "model.onnx"), "--any-number"]) == 0
    shown = capsys.readouterr().out
    assert "x         (N, C, T, H, W) = (any number, 3, 4, 32, 32), float32" in shown
    x = torch.randn(3, 3, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(["logits"], {"x": x.numpy()})
    with torch.no_grad():
        expected = network.model(x)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_a_network_over_frames_as_a_program(tmp_path, capsys) -> None:
    network = _run(tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "m.pt2"), "--format", "torch"]) == 0
    assert "tsm_r50" in capsys.readouterr().out
    program = torch.export.load(tmp_path / "m.pt2")
    x = torch.randn(1, 3, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(x), network.model(x))


def test_a_checkpoint_of_another_network_is_refused(tmp_path, capsys) -> None:
    _run(tmp_path / "run")
    stored = tmp_path / "run" / "recipe.toml"
    stored.write_text(stored.read_text().replace('"tsm_r50"', '"manet_r50"'))
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "model.onnx")]) == 1
    assert "does not fit its recipe" in capsys.readouterr().err
