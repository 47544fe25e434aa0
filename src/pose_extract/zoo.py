"""Names to models. A manifest row is a model: adding one needs no line here, adding a decoder needs one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pose_extract.blaze_weights import BLAZEPOSE_LAYOUTS
from pose_extract.settings import ExtractSettings

if TYPE_CHECKING:
    from pose_extract.estimator import PersonDetector, PoseEstimator
    from weights.manifest import Weight


@dataclass(frozen=True)
class PoseChoice:
    """A model that can be asked for by name.

    Attributes:
        name: what `--model` takes.
        layouts: layouts it can answer in, its own first.
        detectors: person detectors it can stand behind; empty where it finds people itself.
    """

    name: str
    layouts: tuple[str, ...]
    detectors: tuple[str, ...] = ()


def simcc_weights() -> dict[str, Weight]:
    """Manifest rows that are top-down SimCC pose models, by name."""
    from weights.manifest import load_manifest

    return {name: w for name, w in load_manifest().items() if w.decoding == "simcc"}


def detector_weights() -> dict[str, Weight]:
    """Manifest rows that are person detectors for top-down models, by name."""
    from weights.manifest import load_manifest

    return {name: w for name, w in load_manifest().items() if w.decoding in _DETECTOR_BUILDERS}


def list_models() -> list[PoseChoice]:
    """Every model by name: the embedded default, the manifest's SimCC rows, the MMPose adapter."""
    detectors = tuple(detector_weights())
    choices = [PoseChoice("blazepose", tuple(BLAZEPOSE_LAYOUTS))]
    choices += [
        PoseChoice(name, _layouts_from(str(w.layout)), detectors) for name, w in simcc_weights().items()
    ]
    return [*choices, PoseChoice("mmpose", ("coco17", "halpe26", "coco_wholebody133"), detectors)]


def _layouts_from(own: str) -> tuple[str, ...]:
    smaller = {
        "coco17": (),
        "halpe26": ("coco17",),
        "coco_wholebody133": ("coco17",),
    }
    return (own, *smaller.get(own, ()))


def resolve(settings: ExtractSettings) -> ExtractSettings:
    """Fill in what was left open: the model behind `auto`, its detector, its own layout.

    Raises:
        ValueError: an unknown name, or a layout the model cannot answer in; the message lists the choices.
    """
    choices = {choice.name: choice for choice in list_models()}
    name = _auto_model(settings.layout) if settings.model == "auto" else settings.model
    if name not in choices:
        raise ValueError(f"unknown model {name!r}: {_nearest(name, list(choices))}")
    choice = choices[name]
    layout = settings.layout or choice.layouts[0]
    if layout not in choice.layouts:
        raise ValueError(
            f"model {name} answers in layout {', '.join(choice.layouts)}, not {layout!r}: "
            "choose one of these, or another model"
        )
    detector = _resolve_detector(settings.detector, choice)
    _check_device(settings.device, name)
    if settings.flip_test and name == "blazepose":
        raise ValueError("model blazepose has no flip test: leave --flip-test out, or choose another --model")
    return replace(settings, model=name, layout=layout, detector=detector)


def _check_device(device: str, model: str) -> None:
    from pose_extract.onnx_session import parse_device

    parse_device(device)
    if model == "blazepose" and device not in ("auto", "cpu"):
        raise ValueError(
            f"blazepose runs on the CPU only, --device {device} was asked for: "
            "use --device cpu, or a model of ONNX Runtime (extract-poses --list-models)"
        )


def _resolve_detector(asked: str | None, choice: PoseChoice) -> str | None:
    from weights.fetch import is_present

    if not choice.detectors:
        if asked:
            raise ValueError(f"model {choice.name} finds people itself: leave --detector out, got {asked!r}")
        return None
    if asked is None:
        return next((name for name in choice.detectors if is_present(name)), choice.detectors[0])
    if asked not in choice.detectors:
        raise ValueError(f"unknown detector {asked!r}: {_nearest(asked, list(choice.detectors))}")
    return asked


def _auto_model(layout: str) -> str:
    """RTMPose where its weights and a detector's are present, else BlazePose.

    Of several, those whose own layout is asked for, else body before body and feet before whole body; of
    these the largest, which is the manifest's last.
    """
    from weights.fetch import is_present

    if not any(is_present(name) for name in detector_weights()):
        return "blazepose"
    present = [w for name, w in simcc_weights().items() if is_present(name)]
    for own in (layout, "coco17", "halpe26", "coco_wholebody133"):
        fitting = [w.name for w in present if w.layout == own and layout in ("", *_layouts_from(own))]
        if fitting:
            return fitting[-1]
    return "blazepose"


