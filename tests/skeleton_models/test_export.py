"""Exported networks are the networks: of each kind, with any batch, and never a wrong file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from tests.skeleton_models import graph_checks
from torch import Tensor

from poses.layout import get_layout
from skeleton_models.export import export_onnx, export_program
from skeleton_models.model import SkeletonModel
from skeleton_models.posec3d import posec3d_slowonly_r50
from skeleton_models.posec3d_c3d import C3D, posec3d_c3d_light
from skeleton_models.posec3d_x3d import posec3d_x3d_shallow
from skeleton_models.stgcnpp import stgcnpp

COCO = get_layout("coco17")
ONE_STAGE = {"base_channels": 4, "stage_blocks": (1,), "spatial_strides": (2,)}
SMALL = {
    "slowonly": (
        posec3d_slowonly_r50,
        {**ONE_STAGE, "temporal": (True,), "temporal_strides": (2,)},
        (1, 17, 4, 16, 18),
    ),
    "c3d": (posec3d_c3d_light, {"base_channels": 4, "num_stages": 1}, (1, 17, 4, 16, 18)),
    "x3d": (posec3d_x3d_shallow, ONE_STAGE, (1, 17, 4, 16, 18)),
    "stgcnpp": (
        stgcnpp,
        {"base_channels": 12, "num_stages": 1, "inflate_stages": (), "down_stages": ()},
        (1, 2, 6, 17, 3),
    ),
}


def build(name: str) -> tuple[SkeletonModel, Tensor]:
    make, options, shape = SMALL[name]
    model = make(num_classes=4, layout=COCO, **options)
    graph_checks.shake(model)
    return model.train(), torch.rand(shape)


@pytest.mark.parametrize("name", SMALL)
def test_program_and_onnx_equal_the_network(name: str, tmp_path: Path) -> None:
    model, x = build(name)
    path = export_onnx(model, x, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (got,) = session.run(["logits"], {"x": x.numpy()})
    program = export_program(model, x)
    assert model.training  # as it was
    with torch.no_grad():
        expected = model.eval()(x)
        scale = expected.abs().max().item()
        torch.testing.assert_close(program.module()(x), expected, rtol=0, atol=1e-4 * scale)
    np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("name", ["slowonly", "c3d", "x3d"])
def test_any_number_of_clips(name: str, tmp_path: Path) -> None:
    model, x = build(name)
    path = export_onnx(model, x, tmp_path / "model.onnx", any_batch=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.repeat(x.numpy(), 3, axis=0)})[0].shape == (3, 4)


def test_uint8_volumes(tmp_path: Path) -> None:
    model, x = build("x3d")
    export_onnx(model, (x * 255).to(torch.uint8), tmp_path / "model.onnx")


class Forgetful(C3D):
    """Depends on a value that tracing takes for a constant."""

    def forward_volume(self, x: Tensor) -> Tensor:
        return super().forward_volume(x) * (1.0 + torch.rand(()).item())


def test_what_differs_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    model = Forgetful(num_classes=4, in_channels=3, base_channels=2)
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match=r"differs from Forgetful by .* not handed out"):
        export_onnx(model, torch.rand(1, 3, 2, 8, 8), path)
    assert not path.exists()
    with pytest.raises(ValueError, match="the exported program differs from Forgetful"):
        export_program(model, torch.rand(1, 3, 2, 8, 8))


class Branching(C3D):
    """Asks its own numbers which way to go, where torch.export knows none."""

    def forward_volume(self, x: Tensor) -> Tensor:
        return super().forward_volume(x) * (2.0 if x.sum() > 0 else 1.0)


class Unknown(C3D):
    """Uses what ONNX has no operator for."""

    def forward_volume(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(super().forward_volume(x))


def test_what_cannot_be_exported_is_said_in_a_sentence(tmp_path: Path) -> None:
    x, options = torch.rand(1, 3, 2, 8, 8), {"num_classes": 4, "in_channels": 3, "base_channels": 2}
    with pytest.raises(ValueError, match=r"^Branching could not be exported to torch.export: .*; try an"):
        export_program(Branching(**options), x)
    with pytest.raises(ValueError, match=r"^Unknown could not be exported to ONNX: .*bessel.*; try an"):
        export_onnx(Unknown(**options), x, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_an_example_that_does_not_fit_is_refused() -> None:
    model, _ = build("x3d")
    with pytest.raises(ValueError, match=r"expected volumes \(N, 17, T, H, W\)"):
        export_program(model, torch.rand(1, 3, 2, 8, 8))
