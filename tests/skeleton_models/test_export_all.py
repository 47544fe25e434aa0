"""Every graph network, as ONNX and as a program, equals itself; `test_export` tests the exporters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.skeleton_models.graph_checks import shake
from tests.skeleton_models.tiny import GRAPH, fitting, tiny

from skeleton_models.export import export_onnx, export_program

VARIANTS: dict[str, tuple[str, dict[str, object]]] = {
    **{name: (name, {}) for name in GRAPH if name not in ("stgcnpp", "skateformer_small")},
    "ctrgcn as pyskl": ("ctrgcn", {"convention": "pyskl"}),
    "msg3d as pyskl": ("msg3d", {"convention": "pyskl"}),
    "sgn as pyskl": ("sgn", {"convention": "pyskl"}),
    "ddnet, each frame normalised": ("ddnet", {"norm": "frames"}),
    "mmn as released": ("mmn", {"as_released": True}),
    "skateformer of two as released": ("skateformer", {"as_released": True, "persons": 2}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_onnx_and_program_equal_the_network(variant: str, tmp_path: Path) -> None:
    """The exporters refuse what differs; a variant's program takes seconds and tells nothing more."""
    name, options = VARIANTS[variant]
    model = tiny(name, **options).eval()
    shake(model)
    x = fitting(name, persons=2)
    position = torch.linspace(-1, 0.5, 8).repeat(2, 1) if model.takes_position else None
    assert export_onnx(model, x, tmp_path / "model.onnx", position=position).stat().st_size > 1000
    if not options:
        export_program(model, x, position=position)
