"""The quality page: one HTML file that shows at a glance which clips to drop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from fidget.reports.quality_rows import (
    ALL_FRAMES_SHARE,
    DOUBTFUL_SCORE,
    FEW_FRAMES_SHARE,
    LOW_SCORE,
    VERDICTS,
    QualityRow,
    Verdict,
    percent,
)
from poses.cache_schema import CacheMetadata
from poses.whole_file import replacing

MOST_ROWS = 2000
_SHOWN_PARTS = ("body", "face", "arms", "hands", "legs", "feet")


def visible(text: str) -> str:
    """Any text for HTML: markup escaped, control and direction-changing characters written as escapes."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return escape(plain, quote=True)


def _cell(content: str, value: object, kind: str = "") -> str:
    sort_by = "" if value is None else escape(str(value), quote=True)
    return f'<td class="{kind}" data-v="{sort_by}">{content}</td>'


def _bar(share: float, colour: str) -> str:
    width = 70 * min(max(share, 0.0), 1.0)
    return (
        '<svg width="70" height="6" aria-hidden="true"><rect class="track" width="70" height="6" rx="3"/>'
        f'<rect class="{colour}" width="{width:.1f}" height="6" rx="3"/></svg>'
    )


def _bar_cell(share: float | None, label: str, colour: str) -> str:
    if share is None:
        return _cell('<span class="soft">-</span>', None)
    return _cell(f'<span class="value">{label}{_bar(share, colour)}</span>', f"{share:.6f}")


def _colour(value: float | None, bad_below: float, good_from: float) -> str:
    value = value or 0.0
    return "drop" if value < bad_below else "look" if value < good_from else "keep"


def _row_html(row: QualityRow, parts: Sequence[str]) -> str:
    share, score, clarity = row.person_share, row.mean_score, row.clarity
    missing = dict(zip(parts, row.missing, strict=True)) if row.missing else {}
    dash = '<span class="soft">-</span>'
    noise = f"{row.jitter_px or 0:.2f} / {row.motion_px or 0:.1f} px"
    cells = [
        f'<th scope="row" data-v="{visible(row.clip_id)}">{visible(row.clip_id)}</th>',
        _cell(f'<span class="badge {row.verdict}">{row.verdict}</span>', f"{row.worth:.6f}"),
        _cell(visible(row.reasons) or dash, visible_plain(row.reasons), "reasons"),
        _cell(visible(row.status.replace("_", " ")), row.status),
        _bar_cell(share, percent(share or 0), _colour(share, FEW_FRAMES_SHARE, ALL_FRAMES_SHARE)),
        _bar_cell(score, f"{score or 0:.2f}", _colour(score, LOW_SCORE, LOW_SCORE + 0.2)),
        _bar_cell(clarity, noise, _colour(clarity, 0.01, 0.5)),
        *(_bar_cell(missing.get(part), percent(missing.get(part, 0)), "bar") for part in _shown(parts)),
        _cell(f"{row.frames:,}", row.frames, "number"),
        _cell(f"{row.seconds:.1f}", f"{row.seconds:.3f}", "number"),
        _cell(str(row.persons), row.persons, "number"),
    ]
    return f'<tr data-verdict="{row.verdict}">{"".join(cells)}</tr>'


def visible_plain(text: str) -> str:
    """The sort key of a text: itself without what HTML cannot hold."""
    return "".join(c for c in text if c.isprintable())


def _shown(parts: Sequence[str]) -> list[str]:
    return [part for part in _SHOWN_PARTS if part in parts]


def _header_html(parts: Sequence[str]) -> str:
    columns = [
        ("clip", "text"), ("verdict", "number"), ("reasons", "text"), ("status", "text"),
        ("person in", "number"), ("score", "number"), ("jitter / motion", "number"),
        *((f"{part} missing", "number") for part in _shown(parts)),
        ("frames", "number"), ("s", "number"), ("people", "number"),
    ]  # fmt: skip
    heads = (
        f'<th scope="col" data-kind="{kind}"{" aria-sort=ascending" if name == "verdict" else ""}>'
        f'<button type="button">{escape(name)}</button></th>'
        for name, kind in columns
    )
    return "".join(heads)


