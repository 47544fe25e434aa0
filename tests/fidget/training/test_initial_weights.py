"""Networks over frames begin from weights by name or file, over clips or pictures, ours or a toolbox's."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from tests.rgb_models.golden_entries import entries
from torch import Tensor

from fidget.training.initial_weights import PUBLISHED_WEIGHTS, initial_file, load_initial
from rgb_models.model import RgbModel
from rgb_models.zoo import create_model, list_models, preprocessing
from weights.errors import HashMismatchError, MissingWeightError
from weights.manifest import get_weight, load_manifest

RESNET = {"width": 16, "depths": (1, 1, 1, 1)}


@pytest.fixture(autouse=True)
def weights_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "weights"
    directory.mkdir()
    monkeypatch.setenv("FIDGET_WEIGHTS", str(directory))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.manual_seed(0)
    return directory


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save({"state_dict": state}, path)
    return path


def filled(model: RgbModel, value: float = 0.5) -> dict[str, Tensor]:
    return {name: torch.full_like(tensor, value) for name, tensor in model.state_dict().items()}


def mmaction2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our TSN's entries as MMAction2 names them."""
    names = {name: re.sub(r"^stages\.(\d)\.", lambda m: f"layer{int(m[1]) + 1}.", name) for name in state}
    return {
        f"cls_head.fc_cls.{new[3:]}" if new.startswith("fc.") else f"backbone.{new}": state[name]
        for name, new in names.items()
    }


