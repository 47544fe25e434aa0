"""Detectors learn, go on after a crash with the same numbers, and refuse what cannot be trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.fidget.detection.detection_samples import (
    CHANNELS,
    TREE,
    feature_recipe,
    feature_samples,
    table_of,
    video_samples,
)

from fidget.detection import training
from fidget.detection.places import open_features, open_videos
from fidget.detection.recipe import load_recipe, parse_recipe
from fidget.detection.trained_detector import load_detector
from fidget.detection.training import train_detector
from fidget.training.run import Machines
from protocols.detection_table import DetectionTable, Instance
from protocols.detections import read_detections
from temporal_detection import zoo
from temporal_detection.skeleton_detector import SkeletonDetector

CPU = Machines("cpu")


@pytest.fixture(scope="module")
def features(tmp_path_factory) -> tuple[Path, DetectionTable]:
    directory = tmp_path_factory.mktemp("features")
    return directory, feature_samples(directory)


def trained(recipe, features, output: Path, **options):
    directory, table = features
    lines: list[str] = []
    recordings = open_features(recipe, directory, options.pop("table", table))
    summary = train_detector(recipe, recordings, options.pop("labels", table), output, CPU,
                             say=lines.append, **options)  # fmt: skip
    return summary, lines


def test_it_finds_what_is_plain_and_leaves_what_a_run_leaves(features, tmp_path) -> None:
    recipe = feature_recipe(train__epochs=30, eval__every=15, eval__select="best_val")
    summary, lines = trained(recipe, features, tmp_path / "run")
    assert summary["test"]["action@0.5"] > 0.5
    assert summary["simulated"] and "(simulated)" in lines[0]
    assert {file.name for file in (tmp_path / "run" / "detections").iterdir()} == {
        "val.parquet", "test.parquet",
    }  # fmt: skip
    for name in ("report.html", "metrics.csv", "timing.csv", "tree.json", "environment.json", "recipe.toml"):
        assert (tmp_path / "run" / name).is_file()
    assert "mean average precision" in (tmp_path / "run" / "report.html").read_text()
    found = read_detections(tmp_path / "run" / "detections" / "test.parquet")
    assert set(found.video_ids) == {"r8"} and found.t_end_s.max() <= 10.0
    loaded = load_detector(tmp_path / "run", "cpu")
    (again,) = loaded.find(open_features(recipe, *features), ["r8"])
    np.testing.assert_allclose(np.sort(again.score), np.sort(found.scores), rtol=1e-5)


def test_a_killed_run_goes_on_to_the_same_numbers(features, tmp_path, monkeypatch) -> None:
    recipe = feature_recipe(train__epochs=3, train__ema_decay=0.9)
    recipe = recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"options": {**recipe.model.options, "path_drop": 0.2}})
        }
    )
    trained(recipe, features, tmp_path / "whole")
    kept, epochs = training.train_epoch, []

    def killed(run, epoch, timing):
        epochs.append(epoch)
        if epoch == 2 and len(epochs) == 3:
            raise KeyboardInterrupt
        return kept(run, epoch, timing)

    monkeypatch.setattr(training, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(recipe, features, tmp_path / "killed")
    _, lines = trained(recipe, features, tmp_path / "killed")
    assert "resumed after epoch 2" in lines
    for name in ("metrics.csv", "detections/test.parquet"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()
    one, other = (
        torch.load(tmp_path / place / "checkpoints" / "last.pt", weights_only=True)
        for place in ("whole", "killed")
    )
    assert all(torch.equal(value, other["model"][name]) for name, value in one["model"].items())
    assert torch.equal(one["loss"]["normaliser"], other["loss"]["normaliser"])


def test_another_recipe_does_not_go_on_in_the_same_directory(features, tmp_path) -> None:
    trained(feature_recipe(train__epochs=1), features, tmp_path / "run")
    with pytest.raises(ValueError, match=r"holds another run: train\.epochs is 1 there, 2 now"):
        trained(feature_recipe(), features, tmp_path / "run")


def changed(table: DetectionTable, *more: Instance, **fields) -> DetectionTable:
    return dataclasses.replace(table, instances=(*table.instances, *more), **fields)


@pytest.mark.parametrize(
    ("more", "fields", "message"),
    [
        ([Instance("r0", 3.0, 2.0, 0)], {}, r"1 instances that end before they start \(r0 3-2 s\)"),
        ([Instance("r1", 9.0, 12.0, 1)], {}, r"reach beyond their recording \(r1 9-12 s of 10 s\)"),
        ([], {"splits": ("val",) * 9}, "no recording is of the split 'train'"),
    ],
)
def test_wrong_annotations_are_refused_by_name(features, tmp_path, more, fields, message) -> None:
    labels = changed(features[1], *more, **fields)
    with pytest.raises(ValueError, match=message):
        trained(feature_recipe(), features, tmp_path / "run", labels=labels)
    assert not (tmp_path / "run").exists()


def test_what_is_wrong_can_be_left_out_and_is_counted(features, tmp_path) -> None:
    recipe = feature_recipe(train__epochs=1, data__reversed="drop", data__beyond="clip")
    labels = changed(features[1], Instance("r0", 3.0, 2.0, 0), Instance("r1", 9.0, 12.0, 1))
    summary, _ = trained(recipe, features, tmp_path / "run", labels=labels)
    assert "1 instances that end before they start left out (r0 3-2 s)" in summary["data"][0]
    assert "13 instances" in summary["data"][0]  # the one beyond is cut at its recording's end


def test_recordings_and_annotations_that_lack_each_other(features, tmp_path) -> None:
    labels = features[1]
    extra = dataclasses.replace(
        labels, video_ids=(*labels.video_ids[:-1], "absent"),
        instances=tuple(one for one in labels.instances if one.video_id != "r8"),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"test: 1 annotated videos without a recording \(absent\)"):
        trained(feature_recipe(), features, tmp_path / "run", labels=extra)
    strict = feature_recipe(data__unannotated="refuse", data__missing="drop")
    with pytest.raises(ValueError, match=r"1 recordings without annotation \(r8\)"):
        trained(strict, features, tmp_path / "run", labels=extra)


def test_nothing_annotated_stops_before_the_first_step(features, tmp_path) -> None:
    with pytest.raises(ValueError, match="train: nothing is annotated in its 6 recordings"):
        trained(feature_recipe(), features, tmp_path / "run", labels=table_of([]))


def test_an_epoch_without_a_positive_point_stops(features, tmp_path) -> None:
    short = table_of([Instance(f"r{n}", 5.0, 5.05, 0) for n in range(9)])  # a fifth of a point's distance
    with pytest.raises(ValueError, match="no point of the pyramid learnt a segment in epoch 1: 6 instances"):
        trained(feature_recipe(), features, tmp_path / "run", labels=short)


def test_a_checkpoint_of_something_else_is_refused(features, tmp_path) -> None:
    torch.save({"a.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"none of 1 entries such as a\.weight is of this detector"):
        trained(feature_recipe(), features, tmp_path / "run", checkpoint=tmp_path / "other.pt")
    with pytest.raises(ValueError, match="there is no such file"):
        trained(feature_recipe(), features, tmp_path / "run", checkpoint=tmp_path / "absent.pt")


def test_features_with_a_nan_are_named(tmp_path) -> None:
    table = feature_samples(tmp_path / "features")
    broken = np.load(tmp_path / "features" / "r3.npy")
    broken[4, 1] = np.nan
    np.save(tmp_path / "features" / "r3.npy", broken)
    with pytest.raises(ValueError, match=r"train: 1 recordings that cannot be read \(r3: .*not numbers"):
        trained(feature_recipe(), (tmp_path / "features", table), tmp_path / "run")


@pytest.mark.parametrize("kind", ["sliding", "resizing"])
def test_windows_of_every_kind_train(features, tmp_path, kind) -> None:
    recipe = feature_recipe(train__epochs=1, input__training=kind, input__evaluation=kind)
    summary, _ = trained(recipe, features, tmp_path / "run")
    assert summary["test"]["detections"] > 0


def test_adatad_trains_on_frames_and_is_loaded_again(tmp_path) -> None:
    table = video_samples(tmp_path / "videos", 9)
    recipe = load_recipe("sim_adatad_small", [
        "input.points=16", "input.stride=1", "input.size=32", "input.short_side=32", "train.epochs=1",
        "train.threads=1",
        "train.warmup_epochs=0", "model.options.encoder_depth=1", "model.options.width=16",
        "model.options.arch=[1, 0, 1]", "model.options.encoder_width=48", "model.options.encoder_heads=3",
    ])  # fmt: skip
    videos = open_videos(recipe, tmp_path / "videos", None, set(table.video_ids), lambda line: None)
    frozen = recipe.model_copy(
        update={"model": recipe.model.model_copy(
            update={"options": {**recipe.model.options, "encoder_trained": False}}
        )}
    )  # fmt: skip
    with pytest.raises(ValueError, match="frozen encoder, which would be random: give --checkpoint FILE, or"):
        train_detector(frozen, videos, table, tmp_path / "frozen", CPU, say=lambda line: None)
    summary = train_detector(recipe, videos, table, tmp_path / "run", CPU, say=lambda line: None)
    assert summary["test"]["detections"] > 0
    loaded = load_detector(tmp_path / "run", "cpu")
    (found,) = loaded.find(videos, ["r0"])
    assert found.span_s.max() <= 2.0 and (found.span_s[:, 1] > found.span_s[:, 0]).all()


def test_a_detector_over_poses_takes_a_recognisers_encoder() -> None:
    options = {"channels": 4, "layout": "coco17", "token_width": 16, "width": 16, "arch": (1, 0, 1)}
    model = zoo.create_model("skeleton_detector", num_classes=2, **options)
    assert isinstance(model, SkeletonDetector) and model.stride == 2


def test_a_directory_without_a_run_is_told(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"expected a run of fidget detect train, there is no recipe\.toml"):
        load_detector(tmp_path)


def test_augmentation_that_moves_time_is_refused() -> None:
    text = (
        'name="x"\n[model]\nname="skeleton_detector"\n[input]\nform="poses"\npoints=8\n'
        "[augment]\nspeed_range=[0.8, 1.2]\n[train]\nepochs=1\nbatch_size=1\nlearning_rate=1.0"
    )
    with pytest.raises(ValueError, match="speed_range would move what is annotated in time"):
        parse_recipe(text, "here")


def test_samples_have_their_width(features) -> None:
    assert open_features(feature_recipe(), *features).channels == CHANNELS and TREE.groups
