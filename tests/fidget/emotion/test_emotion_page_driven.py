"""The report of an emotion table in a real Chromium: Sankey, heatmap and tables by pointer and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emotion_samples import table_of
from tests.fidget.chromium_pipe import CHROMIUM, Tab, chromium_tab

from fidget.emotion.association_study import StudySettings, study_association
from fidget.reports.emotion_page import write_emotion_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    page = tmp_path_factory.mktemp("report") / "r.html"
    settings = StudySettings(shuffles=40, control_shuffles=2, draws=100, folds=2)
    write_emotion_page(page, study_association(table_of(80), settings))
    with chromium_tab(tmp_path_factory.mktemp("chromium")) as one:
        one.open(page)
        yield one
        assert not one.said and not one.refused and set(one.asked) == {page.as_uri()}


def test_bars_lift_their_bands(tab: Tab) -> None:
    shown = "document.querySelector('svg.sankey:not([hidden])')"
    lifted = f"[...{shown}.querySelectorAll('.ribbon.on')].map(one => one.dataset.e)"
    tab.run(f"{shown}.querySelector('.bar[data-e=\"1\"]').focus(); 0")
    assert set(tab.run(lifted)) == {"1"}
    tab.press("Enter")
    tab.run("document.activeElement.blur(); 0")
    assert set(tab.run(lifted)) == {"1"}  # pinned
    assert tab.run(f"{shown}.querySelector('.bar[data-e=\"1\"]').getAttribute('aria-pressed')") == "true"
    tab.run(f"{shown}.querySelector('.bar[data-e=\"1\"]').focus(); 0")
    tab.press("Escape")
    tab.run("document.activeElement.blur(); 0")
    assert tab.run(lifted) == []
    x, y = tab.run(
        f"(() => {{ const b = {shown}.querySelector('.bar[data-e=\"0\"] rect'); b.scrollIntoView(); "
        "const r = b.getBoundingClientRect(); return [r.left + 3, r.top + r.height / 2]; })()"
    )
    tab.mouse("mouseMoved", x, y)
    assert set(tab.run(lifted)) == {"0"}
    tab.run("byId('most').selectedIndex = 1; byId('most').dispatchEvent(new Event('change')); 0")
    assert tab.run("document.querySelectorAll('svg.sankey:not([hidden])').length") == 1


def test_the_heatmap_is_sorted_coloured_and_read_by_keys(tab: Tab) -> None:
    names = (
        "[...document.querySelectorAll('#heatmap .hrow')].sort((a, b) => "
        "a.getBoundingClientRect().top - b.getBoundingClientRect().top).map(one => one.dataset.a)"
    )
    plain = tab.run(names)
    tab.run("byId('order').value = 'common'; byId('order').dispatchEvent(new Event('change')); 0")
    found = [sum(tab.run(f"data.counts[{one}]")) for one in tab.run(names)]
    assert found == sorted(found, reverse=True) and set(tab.run(names)) == set(plain)
    tab.run("byId('heatmap').focus(); 0")
    tab.press("ArrowDown", "ArrowRight")  # the first key shows the first cell
    told = tab.run("byId('hint').textContent")
    first = tab.run(names)[0]
    name, emotion, clips = tab.run(f"[data.actions[{first}], data.emotions[1], data.counts[{first}][1]]")
    assert tab.run("byId('hint').getAttribute('role')") == "status"
    assert told.startswith(f"{name}, {emotion}: in {clips} of")
    assert "simulated" in told and "Fisher p" in told
    tab.run("byId('colours').value = 'count'; byId('colours').dispatchEvent(new Event('change')); 0")
    assert tab.run("document.querySelector('#heatmap .cell').style.fill") and tab.run(
        "byId('lift-legend').hidden"
    )


def test_tables_sort_by_their_heads(tab: Tab) -> None:
    rows = "[...document.querySelector('#cells table').tBodies[0].rows]"
    column = f"{rows}.map(row => Number(row.cells[3].textContent))"
    button = "document.querySelectorAll('#cells table')[0].querySelectorAll('thead button')[3]"
    tab.run(f"{button}.click(); 0")
    found = tab.run(column)
    assert found == sorted(found) and len(set(found)) > 2
    tab.run(f"{button}.click(); 0")
    assert tab.run(column) == found[::-1] or tab.run(column) == sorted(found, reverse=True)
    assert tab.run(f"{button}.parentNode.getAttribute('aria-sort')") == "descending"


def test_dark_is_dark_and_nothing_moves_unasked(tab: Tab, tmp_path: Path) -> None:
    tab.call(
        "Emulation.setEmulatedMedia",
        features=[
            {"name": "prefers-color-scheme", "value": "dark"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ],
    )
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    assert tab.run("getComputedStyle(document.querySelector('.ribbon')).transitionProperty") == "none"
    tab.size(400, 900)
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
