"""Networks over frames on a GPU: every precision, orders of memory, resuming."""

from __future__ import annotations

import pytest
import torch
from tests.fidget.training.frame_samples import array_clips, frame_protocol, frame_recipe

from fidget.training.builders import build_input
from fidget.training.loop import train
from fidget.training.run import Machines
from fidget.training.run_directory import read_rows
from skeleton_models.random_keys import clip_keys

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here"),
]
GPU = Machines("cuda")


@pytest.mark.parametrize("channels_last", ["false", "true"])
@pytest.mark.parametrize("precision", ["32", "bf16", "16"])
@pytest.mark.parametrize("name", ["manet_r50", "slowfast_r50"])
def test_trains_in_every_precision_and_order_of_memory(tmp_path, name, precision, channels_last) -> None:
    options = (
        "model.options={base_channels=8, depths=[1, 1, 1, 1]}", "input.frames=8"
    ) if name == "slowfast_r50" else ()  # fmt: skip
    recipe = frame_recipe(
        f"model.name={name}", *options, f"train.precision={precision}", f"train.channels_last={channels_last}"
    )
    summary = train(recipe, array_clips(), frame_protocol(), tmp_path / "run", GPU, say=lambda _: None)
    assert summary["epochs"] == 2 and summary["used"]["device"].startswith("cuda")


def test_batches_are_finished_on_the_gpu_as_on_the_processor() -> None:
    recipe = frame_recipe(
        "augment.brightness=0.3", "augment.hue=0.1", "augment.rand_augment_layers=2",
        "augment.mixup_alpha=0.8", "augment.cutmix_alpha=1.0", "augment.erasing_probability=0.5",
    )  # fmt: skip
    names = [f"clip{n:02d}" for n in range(6)]
    clips = array_clips()
    builder = build_input(recipe, None, "cuda")[0]
    made = builder.batch([clips.read(name) for name in names], clip_keys(0, 0, names))
    assert made.x.is_pinned()
    here, there = builder.finish(made), builder.finish(made.to("cuda", non_blocking=True))
    assert there.x.device.type == "cuda"
    torch.testing.assert_close(there.share.cpu(), here.share)
    different = (there.x.cpu() - here.x).abs() > 0.05
    assert different.float().mean() < 0.01  # a pixel may round to the other side of a threshold


def test_a_run_goes_on_where_it_stopped(tmp_path) -> None:
    recipe = frame_recipe("augment.mixup_alpha=0.8", "train.precision=bf16")
    train(recipe, array_clips(), frame_protocol(), tmp_path / "run", GPU, say=lambda _: None)
    (tmp_path / "run" / "summary.json").unlink()
    said: list[str] = []
    train(recipe, array_clips(), frame_protocol(), tmp_path / "run", GPU, say=said.append)
    assert len(read_rows(tmp_path / "run" / "metrics.csv")) == 2
    assert not any(line.startswith("epoch") for line in said)
