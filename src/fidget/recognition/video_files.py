"""One clip of a pose cache, recognised, and every file of it written; done already means left alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fidget.recognition.analysis import AnalysisRules, Model, Progress, analysed, described
from fidget.recognition.elan import write_eaf
from fidget.recognition.overlay import write_recognition_overlay
from fidget.recognition.person_recordings import PersonRecordings
from fidget.recognition.recogniser import Recogniser
from fidget.recognition.result import VideoResult, from_json
from fidget.recognition.tables import write_boris, write_boris_import, write_csv, write_json
from fidget.reports.file_names import file_below
from fidget.reports.recognition_page import write_recognition_page
from poses.clip import PoseClip

_FEWEST_JOINTS = 0.3  # mean joint score below which a person's poses are called poor


@dataclass(frozen=True)
class OutputRules:
    """What is written.

    Attributes:
        directory: where.
        overlay: whether a video with skeletons and labels is.
        private: no picture of a person is, and the video that the other files name is the drawing.
    """

    directory: Path
    overlay: bool = True
    private: bool = False


@dataclass(frozen=True)
class VideoFiles:
    """Where the files of one clip lie.

    Attributes:
        json: the whole record.
        csv: a row a segment.
        eaf: for ELAN.
        boris: aggregated events, as BORIS exports them.
        boris_import: events, as BORIS imports them from a spreadsheet.
        overlay: skeletons and labels, on the picture or in private mode without.
        page: self-contained HTML.
    """

    json: Path
    csv: Path
    eaf: Path
    boris: Path
    boris_import: Path
    overlay: Path
    page: Path

    @staticmethod
    def of(directory: Path, clip_id: str) -> VideoFiles:
        """Below a directory, whatever the id holds."""
        suffixes = (".json", ".csv", ".eaf", "-boris.csv", "-boris-import.csv", "-overlay.mp4", ".html")
        return VideoFiles(*(file_below(directory, clip_id, suffix) for suffix in suffixes))


def recognise_clip(
    model: Model,
    poses: PersonRecordings,
    clip_id: str,
    source: Path | None,
    rules: AnalysisRules,
    output: OutputRules,
    step: Progress = lambda seconds: None,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> tuple[VideoResult, VideoFiles, bool]:
    """Recognise a clip and write its files, unless they are there and of the same model, poses and rules.

    Args:
        model: that sees.
        poses: of its joints.
        clip_id: of a clip that could be read; one without people gives an empty record that says so.
        source: the video; None where it is not at hand.
        rules: of the analysis.
        output: what is written.
        step: told seconds of a person.
        on_frames: told frames of the overlay.

    Returns:
        The record, its files, and whether they were there.

    Raises:
        ValueError: the poses are not what the model takes.
        OSError: the place cannot be written.
    """
    files = VideoFiles.of(output.directory, clip_id)
    made_with = _made_with(model, poses, clip_id, rules, output)
    made_with["picture"] = source is not None
    before = _stored(files, made_with, output)
    if before is not None:
        return before, files, True
    clip = poses.clips.cache.read(clip_id)
    persons = analysed(model, poses, clip_id, rules, step, source) if clip.persons and clip.frames > 1 else ()
    shown_path = "" if source is None else source.name if output.private else str(source)
    result = described(model, clip, persons, shown_path, ())
    warnings = _warnings(model, poses, result, clip.frames)
    media = ""
    if output.overlay:
        note = write_recognition_overlay(clip, source, files.overlay, result, output.private, on_frames)
        if note and not output.private:
            warnings.append(f"overlay: {note}")
        media = files.overlay.name
    result = replace(result, media=media, private=output.private, warnings=tuple(warnings))
    write_files(result, files, source, clip)
    write_json(files.json, result, {"made_with": made_with})  # the last: it says that all is done
    return result, files, False


def write_files(
    result: VideoResult, files: VideoFiles, source: Path | None, clip: PoseClip | None = None
) -> None:
    """The tables, the annotation file and the page of a record; not its JSON.

    In private mode they name the drawing of skeletons, whose time 0 is the first frame, not the video.

    Args:
        result: the record.
        files: where they lie.
        source: the video; None where it is not at hand.
        clip: its poses, which the page draws; None for none.

    Raises:
        OSError: the place cannot be written.
    """
    if result.private or source is None:
        media = files.overlay if result.media else None
        start_s = result.start_s if result.media else 0.0
    else:
        media, start_s = source, 0.0
    write_csv(files.csv, result)
    write_eaf(files.eaf, result, media, start_s)
    write_boris(files.boris, result, media.name if media else "", start_s)
    write_boris_import(files.boris_import, result, start_s)
    linked: Literal["link", "none"] = "link" if result.media and not result.private else "none"
    write_recognition_page(
        [result], files.page, embed_video=linked, private=result.private, poses=lambda _: clip
    )


def _made_with(
    model: Model, poses: PersonRecordings, clip_id: str, rules: AnalysisRules, output: OutputRules
) -> dict[str, Any]:
    """What decides the files of a clip; equal means that they need not be made again."""
    return {
        "weights": model.weights_hash,
        "poses": [str(value) for value in poses.clips.checksums[clip_id]],  # type: ignore[attr-defined]
        "rules": asdict(rules),
        "overlay": output.overlay,
        "private": output.private,
    }


def _stored(files: VideoFiles, made_with: dict[str, Any], output: OutputRules) -> VideoResult | None:
    needed = [files.json, files.csv, files.eaf, files.boris, files.boris_import, files.page]
    needed += [files.overlay] if output.overlay else []
    if not all(file.is_file() for file in needed):
        return None
    try:
        plain = json.loads(files.json.read_text(encoding="utf-8"))
        return from_json(plain) if plain.get("made_with") == made_with else None
    except (ValueError, AttributeError):  # of another version, or not ours: made again
        return None


def _of_whole_pictures(model: Model, track_ids: Sequence[int]) -> list[str]:
    """What a model says that sees all people of a video at once."""
    if len(track_ids) < 2:
        return []
    if model.sees_whole_picture:
        return [
            f"the model sees the whole picture, in which there are {len(track_ids)} persons: what it says is "
            "not assigned to a person"
        ]
    networks = model.networks if isinstance(model, Recogniser) else ()
    return [
        f"{one.name} sees the whole picture: of {len(track_ids)} persons it says the same at a time"
        for one in networks
        if one.sees_whole_picture
    ]


def _warnings(model: Model, poses: PersonRecordings, result: VideoResult, frames: int) -> list[str]:
    """What a reader of the record has to know."""
    found = []
    row = poses.clips.cache.row(result.video_id)
    if row.error:
        found.append(f"the video: {row.error}")
    if not result.persons:
        why = "no person was found" if frames > 1 else "the video has one frame only"
        found.append(f"{why}, so nothing was recognised")
    if isinstance(model, Recogniser):
        if not model.calibrated:
            found.append(f"probabilities are {model.calibration}")
    else:
        found.append("scores of a detector are not calibrated: compare them, do not take them for shares")
    if model.simulated:
        found.append("the model was trained on simulated data")
    if model.unrecorded:
        found.append(
            f"the run of {', '.join(model.unrecorded)} does not record whether its data was simulated (an "
            f"older fidget made it); by the names in it, it was{'' if model.simulated else ' not'}"
        )
    found += _of_whole_pictures(model, poses.clips.cache.row(result.video_id).track_ids)
    for person in result.persons:
        seen = person.quality[person.quality > 0]
        if len(seen) and float(np.mean(seen)) < _FEWEST_JOINTS:
            found.append(f"{person.name}: poses are poor (mean joint score {np.mean(seen):.2f})")
        if not person.segments:
            found.append(f"{person.name}: nothing was recognised")
    return found
