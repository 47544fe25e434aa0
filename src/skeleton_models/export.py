"""A trained network as an ONNX file or a `torch.export` program, handed out only where it equals the network.

Networks are exported for evaluation and without a mask of present persons: every person of a clip is
computed, as published code does, for which persons are there depends on the data.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from skeleton_models.model import SkeletonModel

OPSET = 17
LARGEST_DIFFERENCE = 1e-4  # of the largest logit


def export_onnx(
    model: SkeletonModel,
    example: Tensor,
    path: str | Path,
    *,
    position: Tensor | None = None,
    any_batch: bool = False,
) -> Path:
    """Write an ONNX file with inputs `x` (and `position`) and output `logits`, checked by onnxruntime.

    Args:
        model: any network; its mode is left as it was.
        example: an input as for forward, on the model's device; its sizes become the file's.
        path: where the file goes; an existing one is replaced, and only by one that passed the check.
        position: (N, T), for networks with `takes_position`.
        any_batch: whether the file takes any number of clips; checked with twice the example.

    Returns:
        The path.

    Raises:
        ValueError: the network cannot be exported, or the file computes something else.
        ModuleNotFoundError: onnxruntime is missing.
    """
    inputs = (example,) if position is None else (example, position)
    names = ["x", "position"][: len(inputs)]
    file = io.BytesIO()
    with _evaluating(model), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on its age and on sizes taken as constants
        try:
            torch.onnx.export(
                _WithoutMask(model),
                inputs,
                cast(Any, file),  # torch writes into it; its stub knows paths only
                dynamo=False,
                opset_version=OPSET,
                input_names=names,
                output_names=["logits"],
                dynamic_axes={name: {0: "N"} for name in [*names, "logits"]} if any_batch else None,
            )
        except (RuntimeError, torch.onnx.OnnxExporterError) as error:
            raise ValueError(_refused(model, "ONNX", error)) from error
    session = _onnx_session(file.getvalue())
    for tried in [inputs, *([tuple(torch.cat([i, i]) for i in inputs)] if any_batch else [])]:
        feed = {name: tensor.cpu().numpy() for name, tensor in zip(names, tried, strict=True)}
        try:
            (got,) = session.run(None, feed)
        except _onnx_errors() as error:
            raise ValueError(_refused(model, f"ONNX for {len(tried[0])} clips", error)) from error
        _check_equal(model, "the ONNX file", torch.from_numpy(np.asarray(got)), tried)
    path = Path(path)
    path.write_bytes(file.getvalue())
    return path


def export_program(
    model: SkeletonModel, example: Tensor, *, position: Tensor | None = None
) -> torch.export.ExportedProgram:
    """The network as a program for `torch.export.save`, checked on the example.

    Args:
        model: any network; its mode is left as it was.
        example: an input as for forward; its sizes become the program's.
        position: (N, T), for networks with `takes_position`.

    Returns:
        A program that takes x (and position) and returns logits.

    Raises:
        ValueError: the network cannot be exported, or the program computes something else.
    """
    inputs = (example,) if position is None else (example, position)
    with _evaluating(model):
        try:
            program = torch.export.export(_WithoutMask(model), inputs)
        except RuntimeError as error:  # the exporter's own errors are RuntimeErrors
            raise ValueError(_refused(model, "torch.export", error)) from error
        with torch.no_grad():
            got = program.module()(*inputs)
    _check_equal(model, "the exported program", got, inputs)
    return program


class _WithoutMask(nn.Module):
    """Forward of x and position only."""

    def __init__(self, model: SkeletonModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, position: Tensor | None = None) -> Tensor:
        logits: Tensor = self.model(x, None, position)
        return logits


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _onnx_session(content: bytes) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "an ONNX file is checked by onnxruntime before it is written; install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _onnx_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import (  # type: ignore[import-untyped]
        onnxruntime_pybind11_state as state,
    )

    return state.Fail, state.InvalidArgument, state.RuntimeException


def _check_equal(model: SkeletonModel, what: str, got: Tensor, inputs: tuple[Tensor, ...]) -> None:
    with _evaluating(model), torch.no_grad():
        expected = _WithoutMask(model)(*inputs).float().cpu()
    scale = expected.abs().max().clamp(min=1e-6).item()
    if got.shape != expected.shape:
        raise ValueError(f"{what} gives {tuple(got.shape)}, {type(model).__name__} {tuple(expected.shape)}")
    gap = (got.float().cpu() - expected).abs().max().item() / scale
    if not gap <= LARGEST_DIFFERENCE:
        raise ValueError(
            f"{what} differs from {type(model).__name__} by {gap:.1e} of the largest logit, allowed are "
            f"{LARGEST_DIFFERENCE:g}; it is not handed out. Export in "
            "float32 on the CPU, or report the network"
        )


def _refused(model: nn.Module, what: str, error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"{type(model).__name__} could not be exported to {what}: {first}; try an example of the sizes it is "
        "trained with, in float32 on the CPU"
    )
