"""Every shipped detection recipe builds and, cut down, takes two steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from tests.fidget.detection.detection_samples import feature_samples, pose_samples, video_samples

from fidget.detection.network import FORMS, make_detector
from fidget.detection.places import open_features, open_videos
from fidget.detection.recipe import DetectionRecipe, load_recipe, parse_recipe, recipe_hash, shipped_recipes
from fidget.detection.recordings import PoseRecordings
from fidget.detection.shapes import Shapes
from fidget.detection.training import train_detector
from fidget.training.recipe import to_toml
from fidget.training.run import Machines
from protocols.detection_table import DetectionTable
from protocols.trees import tree
from temporal_detection import zoo

NAMES = list(shipped_recipes())
SHORT = (
    "train.epochs=1", "train.warmup_epochs=0", "train.threads=1", "train.batch_size=3", "eval.batch_size=3",
    "train.precision=32", "train.schedule=cosine", "train.step_epochs=[]", "nms.before=100", "nms.most=20",
)  # fmt: skip
ENCODER = ("model.options.encoder_depth=1", "model.options.encoder_width=48", "model.options.encoder_heads=3")
SMALLER = {
    "poses": (
        "input.points=64", "model.options.token_width=16", "model.options.width=32",
        "model.options.arch=[1, 0, 2]",
    ),
    "frames": (
        "model.options.encoder_trained=true",  # no weights are here to begin from
       
        "input.points=16", "input.stride=1", "input.size=32", "input.short_side=32", "input.threads=1",
        "model.options.width=16", "model.options.arch=[1, 0, 1]", *ENCODER,
    ),
    "features": ("input.points=32",),
}  # fmt: skip
SMALL_HEADS = {
    "actionformer": ("model.options.width=16", "model.options.arch=[1, 0, 2]"),
    "tridet": ("model.options.width=16", "model.options.arch=[1, 0, 2]", "model.options.hidden=16"),
    "pointtad": ("model.options.width=16", "model.options.queries=6", "model.options.feed_forward=16"),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, tuple[Path, DetectionTable]]:
    directory = tmp_path_factory.mktemp("recipes")
    return {
        "poses": pose_samples(directory),
        "frames": (directory / "videos", video_samples(directory / "videos", 9)),
        "features": (directory / "features", feature_samples(directory / "features")),
    }


def opened(recipe: DetectionRecipe, place: Path, table: DetectionTable):
    if recipe.input.form == "poses":
        return PoseRecordings(place, recipe.input.layout)
    if recipe.input.form == "features":
        return open_features(recipe, place, table)
    return open_videos(recipe, place, None, set(table.video_ids), lambda line: None)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_reads_back_and_says_what_it_is_for(name) -> None:
    recipe = load_recipe(name)
    assert recipe.note and recipe.name == name
    again = parse_recipe(to_toml(recipe), "again")
    assert again == recipe and recipe_hash(again) == recipe_hash(recipe)
    assert FORMS[recipe.model.name] == recipe.input.form


@pytest.mark.parametrize("name", NAMES)
def test_the_detector_of_a_recipe_builds_in_full(name) -> None:
    recipe = load_recipe(name)
    channels = 12 if recipe.input.form == "poses" else 256
    with torch.device("meta"):
        model, whose = make_detector(recipe, Shapes(channels, "coco_wholebody133"), tree("mma82"))
    assert model.num_classes == 82 and whose == ""


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("mma52")])
def test_a_recipe_takes_two_steps(name, places, tmp_path) -> None:
    full = load_recipe(name)
    form = full.input.form
    recipe = load_recipe(name, (*SHORT, *SMALLER[form], *SMALL_HEADS.get(full.model.name, ())))
    place, table = places[form]
    summary = train_detector(
        recipe, opened(recipe, place, table), table, tmp_path / "run", Machines("cpu"), say=lambda line: None
    )
    assert summary["epochs"] == 1 and np.isfinite(summary["val"]["avg"])


def test_every_detector_has_a_form() -> None:
    assert set(FORMS) == set(zoo.list_models())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("input.pointz=3", "unknown key 'input.pointz'; nearest: points"),
        ("nms.sigma=-1", "sigma must be positive"),
        ("input.crop=[0.9, 0.5]", "crop must be 0 < least <= most <= 1"),
        ("nms.methods=hard", "unknown key 'nms.methods'; nearest: method"),
        ("train.epochs=0", "train.epochs"),
    ],
)
def test_wrong_keys_and_values_are_named(override, message) -> None:
    with pytest.raises(ValueError, match=message):
        load_recipe("sim_skeleton_detector", [override])


def test_an_unknown_option_of_a_detector_is_named() -> None:
    recipe = load_recipe("sim_skeleton_detector", ["model.options.windows=3"])
    with pytest.raises(ValueError, match="no option 'windows'; did you mean 'window'"):
        make_detector(recipe, Shapes(12, "coco17"), tree("mma82"))


def test_recipes_are_tables() -> None:
    assert issubclass(DetectionRecipe, BaseModel)
