"""A recipe's input tables become the builders of `skeleton_models`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fidget.training.prediction import InputBuilder
from fidget.training.recipe import Recipe
from poses.layout import Layout
from skeleton_models.augment import Augment
from skeleton_models.clip_arrays import ClipArrays, ModelBatch
from skeleton_models.graph_input import GraphInput
from skeleton_models.heatmap_crop import CropRules
from skeleton_models.heatmap_input import HeatmapInput
from skeleton_models.random_keys import Keys

_RECIPES_OWN = {"form", "layout", "separate", "compute_absent"}


@dataclass(frozen=True)
class EveryPerson:
    """Another builder's batches without `present`: padded persons are computed, as published code does."""

    builder: GraphInput

    def batch(self, clips: Sequence[ClipArrays], keys: Keys | None) -> ModelBatch:
        """The same batch, in which everybody is there."""
        return replace(self.builder.batch(clips, keys), present=None)


def build_input(recipe: Recipe, layout: Layout) -> tuple[InputBuilder, InputBuilder, InputBuilder]:
    """The builders of training, of validation during training (one view a clip) and of the measured splits.

    Raises:
        ValueError: settings that do not fit each other; the message names them.
    """
    settings = recipe.input.model_dump(exclude=_RECIPES_OWN)
    augment = Augment(**recipe.augment.model_dump())
    test = {"test_clips": recipe.eval.test_clips, "test_flip": recipe.eval.test_flip}
    if recipe.input.form == "heatmap":
        (kind,) = settings.pop("streams")
        crop = CropRules(**settings.pop("crop"))
        volumes = HeatmapInput(layout=layout, augment=augment, kind=kind, crop=crop, **settings)
        return volumes, volumes, replace(volumes, **test)
    joints = GraphInput(layout=layout, augment=augment, **settings)
    measured = replace(joints, **test)
    if recipe.input.compute_absent:
        return EveryPerson(joints), EveryPerson(joints), EveryPerson(measured)
    return joints, joints, measured
