from __future__ import annotations

from pathlib import Path

import pytest
from tests.fidget.training.training_samples import protocol_of, synthetic_rows, tiny_recipe, write_cache

from fidget.training.loop import train
from fidget.training.recipe import (
    load_recipe,
    parse_recipe,
    recipe_hash,
    stream_recipes,
    to_toml,
)
from fidget.training.recipe_files import shipped_recipes
from skeleton_models.zoo import list_models
from temporal_detection.zoo import RECOGNISERS

# What makes any recipe small: two steps of two clips, seen once.
_QUICK = (
    "train.epochs=1", "train.batch_size=2", "train.warmup_epochs=0", "train.schedule='constant'",
    "train.step_epochs=[]", "train.threads=1", "sampling.repeat=1", "eval.test_clips=1",
    "eval.test_flip=false",
)  # fmt: skip


OF_POSES = [name for name, text in shipped_recipes().items() if 'form = "frames' not in text]


@pytest.mark.parametrize("name", OF_POSES)
def test_every_recipe_builds_and_runs_two_steps(name, tmp_path) -> None:
    recipe = load_recipe(name, _QUICK)
    small = ["input.frames=16"]
    if recipe.input.form == "heatmap":
        small = ["input.frames=8", "input.size_hw=[16, 16]"]
    elif recipe.model.name in ("sgn", "skateformer", "skateformer_small", "mmn"):
        small = []  # the network asks for its number of frames
    recipe = next(iter(stream_recipes(load_recipe(name, [*_QUICK, *small])).values()))
    layout = recipe.input.layout.split("/")[0] or "coco17"  # a recipe for part of a layout asks for the whole
    cache = write_cache(tmp_path / "cache", synthetic_rows(5, layout), layout)
    summary = train(
        recipe.model_copy(update={"data": recipe.data.model_copy(update={"empty_classes": "keep"})}),
        cache, protocol_of(5, val=0, test=1), tmp_path / "run", say=lambda _: None,
    )  # fmt: skip
    assert summary["epochs"] == 1


def test_every_model_has_a_recipe() -> None:
    used = {parse_recipe(shipped_recipes()[name], name).model.name for name in OF_POSES}
    assert used == {*list_models(), *RECOGNISERS}


def test_recipes_say_what_they_are_for() -> None:
    assert all(parse_recipe(text, name).note for name, text in shipped_recipes().items())


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_written_recipe_reads_back_the_same(name) -> None:
    recipe = load_recipe(name)
    assert parse_recipe(to_toml(recipe), "again") == recipe


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epoch=20", "unknown key 'train.epoch'; nearest: epochs"),
        ("input.frmes=20", "unknown key 'input.frmes'; nearest: frames"),
        ("augment.rol_deg=20", "unknown key 'augment.rol_deg'; nearest: roll_deg"),
        ("trian.epochs=20", "unknown key 'trian'; nearest: train"),
        ("train.epochs=many", "train.epochs: .* got 'many'"),
        ("train.epochs=0", "train.epochs: .* got 0"),
        ("input.form='graphs'", "input: .*'graph', 'heatmap', 'frames'"),
        ("input.streams=['joints']", "input.streams.*joint_motion"),
        ("sampling.balance=equal", "square_root"),
        ("train.epochs", "--set takes table.key=value"),
        ("=3", "--set takes table.key=value"),
        ("name.x=3", "is a value, not a table"),
    ],
)
def test_wrong_keys_and_values_are_named(override, words) -> None:
    with pytest.raises(ValueError, match=words):
        tiny_recipe(override)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.epochs=20", 20),
        ("train.learning_rate=2", 2.0),
        ("train.optimizer=adamw", "adamw"),
        ("train.precision=32", "32"),
    ],
)
def test_overrides_are_typed(override, value) -> None:
    key = override.split("=")[0].split(".")[1]
    assert getattr(tiny_recipe(override).train, key) == value


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValueError, match=r"frmes'.*epoch'.*batchsize'"):
        tiny_recipe("train.epoch=1", "train.batchsize=1", "input.frmes=1")


@pytest.mark.parametrize("content", ["[model", "model = 3", "", 'name = "x"'])
def test_what_is_no_recipe_is_refused(content) -> None:
    with pytest.raises(ValueError, match="here: "):
        parse_recipe(content, "here")


def test_a_recipe_that_does_not_exist_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="nearest: ctrgcn"):
        load_recipe("ctrgnc")


def test_hash_leaves_out_the_seed_and_what_changes_speed_only() -> None:
    base = recipe_hash(tiny_recipe())
    assert recipe_hash(tiny_recipe("train.seed=7", "train.threads=3", "input.threads=2")) == base
    assert recipe_hash(tiny_recipe("train.epochs=4")) != base
    assert recipe_hash(tiny_recipe("augment.jitter=0.1")) != base


def test_hash_leaves_out_later_keys_that_say_nothing() -> None:
    """Hashes of results from before these keys stay theirs."""
    base = tiny_recipe()
    same = tiny_recipe("train.nesterov=true", "train.rates={}", "loss.label_embedding_head=linear")
    assert recipe_hash(same) == recipe_hash(base) == "ed139589c2a447fd"
    for override in ("train.nesterov=false", "train.rates={data_bn=2.0}", "train.layer_decay=0.9"):
        assert recipe_hash(tiny_recipe(override)) != recipe_hash(base)


def test_names_of_parameters_with_dots_read_back_the_same() -> None:
    recipe = tiny_recipe('train.rates={"embed.2"=5.0, "fc"=2.0}')
    assert recipe.train.rates == {"embed.2": 5.0, "fc": 2.0}
    assert parse_recipe(to_toml(recipe), "again") == recipe


def test_separate_streams_are_runs_of_their_own() -> None:
    both = tiny_recipe("input.streams=['joint', 'bone']")
    assert list(stream_recipes(both)) == ["joint+bone"]
    parts = stream_recipes(tiny_recipe("input.streams=['joint', 'bone']", "input.separate=true"))
    assert {name: list(part.input.streams) for name, part in parts.items()} == {
        "joint": ["joint"],
        "bone": ["bone"],
    }


def test_a_recipe_file_is_named_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(shipped_recipes()["ddnet"])
    assert load_recipe(str(file)).name == "mine"