def _nearest(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}? " * bool(close) + f"known are {', '.join(known)}"


def weights_in_use(settings: ExtractSettings) -> dict[str, str]:
    """Name -> SHA-256 of every weight these resolved settings use; what a cache records.

    Raises:
        MissingWeightError: files are not there; the message says of each how to get it.
    """
    from weights.errors import MissingWeightError
    from weights.fetch import find_weight, weight_sha256

    if settings.model == "blazepose":
        names = list(BLAZEPOSE_LAYOUTS[settings.layout])
    else:
        names = [str(settings.detector)]
        names += [settings.model] if settings.model != "mmpose" else []
    missing = []
    for name in names:
        try:
            find_weight(name)
        except MissingWeightError as error:
            missing.append(str(error))
    if missing:
        raise MissingWeightError("; ".join(missing))
    in_use = {name: weight_sha256(name) for name in names}
    if settings.model == "mmpose":
        in_use |= {f"mmpose:{path}": _sha256(path) for path in _mmpose_files(settings)}
    return in_use


def _mmpose_files(settings: ExtractSettings) -> tuple[str, str]:
    if not settings.mmpose_config or not settings.mmpose_checkpoint:
        raise ValueError(
            "--model mmpose needs --mmpose-config CONFIG.py and --mmpose-checkpoint FILE.pth: "
            f"got {settings.mmpose_config!r} and {settings.mmpose_checkpoint!r}"
        )
    return settings.mmpose_config, settings.mmpose_checkpoint


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_estimator(settings: ExtractSettings, threads: int = 1) -> PoseEstimator:
    """Load the model that resolved settings name.

    Raises:
        MissingWeightError: a weight file is not there.
        DeviceUnavailableError: the device asked for does not work here.
    """
    if settings.model == "blazepose":
        return _build_blazepose(settings, threads)
    return _build_top_down(settings, threads)


def _build_blazepose(settings: ExtractSettings, threads: int) -> PoseEstimator:
    from pose_extract.blazepose import BlazePoseEstimator
    from poses.layout import get_layout

    _check_device(settings.device, settings.model)
    return BlazePoseEstimator(
        get_layout(settings.layout), settings.max_persons, settings.detect_every_frames, threads
    )


def _build_top_down(settings: ExtractSettings, threads: int) -> PoseEstimator:
    from pose_extract.onnx_session import OnnxSession
    from pose_extract.top_down import TopDownEstimator
    from weights.fetch import find_weight

    row = detector_weights()[str(settings.detector)]
    session = OnnxSession(find_weight(row.name), settings.device, threads)
    detector = _DETECTOR_BUILDERS[row.decoding](session, row)
    if settings.model == "mmpose":
        from pose_extract.mmpose_adapter import MmposeModel
        from poses.layout import get_layout

        config, checkpoint = _mmpose_files(settings)
        pose = MmposeModel(config, checkpoint, settings.device, get_layout(settings.layout))
        runtime = f"{pose.runtime}; detector {session.runtime}"
    else:
        from pose_extract.rtmpose import RtmPose

        weight = simcc_weights()[settings.model]
        pose_session = OnnxSession(find_weight(settings.model), settings.device, threads)
        pose = RtmPose.from_weight(pose_session, weight, flip_test=settings.flip_test)
        runtime = pose_session.runtime
    if session.warning:
        runtime += f"; {session.warning}"
    return TopDownEstimator(
        detector,
        pose,
        settings.max_persons,
        settings.detect_every_frames,
        weights=weights_in_use(settings),
        runtime=runtime,
    )


def _rtmdet(session: object, row: Weight) -> PersonDetector:
    from pose_extract.rtmdet import RtmDet

    return RtmDet.from_weight(session, row)


def _yolox(session: object, row: Weight) -> PersonDetector:
    from pose_extract.yolox import YoloX

    return YoloX.from_weight(session, row)


_DETECTOR_BUILDERS: dict[str, Callable[..., PersonDetector]] = {"rtmdet": _rtmdet, "yolox": _yolox}
