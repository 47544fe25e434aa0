"""One clip of a pose cache through a recogniser or a detector: the persons of a result."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fidget.detection.recordings import Recordings
from fidget.detection.trained_detector import TrainedDetector, load_detector
from fidget.recognition.clip_video import opened_for_detection
from fidget.recognition.clip_windows import ClipWindow, Progress, SeenVideo, part_of, window_probabilities
from fidget.recognition.decisions import DecisionRules, merged
from fidget.recognition.detected import curves_of_found, segments_of_found
from fidget.recognition.person_recordings import PersonRecordings
from fidget.recognition.person_windows import WindowLength, person_windows, pose_quality, seen_frames
from fidget.recognition.recogniser import Recogniser, load_recogniser
from fidget.recognition.result import NOBODY, Curves, Person, Segment, VideoResult
from fidget.recognition.trained_network import origin_of
from fidget.recognition.window_frames import opened_video
from fidget.training.run_directory import RunDirectory
from poses.clip import PoseClip
from protocols.label_tree import LabelTree


@dataclass(frozen=True, eq=False)
class FindingModel:
    """A detector, and what its run says of it.

    Attributes:
        detector: over poses or frames.
        weights_hash: 16 hexadecimal digits of the file of weights.
        simulated: whether its annotated recordings were simulated.
        unrecorded: its name, where its run does not record that.
    """

    detector: TrainedDetector
    weights_hash: str
    simulated: bool
    unrecorded: tuple[str, ...] = ()

    @property
    def tree(self) -> LabelTree:
        """Its actions."""
        return self.detector.tree

    @property
    def takes_frames(self) -> bool:
        """Whether it needs the video."""
        return self.detector.recipe.input.form == "frames"

    @property
    def sees_whole_picture(self) -> bool:
        """Whether it sees whole pictures: then it does not know of whom it speaks."""
        return self.takes_frames and not self.detector.recipe.input.person_crop

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


def load_model(runs: Sequence[Path], device: str = "auto", fusion: Path | None = None) -> Model:
    """The recogniser of some run directories, or the detector of one.

    Args:
        runs: of `fidget train`, whose networks are fused; or one of `fidget detect train`.
        device: `auto`, `cpu` or `cuda`.
        fusion: see `load_recogniser`.

    Raises:
        ValueError: a directory holds no run, the runs do not go together, or a detector takes features.
        OSError: the fusion cannot be read.
    """
    for run in runs:
        if not run.is_dir():
            raise ValueError(f"{run}: expected a run directory of fidget train or fidget detect train")
    detectors = [run for run in runs if (run / "tree.json").is_file()]
    if not detectors:
        return load_recogniser(runs, device, fusion)
    if len(runs) > 1 or fusion is not None:
        raise ValueError(
            f"{detectors[0]} is a detector, whose segments are not fused with anything: name it alone"
        )
    (run,) = runs
    detector = load_detector(run, device)
    if detector.recipe.input.form == "features":
        raise ValueError(
            f"{run} detects in files of features: fidget recognize takes a detector over poses or frames"
        )
    selected = RunDirectory(run).selected
    digest = hashlib.sha256(selected.read_bytes()).hexdigest()[:16]
    origin = origin_of(run, detector.tree)
    unrecorded = () if origin.recorded else (detector.recipe.name,)
    return FindingModel(detector, digest, origin.simulated, unrecorded)


def layout_of(model: Model) -> str:
    """Name of the joints that a model takes; empty where it takes none."""
    if isinstance(model, Recogniser):
        return model.layout.name if model.layout is not None else ""
    return str(model.detector.shapes.layout)


def extraction_layout(model: Model) -> str:
    """Name of the joints that are extracted for a model: the whole set where it takes a part of one."""
    return layout_of(model).partition("/")[0]


def analysed(
    model: Model,
    poses: PersonRecordings,
    clip_id: str,
    rules: AnalysisRules,
    step: Progress = lambda seconds: None,
    source: Path | None = None,
) -> tuple[Person, ...]:
    """What each tracked person of a clip does.

    Args:
        model: that sees.
        poses: of the model's joints.
        clip_id: of a clip with at least two frames.
        rules: see there.
        step: told the seconds of a person that each batch went on.
        source: the video, for models that take frames.

    Returns:
        A record for each person; of a model that sees whole pictures one of the only person, or where there
        are several of nobody in particular (track -1).

    Raises:
        ValueError: the poses or the video are not what the model takes.
    """
    cache = poses.clips.cache
    clip = cache.read(clip_id)
    video = None
    if model.takes_frames:
        if source is None:
            raise ValueError("its video is not at hand, and the model takes frames: name the video")
        video = opened_video(source, cache, clip_id)
    people: list[int | None] = list(range(clip.persons))
    if model.sees_whole_picture and clip.persons > 1:
        people = [None]
    if isinstance(model, Recogniser):
        return _recognised(model, SeenVideo(clip, poses.clips.read(clip_id), video), people, rules, step)
    if video is None:
        ids = [poses.person_id(clip_id, person) for person in range(clip.persons)]
        return _found(model, poses, ids, clip, people, rules, step)
    crops = {
        f"{clip_id}, {number}": None if model.sees_whole_picture or person is None else part_of(clip, person)
        for number, person in enumerate(people)
    }
    with opened_for_detection(model.detector.recipe, video, clip.time_s, crops) as recordings:
        return _found(model, recordings, list(crops), clip, people, rules, step)


def _found(
    model: FindingModel,
    recordings: Recordings,
    ids: Sequence[str],
    clip: PoseClip,
    people: Sequence[int | None],
    rules: AnalysisRules,
    step: Progress,
) -> tuple[Person, ...]:
    """Each person's segments, from the recording of that person."""
    if not ids:
        return ()
    start_s, end_s = recordings.span_s(ids[0])
    persons = []
    for person, found in zip(people, model.detector.find(recordings, ids, step=step), strict=True):
        curves = curves_of_found(found, len(model.tree.actions), start_s, end_s, rules.length.step_s)
        segments = segments_of_found(found, model.tree, rules.decision)
        persons.append(_record(clip, person, segments, curves))
    return tuple(persons)


def _recognised(
    model: Recogniser, seen: SeenVideo, people: Sequence[int | None], rules: AnalysisRules, step: Progress
) -> tuple[Person, ...]:
    """Each person's windows, all of them in order of time, so that a video is read once."""
    clip = seen.clip
    windows = []
    for person in people:
        score = seen.poses.score
        there = (
            seen_frames(score[person]) if person is not None else np.any([*map(seen_frames, score)], axis=0)
        )
        windows += [ClipWindow(person, one) for one in person_windows(clip.time_s, there, rules.length)]
    windows.sort(key=lambda one: one.window.first)
    found = window_probabilities(model, seen, windows, rules.all_views, step, rules.length.step_s)  # (W, A)
    persons = []
    for person in people:
        own = [row for row, one in enumerate(windows) if one.person == person]
        spans = [windows[row].window.span for row in own]
        middles = np.array([one.middle_s for one in spans], np.float64)
        curves = Curves(middles, np.ascontiguousarray(found[own].T.astype(np.float32)))
        segments = merged(spans, found[own], model.tree, rules.decision)
        persons.append(_record(clip, person, segments, curves))
    return tuple(persons)


def _record(clip: PoseClip, person: int | None, segments: tuple[Segment, ...], curves: Curves) -> Person:
    """With the person's number and pose quality; of nobody in particular there is none."""
    if person is None:
        return Person(NOBODY, np.zeros(0), np.zeros(0, np.float32), segments, curves)
    time_s, quality = pose_quality(clip.time_s, clip.score[person])
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
