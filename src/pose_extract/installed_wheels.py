"""Which wheels pip has installed, and which of them break each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ONNX_WHEELS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-silicon",
)
"""The builds of ONNX Runtime, all of which fill the folder `onnxruntime`."""


def installed(wheels: Iterable[str]) -> dict[str, str]:
    """Those of the wheels that pip knows, with their versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for wheel in wheels:
        try:
            found[wheel] = version(wheel)
        except PackageNotFoundError:
            continue
    return found


def installation_warning(wheels: Sequence[str]) -> str | None:
    """What to say about installed builds of ONNX Runtime; None where there is one at most."""
    if len(wheels) < 2:
        return None
    return (
        f"{' and '.join(wheels)} are both installed and share one folder, the last installed wins: "
        "uninstall both, then install fidget[cpu] or fidget[gpu], not both"
    )
