"""Small ONNX files whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def _save(path: Path, nodes: list, inputs: list, outputs: list, constants: Mapping[str, NDArray]) -> Path:
    weights = [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def _floats(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def write_doubling(path: Path) -> Path:
    """y = 2 x for x (batch, 3)."""
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    return _save(path, nodes, [_floats("x", ["batch", 3])], [_floats("y", ["batch", 3])], {})


def write_profile_simcc(path: Path, input_hw: tuple[int, int], batch: int | str = "batch") -> Path:
    """A SimCC model of three joints, one per input plane, each where its plane is brightest.

    simcc_x is the plane's maximum over rows, at two bins a pixel, bin b at pixel b / 2; simcc_y likewise.
    """
    height, width = input_hw
    nodes = []
    for name, axis in (("simcc_x", 2), ("simcc_y", 3)):
        nodes.append(helper.make_node("ReduceMax", ["input"], [f"{name}_1"], axes=[axis], keepdims=0))
        nodes.append(
            helper.make_node(
                "Resize",
                [f"{name}_1", "", "scales"],
                [name],
                mode="linear",
                coordinate_transformation_mode="asymmetric",
            )
        )
    scales = {"scales": np.array([1, 1, 2], np.float32)}
    return _save(
        path,
        nodes,
        [_floats("input", [batch, 3, height, width])],
        [_floats("simcc_x", [batch, 3, 2 * width]), _floats("simcc_y", [batch, 3, 2 * height])],
        scales,
    )
