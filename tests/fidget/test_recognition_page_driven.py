"""The page of recognised videos in a real Chromium: rules, keys, pointer, video, looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chromium_pipe import CHROMIUM, Tab, chromium_tab
from recognition_page_samples import hostile, result, write

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium_tab(tmp_path_factory.mktemp("chromium")) as one:
        yield one
        assert not one.said


_RULES = """JSON.stringify({
  near: zoomed({from: 0, to: 100}, 0.5, 20, {from: 0, to: 100}), wide: zoomed({from: 40, to: 60}, 100, 50, {from: 0, to: 100}),
  least: zoomed({from: 5, to: 6}, 1e-9, 5.5, {from: 0, to: 100}), edge: panned({from: 80, to: 90}, 50, {from: 0, to: 100}),
  page: following({from: 0, to: 10}, 10.5, {from: 0, to: 100}), same: following({from: 0, to: 10}, 9, {from: 0, to: 100}),
  around: showing({from: 0, to: 10}, 50, 70, {from: 0, to: 100}), count: [0, 1, 1.5, 3, 9].map(x => countUpTo([1, 2, 2, 3], x)),
  covering: covering([0, 1, 5], [9, 2, 6], reachOf([9, 2, 6]), 5.5), between: between([0, 1, 5], reachOf([1, 2, 6]), 1.5, 4),
  reduced: [...reduced([0, 1, 2, 3, 8], [5, 1, 9, 4, 7], 0, 10, 5).low].map(String), most: [...reduced([0, 1, 2, 3, 8], [5, 1, 9, 4, 7], 0, 10, 5).high].map(String),
  next: [neighbour([1, 2, 3], -1, 1, 1.5), neighbour([1, 2, 3], -1, -1, 1.5), neighbour([1, 2, 3], 2, 1, 0), neighbour([1, 2, 3], 0, -1, 0), neighbour([], -1, 1, 0)],
  clock: [clock(3723.44), clock(59.96), clock(-0.5), clock(7, 0), clock(0)], ticks: ticks(3, 9, 4).times, usual: usualStep([0, 1, 2, 3, 50]),
  keys: [[" ", "page"], [" ", "button"], ["Enter", "button"], ["Enter", "page"], ["ArrowLeft", "slider"], ["ArrowDown", "choice"], ["+", "text"], ["x", "page"]].map(([key, on]) => commandOf(key, false, false, on)),
  modified: [commandOf("ArrowLeft", true, false, "page"), commandOf("+", false, true, "page")],
  told: told([{person: "a", words: "nodding", status: 0, probability: .914}, {person: "b", words: "not sure", status: 2, probability: .2}, {person: "a", words: "x", status: 1, probability: .5}]),
})"""  # noqa: E501


def test_rules(tab: Tab, tmp_path: Path) -> None:
    write(tmp_path / "page.html", result(), private=True)
    tab.open(tmp_path / "page.html")
    found = json.loads(tab.run(_RULES))
    assert found["near"] == {"from": 10, "to": 60}  # second 20 stays at a fifth
    assert found["wide"] == {"from": 0, "to": 100}
    assert found["least"]["to"] - found["least"]["from"] == pytest.approx(0.2)
    assert found["edge"] == {"from": 90, "to": 100}
    assert found["page"]["from"] == 9.5 and found["same"] == {"from": 0, "to": 10}
    assert found["around"] == {"from": 45, "to": 75}
    assert found["count"] == [0, 1, 1, 4, 4]
    assert found["covering"] == [0, 2] and found["between"] == [1, 2]
    assert found["reduced"] == ["1", "4", "NaN", "NaN", "7"]
    assert found["most"] == [
        "5",
        "9",
        "NaN",
        "NaN",
        "7",
    ]
    assert found["next"] == [1, 0, 2, 0, -1]
    assert found["clock"] == ["1:02:03.4", "1:00.0", "-0:00.5", "0:07", "0:00.0"]
    assert found["ticks"] == [4, 6, 8] and found["usual"] == 1
    assert found["keys"] == ["play", None, None, "go", None, None, None, None]
    assert found["modified"] == ["panLeft", None]
    assert found["told"] == "a: nodding, 91 %; x, 50 %. b: not sure"


def test_keys_drive_a_private_page(tab: Tab, tmp_path: Path) -> None:
    write(tmp_path / "page.html", result(), private=True)
    tab.asked.clear()
    tab.open(tmp_path / "page.html")
    state = "[player.time, chosen, view.to - view.from, byId('help').open]"
    assert tab.run(state) == [10, -1, 8, False]
    tab.press("ArrowDown")
    assert tab.run("byId('live').textContent") == (
        "Segment 1 of 5: person 7, nodding, 0:11.0, sure. Enter goes there."
    )
    tab.press("Enter")
    assert tab.run("byId('now').textContent") == "person 7: nodding, 70 %"
    assert tab.run("byId('live').textContent") == "0:11.0: person 7: nodding, 70 %"
    assert tab.run("document.querySelector('tr[aria-current] th').textContent") == "nodding"
    tab.press("ArrowDown", "ArrowDown", "Enter", "ArrowRight", "ArrowLeft", "ArrowLeft", "+", "+", "-", "?")
    assert tab.run(state) == [pytest.approx(12), 2, pytest.approx(8 * 0.6), True]
    tab.press("Escape", "0", "End", "Home", " ")
    assert tab.run("player.playing")
    tab.until("player.time > 10.2")
    tab.press(" ")
    assert tab.run(state)[3] is False and not tab.run("player.playing")
    tab.run("byId('keys').checked = false; 0")
    tab.press("End")
    assert tab.run("player.time") < 17 and len(tab.asked) == 1
    # the table is the timeline in words; its buttons go there, and its filters count
    tab.run("document.querySelectorAll('#rows button')[3].click(); 0")
    assert tab.run("[player.time, chosen]") == [15, 3]
    tab.run("byId('status').value = '1'; byId('status').dispatchEvent(new Event('change')); 0")
    assert tab.run("byId('count').textContent") == "1 of 5 segments"


def test_pointer(tab: Tab, tmp_path: Path) -> None:
    write(tmp_path / "page.html", result(), private=True)
    tab.open(tmp_path / "page.html")
    x, y = tab.run(
        "(() => { const lane = lanes.find(one => one.kind === 'untold'); "
        "const b = byId('lanes').getBoundingClientRect(); "
        "return [b.left + x(15.2), b.top + lane.top + 10 - byId('lanes').scrollTop]; })()"
    )
    button = {"button": "left", "buttons": 1, "clickCount": 1}
    tab.mouse("mousePressed", x, y, **button)
    tab.mouse("mouseReleased", x, y, button="left", clickCount=1)
    assert tab.run("[chosen, segmentOf(chosen).words]") == [3, "not sure enough to say"]
    assert tab.run("player.time") == pytest.approx(15.2, abs=0.05)
    tab.mouse("mouseWheel", x, y, deltaX=0, deltaY=-240)
    tab.until("view.to - view.from < 6")
    assert tab.run("at(" + str(x) + " - byId('lanes').getBoundingClientRect().left)") == pytest.approx(
        15.2, abs=0.05
    )
    before = tab.run("view.from")
    tab.mouse("mousePressed", x, y, **button)
    tab.mouse("mouseMoved", x + 60, y, **button)
    tab.mouse("mouseReleased", x + 60, y, button="left", clickCount=1)
    assert tab.run("view.from") < before and tab.run("player.time") == pytest.approx(15.2, abs=0.05)
    count = tab.run("lanes.length")
    tab.run("byId('fold').click(); 0")
    assert tab.run("lanes.length") < count


def small_video(path: Path) -> None:
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libvpx-vp9", rate=25, options={"deadline": "realtime", "cpu-used": "8", "g": "10"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(200):
            picture = np.full((48, 64, 3), n, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())


def test_a_video_plays_and_seeks(tab: Tab, tmp_path: Path) -> None:
    name = "a b #1%.webm"
    small_video(tmp_path / name)
    write(tmp_path / "page.html", result(media=name))
    tab.open(tmp_path / "page.html")
    tab.until("video.readyState >= 2")
    tab.press(" ")
    tab.until("video.currentTime > 0.3")
    assert tab.run("byId('play').textContent") == "pause"
    tab.press(" ", "ArrowDown", "ArrowDown", "Enter")
    tab.until("!video.seeking && video.paused")
    start, media = tab.run("[all.start[chosen], video.currentTime]")
    assert media == pytest.approx(start - 10, abs=0.01)  # the video's time 0 is the first frame
    assert tab.run("byId('stage-note').textContent") == ""


def test_a_video_that_is_gone_leaves_skeletons(tab: Tab, tmp_path: Path) -> None:
    write(tmp_path / "page.html", hostile())
    tab.open(tmp_path / "page.html")
    note = tab.until("byId('stage-note').textContent")
    assert "cannot be played here" in note and "Skeletons" in note and "\u202e" not in note
    tab.press("ArrowRight")
    assert tab.run("player.time") == 11
    assert tab.run("document.querySelectorAll('img, iframe').length") == 0
    assert "\\u202e" in tab.run("document.body.innerText")


def test_several_videos_and_one_without_people(tab: Tab, tmp_path: Path) -> None:
    empty = result(video_id="nobody", persons=(), simulated=False)
    flat = tuple(
        replace(one, segments=tuple(replace(each, group=None) for each in one.segments))
        for one in result().persons
    )
    write(tmp_path / "page.html", empty, result(groups=(), group_of=(), persons=flat), link=False)
    tab.open(tmp_path / "page.html")
    assert tab.run("byId('simulated').hidden") and "No person" in tab.run("byId('warnings').textContent")
    tab.press("ArrowDown", "Enter", "+", "ArrowRight")
    assert tab.run("player.time") == 11
    tab.run("byId('which').value = 1; byId('which').dispatchEvent(new Event('change')); 0")
    assert not tab.run("byId('simulated').hidden")
    assert tab.run("lanes.map(laneName)") == [
        "person 7", "nodding", "bowing head", "not sure", "person 8", "nodding", "rubbing hands",
    ]  # fmt: skip


def test_light_and_dark_and_looks_apart(tab: Tab, tmp_path: Path) -> None:
    import cv2

    write(tmp_path / "page.html", result(), private=True)
    brightness = []
    for scheme in ("light", "dark"):
        tab.open(tmp_path / "page.html", scheme)
        tab.picture(tmp_path / f"{scheme}.png")
        pixels = cv2.imread(str(tmp_path / f"{scheme}.png"))
        brightness.append(float(np.median(pixels)))
        assert pixels.std() > 8  # not blank
    assert brightness[0] > 200 and brightness[1] < 60
    # sure, unsure and no answer differ in how much of the bar is inked, without colours
    inked = tab.run(
        """[0, 1, 2].map(status => { const c = sharpened(document.createElement('canvas'), 60, 20);
        bar(c, 0, 60, 2, 16, status, palette.ink); const raw = c.getImageData(0, 0, 60, 20).data, back = [...c.getImageData(0, 0, 60, 20).data];
        const p = document.createElement('canvas').getContext('2d'); p.fillStyle = palette.ink; p.fillRect(0, 0, 1, 1);
        const want = p.getImageData(0, 0, 1, 1).data; let n = 0;
        for (let i = 0; i < raw.length; i += 4) if (Math.abs(raw[i] - want[0]) < 60 && raw[i + 3] > 128) n++; return n; })"""  # noqa: E501
    )
    outline = 2 * (60 + 14)
    assert inked[0] == 60 * 16 and 1.5 * outline < inked[1] < 0.5 * inked[0] and inked[2] < outline
