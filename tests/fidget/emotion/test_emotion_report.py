from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from emotion_samples import TREE, table_of

from fidget.emotion.association_study import StudySettings, study_association
from fidget.reports.emotion_figure import draw_heatmap, draw_sankey
from fidget.reports.emotion_heatmap import heatmap_svg, held_back_lift, lift_class
from fidget.reports.emotion_page import write_emotion_page
from fidget.reports.emotion_sankey import commonest, lay_out, strongest_pairs
from protocols.label_tree import LabelTree

QUICK = StudySettings(shuffles=40, control_shuffles=2, draws=100, folds=2)
HOSTILE = '</script><b>"x"\u202e'


@pytest.fixture(scope="module")
def study():
    table = table_of(80)
    names = ("nod", HOSTILE, "bow", "turn")
    return study_association(replace(table, tree=LabelTree("demo", names, TREE.groups, TREE.group_of)), QUICK)


def test_the_study_finds_what_is_there(study):
    assert study.found[0].all() and study.found[2].all() and not study.found[[1, 3]].any()
    assert study.top_five_measures["union", "base"].values["accuracy"] > 0.7
    assert study.rules_measures.values["accuracy"] > 0.7 and not study.trouble
    assert any("no column subject" in note for note in study.notes)


def test_a_table_too_small_for_folds_is_studied_all_the_same():
    table = table_of(80)
    found = study_association(table.rows(np.array([0, 1, 2])), QUICK)
    assert found.top_five is None and found.rules is None
    assert "expected 2 folds up to the clips of the rarest emotion (1)" in found.trouble[0]


def test_a_table_without_micro_actions_is_refused():
    table = table_of(8)
    with pytest.raises(ValueError, match="demo: no clip has a micro-action"):
        study_association(replace(table, present=np.zeros_like(table.present)), QUICK)


def test_the_page_is_whole_escaped_and_says_simulated(study, tmp_path):
    write_emotion_page(tmp_path / "r.html", study)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2 == page.count("</script>") and "\u202e" not in page
    assert "<b>" not in page and "&lt;/script&gt;" in page
    assert "http" not in page.replace("http-equiv", "") and "default-src 'none'" in page
    assert "Simulated data." in page and "filter by own label: leaks" in page
    assert "69 and 68 of about 210 clips, a gain of 1 clip" in page
    for mark in re.findall(r'href="#([a-z-]+)"', page):
        assert f'id="{mark}"' in page


def test_bands_fill_their_bars(study):
    counts = study.association.counts
    found = lay_out(counts, commonest(counts, 3))
    assert len(found.bands) == 6
    for bar in found.emotions:
        own = sorted(
            (band for band in found.bands if band.emotion == bar.index), key=lambda band: band.y_left
        )
        assert own[0].y_left == pytest.approx(bar.y)
        assert own[-1].y_left + own[-1].height == pytest.approx(bar.y + bar.height)
        assert bar.clips == sum(counts[band.action, bar.index] for band in own)
    for bar in found.actions:
        own = [band for band in found.bands if band.action == bar.index]
        assert sum(band.height for band in own) == pytest.approx(bar.height)
    for bars in (found.emotions, found.actions):
        for above, below in pairwise(bars):
            assert above.y + above.height <= below.y
        assert bars[0].y > 0 and bars[-1].y + bars[-1].height < found.height
    assert (0, 0) in strongest_pairs(study.table, 5) and (0, 2) not in strongest_pairs(study.table, 5)


def test_colours_of_lift(study):
    steps = [lift_class(value) for value in (0.0, 0.25, 0.71, 1.0, 1.1, 1.42, 2.0, 9.0, float("nan"))]
    assert steps == ["less4", "less4", "less1", "even", "even", "more1", "more2", "more4", "unknown"]
    held = held_back_lift(study)
    assert held[0, 0] > 1 > held[0, 1]
    drawn = heatmap_svg(study)
    assert drawn.count('class="hrow"') == 4 and drawn.count('class="found"') == 4


def test_pictures_are_written_with_their_text(study, tmp_path):
    found = lay_out(study.association.counts, strongest_pairs(study.table, 5))
    draw_sankey(tmp_path / "s.svg", found, study)
    draw_heatmap(tmp_path / "h.svg", study, [0, 2, 3])
    draw_heatmap(tmp_path / "h.png", study, [0, 2])
    sankey, heatmap = ((tmp_path / name).read_text(encoding="utf-8") for name in ("s.svg", "h.svg"))
    assert "simulated" in sankey and "happy" in sankey and "nod" in heatmap and "simulated data" in heatmap
    assert (tmp_path / "h.png").read_bytes()[:4] == b"\x89PNG"
