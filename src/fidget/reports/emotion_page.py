"""The report of a table of clip, emotion and micro-actions: one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fidget.benchmark.table import Table, html
from fidget.emotion.association_study import AssociationStudy
from fidget.reports.emotion_heatmap import as_script, heatmap_data, heatmap_svg, legend
from fidget.reports.emotion_sankey import Sankey, commonest, lay_out, sankey_svg, strongest_pairs
from fidget.reports.emotion_tables import cells_table, information_table, rules_list, top_five_tables
from fidget.reports.quality_page import visible
from poses.whole_file import replacing
from protocols.emotion_published import mma82_gain

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_ABOVE, _COMMON = (5,), (3, 5, 8)


def write_emotion_page(path: Path, study: AssociationStudy) -> None:
    """Write the page as one self-contained file.

    Args:
        path: of the page.
        study: what it shows.

    Raises:
        OSError: the page cannot be written.
    """
    parts = [
        ("table", "The table", _overview(study)),
        ("sankey", "Which micro-actions come with which emotion", _sankey(study)),
        ("map", "More and less than by chance", _heatmap(study)),
        ("cells", "Cells and tests", _cells(study)),
        ("top", f"Top-{study.settings.k} experiment", _top_five(study)),
        ("rules", "Decision tree in words", rules_list(study)),
        ("gain", "What a published gain comes to", _gain()),
        ("how", "How this was measured", _methods(study)),
    ]
    with replacing(path) as part:
        part.write_text(_page(study, [one for one in parts if one[2]]), encoding="utf-8")


def _page(study: AssociationStudy, parts: Sequence[tuple[str, str, str]]) -> str:
    here = Path(__file__)
    style = here.with_name("benchmark_page.css").read_text(encoding="utf-8")
    style += here.with_suffix(".css").read_text(encoding="utf-8")
    script = here.with_suffix(".js").read_text(encoding="utf-8")
    simulated = study.table.simulated
    title = visible(f"Micro-actions and emotions: {study.table.name}" + (" (simulated)" if simulated else ""))
    banner = (
        '<p class="banner" role="note"><strong>Simulated data.</strong> A program made this table. The '
        "numbers show what a report looks like, and nothing about people.</p>"
        if simulated
        else ""
    )
    links = "".join(f'<li><a href="#{mark}">{visible(head)}</a></li>' for mark, head, _ in parts)
    sections = "\n".join(
        f'<section id="{mark}" aria-labelledby="{mark}-title"><h2 id="{mark}-title">{visible(head)}</h2>\n'
        f"{body}</section>"
        for mark, head, body in parts
    )
    data = as_script({**heatmap_data(study), "simulated": simulated})
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style></head><body>
<a class="skip" href="#main">to the results</a>
<header><h1>{title}</h1><nav aria-label="sections"><ul>{links}</ul></nav></header>
{banner}<main id="main">
{sections}
</main>
<div id="hint" role="status" aria-live="polite" hidden></div>
<script type="application/json" id="data">{data}</script>
<script>{script}</script></body></html>
"""


def _overview(study: AssociationStudy) -> str:
    table, association = study.table, study.association
    per_clip = table.present.sum(axis=1)
    rows = tuple(
        (name, f"{count:,}", f"{100 * count / len(table):.1f}", f"{own:.2f}")
        for name, count, own in zip(
            table.emotions, table.emotion_counts.tolist(), _per_emotion(study), strict=True
        )
    )
    head = ("emotion", "clips", "%", "micro-actions a clip")
    notes = "".join(f"<li>{visible(note)}</li>" for note in (*study.notes, *study.trouble))
    found = int(study.found.sum())
    tested = int(np.isfinite(association.p).sum())
    people = f", {len(set(table.subjects)):,} people" if table.subjects else ""
    told = (
        f"{len(table):,} clips{people}, {int((association.of_action > 0).sum())} micro-actions, "
        f"{per_clip.mean():.2f} a clip (at most {per_clip.max()}). Of {tested} cells of micro-action and "
        f"emotion {found} differ from chance at a false-discovery rate of "
        f"{100 * study.settings.false_discoveries:g} %. Mutual information, summed over micro-actions: "
        f"{association.total_information:.3f} bits, {association.total_by_chance:.3f} on average with "
        f"shuffled emotions (p {association.total_p:.2g})."
    )
    return f'<p>{visible(told)}</p><div class="scroll">{html(Table("Clips", head, rows))}</div>' + (
        f'<ul class="notes">{notes}</ul>' if notes else ""
    )


def _per_emotion(study: AssociationStudy) -> list[float]:
    per_clip, labels = study.table.present.sum(axis=1), study.table.labels
    return [
        float(per_clip[labels == emotion].mean()) if (labels == emotion).any() else 0.0
        for emotion in range(len(study.table.emotions))
    ]


