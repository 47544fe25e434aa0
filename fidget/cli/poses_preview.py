"""`fidget poses preview`: overlay videos and a contact sheet, to see what was extracted."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fidget.cli.usage import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fidget.reports.contact_sheet import SheetEntry
    from pose_extract.progress import Progress
    from poses.cache_reader import PoseCache
    from poses.clip import PoseClip

_MOST_CLIPS = 24
_EPILOG = f"""\
examples:
  fidget poses preview poses
  fidget poses preview poses --limit 3 --smooth one-euro -o preview-smooth
  fidget poses preview poses --limit 1 --background plain -o preview-plain

Each clip becomes an MP4 at its own times: limbs of the person's left side blue, of the right orange, joints
fainter where the model was less certain, the track id at the head, the time in seconds. A contact sheet
(PNG) shows a few frames of each. Without --clip and --limit, {_MOST_CLIPS} clips spread over the
cache are drawn. The videos must still lie where they were when the poses were extracted; else the background
is plain.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "preview",
        help="overlay videos and a contact sheet",
        description="Draw the skeletons of a pose cache over its videos.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("cache", metavar="DIR", help="a pose cache")
    add("--clip", action="append", default=[], metavar="ID", help="only this clip (repeatable)")
    add("-o", "--output", metavar="DIR", help="default: DIR-preview, beside the cache")
    add("--smooth", choices=("one-euro", "savgol"), help="draw smoothed keypoints")
    add(
        "--background",
        choices=("video", "plain"),
        default="video",
        help="default: the video, where it is found",
    )
    add("--limit", type=int, metavar="N", help=f"at most N clips, 0 for all (default: {_MOST_CLIPS})")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw the clips; 1 if one could not be drawn (it is named, the rest is done)."""
    import sys
    from pathlib import Path

    from fidget.cli.places import output_beside
    from fidget.reports.contact_sheet import MOST_CLIPS, draw_sheet, write_png
    from fidget.reports.video_file import video_encoder
    from pose_extract.progress import Progress
    from poses.cache_reader import PoseCache

    directory = Path(args.cache)
    cache = PoseCache(directory)
    output = output_beside(directory, args.output, "preview")
    clip_ids = cache.table(["clip_id"])["clip_id"].to_pylist()  # those that failed too
    chosen = _choose(clip_ids, args.clip, args.limit)
    rows = _rows(cache, set(chosen), directory)
    on_sheet = set(_spread(chosen, MOST_CLIPS))
    encoder = video_encoder()
    progress = Progress(len(chosen), sum(row.source_bytes for row in rows.values()), sys.stderr)
    entries: list[SheetEntry] = []
    drawn = failed = 0
    for clip_id in chosen:
        try:
            entry, remark = _preview(cache, rows[clip_id], args, output, encoder, progress)
            drawn += bool(entry.frames)
            if clip_id in on_sheet:
                entries.append(entry)
        except (OSError, ValueError) as error:
            failed += 1
            remark = f"not drawn: {' '.join(str(error).split())}"
        if remark:
            progress.say(f"{clip_id}: {remark}" if clip_id.isprintable() else f"{clip_id!r}: {remark}")
        progress.add_clip(rows[clip_id].source_bytes, failed=False)
    progress.close()
    if entries:
        left_out = len(clip_ids) - len(entries)
        title = f"{directory.resolve().name}: {len(clip_ids)} clips, {cache.layout.name}"
        sheet = output / "contact-sheet.png"
        write_png(draw_sheet(entries, title + (f", {left_out} of them not shown" if left_out else "")), sheet)
        print(sheet)
    print(f"{output}: {drawn} of {len(clip_ids)} clips drawn, video by {encoder}")
    return 1 if failed else 0


@dataclass(frozen=True)
class _Row:
    """What a preview needs of a clip's row besides its poses."""

    clip_id: str
    status: str
    error: str | None
    source: Path
    source_bytes: int
    person_share: float


def _choose(clip_ids: Sequence[str], wanted: Sequence[str], limit: int | None) -> list[str]:
    """The clips to draw: the named ones, else as many as `limit` says, evenly spread over the cache."""
    if limit is not None and limit < 0:
        raise UsageError(f"--limit expects a number of clips, or 0 for all; got {limit}")
    if wanted:
        known = set(clip_ids)
        for clip_id in wanted:
            if clip_id not in known:
                raise UsageError(
                    f"--clip {clip_id!r}: expected a clip of the cache{_nearest(clip_id, clip_ids)}"
                )
        return list(dict.fromkeys(wanted))
    most = _MOST_CLIPS if limit is None else limit
    return _spread(clip_ids, most or len(clip_ids))


def _nearest(clip_id: str, clip_ids: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(clip_id, clip_ids[:5000], n=1)
    return f", such as {near[0]!r}" if near else "; fidget poses inspect lists them"


def _spread(clip_ids: Sequence[str], most: int) -> list[str]:
    count = min(most, len(clip_ids))
    return [clip_ids[index * len(clip_ids) // count] for index in range(count)]


def _rows(cache: PoseCache, chosen: set[str], directory: Path) -> dict[str, _Row]:
    table = cache.table(["clip_id", "status", "error", "source_path", "source_bytes", "quality"])
    rows = {}
    for batch in table.to_batches(max_chunksize=1024):
        for clip_id, status, error, path, size, quality in zip(
            *(c.to_pylist() for c in batch.columns), strict=True
        ):
            if clip_id in chosen:
                share = float((quality or {}).get("person_share") or 0.0)
                rows[clip_id] = _Row(clip_id, status, error, _find_source(path, directory), size, share)
    return rows


def _find_source(path: str, directory: Path) -> Path:
    """A relative path is one of the place the poses were extracted at: here, or where the cache lies."""
    from pathlib import Path

    source = Path(path)
    if not source.is_absolute() and not source.exists():
        beside = directory.resolve().parent / source
        return beside if beside.exists() else source
    return source


def _preview(
    cache: PoseCache, row: _Row, args: argparse.Namespace, output: Path, encoder: str, progress: Progress
) -> tuple[SheetEntry, str | None]:
    """Draw one clip; what goes on the sheet, and a remark worth a line."""
    from fidget.cli.places import file_below
    from fidget.reports.contact_sheet import SheetEntry, sheet_frames
    from fidget.reports.overlay import write_overlay

    if row.status == "failed":
        remark = f"failed in extraction: {row.error}"
        return SheetEntry(row.clip_id, 0.0, [], remark), remark
    clip = cache.read(row.clip_id)
    remarks = []
    if args.smooth and clip.persons:
        clip, removed = _smoothed(clip, args.smooth)
        remarks.append(removed)

    def on_frames(frames: int) -> None:
        progress.add_frames(frames)
        progress.draw()

    overlay = write_overlay(
        clip,
        row.source if args.background == "video" else None,
        file_below(output, row.clip_id, ".mp4"),
        sheet_frames(clip.frames),
        encoder=encoder,
        on_frames=on_frames,
    )
    if overlay.note:
        remarks.append(overlay.note)
    return SheetEntry(row.clip_id, row.person_share, overlay.thumbnails), "; ".join(remarks) or None


def _smoothed(clip: PoseClip, how: str) -> tuple[PoseClip, str]:
    """The clip smoothed, and how much of its movement that took."""
    from poses.smoothing import motion_removed, one_euro, savitzky_golay

    after = one_euro(clip) if how == "one-euro" else savitzky_golay(clip)
    removed = motion_removed(clip, after)
    return after, f"smoothing took {removed}"
