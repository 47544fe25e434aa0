"""Networks over frames in the training loop: the same promises as over skeletons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from tests.fidget.training.frame_samples import (
    SIDES,
    ArrayClips,
    array_clips,
    frame_protocol,
    frame_recipe,
    frames_of_clip,
)
from tests.fidget.training.training_samples import protocol_of, synthetic_rows, tiny_recipe, write_cache

from fidget.training import loop
from fidget.training.builders import build_input
from fidget.training.data import ClipSet, check_clips
from fidget.training.epoch_data import EpochData
from fidget.training.loop import train
from fidget.training.network import make_network
from fidget.training.prediction import predict
from fidget.training.recipe import DataTable
from fidget.training.run_directory import load_tensors, read_rows
from protocols.label_tree import LabelTree
from protocols.scores import read_scores

RICH = (
    "augment.brightness=0.2", "augment.mixup_alpha=0.8", "augment.rand_augment_layers=1",
    "augment.erasing_probability=0.25", "train.ema_decay=0.9", "loss.label_smoothing=0.1",
)  # fmt: skip


@pytest.fixture(scope="module")
def clips() -> ArrayClips:
    return array_clips()


def _train(clips, run, *overrides: str):
    said: list[str] = []
    summary = train(frame_recipe(*overrides), clips, frame_protocol(), run, say=said.append)
    return summary, said


def _weights(run) -> dict[str, torch.Tensor]:
    return load_tensors(run / "checkpoints" / "last.pt")["model"]


def test_a_run_leaves_what_skeletons_leave(clips, tmp_path) -> None:
    summary, said = _train(clips, tmp_path / "run")
    assert (
        said[0] == "tiny_frames: tsm_r50, 129,163 parameters, 4 frames of 32 px, segment, cpu, precision 32"
    )
    assert summary["used"]["frames"] == "4 frames of 32 px, segment"
    scores = read_scores(tmp_path / "run" / "scores" / "test.parquet")
    assert scores.method == "tiny_frames rgb"
    assert scores.clip_ids == frame_protocol().splits["test"].clip_ids
    assert summary["test"]["top1"] == (scores.scores.argmax(1) == scores.labels).mean()
    assert (tmp_path / "run" / "report.html").exists()


class Stopped(Exception):
    pass


def test_a_stopped_run_resumes_to_the_same_bits(clips, tmp_path, monkeypatch) -> None:
    _train(clips, tmp_path / "straight", *RICH)
    rate, calls = loop.learning_rate_factor, []

    def dying(*arguments: object) -> float:
        calls.append(1)
        if len(calls) == 6:  # three steps an epoch and one for its row: in the middle of the second
            raise Stopped
        return rate(*arguments)

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(loop, "learning_rate_factor", dying)
        _train(clips, tmp_path / "stopped", *RICH)
    assert len(read_rows(tmp_path / "stopped" / "metrics.csv")) == 1
    _, said = _train(clips, tmp_path / "stopped", *RICH)
    assert "resumed after epoch 1" in said
    for name in ("metrics.csv", "scores/val.parquet", "scores/test.parquet"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    expected = _weights(tmp_path / "straight")
    for name, tensor in _weights(tmp_path / "stopped").items():
        assert torch.equal(tensor, expected[name]), name


def test_neither_prefetch_nor_threads_change_a_bit_and_the_seed_does(clips, tmp_path) -> None:
    one = ("train.epochs=1", *RICH)
    _train(clips, tmp_path / "a", *one)
    again, _ = _train(clips, tmp_path / "b", *one, "train.prefetch=1", "input.threads=3")
    _train(clips, tmp_path / "c", *one, "train.seed=5")
    first, second, other = (_weights(tmp_path / run) for run in "abc")
    assert all(torch.equal(tensor, first[name]) for name, tensor in second.items())
    assert not torch.equal(other["model.fc.weight"], first["model.fc.weight"])
    rerun, said = _train(clips, tmp_path / "a", *one, "input.threads=2")  # may change between two calls
    assert rerun["test"] == again["test"] and not any(line.startswith("epoch") for line in said)


def test_mirror_images_take_the_label_of_the_other_side(clips) -> None:
    recipe = frame_recipe("augment.flip_probability=0.5", "train.batch_size=6")
    protocol = frame_protocol()
    sets = check_clips(clips, protocol, recipe.data)
    builder = build_input(recipe, None, "cpu", protocol.tree)[0]
    data = EpochData(recipe, clips, sets["train"], builder, 0, 0, 1)
    order = data._order
    other = np.array([0, 2, 1])
    turned = 0
    for step in range(data.steps):
        batch, labels = data.make(step)
        own = sets["train"].labels[order[6 * step : 6 * step + 6]]
        np.testing.assert_array_equal(labels, np.where(batch.flipped, other[own], own))
        turned += (labels.numpy() != own).sum()
    assert turned


class Sides(torch.nn.Module):
    """Says `move left` of clips that are redder on their left half; never `rest`."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        half = x.shape[-1] // 2
        left, right = x[:, 0, ..., :half].mean((1, 2, 3)), x[:, 0, ..., half:].mean((1, 2, 3))
        return torch.stack([torch.full_like(left, -9), left - right, right - left], 1).log_softmax(1), None