def _sankey(study: AssociationStudy) -> str:
    table = study.table
    choices = _diagrams(study)
    options = "".join(f'<option value="{key}">{visible(name)}</option>' for key, name, _ in choices)
    drawn = "".join(
        sankey_svg(found, table.emotions, table.tree.actions, key, table.simulated, hidden=place > 0)
        for place, (key, _, found) in enumerate(choices)
    )
    return (
        '<p class="soft">Width: clips. Common micro-actions are wide beside every emotion; those most above '
        "chance come more often with it than elsewhere, the rare ones perhaps by chance: the dots below "
        "tell. Numbers add up the bands that are drawn. Press a bar, or Tab and Enter, to keep its bands "
        "lifted.</p>"
        f'<div class="tools"><label for="most">Micro-actions of each emotion</label> '
        f'<select id="most">{options}</select></div><figure class="wide">{drawn}</figure>'
    )


def _diagrams(study: AssociationStudy) -> list[tuple[str, str, Sankey]]:
    """Key, name and layout of every diagram; the first is shown at the start."""
    counts, table = study.association.counts, study.table
    found = []
    for k in _ABOVE:
        pairs = strongest_pairs(table, k)
        found.append((f"above{k}", f"the {k} most above chance", lay_out(counts, pairs)))
    for k in _COMMON:
        found.append((f"common{k}", f"the {k} commonest", lay_out(counts, commonest(counts, k))))
    return found


def _heatmap(study: AssociationStudy) -> str:
    rate = 100 * study.settings.false_discoveries
    return (
        f'<p class="soft">A dot marks cells that differ from chance at a false-discovery rate of {rate:g} %; '
        "colours of rare micro-actions without one are mostly chance. Point at a cell, or use the arrow "
        "keys.</p>"
        '<div class="tools"><label for="colours">Colour</label> <select id="colours">'
        '<option value="lift">times as often as by chance (lift, held back by 2 clips)</option>'
        '<option value="of-emotion">share of the emotion\'s clips</option>'
        '<option value="of-action">share of the micro-action\'s clips</option>'
        '<option value="count">clips</option></select>'
        '<label for="order">Order</label> <select id="order"><option value="tree">of the label tree</option>'
        '<option value="emotion">by strongest emotion</option><option value="common">commonest first</option>'
        '<option value="bits">most information first</option></select></div>'
        f'{legend()}<figure class="wide">{heatmap_svg(study)}</figure>'
    )


def _cells(study: AssociationStudy) -> str:
    return (
        f'<div class="pair"><div><div class="scroll tall" tabindex="0" role="region" aria-label="cells">'
        f"{cells_table(study)}</div></div>"
        f'<div><div class="scroll tall" tabindex="0" role="region" aria-label="information">'
        f"{information_table(study)}</div></div></div>"
    )


def _top_five(study: AssociationStudy) -> str:
    if study.top_five is None:
        return "".join(f'<p class="soft">{visible(line)}</p>' for line in study.trouble)
    return "".join(f'<div class="scroll">{html(table)}</div>' for table in top_five_tables(study))


def _gain() -> str:
    gain = mma82_gain(np.random.default_rng(0))
    told = gain.told("Faces and micro-actions together", "micro-actions alone")
    return (
        f'<p class="callout">MMA-82, as printed: 32.86 % with both, 32.38 % with micro-actions alone, '
        f"22.86 % with faces alone. {visible(told)}.</p>"
        '<p class="soft">The number of test clips is not printed; this is the smallest that fits all three '
        "percentages. Small differences of emotion results need such a line beside them; "
        "<code>fidget emotion evaluate</code> prints it for every pair of methods.</p>"
    )


def _methods(study: AssociationStudy) -> str:
    s = study.settings
    lines = (
        "Clips are the units; a micro-action is in a clip or not. Lift: how many times as often a "
        "micro-action and an emotion meet as if they were independent.",
        "p: Fisher's exact test of each cell, two-sided. q: Benjamini and Hochberg over all cells that were "
        "tested. Both take clips for independent.",
        f"Bits: mutual information of having a micro-action and the emotion; its p from {s.shuffles:,} "
        "shufflings of the emotions. Estimates from few clips are too large, so p matters more.",
        f"Top-{s.k} experiment and tree: {s.folds} folds"
        + (", people kept together" if study.table.subjects else "")
        + f", seed {s.seed}; intervals from {s.draws:,} drawn samples of clips.",
    )
    return f'<ul class="notes">{"".join(f"<li>{visible(line)}</li>" for line in lines)}</ul>'
