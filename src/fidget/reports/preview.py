"""Overlay videos and a contact sheet of a whole cache."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fidget.reports.contact_sheet import MOST_CLIPS, SheetEntry, draw_sheet, sheet_frames, write_png
from fidget.reports.file_names import file_below
from fidget.reports.overlay import write_overlay
from fidget.reports.quality_rows import percent
from fidget.reports.video_file import video_encoder
from pose_extract.progress import Progress
from pose_extract.sources import PREVIEW_MARK
from poses.cache_reader import PoseCache
from poses.clip import PoseClip

Smoothing = Literal["one-euro", "savgol"]


@dataclass(frozen=True)
class Previewed:
    """What was made.

    Attributes:
        clips: overlay videos written.
        not_drawn: ids of the clips that could not be; each was named with its reason.
        sheet: the contact sheet, or None where no clip came so far.
        encoder: FFmpeg's encoder of the videos.
    """

    clips: int
    not_drawn: tuple[str, ...]
    sheet: Path | None
    encoder: str


def all_clip_ids(cache: PoseCache) -> list[str]:
    """Every clip of the cache, those that failed at extraction too."""
    ids: list[str] = cache.table(["clip_id"])["clip_id"].to_pylist()
    return ids


def spread(clip_ids: Sequence[str], most: int) -> list[str]:
    """At most so many of the clips, evenly spread."""
    count = min(most, len(clip_ids))
    return [clip_ids[index * len(clip_ids) // count] for index in range(count)]


def preview_cache(
    cache: PoseCache, chosen: Sequence[str], output: Path, smooth: Smoothing | None, over_video: bool
) -> Previewed:
    """Draw the chosen clips into the directory, and a contact sheet of them.

    Progress and remarks go to standard error. A clip that cannot be drawn is named there and left out.

    Args:
        cache: where the poses are.
        chosen: clip ids.
        output: the directory; made if absent.
        smooth: draw smoothed keypoints.
        over_video: draw over the source videos where they are found, else over a plain background.

    Raises:
        OSError: the directory cannot be made, or the contact sheet not written.
    """
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    if is_new:  # among the videos, the overlays are not taken for more of them
        (output / PREVIEW_MARK).touch()
    rows = _rows(cache, set(chosen))
    on_sheet = set(spread(chosen, MOST_CLIPS))
    encoder = video_encoder()
    progress = Progress(len(chosen), sum(row.source_bytes for row in rows.values()), sys.stderr)
    entries: list[SheetEntry] = []
    not_drawn: list[str] = []
    clips = 0
    for clip_id in chosen:
        try:
            entry, remark = _preview(cache, rows[clip_id], output, encoder, smooth, over_video, progress)
            clips += bool(entry.frames)
            if clip_id in on_sheet:
                entries.append(entry)
        except (OSError, ValueError) as error:
            not_drawn.append(clip_id)
            remark = f"not drawn: {' '.join(str(error).split())}"
        if remark:
            progress.say(f"{clip_id if clip_id.isprintable() else ascii(clip_id)}: {remark}")
        progress.add_clip(rows[clip_id].source_bytes, failed=clip_id in not_drawn)
        progress.draw()
    progress.close()
    sheet = _write_sheet(entries, cache, output) if entries else None
    return Previewed(clips, tuple(not_drawn), sheet, encoder)


def _write_sheet(entries: Sequence[SheetEntry], cache: PoseCache, output: Path) -> Path:
    clips = len(all_clip_ids(cache))
    title = f"{cache.directory.resolve().name}: {clips} clips, {cache.layout.name}"
    if clips > len(entries):
        title += f", {clips - len(entries)} of them not shown"
    path = output / "contact-sheet.png"
    write_png(draw_sheet(entries, title), path)
    return path


@dataclass(frozen=True)
class _Row:
    """What a preview needs of a clip's row besides its poses."""

    clip_id: str
    status: str
    error: str | None
    source: Path
    source_bytes: int
    person_share: float


def _rows(cache: PoseCache, chosen: Collection[str]) -> dict[str, _Row]:
    table = cache.table(["clip_id", "status", "error", "source_path", "source_bytes", "quality"])
    rows = {}
    for batch in table.to_batches(max_chunksize=1024):
        for clip_id, status, error, path, size, quality in zip(
            *(c.to_pylist() for c in batch.columns), strict=True
        ):
            if clip_id in chosen:
                share = float((quality or {}).get("person_share") or 0.0)
                rows[clip_id] = _Row(clip_id, status, error, _find_source(path, cache.directory), size, share)
    return rows


def _find_source(path: str, directory: Path) -> Path:
    """A relative path is one of the place the poses were extracted at: here, or where the cache lies."""
    source = Path(path)
    if not source.is_absolute() and not source.exists():
        beside = directory.resolve().parent / source
        return beside if beside.exists() else source
    return source


def _preview(
    cache: PoseCache,
    row: _Row,
    output: Path,
    encoder: str,
    smooth: Smoothing | None,
    over_video: bool,
    progress: Progress,
) -> tuple[SheetEntry, str | None]:
    """Draw one clip; what goes on the sheet, and a remark worth a line."""
    if row.status == "failed":
        remark = f"failed in extraction: {row.error}"
        return SheetEntry(row.clip_id, 0.0, [], remark), remark
    clip = cache.read(row.clip_id)
    remarks = []
    if smooth and clip.persons:
        clip, removed = _smoothed(clip, smooth)
        remarks.append(removed)

    def on_frames(frames: int) -> None:
        progress.add_frames(frames)
        progress.draw()

    overlay = write_overlay(
        clip,
        row.source if over_video else None,
        file_below(output, row.clip_id, ".mp4"),
        sheet_frames(clip.frames),
        encoder=encoder,
        on_frames=on_frames,
    )
    if overlay.note:
        remarks.append(overlay.note)
    return SheetEntry(row.clip_id, row.person_share, overlay.thumbnails), "; ".join(remarks) or None


def _smoothed(clip: PoseClip, how: Smoothing) -> tuple[PoseClip, str]:
    """The clip smoothed, and how much of its movement that took."""
    from poses.smoothing import motion_removed, one_euro, savitzky_golay

    after = one_euro(clip) if how == "one-euro" else savitzky_golay(clip)
    removed = motion_removed(clip, after)
    remark = f"smoothing moved joints by {removed.rms_px:.2f} px (root mean square)"
    return after, f"{remark} and took {percent(max(removed.energy_share, 0.0))} of the motion energy"
