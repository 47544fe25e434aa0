from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from tests.fidget.training.training_samples import synthetic_rows, tiny_recipe, write_cache
from torch import nn

from fidget.training.builders import build_input
from fidget.training.data import ClipSet, PoseClips
from fidget.training.prediction import measures, predict
from skeleton_models import heatmap_input

_VIEWS = ("eval.test_clips=10", "eval.test_flip=true")
_HEATMAP = "input={form='heatmap', frames=4, size_hw=[14, 14]}"


class _Watched(nn.Module):
    """Log-probabilities of three actions, different for every view; remembers the rows it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []

    def forward(self, x, present, position):
        assert present is None or len(present) == len(x)
        self.rows.append(len(x))
        spread = x.flatten(1).float()
        weight = torch.linspace(-1, 1, 3 * spread.shape[1]).reshape(spread.shape[1], 3).sin()
        return (spread @ weight).log_softmax(1), None


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> PoseClips:
    return PoseClips(write_cache(tmp_path_factory.mktemp("prediction") / "cache", synthetic_rows(4)))


def _predicted(clips: PoseClips, views_at_once: int, *overrides: str):
    builder = build_input(tiny_recipe(*overrides), clips.layout)[2]
    clip_set = ClipSet("test", tuple(f"clip0{n}" for n in range(4)), np.array([0, 1, 2, 0]))
    network = _Watched()
    return predict(Fabric(accelerator="cpu"), network, builder, clips, clip_set, views_at_once, 3), network


@pytest.mark.parametrize("form", ["graph", "cpu", "device"])
def test_twenty_views_of_a_clip_never_are_in_one_larger_batch(clips, form) -> None:
    overrides = _VIEWS if form == "graph" else (_HEATMAP, f"input.render={form}", *_VIEWS)
    whole, network = _predicted(clips, 64, *overrides)
    assert network.rows == [60, 20]  # three clips, then one
    np.testing.assert_allclose(whole.sum(1), 1, rtol=1e-5)
    for views_at_once in (20, 19, 7, 1):
        part, network = _predicted(clips, views_at_once, *overrides)
        assert max(network.rows) <= views_at_once
        assert sum(network.rows) == 80
        np.testing.assert_allclose(part, whole, atol=1e-6)


@pytest.mark.parametrize("form", ["graph", "cpu"])
def test_a_single_batch_is_made_in_the_calling_thread_with_the_same_numbers(clips, monkeypatch, form) -> None:
    own, read, readers = threading.get_ident(), clips.read, set[bool]()

    def watched(clip_id: str):
        readers.add(threading.get_ident() == own)
        assert not torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
        return read(clip_id)

    monkeypatch.setattr(clips, "read", watched)
    overrides = () if form == "graph" else (_HEATMAP,)
    several, network = _predicted(clips, 1, *overrides)
    assert len(network.rows) == 4 and readers == {False}
    readers.clear()
    at_once, network = _predicted(clips, 4, *overrides)
    assert network.rows == [4] and readers == {True}
    np.testing.assert_allclose(at_once, several, atol=1e-6)


@pytest.mark.parametrize("render", ["cpu", "device"])
def test_volumes_are_not_drawn_before_their_turn(clips, monkeypatch, render) -> None:
    drawn: list[int] = []
    empty = torch.empty

    def watched(*size, **options):
        if size and isinstance(size[0], tuple) and len(size[0]) == 5:
            drawn.append(size[0][0])
        return empty(*size, **options)

    def new_volume(shape, dtype):  # for what is drawn on the processor
        drawn.append(shape[0])
        return empty(shape, dtype=dtype)

    monkeypatch.setattr(torch, "empty", watched)
    monkeypatch.setattr(heatmap_input, "new_volume", new_volume)
    _predicted(clips, 6, _HEATMAP, f"input.render={render}", *_VIEWS)
    assert drawn
    assert max(drawn) <= 6


def test_measures_of_known_probabilities() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]], np.float32)
    found = measures(probabilities, np.array([0, 1, 1]))
    assert found["top1"] == pytest.approx(2 / 3)
    assert found["mean_class_recall"] == pytest.approx(0.75)
    assert found["loss"] == pytest.approx(-np.log([0.5, 0.8, 0.2]).mean())
