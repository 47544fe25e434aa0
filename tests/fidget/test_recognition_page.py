"""The page of recognised videos: what it holds, escaped, and in how many bytes."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fidget_samples import clip_of
from recognition_page_samples import hostile, poses, result, write

from fidget.reports import recognition_data
from fidget.reports.recognition_data import joints_data, media_address, video_data
from fidget.reports.recognition_page import write_recognition_page


def unpacked(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


class Outline(HTMLParser):
    """Tags, ids, tags that stay open, and labels that nothing carries."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


def test_names_cannot_become_markup_and_nothing_is_fetched(tmp_path: Path) -> None:
    page = write(tmp_path / "page.html", hostile(), result(), link=False)
    outline = Outline()
    outline.feed(page)
    assert not outline.open and len(outline.ids) == len(set(outline.ids))
    assert outline.tags.count("script") == 1 + 2 + 1  # names, two videos, the program
    assert not {"img", "link", "iframe", "video", "object"} & set(outline.tags)
    assert not {"src", "onerror", "onclick", "style"} & outline.attributes
    assert "alert(1)" not in page and '<script>alert("1")' not in page and "\u202e" not in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import", page)
    assert "media-src" not in page and "default-src 'none'" in page
    assert "/home/me" not in page  # where the video lies is nobody's business


def test_private_page_holds_no_picture_and_says_so(tmp_path: Path) -> None:
    page = write(tmp_path / "page.html", result(), private=True)
    assert "no face leaves the machine" in page
    assert "<video" not in page and "talk.webm" not in page.split('id="video-0"')[0]
    data = json.loads(re.search(r'id="video-0">(.*?)</script>', page, flags=re.S)[1])
    assert data["media"] is None and data["joints"]["count"] == 17
    assert "no face leaves" not in write(tmp_path / "other.html", result())


@pytest.mark.parametrize(
    ("media", "address"),
    [
        ("talk.webm", "./talk.webm"),
        ("a b/100%#1?.webm", "./a%20b/100%25%231%3F.webm"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ('"><script>.mp4', "./%22%3E%3Cscript%3E.mp4"),
        ("\udcff.mp4", "./%FF.mp4"),
    ],
)
def test_addresses_of_videos(media: str, address: str) -> None:
    assert media_address(media) == address


@pytest.mark.parametrize("media", ["/home/me/talk.mp4", "C:\\talk.mp4", "\\\\host\\talk.mp4"])
def test_a_video_that_is_not_beside_the_page_is_refused(media: str) -> None:
    with pytest.raises(ValueError, match="relative to the page"):
        media_address(media)


def test_simulated_is_said(tmp_path: Path) -> None:
    page = write(tmp_path / "page.html", result())
    assert "<title>Micro-actions: talk (simulated)</title>" in page
    assert re.search(r'id="simulated" role="note">', page)
    real = write(tmp_path / "real.html", result(simulated=False))
    assert "(simulated)" not in real and re.search(r'id="simulated" role="note" hidden>', real)


def test_nothing_to_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one recognised video"):
        write(tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_joints_come_back_within_a_pixel() -> None:
    one, clip = result(), poses(result())
    clip.xy_px[1, 50:60] = np.nan
    clip.score[1, 50:60] = 0
    data = joints_data(clip, one)
    rows = np.searchsorted(clip.time_s, unpacked(data["ms"], "<i4") / 1000 - 1e-4)
    assert data["fps"] == 12.5 and len(rows) == 100
    for person, packed in enumerate(data["persons"]):
        xy = unpacked(packed["xy"], "<u2").reshape(len(rows), 17, 2).astype(float)
        back = (xy / 65534 * 1.5 - 0.25) * (160, 120)
        back[xy[..., 0] == 65535] = np.nan
        np.testing.assert_allclose(
            back, np.clip(clip.xy_px[person, rows], (-40, -30), (200, 150)), atol=0.01, equal_nan=True
        )
    with pytest.raises(ValueError, match=r"320 x 240, got 160 x 120; extract the poses"):
        joints_data(clip, replace(one, frame_width=320, frame_height=240))


def test_a_single_frame_and_nobody(tmp_path: Path) -> None:
    one = clip_of("still", frames=1, persons=0)
    empty = result(persons=(), start_s=0.0, duration_s=0.04)
    write_recognition_page(
        [empty], tmp_path / "a.html", embed_video="none", private=True, poses=lambda _: one
    )
    data = video_data(empty, one, media=False, private=True)
    assert data["joints"]["persons"] == [] and data["joints"]["step"] == pytest.approx(0.08)


def test_long_videos_get_fewer_frames_and_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition_data, "JOINTS_BYTES", 5000)
    monkeypatch.setattr(recognition_data, "CURVES_BYTES", 320)
    data = video_data(result(), poses(result()), media=True, private=False)
    held = sum(len(unpacked(one["xy"], "u1")) for one in data["joints"]["persons"])
    assert 2500 < held <= 5000 and data["joints"]["fps"] < 12.5
    curves = data["persons"][0]["curves"]
    assert curves["actions"][0] == 0 and len(curves["actions"]) == 2  # the named one, then the likeliest
    assert len(unpacked(curves["values"], "u1")) == 160
    probability = result().persons[0].curves.probability[curves["actions"]]
    np.testing.assert_allclose(unpacked(curves["values"], "u1").reshape(2, 80) / 255, probability, atol=0.002)
