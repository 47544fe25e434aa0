"""Recipes over frames: each that is shipped builds, and runs two steps of a narrow network."""

from __future__ import annotations

import pytest
import torch
from tests.fidget.training.frame_samples import array_clips, frame_protocol, frame_recipe

from fidget.training.frame_batches import frame_builders
from fidget.training.loop import train
from fidget.training.network import make_network
from fidget.training.optimizer import make_optimizer
from fidget.training.recipe import FrameRecipe, load_recipe, parse_recipe, recipe_hash, to_toml
from fidget.training.recipe_files import shipped_recipes
from fidget.training.videos import short_side_of
from protocols.label_tree import LabelTree

OVER_FRAMES = [name for name, text in shipped_recipes().items() if 'form = "frames"' in text]
_QUICK = (
    "train.epochs=1", "train.batch_size=2", "train.warmup_epochs=0", "train.schedule='constant'",
    "train.step_epochs=[]", "train.threads=1", "sampling.repeat=1", "eval.test_clips=1", "input.test_crops=1",
    "input.size=32", "input.test_size=0", "train.precision=32",
)  # fmt: skip
# What makes a network narrow.
_RESNET = ("input.frames=4", "model.options.width=16", "model.options.depths=[1, 1, 1, 1]")
_NARROW = {
    "c3d": ("model.options.base_channels=4", "model.options.hidden=16"),
    "i3d_r50": ("input.frames=8", "model.options.base_channels=8"),
    "slowfast_r50": (
        "input.frames=8", "model.options.base_channels=8", "model.options.depths=[1, 1, 1, 1]"
    ),
    "swin3d_tiny": (
        "input.frames=4", "model.options.embed_channels=12", "model.options.depths=[1, 1, 1, 1]",
        "model.options.heads=[1, 2, 3, 4]", "model.options.window=[2, 2, 2]",
    ),
    "timesformer_base": (
        "input.frames=2", "model.options.width=16", "model.options.depth=2", "model.options.heads=2"
    ),
    "uniformer_small": (
        "input.frames=4", "model.options.channels=[8, 8, 16, 16]", "model.options.depths=[1, 1, 1, 1]",
        "model.options.head_channels=8",
    ),
    "videomae_base": (
        "input.frames=4", "model.options.width=16", "model.options.depth=2", "model.options.heads=2"
    ),
}  # fmt: skip


def _words(name: str) -> tuple[str, ...]:
    return ("loss.label_embedding=names",) if load_recipe(name).loss.label_embedding else ()


@pytest.mark.parametrize("name", OVER_FRAMES)
def test_every_recipe_builds_and_runs_two_steps(name, tmp_path) -> None:
    if load_recipe(name).model.name.startswith(("timesformer", "videomae")):
        pytest.importorskip("transformers")
    narrow = _NARROW.get(load_recipe(name).model.name, _RESNET)
    recipe = load_recipe(name, [*_QUICK, *narrow, *_words(name), "data.empty_classes=keep"])
    summary = train(
        recipe, array_clips(5), frame_protocol(5, val=0, test=1), tmp_path / "run", say=lambda _: None
    )
    assert summary["epochs"] == 1 and summary["test"]["clips"] == 1


@pytest.mark.parametrize("name", OVER_FRAMES)
def test_every_recipe_fits_its_whole_network(name) -> None:
    """Names of parameters that a recipe gives rates exist, and sizes fit each other."""
    recipe = load_recipe(name, _words(name))
    if recipe.model.name.startswith(("timesformer", "videomae")):
        pytest.importorskip("transformers")
    tree = LabelTree("two", ("nodding", "waving"))
    with torch.device("meta"):
        vectors = torch.zeros(2, 300) if recipe.loss.label_embedding else None
        network = make_network(recipe, None, 3, tree, vectors)
    make_optimizer(network, recipe.train, network.model.get_classifier())
    train_input, _, measured = frame_builders(recipe, tree, "cpu")
    assert recipe.note
    assert train_input.frames == recipe.input.frames
    assert short_side_of(recipe) >= measured.preprocessing.size
    assert parse_recipe(to_toml(recipe), "again") == recipe


def test_the_published_baselines_have_recipes() -> None:
    used = {load_recipe(name).model.name for name in OVER_FRAMES}
    assert used == {
        "tsn_r50", "tsm_r50", "tin_r50", "c3d", "i3d_r50", "slowfast_r50", "swin3d_tiny", "timesformer_base",
        "uniformer_small", "manet_r50", "gc_tsm_r50", "videomae_base",
    }  # fmt: skip


def test_manet_is_trained_as_its_paper_says() -> None:
    recipe = load_recipe("manet")
    table = recipe.train
    assert (recipe.input.frames, table.learning_rate, table.batch_size, table.epochs) == (8, 1e-3, 10, 80)
    assert (table.step_epochs, table.step_factor, recipe.loss.label_embedding_weight) == ([30, 60], 0.1, 5.0)


def test_tables_of_the_other_form_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown key 'augment\.yaw_deg'; known: crop"):
        frame_recipe("augment.yaw_deg=3")
    with pytest.raises(
        ValueError, match=r"unknown key 'augment\.flip_probabilty'; nearest: flip_probability"
    ):
        frame_recipe("augment.flip_probabilty=0.5")
    with pytest.raises(ValueError, match=r"unknown key 'input\.streams'"):
        frame_recipe("input.streams=['joint']")
    with pytest.raises(ValueError, match=r"unknown key 'input\.persons'"):
        parse_recipe(shipped_recipes()["tsm"], "tsm", ["input.persons=2"])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("input.sampling=windows", "input.sampling: .*'segment'"),
        ("input.mean=[1.0, 2.0]", "mean and std have 3 numbers each, or none"),
        ("input.std=[1.0, 0.0, 1.0]", "mean and std"),
        ("input={form='frames', mean=[1.0, 1.0, 1.0], std=[1.0, 0.0, 1.0]}", "std must be above 0"),
        ("input.test_crops=2", r"input\.test_crops"),
        ("input.frame_store=png", "'video', 'jpeg' or 'raw'"),
        ("augment.crop=corner", r"augment\.crop"),
    ],
)
def test_wrong_values_are_named(override, words) -> None:
    with pytest.raises(ValueError, match=words):
        frame_recipe(override)


def test_threads_and_seed_are_not_hashed_and_what_frames_are_is() -> None:
    base = recipe_hash(frame_recipe())
    assert isinstance(frame_recipe(), FrameRecipe)
    assert recipe_hash(frame_recipe("input.threads=4", "train.seed=3", "train.prefetch=1")) == base
    for override in ("input.frame_store=jpeg", "input.size=48", "augment.hue=0.1", "input.sampling=dense"):
        assert recipe_hash(frame_recipe(override)) != base


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((), 37),  # 32 px of the network's 224 of 256
        (("input.resize_short=40",), 40),
        (("input.test_size=64",), 64),
        (("input.short_side=100",), 100),
        (("input.person_crop=true",), None),
    ],
)
def test_frames_are_read_no_larger_than_needed(overrides, expected) -> None:
    assert short_side_of(frame_recipe(*overrides)) == expected
