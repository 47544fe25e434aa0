"""Detection tables, row by row: one row an instance, what is said of a video repeated in each of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from protocols.detection_table import DetectionTable, Instance
from protocols.label_tree import LabelTree


@dataclass
class VideoRows:
    """Gathers videos and instances, and what contradicts itself.

    Attributes:
        videos: what was said of each video: `duration_s`, `fps`, `split`, `domain`, `subject`.
        instances: so far.
        problems: one line each.
    """

    videos: dict[str, dict[str, object]] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def video(
        self,
        where: str,
        video_id: str,
        duration_s: float = np.nan,
        fps: Fraction | None = None,
        split: str = "",
        domain: str = "",
        subject: str = "",
    ) -> None:
        """Note a video; another row may not say something else of it."""
        said: dict[str, object] = {
            "duration_s": None if np.isnan(duration_s) else duration_s,
            "fps": fps,
            "split": split,
            "domain": domain,
            "subject": subject,
        }
        known = self.videos.setdefault(video_id, said)
        for what, value in said.items():
            if known[what] != value:
                self.problems.append(
                    f"{where}: video {video_id!r} has {what} {value} here, {known[what]} in an earlier row"
                )

    def table(
        self,
        name: str,
        tree: LabelTree,
        withheld: tuple[str, ...] = (),
        note: str = "",
        simulated: bool = False,
    ) -> DetectionTable:
        """All of it as one table, without the instances of splits that keep theirs back."""
        of = self.videos
        duration_s = [said["duration_s"] for said in of.values()]
        return DetectionTable(
            name,
            tree,
            tuple(of),
            np.array([np.nan if value is None else value for value in duration_s], np.float64),
            tuple(value if isinstance(value, Fraction) else None for value in self._all("fps")),
            tuple(map(str, self._all("split"))),
            tuple(map(str, self._all("domain"))),
            tuple(map(str, self._all("subject"))),
            tuple(one for one in self.instances if of[one.video_id]["split"] not in withheld),
            withheld,
            simulated,
            note,
        )

    def _all(self, what: str) -> list[object]:
        return [said[what] for said in self.videos.values()]


def frame_rate(text: str) -> Fraction | None:
    """A frame rate such as `29.0`, `30` or `30000/1001`; None where it is none or not above 0."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def rate_of(fps: Fraction | Mapping[str, Fraction] | None, video_id: str) -> Fraction | None:
    """The frame rate that somebody gives for a video: one for all, or one each."""
    return fps.get(video_id) if isinstance(fps, Mapping) else fps
