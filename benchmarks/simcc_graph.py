"""A network of RTMPose-m's size with random weights, for measuring speed where the real file is absent.

CSPNeXt-m (RTMDet, arXiv 2212.07784) and a SimCC head with one gated attention unit (RTMPose, arXiv
2303.07399), written as one ONNX graph: 192 x 256 pixels in, 17 joints out, any batch. Speed does not depend
on the weights' values; accuracy does, so the answers mean nothing.

    python -m benchmarks.simcc_graph OUT.onnx
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

INPUT_HW = (256, 192)
JOINTS = 17
SPLIT_RATIO = 2
STEM, STAGES, BLOCKS = 48, (96, 192, 384, 768), (2, 4, 4, 2)
HIDDEN, EXPANDED, SHARED = 256, 512, 128


class GraphWriter:
    """Collects nodes and weights; every method appends and returns the name of what it computes."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._rng = np.random.default_rng(seed)

    def constant(self, values: NDArray[Any]) -> str:
        """A stored array."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, shape: tuple[int, ...], fan_in: int, gain: float = 2.0) -> str:
        """A random weight of variance gain / fan_in."""
        scale = math.sqrt(gain / fan_in)
        return self.constant((self._rng.standard_normal(shape) * scale).astype(np.float32))

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; several outputs give a list of names."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def silu(self, x: str) -> str:
        """The product x * sigmoid(x), as two nodes, as torch exports it."""
        return self.op("Mul", x, self.op("Sigmoid", x))

    def conv(self, x: str, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> str:
        """Convolution with bias (its batch norm folded in), SiLU after it."""
        return self.silu(self.bare_conv(x, c_in, c_out, kernel, stride, groups))

    def bare_conv(self, x: str, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> str:
        """Convolution with bias and nothing after it."""
        fan_in = c_in // groups * kernel * kernel
        weight = self.weight((c_out, c_in // groups, kernel, kernel), fan_in)
        bias = self.constant(np.zeros(c_out, np.float32))
        pads = [kernel // 2] * 4
        return self.op("Conv", x, weight, bias, strides=[stride] * 2, pads=pads, group=groups)

    def linear(self, x: str, c_in: int, c_out: int, gain: float = 2.0) -> str:
        """Matrix product on the last axis, no bias."""
        return self.op("MatMul", x, self.weight((c_in, c_out), c_in, gain))

    def scale_norm(self, x: str, width: int) -> str:
        """Divide by the root mean square of the last axis."""
        norm = self.op("ReduceL2", x, axes=[-1], keepdims=1)
        norm = self.op("Mul", norm, self.constant(np.float32(width**-0.5)[None]))
        return self.op("Div", x, self.op("Clip", norm, self.constant(np.float32(1e-5)), ""))

    def add_scaled(self, x: str, y: str, width: int) -> str:
        """A residual connection whose skipped part has a learned scale."""
        scaled = self.op("Mul", x, self.constant(np.ones(width, np.float32)))
        return self.op("Add", scaled, y)


def _csp_layer(g: GraphWriter, x: str, c_in: int, c_out: int, blocks: int, identity: bool) -> str:
    half = c_out // 2
    short = g.conv(x, c_in, half)
    main = g.conv(x, c_in, half)
    for _ in range(blocks):
        y = g.conv(main, half, half, kernel=3)
        y = g.conv(y, half, half, kernel=5, groups=half)
        y = g.conv(y, half, half)
        main = g.op("Add", main, y) if identity else y
    both = g.op("Concat", main, short, axis=1)
    attention = g.bare_conv(g.op("GlobalAveragePool", both), c_out, c_out, kernel=1)
    attention = g.op("HardSigmoid", attention, alpha=1 / 6, beta=0.5)
    return g.conv(g.op("Mul", both, attention), c_out, c_out)


def _pyramid_pooling(g: GraphWriter, x: str, width: int) -> str:
    half = width // 2
    x = g.conv(x, width, half)
    pooled = [g.op("MaxPool", x, kernel_shape=[k, k], strides=[1, 1], pads=[k // 2] * 4) for k in (5, 9, 13)]
    return g.conv(g.op("Concat", x, *pooled, axis=1), half * 4, width)


def _backbone(g: GraphWriter, x: str) -> str:
    x = g.conv(x, 3, STEM // 2, kernel=3, stride=2)
    x = g.conv(x, STEM // 2, STEM // 2, kernel=3)
    x = g.conv(x, STEM // 2, STEM, kernel=3)
    c_in = STEM
    for width, blocks in zip(STAGES, BLOCKS, strict=True):
        x = g.conv(x, c_in, width, kernel=3, stride=2)
        last = width == STAGES[-1]
        if last:
            x = _pyramid_pooling(g, x, width)
        x = _csp_layer(g, x, width, width, blocks, identity=not last)
        c_in = width
    return x  # (N, 768, 8, 6)


def _head(g: GraphWriter, x: str) -> tuple[str, str]:
    cells = INPUT_HW[0] * INPUT_HW[1] // 32**2
    x = g.bare_conv(x, STAGES[-1], JOINTS, kernel=7)
    x = g.op("Reshape", x, g.constant(np.array([0, JOINTS, cells], np.int64)))  # (N, V, 48)
    x = g.linear(g.scale_norm(x, cells), cells, HIDDEN)
    x = g.add_scaled(x, _gated_attention(g, x), HIDDEN)  # (N, V, 256)
    # A low, even score: confident joints in random places would look like people running off, uneven
    # scores like people vanishing, and the pipeline would look for them.
    floor = g.constant(np.full(1, 0.1, np.float32))
    simcc_x = g.op("Add", g.linear(x, HIDDEN, INPUT_HW[1] * SPLIT_RATIO, gain=1e-6), floor)
    simcc_y = g.op("Add", g.linear(x, HIDDEN, INPUT_HW[0] * SPLIT_RATIO, gain=1e-6), floor)
    return simcc_x, simcc_y


def _gated_attention(g: GraphWriter, x: str) -> str:
    uv = g.silu(g.linear(g.scale_norm(x, HIDDEN), HIDDEN, 2 * EXPANDED + SHARED))
    sizes = g.constant(np.array([EXPANDED, EXPANDED, SHARED], np.int64))
    u, v, base = g.op("Split", uv, sizes, outputs=3, axis=2)
    query, key = (g.op("Mul", base, g.weight((SHARED,), SHARED, gain=SHARED)) for _ in range(2))
    overlap = g.op("MatMul", query, g.op("Transpose", key, perm=[0, 2, 1]))  # (N, V, V)
    overlap = g.op("Relu", g.op("Div", overlap, g.constant(np.float32(SHARED**0.5)[None])))
    attended = g.op("MatMul", g.op("Mul", overlap, overlap), v)
    return str(g.linear(g.op("Mul", u, attended), EXPANDED, HIDDEN))


def build_simcc_graph(path: str | Path, seed: int = 0) -> Path:
    """Write the graph.

    Args:
        path: where to; parent directories must exist.
        seed: of the random weights.

    Returns:
        The path. Input `input` (batch, 3, 256, 192) float32; outputs `simcc_x` (batch, 17, 384) and
        `simcc_y` (batch, 17, 512).
    """
    g = GraphWriter(seed)
    simcc_x, simcc_y = _head(g, _backbone(g, "input"))
    g.nodes.append(helper.make_node("Identity", [simcc_x], ["simcc_x"]))
    g.nodes.append(helper.make_node("Identity", [simcc_y], ["simcc_y"]))

    def tensor(name: str, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    graph = helper.make_graph(
        g.nodes,
        "simcc",
        [tensor("input", 3, *INPUT_HW)],
        [
            tensor("simcc_x", JOINTS, INPUT_HW[1] * SPLIT_RATIO),
            tensor("simcc_y", JOINTS, INPUT_HW[0] * SPLIT_RATIO),
        ],
        g.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return Path(path)


def count_parameters(path: str | Path) -> int:
    """Numbers in the weights of an ONNX file, constants of shapes left out."""
    weights = onnx.load(str(path)).graph.initializer
    return sum(math.prod(w.dims) for w in weights if w.data_type == TensorProto.FLOAT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    written = build_simcc_graph(arguments.out, arguments.seed)
    print(f"{written}: {count_parameters(written) / 1e6:.2f} M parameters")