def test_mirrored_views_count_for_the_clips_own_side() -> None:
    pictures = np.zeros((4, 32, 32, 3), np.uint8)
    pictures[:, :, :16] = 255
    clips = ArrayClips({"left": pictures, "right": pictures[:, :, ::-1]})
    clip_set = ClipSet("test", ("left", "right"), np.array([1, 2]))

    def found(tree: LabelTree, *overrides: str) -> np.ndarray:
        builder = build_input(frame_recipe(*overrides), None, "cpu", tree)[2]
        return predict(Fabric(accelerator="cpu"), Sides(), builder, clips, clip_set, 3, 3)

    once, both = found(SIDES), found(SIDES, "eval.test_flip=true")
    np.testing.assert_allclose(both, once, atol=1e-6)
    assert both.argmax(1).tolist() == [1, 2]
    blind = found(LabelTree("plain", ("rest", "a", "b")), "eval.test_flip=true")
    np.testing.assert_allclose(blind[:, 1], blind[:, 2], atol=1e-6)  # without sides each says both


def test_clips_without_a_video_are_counted_and_named(tmp_path) -> None:
    some = {f"clip{n:02d}": frames_of_clip(n) for n in range(18) if n not in (3, 16)}
    clips = ArrayClips(some, failed={"clip03": "clip03.mp4: no frame decodes"})
    with pytest.raises(ValueError) as caught:
        check_clips(clips, frame_protocol(), DataTable())
    message = str(caught.value)
    assert "train: 1 clips whose video cannot be read (clip03: clip03.mp4: no frame decodes)" in message
    assert "test: 1 clips without a video (clip16), or --set data.missing=drop" in message
    summary, _ = _train(clips, tmp_path / "run", "train.epochs=1", "data.missing=drop", "data.failed=drop")
    assert "train: 11 clips, 1 failed left out (clip03)" in summary["data"]
    assert "test: 2 clips, 1 missing left out (clip16)" in summary["data"]


def test_copies_of_training_videos_are_named() -> None:
    clips = {f"clip{n:02d}": frames_of_clip(n) for n in range(18)}
    clips["clip17"] = clips["clip02"]
    sets = check_clips(ArrayClips(clips), frame_protocol(), DataTable())
    assert sets["test"].in_train == ("clip17",) and sets["val"].in_train == ()


def test_poses_for_frames_and_frames_for_poses_are_refused(clips, tmp_path) -> None:
    cache = write_cache(tmp_path / "cache", synthetic_rows(9))
    with pytest.raises(ValueError, match="over frames: expected videos, got a pose cache"):
        train(frame_recipe(), cache, frame_protocol(), tmp_path / "run")
    with pytest.raises(ValueError, match=r"input\.form 'graph'; got videos of memory"):
        train(tiny_recipe(), clips, protocol_of(9), tmp_path / "run")
    with pytest.raises(ValueError, match=r"'tsm_r50' takes frames, but input\.form is 'graph'"):
        train(tiny_recipe("model.name=tsm_r50", "model.options={}"), cache, protocol_of(9), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_flips_that_leave_a_side_without_a_label_are_told(clips, tmp_path) -> None:
    said: list[str] = []
    protocol = frame_protocol()
    tree = LabelTree("one", ("rest", "left hand waves", "nod"))
    train(
        frame_recipe("train.epochs=1"), clips, type(protocol)("one", tree, protocol.splits),
        tmp_path / "run", say=said.append,
    )  # fmt: skip
    assert "mirror images of 1 actions have no label of their own side: left hand waves" in said


@pytest.mark.parametrize(
    "overrides",
    [
        ("train.optimizer='adamw'", "train.precision='bf16'", "train.channels_last=true"),
        ("augment.mixup_alpha=0.8", "augment.cutmix_alpha=1.0", "loss.logit_adjustment=1.0"),
        ("input.sampling='dense'", "input.stride=2", "input.test_crops=3", "eval.test_clips=2"),
        ("model.name='manet_r50'", "train.classifier_rate=5.0", "train.bias_rate=2.0"),
    ],
)
def test_every_switch_runs(clips, tmp_path, overrides) -> None:
    summary, _ = _train(clips, tmp_path / "run", "train.epochs=1", *overrides)
    assert 0 <= summary["test"]["top1"] <= 1


def test_parameters_learn_at_the_rates_that_the_recipe_gives(clips, tmp_path) -> None:
    _train(clips, tmp_path / "run", "train.epochs=1", "train.classifier_rate=1e-9")
    torch.manual_seed(0)
    fresh = make_network(frame_recipe(), None, 3, SIDES, None).state_dict()
    trained = _weights(tmp_path / "run")
    moved = {name: float((trained[name] - fresh[name]).abs().max()) for name in fresh}
    assert moved["model.fc.weight"] < 1e-8 < 1e-5 < moved["model.stages.3.0.conv1.conv.weight"]


@pytest.mark.parametrize("head", ["linear", "tanh"])
def test_features_are_pulled_to_the_labels_vectors(clips, tmp_path, head) -> None:
    np.save(tmp_path / "vectors.npy", np.random.default_rng(0).normal(size=(3, 6)))
    summary, _ = _train(
        clips, tmp_path / "run", "train.epochs=1", f"loss.label_embedding='{tmp_path / 'vectors.npy'}'",
        f"loss.label_embedding_head={head}", "loss.label_embedding_distance=l2",
    )  # fmt: skip
    assert any(name.startswith("embed.") for name in _weights(tmp_path / "run"))
    assert 0 <= summary["test"]["top1"] <= 1
