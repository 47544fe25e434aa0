from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.fidget.training.training_samples import synthetic_rows, tiny_recipe, write_cache

from fidget.training.builders import HeatmapBatches, InputBuilder, build_input
from fidget.training.data import PoseClips
from fidget.training.recipe import stream_recipes
from skeleton_models.random_keys import clip_hashes, clip_keys

_HEATMAP = "input={form='heatmap', frames=6, size_hw=[14, 21], streams=['%s'], dtype='%s', render='device'}"
_TESTED = ("eval.test_clips=3", "eval.test_flip=true")


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> PoseClips:
    rows = synthetic_rows(5, persons=2)
    return PoseClips(write_cache(tmp_path_factory.mktemp("builders") / "cache", rows))


def _builders(clips: PoseClips, *overrides: str) -> tuple[InputBuilder, InputBuilder, InputBuilder]:
    (recipe,) = stream_recipes(tiny_recipe(*overrides)).values()
    return build_input(recipe, clips.layout)


@pytest.mark.parametrize("kind", ["joint", "limb"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 1e-3), ("uint8", 1)])
def test_volumes_drawn_on_the_device_are_those_drawn_here(clips, kind, dtype, tolerance) -> None:
    arrays = [clips.read(f"clip0{n}") for n in range(4)]
    keys = clip_keys(0, 0, clip_hashes([f"clip0{n}" for n in range(4)]))
    for there, with_keys in zip(
        _builders(clips, _HEATMAP % (kind, dtype), *_TESTED), (keys, None, None), strict=True
    ):
        assert isinstance(there, HeatmapBatches)
        here = replace(there, there=False)
        points = there.batch(arrays, with_keys)
        assert points.x.shape[-1] == 3  # only these cross the bus
        drawn, expected = there.finish(points), here.finish(here.batch(arrays, with_keys))
        assert drawn.x.dtype == expected.x.dtype
        assert drawn.views == expected.views
        torch.testing.assert_close(drawn.x.float(), expected.x.float(), atol=tolerance, rtol=0)
        assert drawn.x.shape[1] == there.channels(2)


@pytest.mark.parametrize("form", ["graph", "cpu", "device"])
def test_the_parts_of_a_clip_are_the_rows_of_its_batch(clips, form) -> None:
    overrides = [] if form == "graph" else [_HEATMAP % ("limb", "float32"), f"input.render={form}"]
    builder = _builders(clips, *overrides, *_TESTED)[2]
    clip = clips.read("clip01")
    whole = builder.finish(builder.batch([clip], None)).x  # three views, then their mirror images
    for first, last in ((0, 2), (2, 3)):
        part = builder.finish(builder.part(clip, first, last))
        rows = [*range(first, last), *range(3 + first, 3 + last)]
        assert part.views == len(rows)
        torch.testing.assert_close(part.x, whole[rows])


@pytest.mark.parametrize(
    ("render", "device", "there"),
    [("auto", "cpu", False), ("auto", "cuda", True), ("cpu", "cuda", False), ("device", "cpu", True)],
)
def test_auto_draws_on_a_gpu_where_the_network_is_on_one(clips, render, device, there) -> None:
    recipe = tiny_recipe("input={form='heatmap'}", f"input.render={render}")
    builders = build_input(recipe, clips.layout, device)
    assert [isinstance(b, HeatmapBatches) and b.there for b in builders] == [there] * 3


def test_drawing_bit_by_bit_changes_nothing(clips, monkeypatch) -> None:
    builder = _builders(clips, _HEATMAP % ("joint", "float32"), *_TESTED)[2]
    arrays = [clips.read(f"clip0{n}") for n in range(3)]
    whole = builder.finish(builder.batch(arrays, None)).x
    monkeypatch.setattr("fidget.training.builders._DRAWN_AT_ONCE", 1)
    assert np.array_equal(builder.finish(builder.batch(arrays, None)).x, whole)


def test_memory_of_drawn_batches_is_used_again(clips) -> None:
    builder = _builders(clips, _HEATMAP % ("joint", "uint8"), "input.render=cpu", *_TESTED)[2]
    assert isinstance(builder, HeatmapBatches)
    names = ["clip01", "clip03", "clip02"]
    for clip in map(clips.read, names):
        expected = builder.builder.batch([clip], None).x  # in new memory
        assert torch.equal(builder.batch([clip], None).x, expected)
        assert torch.equal(builder.part(clip, 1, 3).x, expected[[1, 2, 4, 5]])
    assert len(builder.canvases) == 1  # a part fits into what a whole clip had
