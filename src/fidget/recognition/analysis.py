"""One clip of a pose cache through a recogniser or a detector: the persons of a result."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fidget.detection.trained_detector import TrainedDetector, load_detector
from fidget.recognition.decisions import DecisionRules, merged
from fidget.recognition.detected import curves_of_found, segments_of_found
from fidget.recognition.person_recordings import PersonRecordings
from fidget.recognition.person_windows import (
    WindowLength,
    cut,
    person_windows,
    pose_quality,
    seen_frames,
)
from fidget.recognition.recogniser import Recogniser, load_recogniser, stored_json
from fidget.recognition.result import Curves, Person, VideoResult
from fidget.training.run_directory import RunDirectory
from poses.clip import PoseClip
from protocols.label_tree import LabelTree
from skeleton_models.clip_arrays import ClipArrays

Progress = Callable[[float], None]  # seconds of a person looked at since the last call


@dataclass(frozen=True, eq=False)
class FindingModel:
    """A detector, and what its run says of it.

    Attributes:
        detector: over poses.
        weights_hash: 16 hexadecimal digits of the file of weights.
        simulated: whether its annotated recordings were simulated.
    """

    detector: TrainedDetector
    weights_hash: str
    simulated: bool

    @property
    def tree(self) -> LabelTree:
        """Its actions."""
        return self.detector.tree

    @property
    def method(self) -> str:
        """For people."""
        words = " (trained on simulated data)" if self.simulated else ""
        return f"{self.detector.recipe.name}: detector, {self.weights_hash}{words}"


Model = Recogniser | FindingModel


@dataclass(frozen=True)
class AnalysisRules:
    """What decides a result beside the model and the poses.

    Attributes:
        length: windows of a recogniser; a detector has its own.
        decision: when something is said.
        all_views: of a recogniser's recipe; else one.
    """

    length: WindowLength = field(default_factory=WindowLength)
    decision: DecisionRules = field(default_factory=DecisionRules)
    all_views: bool = True


def load_model(run: Path, device: str = "auto") -> Model:
    """The recogniser or the detector of a run directory, whichever lies there.

    Raises:
        ValueError: neither does, or the model is not over poses.
    """
    if not run.is_dir():
        raise ValueError(f"{run}: expected a run directory of fidget train or fidget detect train")
    if not (run / "tree.json").is_file():
        return load_recogniser(run, device)
    detector = load_detector(run, device)
    if detector.recipe.input.form != "poses":
        raise ValueError(
            f"{run} detects in {detector.recipe.input.form}: fidget recognize takes a detector over poses; "
            "use fidget detect run"
        )
    selected = RunDirectory(run).selected
    digest = hashlib.sha256(selected.read_bytes()).hexdigest()[:16]
    simulated = stored_json(run / "summary.json").get("simulated") is True
    return FindingModel(detector, digest, simulated or "simul" in detector.tree.name.lower())


def layout_of(model: Model) -> str:
    """Name of the joints that a model takes."""
    return model.layout.name if isinstance(model, Recogniser) else str(model.detector.shapes.layout)


def extraction_layout(model: Model) -> str:
    """Name of the joints that are extracted for a model: the whole set where it takes a part of one."""
    return layout_of(model).partition("/")[0]


def analysed(
    model: Model,
    poses: PersonRecordings,
    clip_id: str,
    rules: AnalysisRules,
    step: Progress = lambda seconds: None,
) -> tuple[Person, ...]:
    """What each tracked person of a clip does.

    Args:
        model: that sees.
        poses: of the model's joints.
        clip_id: of a clip with at least two frames.
        rules: see there.
        step: told the seconds of a person that each batch went on.

    Raises:
        ValueError: the poses are not what the model takes.
    """
    cache = poses.clips.cache
    clip = cache.read(clip_id)
    arrays = poses.clips.read(clip_id)
    if isinstance(model, Recogniser):
        return tuple(_recognised(model, clip, arrays, person, rules, step) for person in range(clip.persons))
    ids = [poses.person_id(clip_id, person) for person in range(clip.persons)]
    persons = []
    start_s, end_s = poses.span_s(ids[0]) if ids else (0.0, 0.0)
    for person, found in enumerate(model.detector.find(poses, ids, step=step) if ids else ()):
        time_s, quality = pose_quality(clip.time_s, clip.score[person])
        curves = curves_of_found(found, len(model.tree.actions), start_s, end_s, rules.length.step_s)
        segments = segments_of_found(found, model.tree, rules.decision)
        persons.append(Person(int(clip.track_ids[person]), time_s, quality, segments, curves))
    return tuple(persons)


def _recognised(
    model: Recogniser, clip: PoseClip, poses: ClipArrays, person: int, rules: AnalysisRules, step: Progress
) -> Person:
    windows = person_windows(clip.time_s, seen_frames(poses.score[person]), rules.length)

    def read(number: int) -> ClipArrays:
        one = windows[number]
        step(rules.length.step_s)
        return cut(poses, person, one.first, one.last)

    found = model.probabilities(len(windows), read, rules.all_views)  # (W, A)
    time_s, quality = pose_quality(clip.time_s, clip.score[person])
    spans = [one.span for one in windows]
    curves = Curves(
        np.array([one.middle_s for one in spans], np.float64),
        np.ascontiguousarray(found.T.astype(np.float32)),
    )
    segments = merged(spans, found, model.tree, rules.decision)
    return Person(int(clip.track_ids[person]), time_s, quality, segments, curves)


def described(
    model: Model, clip: PoseClip, persons: tuple[Person, ...], path: str, warnings: tuple[str, ...]
) -> VideoResult:
    """The record of one video, without a medium to play."""
    tree: LabelTree = model.tree
    end_s = 2 * clip.time_s[-1] - clip.time_s[-2] if clip.frames > 1 else clip.time_s[-1]
    calibrated = isinstance(model, Recogniser) and model.calibrated
    return VideoResult(
        video_id=clip.clip_id,
        path=path,
        media="",
        private=False,
        start_s=float(clip.time_s[0]),
        duration_s=float(end_s - clip.time_s[0]),
        frame_rate=float(clip.fps),
        frame_width=clip.frame_hw[1],
        frame_height=clip.frame_hw[0],
        warnings=warnings,
        method=model.method,
        simulated=model.simulated,
        calibrated=calibrated,
        temperature=model.temperature if isinstance(model, Recogniser) else 1.0,
        actions=tree.actions,
        groups=tree.groups,
        group_of=tree.group_of,
        persons=persons,
    )
