"""LiteRT behind four verbs: load, write the input, run, read the outputs.

A model is run by one thread: on small convolutions two are slower than one, and several workers use the
cores better. Before loading, a model is pruned to the outputs that are read: the pose landmark model also
draws a 256 x 256 segmentation mask that nobody here looks at.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOTICE = b"Created TensorFlow Lite XNNPACK delegate"


class BrokenModelError(ValueError):
    """A file that was expected to be a TFLite model is not one, or not the one expected."""


class LiteRtSession:
    """One TFLite model with one input.

    Args:
        path: the .tflite file.
        outputs: positions of the outputs that will be read; None keeps all. `run` answers in this order.
        threads: threads inside one call; one is fastest for the models of this project.

    Attributes:
        input_shape: of the input, without the batch axis: (H, W, 3).
        output_shapes: of the kept outputs, batch axis included.

    Raises:
        BrokenModelError: the file is no TFLite model or has no such outputs.
    """

    def __init__(self, path: Path, outputs: Sequence[int] | None = None, threads: int = 1):
        from ai_edge_litert.interpreter import Interpreter

        data = path.read_bytes()
        if outputs is not None:
            data = prune(data, outputs, name=path.name)
        elif data[4:8] != b"TFL3":
            raise BrokenModelError(f"{path}: expected a TFLite model (TFL3), got {data[4:8]!r}")
        try:
            with _without_delegate_notice():
                self._interpreter: Any = Interpreter(model_content=data, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise BrokenModelError(f"{path}: LiteRT cannot load it: {error}") from error
        inputs, kept = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.input_shape: tuple[int, ...] = tuple(int(n) for n in inputs[0]["shape"][1:])
        self.output_shapes = [tuple(int(n) for n in one["shape"]) for one in kept]
        self._input_view = self._interpreter.tensor(inputs[0]["index"])
        self._output_views = [self._interpreter.tensor(one["index"]) for one in kept]

    def input(self) -> NDArray[np.float32]:
        """The input tensor itself, without the batch axis: write into it, let go of it, then `run`."""
        view: NDArray[np.float32] = self._input_view()[0]
        return view

    def run(self) -> list[NDArray[np.float32]]:
        """Run on what was written into `input()`; the outputs are copies."""
        self._interpreter.invoke()
        return [view().copy() for view in self._output_views]

    def run_views(self) -> list[NDArray[np.float32]]:
        """As `run`, but the outputs are the model's own memory: let go of them before the next `run`."""
        self._interpreter.invoke()
        return [view() for view in self._output_views]


@contextmanager
def _without_delegate_notice() -> Iterator[None]:
    """Keep LiteRT's notice that it made its XNNPACK delegate off the terminal; all else passes, a bit later.

    The library writes it straight to the standard error stream, once a process, and has no switch for it.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # no standard error stream: nothing to keep clean
        yield
        return
    with tempfile.TemporaryFile() as caught:
        try:
            os.dup2(caught.fileno(), 2)
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            caught.seek(0)
            for line in caught:
                if _NOTICE not in line:
                    os.write(2, line)


def litert_runtime(threads: int = 1) -> str:
    """What runs the models, for the record: `litert 2.3.0 XNNPACK, 1 thread`."""
    return f"litert {version('ai-edge-litert')} XNNPACK, {threads} thread{'s' if threads != 1 else ''}"


def prune(model: bytes, outputs: Sequence[int], name: str = "model") -> bytes:
    """A TFLite model without the operators that feed none of the given outputs.

    Nothing is rebuilt: in a copy of the file the list of outputs and the list of operators are shortened in
    place; tensors and buffers that are no longer reached stay where they are. The layout of the file is
    that of the public schema (tensorflow/lite/schema/schema.fbs) in FlatBuffers' binary encoding: Model has
    subgraphs as field 2; SubGraph inputs 1, outputs 2, operators 3; Operator inputs 1, outputs 2.

    Raises:
        BrokenModelError: no TFLite model, more than one subgraph, or no such outputs.
    """
    data = bytearray(model)
    if data[4:8] != b"TFL3":
        raise BrokenModelError(f"{name}: expected a TFLite model (TFL3), got {bytes(data[4:8])!r}")
    try:
        return _prune_in_place(data, outputs, name)
    except struct.error as error:
        raise BrokenModelError(f"{name}: the file breaks off or is damaged: {error}") from error


def _prune_in_place(data: bytearray, outputs: Sequence[int], name: str) -> bytes:
    graphs = _tables(data, _vector(data, _uint(data, 0), field=2))
    if len(graphs) != 1:
        raise BrokenModelError(f"{name}: expected one subgraph, got {len(graphs)}")
    output_list = _vector(data, graphs[0], field=2)
    tensors = _ints(data, output_list)
    if not outputs or not all(0 <= at < len(tensors) for at in outputs):
        raise BrokenModelError(f"{name}: has outputs 0..{len(tensors) - 1}, asked for {list(outputs)}")
    wanted = [tensors[at] for at in outputs]
    operator_list = _vector(data, graphs[0], field=3)
    operators = _tables(data, operator_list)
    kept = _operators_behind(data, operators, wanted)
    _shorten(data, output_list, wanted)
    # An offset counts from the place where it is written, so it changes as it moves up.
    places = [operator_list + 4 * (place + 1) for place in range(len(kept))]
    _shorten(data, operator_list, [operators[at] - place for at, place in zip(kept, places, strict=True)])
    return bytes(data)


def _operators_behind(data: bytearray, operators: list[int], wanted: list[int]) -> list[int]:
    """Positions of the operators that the wanted tensors depend on, in the order in which they run."""
    needed, kept = set(wanted), []
    for at in reversed(range(len(operators))):
        if needed.intersection(_ints(data, _vector(data, operators[at], field=2))):
            kept.append(at)
            needed.update(_ints(data, _vector(data, operators[at], field=1)))
    return kept[::-1]


# FlatBuffers: a table starts with a signed offset back to its vtable, which lists where each field lies in
# the table; a vector is its length followed by its elements; references are offsets from where they stand.


def _uint(data: bytearray, at: int) -> int:
    """Follow the reference written at a place."""
    (offset,) = struct.unpack_from("<I", data, at)
    return at + int(offset)


def _vector(data: bytearray, table: int, field: int) -> int:
    """Where a table's vector begins; field numbers count as in the schema."""
    (back,) = struct.unpack_from("<i", data, table)
    vtable = table - back
    (size,) = struct.unpack_from("<H", data, vtable)
    entry = 4 + 2 * field
    (offset,) = struct.unpack_from("<H", data, vtable + entry) if entry < size else (0,)
    if offset == 0:
        raise BrokenModelError(f"expected a vector as field {field} of the table at byte {table}, got none")
    return _uint(data, table + offset)


def _ints(data: bytearray, vector: int) -> list[int]:
    (length,) = struct.unpack_from("<I", data, vector)
    return list(struct.unpack_from(f"<{length}i", data, vector + 4))


def _tables(data: bytearray, vector: int) -> list[int]:
    (length,) = struct.unpack_from("<I", data, vector)
    return [_uint(data, vector + 4 * (at + 1)) for at in range(length)]


def _shorten(data: bytearray, vector: int, values: list[int]) -> None:
    struct.pack_into(f"<I{len(values)}i", data, vector, len(values), *values)
