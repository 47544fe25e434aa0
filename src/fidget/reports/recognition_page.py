"""The page of recognised videos: picture, timeline, curves and table in one HTML file that opens offline."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from fidget.recognition.result import VideoResult
from fidget.reports.quality_page import visible
from fidget.reports.recognition_data import plain, video_data
from poses.clip import PoseClip
from poses.whole_file import replacing

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_KEYS = (
    ("space", "play or pause"),
    ("left, right", "one second back or on"),
    (", and .", "a frame (0.04 s) back or on"),
    ("home, end", "to the beginning or the end"),
    ("up, down", "choose the segment before or after"),
    ("enter", "go to the chosen segment"),
    ("r", "repeat the chosen segment while playing"),
    ("+ and -", "zoom the timeline"),
    ("0", "show the whole video"),
    ("shift with left, right", "move the timeline"),
    ("?", "open and close this help"),
)


def write_recognition_page(
    results: Sequence[VideoResult],
    path: Path,
    *,
    embed_video: Literal["link", "none"],
    private: bool,
    poses: Callable[[VideoResult], PoseClip | None] | None = None,
) -> None:
    """Write the page as one self-contained file; it holds no part of a video.

    Args:
        results: a video each; where there are several the page has a choice.
        path: of the page.
        embed_video: `link` plays `VideoResult.media`, relative to the page; `none` shows skeletons.
        private: no video is linked, skeletons are drawn on a plain background, and the page says so.
        poses: gives the joints of a video, or None where they are not at hand; they are put into the page
            (`recognition_data.JOINTS_BYTES` at most a video). Without, no skeleton is drawn.

    Raises:
        ValueError: no result, a video path that is not relative, or poses of other frames.
        OSError: the page cannot be written.
    """
    if not results:
        raise ValueError("expected at least one recognised video, got none")
    head, foot = _page(
        [one.video_id for one in results], results, private, embed_video == "link" and not private
    )
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(head)
        for number, result in enumerate(results):
            clip = poses(result) if poses else None
            data = video_data(result, clip, media=embed_video == "link", private=private)
            file.write(f'<script type="application/json" id="video-{number}">{_as_script(data)}</script>\n')
        file.write(foot)


def _as_script(data: Any) -> str:
    """JSON for a script element: nothing in it can end the element."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _page(
    names: Sequence[str], results: Sequence[VideoResult], private: bool, linked: bool
) -> tuple[str, str]:
    """What comes before and behind the data of the videos."""
    simulated = any(one.simulated for one in results)
    title = visible(
        (f"Micro-actions: {names[0]}" if len(names) == 1 else f"Micro-actions in {len(names)} videos")
        + (" (simulated)" if simulated else "")
    )
    policy = _POLICY + ("; media-src 'self' file:" if linked else "")
    head = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_beside("recognition_page.css")}</style></head><body>
<a class="skip" href="#table">to the table of segments</a>
<header><h1>{title}</h1>
<label id="which-choice" hidden>Video <select id="which"></select></label></header>
{_banners(simulated, private)}
<noscript><p class="banner">This page needs scripts. The JSON and CSV files beside it say the
same.</p></noscript>
<main>
<div class="pair">{_left(linked, private)}{_right()}{_table()}</div>
</main>
<div id="hint" aria-hidden="true" hidden></div>
<div id="live" class="unseen" role="status" aria-live="polite"></div>
<script type="application/json" id="videos">{_as_script([plain(name) for name in names])}</script>
"""
    script = "".join(_beside(f"recognition_{part}.js") for part in ("rules", "drawing", "page"))
    return head, f"<script>{script}</script></body></html>\n"


def _banners(simulated: bool, private: bool) -> str:
    banners = [
        f'<p class="banner" id="simulated" role="note"{"" if simulated else " hidden"}>'
        "<strong>Simulated.</strong> The recogniser behind this page was trained on simulated data: a "
        "demonstration of the tool. What it says about real people is not to be relied on.</p>"
    ]
    if private:
        banners.append(
            '<p class="banner private" role="note"><strong>Privacy mode: no face leaves the machine.'
            "</strong> The video was read where this page was made. The page holds places of joints and no "
            "picture, links to no video, and loads nothing from a network.</p>"
        )
    return "\n".join(banners)


def _left(linked: bool, private: bool) -> str:
    """Picture, its controls, what is seen now, the chosen segment and the help."""
    video = '<video id="video" playsinline preload="metadata" tabindex="-1" hidden></video>' if linked else ""
    rates = "".join(
        f'<option value="{rate}"{" selected" if rate == "1" else ""}>{rate} x</option>'
        for rate in ("0.1", "0.25", "0.5", "1", "1.5", "2", "4")
    )
    keys = "".join(f"<dt>{visible(key)}</dt><dd>{does}</dd>" for key, does in _KEYS)
    shown = "skeletons" if private or not linked else "the video"
    return f"""<section class="left" aria-label="picture">