def _cards_html(rows: Sequence[QualityRow]) -> str:
    status, frames = Counter(row.status for row in rows), sum(row.frames for row in rows)
    with_person = sum((row.person_share or 0) * row.frames for row in rows)
    cards = [
        ("clips", f"{len(rows):,}"),
        ("with poses", f"{status['ok']:,}"),
        ("without a person", f"{status['no_person']:,}"),
        ("failed", f"{status['failed'] + status['damaged']:,}"),
        ("frames", f"{frames:,}"),
        ("frames with a person", percent(with_person / frames) if frames else "-"),
        ("length", _length(sum(row.seconds for row in rows))),
    ]
    return "".join(f'<div class="card"><b>{value}</b>{name}</div>' for name, value in cards)


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _verdict_bar(verdicts: Mapping[Verdict, int], total: int) -> str:
    left, pieces = 0.0, []
    for verdict in VERDICTS:
        width = 100 * verdicts[verdict] / max(total, 1)
        pieces.append(f'<rect class="{verdict}" x="{left:.3f}%" width="{width:.3f}%" height="14"/>')
        left += width
    label = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in VERDICTS)
    return f'<svg class="share" role="img" aria-label="{label}">{"".join(pieces)}</svg>'


def quality_html(rows: Sequence[QualityRow], parts: Sequence[str], name: str, metadata: CacheMetadata) -> str:
    """The page; `rows` come worst first, the first `MOST_ROWS` are shown."""
    verdicts = Counter(row.verdict for row in rows)
    shown = rows[:MOST_ROWS]
    left_out = len(rows) - len(shown)
    note = (
        f" The worst {MOST_ROWS:,} of {len(rows):,} clips are shown; quality.csv has all." if left_out else ""
    )
    boxes = "".join(
        f'<label><input type="checkbox" value="{verdict}" checked> {verdict} ({verdicts[verdict]:,})</label>'
        for verdict in VERDICTS
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pose quality: {visible(name)}</title>
<style>{_beside(".css")}</style></head><body>
<h1>Pose quality: {visible(name)}</h1><div class="soft">{_made_with(metadata)}</div>
<div class="cards">{_cards_html(rows)}</div>
{_verdict_bar(verdicts, len(rows))}
<p class="soft"><b>drop</b>: nothing extracted, or a person in under {FEW_FRAMES_SHARE:.0%} of frames.
<b>look</b>: a person in under {ALL_FRAMES_SHARE:.0%} of frames, a mean score under {LOW_SCORE}, a damaged
file, or movement that does not stand out of the jitter. Jitter is the noise of the main subject's joints from
frame to frame, motion the range they move in; missing joints are those of the main
subject that were not found, or whose score is {DOUBTFUL_SCORE} at most.{note}</p>
<div class="tools">
<input type="search" placeholder="filter by name or reason" aria-label="filter">{boxes}</div>
<div class="scroll"><table><thead><tr>{_header_html(parts)}</tr></thead><tbody>
{chr(10).join(_row_html(row, parts) for row in shown)}
</tbody></table></div>
<script>{_beside(".js")}</script></body></html>
"""


def _beside(suffix: str) -> str:
    return Path(__file__).with_suffix(suffix).read_text(encoding="utf-8")


def _made_with(metadata: CacheMetadata) -> str:
    """Layout, models with the beginning of their SHA-256, and settings in one line."""
    settings = {name: str(value) for name, value in metadata.settings.items() if value is not None}
    models = {name: sha256[:12] for name, sha256 in metadata.models.items()}
    facts = {**settings, "layout": metadata.layout, **models}
    return ", ".join(f"{visible(name)} <code>{visible(value)}</code>" for name, value in facts.items())


def write_html(
    rows: Sequence[QualityRow], parts: Sequence[str], name: str, metadata: CacheMetadata, path: Path
) -> None:
    """Write the page as one self-contained file; OSError when it cannot be written."""
    with replacing(path) as part:
        part.write_text(quality_html(rows, parts, name, metadata), encoding="utf-8")
