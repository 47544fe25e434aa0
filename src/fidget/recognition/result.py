"""What was recognised in one video: the record that every output is written from.

A `VideoResult` has persons, a `Person` has segments, curves and pose quality over time. Everything is in
seconds of the video's own clock (the container's timestamps: `time_s` 0 need not be the first frame), and
everything goes to JSON and back (`to_json`, `from_json`; arrays become lists, rounded to 5 digits; there is
no NaN).

JSON of a video, by example::

    {"version": "fidget recognize 1", "video_id": "talk", "path": "/data/talk.mp4", "media": "talk.mp4",
     "private": false, "duration_s": 12.4, "start_s": 0.0, "frame_rate": 25.0, "frame_width": 1280,
     "frame_height": 720, "warnings": ["..."], "method": "posec3d ...", "simulated": true,
     "calibrated": true, "temperature": 1.31,
     "actions": ["nodding", "bowing head"], "groups": ["head"], "group_of": [0, 0],
     "persons": [{
       "track_id": 0, "time_s": [0.0, 0.04], "quality": [0.91, 0.0],
       "segments": [{"start_s": 0.2, "end_s": 1.9, "status": "unsure", "action": null, "group": "head",
         "probability": 0.87, "words": "unsure between nodding and bowing head",
         "alternatives": [{"action": "nodding", "group": "head", "probability": 0.45}]}],
       "curves": {"time_s": [0.5, 1.0], "probability": [[0.45, 0.4], [0.42, 0.5]]}}]}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

VERSION = "fidget recognize 1"
Status = Literal["sure", "unsure", "abstained"]
STATUSES: tuple[Status, ...] = ("sure", "unsure", "abstained")

NOBODY = -1  # track of what is seen in the whole picture, of nobody in particular

_DIGITS = 5


@dataclass(frozen=True)
class Alternative:
    """One of the best actions of a segment.

    Attributes:
        action: its name.
        group: its body group; "" where the tree has none.
        probability: 0..1, mean over the segment.
    """

    action: str
    group: str
    probability: float


@dataclass(frozen=True)
class Segment:
    """A stretch of time in which one thing is said about a person.

    Attributes:
        start_s: seconds of the video.
        end_s: likewise, later than the start.
        status: `sure`: one action is named; `unsure`: only its group is named, or two actions; `abstained`:
            nothing is (the model has an answer, and it is not believed).
        action: name of the action where the status is `sure`, else None.
        group: name of the body group where that much is sure, else None.
        probability: of what `words` say: of the action, of either of two actions, of the group; of the best
            action where nothing is said.
        words: for people: "nodding", "unsure between nodding and bowing head", "head: unsure which action",
            "not sure enough to say".
        alternatives: the best actions, most probable first; never empty.
    """

    start_s: float
    end_s: float
    status: Status
    action: str | None
    group: str | None
    probability: float
    words: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, eq=False)
class Curves:
    """Probability of every action over time.

    Attributes:
        time_s: (W,) float64 seconds; the middles of the windows.
        probability: (A, W) float32, rows in the order of `VideoResult.actions`. Of a recogniser the columns
            sum to 1. Of a detector it is the highest score of a segment that covers the time, 0 without one.
    """

    time_s: NDArray[np.float64]
    probability: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Person:
    """One tracked person.

    Attributes:
        track_id: as in the pose cache and on the overlay; `NOBODY` where a model over frames saw
            nobody in particular.
        time_s: (F,) float64 seconds of the steps at which pose quality is told (every frame of short videos,
            fewer of long ones).
        quality: (F,) float32 mean confidence of the joints in 0..1; 0 where the person was not seen. F may be
            0.
        segments: in order of start; those of a detector may overlap.
        curves: probabilities over time; there may be no column.
    """

    track_id: int
    time_s: NDArray[np.float64]
    quality: NDArray[np.float32]
    segments: tuple[Segment, ...]
    curves: Curves

    @property
    def name(self) -> str:
        """For people."""
        return "whole picture" if self.track_id == NOBODY else f"person {self.track_id}"


@dataclass(frozen=True, eq=False)
class VideoResult:
    """What was recognised in one video; it checks itself once.

    Attributes:
        video_id: the cache's id of the video (may have slashes), also the stem of its files.
        path: of the video, as given; "" where only poses were given.
        media: the video that a page beside this record plays, relative to the page's directory: the overlay,
            or the drawing of skeletons in private mode; "" where there is none. Its time 0 is `start_s`.
        private: whether `media` shows no picture of a person.
        start_s: time of the first frame.
        duration_s: from the first frame to behind the last.
        frame_rate: frames per second of the container; for display only.
        frame_width: pixels.
        frame_height: pixels.
        warnings: for people, a sentence each, such as `no person was found`.
        method: the model, for people.
        simulated: whether the model was trained on simulated data; said wherever results are shown.
        calibrated: whether the probabilities were scaled on validation clips; a detector's are scores.
        temperature: by which logits were divided, 1 where not calibrated.
        actions: names, A of them.
        groups: names of body groups; empty where the tree has none.
        group_of: for each action its group's index; empty likewise.
        persons: in the order of the cache, the main subject first; empty without people.

    Raises:
        ValueError: a status, an order of times or a shape that is not as told here.
    """

    video_id: str
    path: str
    media: str
    private: bool
    start_s: float
    duration_s: float
    frame_rate: float
    frame_width: int
    frame_height: int
    warnings: tuple[str, ...]
    method: str
    simulated: bool
    calibrated: bool
    temperature: float
    actions: tuple[str, ...]
    groups: tuple[str, ...]
    group_of: tuple[int, ...]
    persons: tuple[Person, ...] = field(default=())

    def __post_init__(self) -> None:
        for person in self.persons:
            where = f"{self.video_id}, person {person.track_id}"
            if person.time_s.shape != person.quality.shape or person.time_s.ndim != 1:
                raise ValueError(f"{where}: expected as many times as qualities, got {person.time_s.shape} "
                                 f"and {person.quality.shape}")  # fmt: skip
            wanted = (len(self.actions), len(person.curves.time_s))
            if person.curves.probability.shape != wanted:
                raise ValueError(
                    f"{where}: expected curves of {wanted}, got {person.curves.probability.shape}"
                )
            for one in person.segments:
                if one.status not in STATUSES or not one.alternatives or not one.end_s > one.start_s:
                    raise ValueError(f"{where}: not a segment: {one}")

    def group_name(self, action: int) -> str:
        """The body group of an action by index; "" without groups."""
        return self.groups[self.group_of[action]] if self.groups else ""


def to_json(result: VideoResult) -> dict[str, Any]:
    """The record as plain lists, numbers and words; for `json.dumps(..., allow_nan=False)`."""
    plain: dict[str, Any] = {"version": VERSION}
    for name in VideoResult.__dataclass_fields__:
        value = getattr(result, name)
        plain[name] = list(value) if isinstance(value, tuple) else value
    plain["persons"] = [
        {
            "track_id": person.track_id,
            "time_s": _rounded(person.time_s),
            "quality": _rounded(person.quality),
            "segments": [_segment_json(one) for one in person.segments],
            "curves": {
                "time_s": _rounded(person.curves.time_s),
                "probability": [_rounded(row) for row in person.curves.probability],
            },
        }
        for person in result.persons
    ]
    return plain


def from_json(plain: Mapping[str, Any]) -> VideoResult:
    """The inverse of `to_json`, up to its rounding.

    Raises:
        ValueError: another version, or something is absent or of another kind; names it.
    """
    if plain.get("version") != VERSION:
        raise ValueError(f"expected a result of version {VERSION!r}, got {plain.get('version')!r}")
    try:
        values = {name: plain[name] for name in VideoResult.__dataclass_fields__}
        values["persons"] = tuple(
            _person(one, len(values["actions"]))
            for one in cast(Sequence[Mapping[str, Any]], plain["persons"])
        )
        for name in ("warnings", "actions", "groups", "group_of"):
            values[name] = tuple(values[name])
        return VideoResult(**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a result of fidget recognize: {type(error).__name__} {error}") from error


def _segment_json(one: Segment) -> dict[str, Any]:
    return {
        "start_s": round(one.start_s, _DIGITS),
        "end_s": round(one.end_s, _DIGITS),
        "status": one.status,
        "action": one.action,
        "group": one.group,
        "probability": round(one.probability, _DIGITS),
        "words": one.words,
        "alternatives": [
            {"action": other.action, "group": other.group, "probability": round(other.probability, _DIGITS)}
            for other in one.alternatives
        ],
    }


def _person(plain: Mapping[str, Any], actions: int) -> Person:
    curves = plain["curves"]
    probability = np.array(curves["probability"], np.float32).reshape(actions, len(curves["time_s"]))
    return Person(
        int(plain["track_id"]),
        np.array(plain["time_s"], np.float64),
        np.array(plain["quality"], np.float32),
        tuple(
            Segment(**{**one, "alternatives": tuple(Alternative(**other) for other in one["alternatives"])})
            for one in plain["segments"]
        ),
        Curves(np.array(curves["time_s"], np.float64), probability),
    )


def _rounded(values: NDArray[Any]) -> list[float]:
    return [round(float(value), _DIGITS) if math.isfinite(value) else 0.0 for value in values]