<div id="stage">{video}<canvas id="skeletons" role="img" aria-label="{shown}"></canvas></div>
<p id="stage-note" class="soft" role="status"></p>
<div class="tools"><button type="button" id="play" data-do="play">play</button>
<button type="button" data-do="back" aria-label="one second back">- 1 s</button>
<button type="button" data-do="forward" aria-label="one second on">+ 1 s</button>
<span id="time" class="digits"></span>
<label>speed <select id="rate">{rates}</select></label></div>
<input type="range" id="seek" aria-label="time" min="0" max="1" value="0">
<div class="tools small"><label id="overlay-choice"><input type="checkbox" id="overlay"> skeletons
over the video</label>
<label><input type="checkbox" id="repeat"> repeat the chosen segment</label>
<label><input type="checkbox" id="speak" checked> tell screen readers what is seen</label></div>
<h2>Now</h2><p id="now"></p>
<h2>Chosen segment</h2><div id="detail"></div>
<details id="help"><summary>Keyboard and mouse (press ?)</summary><dl>{keys}</dl>
<p class="soft">On the timeline: the wheel zooms, dragging moves, shift and wheel moves, alt and
wheel scrolls the lanes, a click goes there, a click on the name of a body group folds its actions.</p>
<label><input type="checkbox" id="keys" checked> keys of this page are on</label></details>
<ul id="warnings"></ul><p id="method" class="soft"></p></section>
"""


def _right() -> str:
    """Timeline, curves and quality; what the drawings say is in the table too."""
    looks = "".join(
        f'<li><span class="look s{number}" aria-hidden="true"></span>{said}</li>'
        for number, said in enumerate(
            ("sure", "? unsure: the group, or two actions", "no answer: not sure enough to say")
        )
    )
    return f"""<section class="right" aria-label="timeline">
<div class="tools"><button type="button" data-do="zoomIn" aria-label="zoom in">+</button>
<button type="button" data-do="zoomOut" aria-label="zoom out">-</button>
<button type="button" data-do="whole">whole</button>
<button type="button" data-do="panLeft" aria-label="move the timeline left">&lt;</button>
<button type="button" data-do="panRight" aria-label="move the timeline right">&gt;</button>
<button type="button" data-do="previous">previous segment</button>
<button type="button" data-do="next">next segment</button>
<button type="button" id="go" data-do="go" disabled>go to segment</button>
<button type="button" id="fold">fold actions</button><span id="span" class="soft digits"></span></div>
<ul class="legend">{looks}</ul>
<div id="plot">
<div id="overview-box"><canvas id="overview" aria-hidden="true"></canvas><div id="window"></div></div>
<canvas id="ruler" aria-hidden="true"></canvas>
<div id="lanes" tabindex="0" role="group" aria-label="timeline of segments: up and down choose one, enter goes
there; the table below says the same"><div id="tall"><canvas id="lane-canvas" role="img"
aria-label="segments of body groups and actions; the table below says the same"></canvas></div></div>
<canvas id="curves" role="img" aria-label="curves of the chosen actions over time"></canvas>
<canvas id="quality" role="img" aria-label="pose quality of each person over time"></canvas>
<div id="playhead" aria-hidden="true"></div></div>
<div class="tools small" id="curves-head"><strong>Curves</strong><label id="person-choice">of
<select id="person"
aria-label="person whose curves are drawn"></select></label></div>
<div id="actions" role="group" aria-label="actions whose curves are drawn"></div></section>
"""


def _table() -> str:
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>'
        for name, kind in (
            ("from", ""), ("to", ""), ("s", ' class="number"'), ("person", ""), ("body group", ""),
            ("what is seen", ""), ("how sure", ""), ("probability", ' class="number"'),
        )
    )  # fmt: skip
    return f"""<section id="table" aria-labelledby="table-title"><h2 id="table-title">Segments</h2>
<div class="tools"><label>filter <input type="search" id="search"></label>
<label>show <select id="status"><option value="">all</option><option value="0">sure</option>
<option value="1">unsure</option><option value="2">no answer</option></select></label>
<span id="count" role="status"></span>
<button type="button" id="before">page before</button>
<button type="button" id="after">page after</button></div>
<div class="scroll reading" tabindex="0" role="region" aria-label="table of segments">
<table><thead><tr>{head}</tr></thead><tbody id="rows"></tbody></table></div></section>
"""
