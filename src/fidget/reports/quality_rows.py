"""What a quality page says of each clip: measures, a verdict with its reasons, worst first."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from poses.cache_reader import PoseCache
from poses.quality import missing_by_part
from poses.whole_file import replacing

Verdict = Literal["drop", "look", "keep"]
VERDICTS: tuple[Verdict, ...] = ("drop", "look", "keep")

# The 5 % to 95 % range of white noise of 1 px along two axes is 2 * 1.645 * sqrt(2) = 4.65 px.
NOISE_RANGE = 4.65
FEW_FRAMES_SHARE = 0.5
ALL_FRAMES_SHARE = 0.95
LOW_SCORE = 0.3
DOUBTFUL_SCORE = 0.3  # BlazePose answers for every joint; below this it does not see it


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One clip of the page; None where there is nothing to measure.

    Attributes:
        clip_id: as in the cache.
        status: `ok`, `no_person`, `failed`, or `damaged` for a row that does not decode.
        error: what the cache says of it, or None.
        frames: number of frames.
        seconds: from the first frame to the last.
        persons: people in it.
        person_share: share of frames with a person, 0..1.
        mean_score: of all joints that were found, 0..1.
        jitter_px: noise of the main subject.
        motion_px: range of its movement.
        missing: share of the main subject's joints that is missing, or scores `DOUBTFUL_SCORE` at most,
            by the layout's parts in their order.
        verdict: `drop`, `look` or `keep`.
        reasons: why it is not `keep`.
    """

    clip_id: str
    status: str
    error: str | None
    frames: int
    seconds: float
    persons: int
    person_share: float | None
    mean_score: float | None
    jitter_px: float | None
    motion_px: float | None
    missing: tuple[float, ...]
    verdict: Verdict = "keep"
    reasons: str = ""

    @property
    def clarity(self) -> float | None:
        """How far movement stands out of jitter: 0 where all of it may be noise, towards 1 where none is."""
        if self.jitter_px is None or self.motion_px is None:
            return None
        if self.motion_px <= 0:
            return 0.0
        return max(0.0, 1 - NOISE_RANGE * self.jitter_px / self.motion_px)

    @property
    def worth(self) -> float:
        """What the page is sorted by, 0..1: presence counts fully, score and clarity by half each."""
        if self.status not in ("ok", "no_person"):
            return -1.0
        clarity = 1.0 if self.clarity is None else self.clarity
        return (self.person_share or 0.0) * (0.5 + (self.mean_score or 0.0) / 2) * (0.5 + clarity / 2)


def judge(row: QualityRow) -> tuple[Verdict, list[str]]:
    """Verdict on a measured clip and the reasons for it, in plain words."""
    if row.status in ("failed", "damaged"):
        return "drop", [row.error or row.status]
    share = row.person_share or 0.0
    if row.status == "no_person" or share == 0:
        return "drop", ["no person in any frame", *([row.error] if row.error else [])]
    reasons = [row.error] if row.error else []
    if share < ALL_FRAMES_SHARE:
        reasons.append(f"no person in {percent(1 - share)} of frames")
    if row.mean_score is not None and row.mean_score < LOW_SCORE:
        reasons.append(f"mean score {row.mean_score:.2f}")
    if row.clarity == 0:
        reasons.append("moves no more than it jitters")
    return ("drop" if share < FEW_FRAMES_SHARE else "look" if reasons else "keep"), reasons


def percent(share: float) -> str:
    """Whole per cent, never rounded up to 100 nor down to 0."""
    whole = int(share * 100 + 0.5)
    if (whole >= 100) != (share >= 1) or (whole <= 0) != (share <= 0):
        return "> 99 %" if share > 0.5 else "< 1 %"
    return f"{whole} %"


def quality_rows(cache: PoseCache) -> Iterator[QualityRow]:
    """One row per clip in the cache's order, decoding one clip at a time."""
    names = ["clip_id", "status", "error", "frames", "persons", "quality"]
    for batch in cache.table(names).to_batches(max_chunksize=1024):
        for stored in batch.to_pylist():
            yield _judged(_measured(cache, stored))


def _measured(cache: PoseCache, stored: Mapping[str, Any]) -> QualityRow:
    """The row of one clip; what its quality column does not hold is measured from its poses."""
    status, error, quality = stored["status"], stored["error"], stored["quality"] or {}
    seconds = 0.0
    missing: tuple[float, ...] = ()
    if status != "failed":
        try:
            clip = cache.read(stored["clip_id"])
            seconds = float(clip.time_s[-1] - clip.time_s[0])
            missing = tuple(missing_by_part(clip, min_score=DOUBTFUL_SCORE).values())
        except ValueError as damage:
            status, error, quality = "damaged", " ".join(str(damage).split()), {}
    return QualityRow(
        clip_id=stored["clip_id"],
        status=status,
        error=error,
        frames=stored["frames"],
        seconds=seconds,
        persons=stored["persons"],
        person_share=_number(quality.get("person_share")),
        mean_score=_number(quality.get("mean_score")),
        jitter_px=_number(quality.get("jitter_px")),
        motion_px=_number(quality.get("motion_px")),
        missing=missing,
    )


def _judged(row: QualityRow) -> QualityRow:
    verdict, reasons = judge(row)
    return replace(row, verdict=verdict, reasons="; ".join(reasons))


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def worst_first(rows: Iterator[QualityRow] | Sequence[QualityRow]) -> list[QualityRow]:
    """Failed clips, then by worth; equal ones by name."""
    return sorted(rows, key=lambda row: (row.worth, row.clip_id))


def write_csv(rows: Sequence[QualityRow], parts: Sequence[str], path: Path) -> None:
    """All rows as CSV (UTF-8, RFC 4180 quoting, clip ids as they are); OSError when it cannot be written."""
    header = [
        *("clip_id", "verdict", "reasons", "status", "error", "frames", "seconds", "persons", "person_share"),
        *("mean_score", "jitter_px", "motion_px", "clarity", *(f"missing_{part}" for part in parts)),
    ]
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(header)
        for row in rows:
            measures = (row.person_share, row.mean_score, row.jitter_px, row.motion_px, row.clarity)
            missing = row.missing or [None] * len(parts)
            numbers = ("" if value is None else f"{value:.4f}" for value in (*measures, *missing))
            about = (row.clip_id, row.verdict, row.reasons, row.status, row.error, row.frames)
            writer.writerow([*about, f"{row.seconds:.3f}", row.persons, *numbers])
