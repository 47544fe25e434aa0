from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fidget_samples import HOSTILE, clip_of, row_of, write_cache

from fidget.reports.quality_page import quality_html
from fidget.reports.quality_rows import QualityRow, percent, quality_rows, worst_first, write_csv
from poses.cache_reader import PoseCache
from poses.cache_schema import SourceStamp
from poses.encoding import failed_row


def hostile_cache(directory: Path) -> PoseCache:
    rows = [
        row_of(clip_of("good", frames=20)),
        row_of(clip_of("nobody", persons=0), error="truncated: 3 <b>frames</b>"),
        row_of(clip_of(HOSTILE, frames=20), error="truncated & <i>damaged</i>"),
        failed_row(
            "gone/" + HOSTILE, SourceStamp("x", 0, 0), "moov atom\nnot found <img src=x onerror=alert(1)>"
        ),
    ]
    return PoseCache(write_cache(directory, rows))


class Tags(HTMLParser):
    """Tag names, and the text of the table's first column."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: list[str] = []
        self._in_name = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if ("scope", "row") in attrs:
            self._in_name = True
            self.names.append("")
        assert not any(name.startswith("on") or name == "src" for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        self._in_name = self._in_name and tag != "th"

    def handle_data(self, data: str) -> None:
        if self._in_name:
            self.names[-1] += data


def test_names_cannot_become_markup_and_nothing_is_loaded(tmp_path: Path) -> None:
    cache = hostile_cache(tmp_path / "cache")
    rows = worst_first(quality_rows(cache))
    page = quality_html(rows, list(cache.layout.parts), "name </title><script>x", cache.metadata)
    parsed = Tags()
    parsed.feed(page)
    assert parsed.tags.count("script") == 1
    assert not {"img", "link", "iframe", "i"} & set(parsed.tags)
    assert parsed.tags.count("b") == 7 + 2  # cards, and the two words of the legend
    assert not re.search(r"https?:|url\(|@import|\u202e", page)
    assert [name.replace("\\n", "\n").replace("\\u202e", "\u202e") for name in parsed.names] == [
        row.clip_id for row in rows
    ]


def test_worst_come_first_with_their_reasons(tmp_path: Path) -> None:
    rows = worst_first(quality_rows(hostile_cache(tmp_path / "cache")))
    assert [row.verdict for row in rows] == ["drop", "drop", "look", "keep"]
    assert [row.status for row in rows] == ["failed", "no_person", "ok", "ok"]
    assert "moov atom" in rows[0].reasons
    assert rows[1].reasons == "no person in any frame; truncated: 3 <b>frames</b>"
    assert rows[3].reasons == ""
    assert rows[3].missing == (0.0,) * len(rows[3].missing)
    assert rows[1].missing == (1.0,) * len(rows[1].missing)
    assert rows[3].person_share == 1.0


def test_doubtful_joints_count_as_missing_and_the_page_says_so(tmp_path: Path) -> None:
    clip = clip_of("doubtful")
    clip.score[0, :, list(clip.layout.parts["legs"])] = 0.2
    cache = PoseCache(write_cache(tmp_path / "cache", [row_of(clip)]))
    rows = list(quality_rows(cache))
    missing = dict(zip(cache.layout.parts, rows[0].missing, strict=True))
    assert missing["legs"] == 1.0
    assert missing["arms"] == 0.0
    assert "whose score is 0.3 at most" in quality_html(
        rows, list(cache.layout.parts), "doubtful", cache.metadata
    )


def test_the_csv_gives_every_name_back(tmp_path: Path) -> None:
    cache = hostile_cache(tmp_path / "cache")
    rows, parts = worst_first(quality_rows(cache)), list(cache.layout.parts)
    write_csv(rows, parts, tmp_path / "q.csv")
    with (tmp_path / "q.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["clip_id"] for row in read] == [row.clip_id for row in rows]
    assert read[0]["status"] == "failed"
    assert read[0]["person_share"] == ""
    assert float(read[3]["mean_score"]) == pytest.approx(0.9, abs=0.01)
    assert {f"missing_{part}" for part in parts} <= set(read[0])


def measured(**changed: object) -> QualityRow:
    values = {
        "clip_id": "c", "status": "ok", "error": None, "frames": 10, "seconds": 1.0, "persons": 1,
        "person_share": 1.0, "mean_score": 0.8, "jitter_px": 0.2, "motion_px": 10.0, "missing": (),
    }  # fmt: skip
    return QualityRow(**(values | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "clarity"),
    [
        ({"jitter_px": 0.0, "motion_px": 5.0}, 1.0),
        ({"jitter_px": 1.0, "motion_px": 4.65}, 0.0),  # the range of the noise itself
        ({"jitter_px": 1.0, "motion_px": 9.3}, 0.5),
        ({"jitter_px": 5.0, "motion_px": 1.0}, 0.0),
        ({"jitter_px": 0.0, "motion_px": 0.0}, 0.0),
        ({"jitter_px": None, "motion_px": 5.0}, None),
    ],
)
def test_clarity_is_movement_beyond_the_noise(changed: dict[str, object], clarity: float | None) -> None:
    assert measured(**changed).clarity == (clarity if clarity is None else pytest.approx(clarity))


def test_what_is_worse_sorts_first() -> None:
    order = [
        measured(clip_id="damaged", status="damaged", person_share=None),
        measured(clip_id="nobody", status="no_person", person_share=0.0, mean_score=0.0),
        measured(clip_id="half", person_share=0.5),
        measured(clip_id="unsure", mean_score=0.2),
        measured(clip_id="trembling", jitter_px=1.5),
        measured(clip_id="fine"),
    ]
    assert [row.clip_id for row in worst_first(order[::-1])] == [row.clip_id for row in order]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.9999, "> 99 %"), (0.0001, "< 1 %"), (0.5, "50 %"), (0.995, "> 99 %")],
)
def test_all_and_none_are_said_only_of_all_and_none(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_page_of_many_clips_stays_small_and_says_so(tmp_path: Path) -> None:
    cache = hostile_cache(tmp_path / "cache")
    rows = [measured(clip_id=f"clip {index}") for index in range(2500)]
    page = quality_html(rows, [], "many", cache.metadata)
    assert page.count("<tr data-verdict") == 2000
    assert "The worst 2,000 of 2,500 clips are shown" in page
