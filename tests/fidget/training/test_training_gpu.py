"""Training on a GPU: every precision, graphs and volumes, resuming, too little memory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fidget.training.training_samples import (
    protocol_of,
    synthetic_rows,
    tiny_recipe,
    write_cache,
)

from fidget.training.loop import train
from fidget.training.recipe import parse_recipe
from fidget.training.run import Machines
from fidget.training.run_directory import read_rows
from protocols.scores import read_scores

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here"),
]

_VOLUMES = """
name = "tiny_volumes"
[model]
name = "posec3d_c3d_small"
options = { base_channels = 4, num_stages = 2 }
[input]
form = "heatmap"
frames = 8
size_hw = [16, 16]
dtype = "uint8"
[train]
epochs = 2
batch_size = 4
learning_rate = 0.01
[eval]
test_clips = 2
test_flip = true
"""
GPU = Machines("cuda")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return write_cache(tmp_path_factory.mktemp("synthetic") / "cache", synthetic_rows())


@pytest.mark.parametrize("precision", ["32", "bf16", "16"])
def test_trains_in_every_precision_and_says_where(cache: Path, tmp_path: Path, precision: str) -> None:
    recipe = tiny_recipe(f"train.precision={precision}")
    summary = train(recipe, cache, protocol_of(), tmp_path / "run", GPU)
    assert summary["epochs"] == 3
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert (
        environment["device"].startswith("cuda:0 (")
        and torch.cuda.get_device_name(0) in environment["device"]
    )
    losses = [row["train_loss"] for row in read_rows(tmp_path / "run" / "metrics.csv")]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_the_first_steps_are_those_of_the_processor(cache: Path, tmp_path: Path) -> None:
    scores = []
    for device in ("cpu", "cuda"):
        recipe = tiny_recipe("train.epochs=1", "model.options.dropout=0")
        train(recipe, cache, protocol_of(), tmp_path / device, Machines(device))
        scores.append(read_scores(tmp_path / device / "scores" / "test.parquet").scores)
    np.testing.assert_allclose(scores[1], scores[0], atol=5e-3)


@pytest.mark.parametrize("render", ["cpu", "device"])
def test_volumes_drawn_here_or_there_train_alike(cache: Path, tmp_path: Path, render: str) -> None:
    recipe = parse_recipe(_VOLUMES, "tiny_volumes", (f"input.render={render}", "train.precision=bf16"))
    train(recipe, cache, protocol_of(), tmp_path / "run", GPU)
    scores = read_scores(tmp_path / "run" / "scores" / "test.parquet")
    assert np.isfinite(scores.scores).all()


def test_volumes_drawn_on_the_gpu_give_the_scores_of_those_drawn_by_the_processor(
    cache: Path, tmp_path: Path
) -> None:
    found = []
    for render in ("cpu", "device"):
        recipe = parse_recipe(_VOLUMES, "tiny_volumes", (f"input.render={render}", "train.epochs=1"))
        train(recipe, cache, protocol_of(), tmp_path / render, GPU)
        found.append(read_scores(tmp_path / render / "scores" / "test.parquet").scores)
    np.testing.assert_allclose(found[0], found[1], atol=5e-3)


def test_a_finished_epoch_is_not_trained_again(cache: Path, tmp_path: Path) -> None:
    train(tiny_recipe("train.epochs=2"), cache, protocol_of(), tmp_path / "run", GPU)
    before = (tmp_path / "run" / "timing.csv").read_text()
    said: list[str] = []
    train(tiny_recipe("train.epochs=2"), cache, protocol_of(), tmp_path / "run", GPU, say=said.append)
    assert (tmp_path / "run" / "timing.csv").read_text() == before


def test_too_little_memory_is_one_line_that_names_a_batch_size(cache: Path, tmp_path: Path) -> None:
    torch.cuda.set_per_process_memory_fraction(0.001)
    wide = "model.options={base_channels=2048, num_stages=3, inflate_stages=[2], down_stages=[3]}"
    try:
        with pytest.raises(ValueError, match=re.escape("try --set train.batch_size=6")):
            train(tiny_recipe("train.batch_size=12", wide), cache, protocol_of(), tmp_path / "run", GPU)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