def torchvision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our TSN's entries as torchvision names a ResNet's, with a thousand classes."""
    pictures = {}
    for name, tensor in state.items():
        new = re.sub(r"^stages\.(\d)\.", lambda m: f"layer{int(m[1]) + 1}.", name)
        new = re.sub(r"downsample\.(conv|bn)\.", lambda m: f"downsample.{int(m[1] == 'bn')}.", new)
        new = re.sub(r"conv(\d)\.conv\.", r"conv\1.", new)
        new = re.sub(r"conv(\d)\.bn\.", r"bn\1.", new)
        pictures[new] = tensor.new_full((1000, *tensor.shape[1:]), 9) if new.startswith("fc.") else tensor
    return pictures


def tsn(num_classes: int = 5, **options) -> RgbModel:
    return create_model("tsn_r50", num_classes=num_classes, **(RESNET | options))


def test_every_model_has_published_weights_that_are_fed_as_the_model_is() -> None:
    assert set(list_models()) <= set(PUBLISHED_WEIGHTS)
    for name in list_models():
        fed = preprocessing(name)
        assert PUBLISHED_WEIGHTS[name], name
        for weight in map(get_weight, PUBLISHED_WEIGHTS[name]):
            if not weight.name.endswith("_imagenet"):
                assert (weight.input_hw, weight.mean, weight.std) == (
                    (fed.size, fed.size),
                    fed.mean,
                    fed.std,
                ), (name, weight.name)
    used = {weight for weights in PUBLISHED_WEIGHTS.values() for weight in weights}
    assert used == {row.name for row in load_manifest().values() if {"rgb", "videomae"} & set(row.groups)}


def test_a_toolbox_s_checkpoint_of_other_classes_keeps_a_fresh_classifier(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.pth", mmaction2(filled(tsn(400))))
    model = tsn(5)
    head = model.fc.weight.clone()
    assert load_initial(model, "tsn_r50", file) == "mmaction2; the classifier is fresh"
    assert torch.equal(model.fc.weight, head)
    assert all(
        (tensor == 0.5).all() for name, tensor in model.stages.state_dict().items() if "num_" not in name
    )
    same = tsn(400)
    assert load_initial(same, "tsn_r50", str(file)) == "mmaction2"
    assert (same.fc.weight == 0.5).all()


def test_a_run_of_ours_leaves_behind_what_training_added(tmp_path: Path) -> None:
    state = {f"model.{name}": tensor for name, tensor in filled(tsn()).items()}
    file = saved(tmp_path / "selected.pt", state | {"embed.weight": torch.zeros(3, 3)})
    model = tsn()
    assert load_initial(model, "tsn_r50", file) == "fidget"
    assert (model.fc.weight == 0.5).all()


@pytest.mark.parametrize("name", ["tsn_r50", "tsm_r50", "tin_r50", "manet_r50", "gc_tsm_r50"])
def test_pictures_go_into_networks_over_frames(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path / "resnet.pth", torchvision(filled(tsn())))
    model = create_model(name, num_classes=5, **RESNET)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    assert load_initial(model, name, file) == "pictures; the classifier is fresh"
    after = model.state_dict()
    assert torch.equal(after["fc.weight"], before["fc.weight"])
    assert (after["stages.3.0.conv2.conv.weight"] == 0.5).all()
    fresh = {key for key in after if torch.equal(after[key], before[key]) and "num_batches" not in key}
    assert {key for key in fresh if re.search(r"\.(conv|bn)\.(weight|running_mean)$", key)} <= {
        key for key in fresh if re.search(r"\.(before|inside)\.", key)
    }


def test_a_weight_by_name_is_looked_for_here_and_never_downloaded(weights_directory: Path) -> None:
    with pytest.raises(MissingWeightError) as caught:
        load_initial(tsn(), "tsn_r50", "resnet50_imagenet")
    said = str(caught.value)
    for part in (
        "expected resnet50-0676ba61.pth in",
        str(weights_directory),
        "`fidget weights fetch resnet50_imagenet`",
        "place the file there by hand, it is https://download.pytorch.org/models/resnet50-0676ba61.pth",
    ):
        assert part in said
    saved(weights_directory / "resnet50-0676ba61.pth", torchvision(filled(tsn())))
    with pytest.raises(HashMismatchError, match="expected SHA-256 that begins with 0676ba61"):
        load_initial(tsn(), "tsn_r50", "resnet50_imagenet")


def test_a_weight_by_name_without_a_known_hash_is_read(weights_directory: Path) -> None:
    pytest.importorskip("transformers")
    row = get_weight("videomae_small_kinetics400")
    small = create_model("videomae_small", num_classes=400, width=32, depth=1, heads=2)
    state = {
        re.sub(r"^(blocks|patch)\.", lambda m: f"videomae.{HUB[m[1]]}.", name).replace(
            "head.", "classifier."
        ): tensor
        for name, tensor in filled(small).items()
    }
    saved(weights_directory / row.file, state)
    assert initial_file("videomae_small", row.name) == weights_directory / row.file
    model = create_model("videomae_small", num_classes=5, width=32, depth=1, heads=2)
    assert load_initial(model, "videomae_small", row.name) == "transformers; the classifier is fresh"
    assert (model.blocks[0].intermediate.dense.weight == 0.5).all()


def test_videomae_begins_from_its_pretraining(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    encoder = {
        name: tensor + 0.5
        for name, tensor in entries("videomae").items()
        if not name.startswith(("fc_norm.", "head."))
    }
    state = {f"encoder.{name}": tensor for name, tensor in encoder.items()}
    state |= {"encoder.norm.weight": torch.ones(48), "mask_token": torch.ones(1, 1, 24)}
    state |= {"decoder.blocks.0.attn.qkv.weight": torch.ones(72, 24)}
    file = tmp_path / "pretrained.pth"
    torch.save({"model": state, "args": Namespace(model="pretrain_videomae_small"), "epoch": 799}, file)
    model = create_model("videomae_small", num_classes=5, width=48, depth=2, heads=3)
    norm = model.fc_norm.weight.clone()
    assert load_initial(model, "videomae_small", file) == "videomae_pretrained; the classifier is fresh"
    assert (model.blocks[1].attention.attention.key.weight == 0.5).all()
    assert torch.equal(model.fc_norm.weight, norm)


HUB = {"blocks": "encoder.layer", "patch": "embeddings.patch_embeddings.projection"}


def test_timesformer_begins_from_another_number_of_frames(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    options = {"width": 32, "depth": 1, "heads": 2, "size": 32}
    eight = create_model("timesformer_base", num_classes=5, frames=8, **options)
    file = saved(tmp_path / "8.pth", filled(eight))
    sixteen = create_model("timesformer_base", num_classes=5, frames=16, **options)
    assert load_initial(sixteen, "timesformer_base", file) == "fidget"
    assert (sixteen.backbone.embeddings.time_embeddings == 0.5).all()


def test_a_backbone_alone_goes_in_and_the_classifier_stays(tmp_path: Path) -> None:
    state = {name[9:]: tensor for name, tensor in mmaction2(filled(tsn())).items() if "cls_head" not in name}
    file = saved(tmp_path / "backbone.pth", state)
    model = tsn()
    assert load_initial(model, "tsn_r50", file).endswith("the classifier is fresh")
    assert (model.stages[0][0].conv1.conv.weight == 0.5).all()


@pytest.mark.parametrize(
    ("state", "name", "said"),
    [
        (
            {"a.weight": torch.zeros(2), "b": torch.zeros(1)},
            "tsn_r50",
            "expected names of one of fidget, mmac",
        ),
        ({"conv1.weight": torch.zeros(8, 3, 7, 7)}, "tsn_r50", r"missing \(\d+\): .*stages"),
        (
            {"patch_embed.proj.weight": torch.zeros(8, 3, 4, 4)},
            "videomae_small",
            "begins from none; published",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, state: dict[str, Tensor], name: str, said: str) -> None:
    if name == "videomae_small":
        pytest.importorskip("transformers")
    file = saved(tmp_path / "wrong.pth", state)
    options = RESNET if name == "tsn_r50" else {"width": 32, "depth": 1, "heads": 2}
    model = create_model(name, num_classes=5, **options)
    with pytest.raises(ValueError, match=said) as caught:
        load_initial(model, name, file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_another_shape_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    file = saved(tmp_path / "wide.pth", mmaction2(filled(tsn(width=32))))
    model = tsn()
    before = model.stages[0][0].conv1.conv.weight.clone()
    with pytest.raises(
        ValueError, match=r"wide\.pth: .*of another shape .*conv1\.bn\.bias: expected \(16,\), got \(32,\)"
    ):
        load_initial(model, "tsn_r50", file)
    assert torch.equal(model.stages[0][0].conv1.conv.weight, before)


def test_a_name_that_is_neither_a_file_nor_a_weight(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        load_initial(tsn(), "tsn_r50", "resnet50_imagnet")
    assert str(caught.value) == (
        "expected a checkpoint file or the name of a weight, got resnet50_imagnet, which is neither; "
        "did you mean 'resnet50_imagenet'? published for tsn_r50: tsn_kinetics400, resnet50_imagenet"
    )
    with pytest.raises(
        ValueError, match=r"got nothing\.pth, which is neither; published for tsn_r50: tsn_kin"
    ):
        load_initial(tsn(), "tsn_r50", "nothing.pth")
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"broken\.pth: not a checkpoint of tensors"):
        load_initial(tsn(), "tsn_r50", broken)
