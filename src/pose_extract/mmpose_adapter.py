"""Any MMPose config and checkpoint behind our `PoseModel`; MMPose is imported only when one is built.

MMPose is no dependency: docs/mmpose.md has the steps that install it. A config is a Python program and a
checkpoint a pickle: a config runs code of whoever wrote it, a checkpoint is read as data only.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.onnx_session import DeviceUnavailableError

if TYPE_CHECKING:
    from pose_extract.estimator import FrameBgr
    from poses.layout import Layout

INSTALL = (
    'pip install "fidget[mmpose]", then pip install --no-deps mmengine==0.10.7 mmcv-lite==2.1.0 mmdet==3.3.0 '
    "mmpose==1.3.2; docs/mmpose.md has all the steps"
)


class MmposeMissingError(ImportError):
    """MMPose, or a part of it, cannot be imported; the message says what to install."""


class MmposeModelError(ValueError):
    """The config or checkpoint is no top-down model of the layout asked for."""


class MmposeModel:
    """A top-down MMPose model: frames, boxes -> xy_px, score.

    Attributes:
        layout: joint set of the answers.
        weights: `mmpose:<file name>` -> SHA-256 of the checkpoint and of the config.
        runtime: what really runs it, e.g. `mmpose 1.3.2, torch 2.13.0, cpu`.
    """

    def __init__(
        self, config: str | Path, checkpoint: str | Path | None, device: str, layout: Layout
    ) -> None:
        """Load the model and check that it answers in `layout`.

        Args:
            config: a config file of MMPose 1.x.
            checkpoint: its weights; None leaves them random, as tests want it.
            device: `auto`, `cpu`, `cuda` or `cuda:N`.
            layout: what the caller will take the answers for.

        Raises:
            MmposeMissingError: MMPose is not installed; the message says how to.
            FileNotFoundError: config or checkpoint is missing.
            MmposeModelError: MMPose refuses the files, or its keypoints are not those of `layout`.
            DeviceUnavailableError: the device does not work here.
        """
        files = [Path(file) for file in (config, checkpoint) if file is not None]
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(
                    f"MMPose: expected a file, got {file}; give --mmpose-config CONFIG.py and "
                    "--mmpose-checkpoint FILE.pth"
                )
        self._api = _import_api()
        self.layout = layout
        self._model = _load(self._api, str(config), None if checkpoint is None else str(checkpoint), device)
        check_layout(getattr(self._model, "dataset_meta", None), layout, str(config))
        self.weights = {f"mmpose:{file.name}": _sha256(file) for file in files}
        self.runtime = _runtime(self._model)

    def estimate(
        self, frames_bgr: Sequence[FrameBgr], boxes_px: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each frame with boxes (P, 4): xy_px (P, V, 2) and score (P, V).

        One call of MMPose a frame, batched over the people in it. A frame without a box gets no people:
        MMPose itself would take the whole frame for one.
        """
        return [
            self._estimate_frame(frame, np.asarray(boxes, np.float32).reshape(-1, 4))
            for frame, boxes in zip(frames_bgr, boxes_px, strict=True)
        ]

    def _estimate_frame(
        self, frame_bgr: FrameBgr, boxes_px: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        people, joints = len(boxes_px), len(self.layout.joints)
        xy_px = np.full((people, joints, 2), np.nan, np.float32)  # (P, V, 2)
        score = np.zeros((people, joints), np.float32)  # (P, V)
        if not people:
            return xy_px, score
        answers = self._api.inference_topdown(self._model, frame_bgr, boxes_px, bbox_format="xyxy")
        if len(answers) != people:
            raise MmposeModelError(
                f"MMPose: expected an answer for each of {people} boxes, got {len(answers)}"
            )
        for person, answer in enumerate(answers):
            found = answer.pred_instances  # one instance, the box asked for
            xy = _as_array(found.keypoints)[0]
            sure = _as_array(found.keypoint_scores)[0]
            if xy.shape != (joints, 2) or sure.shape != (joints,):
                raise MmposeModelError(
                    f"MMPose: expected {joints} joints of {self.layout.name}, got keypoints {xy.shape} "
                    f"and scores {sure.shape}; choose a config with two-dimensional keypoints of this layout"
                )
            seen = np.isfinite(xy).all(axis=1) & (sure > 0)
            xy_px[person, seen] = xy[seen]
            score[person, seen] = np.clip(sure[seen], 0.0, 1.0)
        return xy_px, score


def check_layout(meta: Mapping[str, Any] | None, layout: Layout, config: str) -> None:
    """Whether a model's `dataset_meta` describes this layout: number of keypoints and mirror pairs.

    Raises:
        MmposeModelError: naming both sides.
    """
    if not meta or "num_keypoints" not in meta:
        raise MmposeModelError(f"MMPose: {config} says nothing of its keypoints (dataset_meta is {meta!r})")
    its_name = f"{config} ({meta.get('dataset_name', 'unnamed')}, {meta['num_keypoints']} keypoints)"
    our_name = f"layout {layout.name} ({len(layout.joints)} joints)"
    if meta["num_keypoints"] != len(layout.joints):
        raise MmposeModelError(f"MMPose: {its_name} does not answer in {our_name}; choose another --layout")
    mirror = _mirror(meta, len(layout.joints))
    if mirror is None:
        return
    differ = [name for name, a, b in zip(layout.joints, layout.mirror, mirror, strict=True) if a != b]
    if differ:
        shown = ", ".join(differ[:4])
        raise MmposeModelError(
            f"MMPose: {its_name} orders its keypoints otherwise than {our_name}: the left/right pairs differ "
            f"at {shown}; choose another --layout"
        )


def _mirror(meta: Mapping[str, Any], joints: int) -> tuple[int, ...] | None:
    """For each joint the index of its counterpart, from flip_indices or flip_pairs; None where unsaid."""
    indices = meta.get("flip_indices")
    if indices is not None and len(indices) == joints:
        return tuple(int(index) for index in indices)
    pairs = meta.get("flip_pairs")
    if pairs is None:
        return None
    mirror = list(range(joints))
    for left, right in pairs:
        mirror[int(left)], mirror[int(right)] = int(right), int(left)
    return tuple(mirror)


def _import_api() -> Any:
    """`mmpose.apis`; an ImportError of any part of it says what to install."""
    try:
        import mmpose.apis
    except ImportError as error:
        raise MmposeMissingError(f"--model mmpose: MMPose does not import ({error}): {INSTALL}") from error
    return mmpose.apis


def _load(api: Any, config: str, checkpoint: str | None, device: str) -> Any:
    if device != "auto" and device != "cpu" and device.split(":")[0] != "cuda":
        raise DeviceUnavailableError(f"MMPose runs on cpu, cuda or cuda:N, got --device {device}")
    torch: Any = sys.modules.get("torch")  # MMPose has imported it; we do not depend on it
    has_cuda = torch is not None and bool(torch.cuda.is_available())
    if device.startswith("cuda") and not has_cuda:
        raise DeviceUnavailableError(
            f"--device {device}: the torch that MMPose uses finds no CUDA; use --device cpu"
        )
    place = {"auto": "cuda:0" if has_cuda else "cpu", "cuda": "cuda:0"}.get(device, device)
    try:
        with _numpy_in_checkpoints(torch):
            model = api.init_model(config, checkpoint, device=place)
            if checkpoint is not None and torch is not None:
                check_loaded(_shapes(model.state_dict()), _shapes(_read_state(torch, checkpoint)), checkpoint)
            return model
    except MmposeModelError:
        raise
    except pickle.UnpicklingError as error:
        raise MmposeModelError(
            f"MMPose: {checkpoint} holds more than tensors and numpy arrays, so that loading it would run "
            "its code; keep only `state_dict` and `meta` of it (MMPose's publish_model.py does)"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError, OSError) as error:
        raise MmposeModelError(
            f"MMPose: cannot build {config} with {checkpoint} on {place}: {type(error).__name__}: {error}"
        ) from error


def check_loaded(
    model: Mapping[str, tuple[int, ...]], file: Mapping[str, tuple[int, ...]], checkpoint: str
) -> None:
    """Whether a file holds every parameter of a model, in its shape: MMPose leaves the rest random, silently.

    Args:
        model: parameter name -> shape, of the model.
        file: likewise, of the checkpoint.
        checkpoint: its path, for the message.

    Raises:
        MmposeModelError: naming how many are missing or of another shape, and the first.
    """
    missing = [name for name in model if name not in file and not name.endswith("num_batches_tracked")]
    other = [name for name in model if name in file and file[name] != model[name]]
    if missing or other:
        raise MmposeModelError(
            f"MMPose: {checkpoint} belongs to another config: {len(missing)} of {len(model)} parameters are "
            f"missing in it and {len(other)} have another shape, such as {(missing + other)[0]}"
        )


def _read_state(torch: Any, checkpoint: str) -> Mapping[str, Any]:
    """The parameters of a checkpoint, under the names that MMEngine gives them."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state: Mapping[str, Any] = content.get("state_dict", content)
    return {name.removeprefix("module."): value for name, value in state.items()}


def _shapes(state: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items() if hasattr(value, "shape")}


def _numpy_in_checkpoints(torch: Any) -> AbstractContextManager[Any]:
    """Let torch.load read the numpy arrays of a checkpoint's `meta`, and nothing else beside tensors.

    Since torch 2.6 it refuses everything but tensors unless told; MMPose's published checkpoints describe
    their keypoints with numpy arrays, under the module names of numpy 1 or 2.
    """
    if torch is None:
        return nullcontext()
    rebuild = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    dtypes = [type(np.dtype(kind)) for kind in ("bool", "u1", "i4", "i8", "f4", "f8")]
    named = [
        (function, f"numpy.{package}.multiarray.{function.__name__}")
        for function in (rebuild, scalar)
        for package in ("core", "_core")
    ]
    allowed: AbstractContextManager[Any] = torch.serialization.safe_globals(
        [np.ndarray, np.dtype, *dtypes, *named]
    )
    return allowed


def _runtime(model: Any) -> str:
    """Versions, and the device that the parameters really lie on."""
    import mmpose

    torch: Any = sys.modules.get("torch")
    parts = [f"mmpose {getattr(mmpose, '__version__', 'unknown')}"]
    parts += [f"torch {torch.__version__}"] if torch is not None else []
    parts += [str(next(iter(model.parameters())).device)]
    return ", ".join(parts)


def _as_array(values: Any) -> NDArray[np.float32]:
    """A numpy array of what MMPose answers, which may be a tensor on a GPU."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, np.float32)


def _sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
