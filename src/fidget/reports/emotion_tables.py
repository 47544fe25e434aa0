"""Tables of the emotion report: cells with their tests, information, the top-5 experiment, rules."""

from __future__ import annotations

from html import escape

import numpy as np

from emotion_models.top_five import KEEPS, Filter, Keep
from fidget.benchmark.table import Table
from fidget.emotion.association_study import AssociationStudy
from fidget.reports.quality_page import visible
from protocols.emotion_measures import Emotions
from protocols.emotion_published import published_top5

_MOST_CELLS = 400
_KEPT: dict[Keep, str] = {
    "base": "all micro-actions",
    "without": "without the top {k}",
    "only": "the top {k} only",
}


def cells_table(study: AssociationStudy) -> str:
    """Cells with a clip, the surest first; columns sort."""
    association, table = study.association, study.table
    order = np.argsort(np.where(np.isfinite(association.p), association.p, 2.0), axis=None, kind="stable")
    rows = []
    for place in order[:_MOST_CELLS]:
        action, emotion = divmod(int(place), len(table.emotions))
        p = float(association.p[action, emotion])
        if np.isnan(p):
            break
        count, lift = int(association.counts[action, emotion]), float(association.lift[action, emotion])
        q = float(association.q[action, emotion])
        mark = ' class="right"' if study.found[action, emotion] else ""
        rows.append(
            f'<tr><th scope="row">{visible(table.tree.actions[action])}</th>'
            f"<td>{visible(table.emotions[emotion])}</td>"
            f'<td class="number">{count}</td><td class="number">{lift:.2f}</td>'
            f'<td class="number">{association.odds[action, emotion]:.2f}</td>'
            f'<td class="number" data-v="{p:.9g}">{p:.2g}</td>'
            f'<td class="number" data-v="{q:.9g}"><span{mark}>{q:.2g}</span></td></tr>'
        )
    head = ("micro-action", "emotion", "clips", "lift", "odds ratio", "p", "q")
    tested = int(np.isfinite(association.p).sum())
    more = f"; the surest {len(rows)} of {tested}" if tested > len(rows) else ""
    return _sortable(f"Cells{more}", head, rows, study.table.simulated)


def information_table(study: AssociationStudy) -> str:
    """What each micro-action says about the emotion, the most first."""
    association, table = study.association, study.table
    rows = []
    for action in np.argsort(-association.information, kind="stable").tolist():
        if not association.of_action[action]:
            continue
        best = int(np.argmax(np.nan_to_num(association.lift[action])))
        rows.append(
            f'<tr><th scope="row">{visible(table.tree.actions[action])}</th>'
            f'<td class="number">{association.of_action[action]}</td>'
            f'<td class="number">{association.information[action]:.4f}</td>'
            f'<td class="number" data-v="{association.information_p[action]:.6g}">'
            f"{association.information_p[action]:.2g}</td><td>{visible(table.emotions[best])}</td></tr>"
        )
    head = ("micro-action", "clips", "bits", "p", "highest lift with")
    return _sortable("What a micro-action says about the emotion", head, rows, study.table.simulated)


def _sortable(title: str, head: tuple[str, ...], rows: list[str], simulated: bool) -> str:
    heads = "".join(f'<th scope="col"><button type="button">{escape(name)}</button></th>' for name in head)
    said = visible(title + (" (simulated)" if simulated else ""))
    return (
        f'<table class="sortable"><caption>{said}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def top_five_tables(study: AssociationStudy) -> tuple[Table, ...]:
    """The experiment with both filters beside what was published, its controls, each emotion's five."""
    found, k = study.top_five, study.settings.k
    if found is None:
        return ()
    published = published_top5()
    majority = study.top_five_measures["union", "base"].majority
    rows = []
    for keep in KEEPS:
        fair, leaking = (study.top_five_measures[kind, keep] for kind in ("union", "own"))
        rows.append(
            (
                _KEPT[keep].format(k=k), _accuracy(fair), f"{100 * fair.values['uf1']:.1f}",
                _accuracy(leaking), *(f"{100 * value:.1f}" for value in published[keep]),
            )
        )  # fmt: skip
    simulated = (
        ("Simulated; the published columns are of MMA-82's own clips.",) if study.table.simulated else ()
    )
    result = Table(
        f"Emotion from micro-actions, held-out clips{' (simulated)' if study.table.simulated else ''}",
        (
            "micro-actions kept", "accuracy, label-free filter", "F1", "accuracy, filter by own label: leaks",
            "published accuracy", "published F1",
        ),
        tuple(rows),
        (
            f"Label-free: the {len(found.union)} micro-actions that are among the {k} of any emotion, the "
            "same for every clip, chosen on the clips that are fitted on.",
            "By own label: each clip keeps the five of its own emotion. Such a filter has read the answer; "
            "its numbers are no result. Which of the two was published is not known.",
            f"Always naming the commonest emotion: {100 * majority:.1f}.",
            *simulated,
        ),
        "per cent, with 95 % intervals",
    )  # fmt: skip
    return result, _controls(study), _lists(study)


def _accuracy(found: Emotions) -> str:
    low, high = found.intervals["accuracy"]
    return f"{100 * found.values['accuracy']:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def _controls(study: AssociationStudy) -> Table:
    found = study.top_five
    assert found is not None
    keys: tuple[tuple[Filter, str], ...] = (("union", "label-free"), ("own", "by own label: leaks"))
    rows = [
        (f"emotions shuffled, filter {name}", *(_spread(found.shuffled_labels[kind, keep]) for keep in KEEPS))
        for kind, name in keys
    ]
    rows.append(
        (
            "true emotions, label-free top five chosen by shuffled ones",
            *(_spread(found.shuffled_choice[keep]) for keep in KEEPS),
        )
    )
    return Table(
        "Permutation controls: accuracy",
        ("control", *(_KEPT[keep].format(k=study.settings.k) for keep in KEEPS)),
        tuple(rows),
        (
            "With shuffled emotions there is nothing to learn: what lies above chance "
            f"({100 / len(study.table.emotions):.1f} for {len(study.table.emotions)} equal emotions) is "
            "leaked by the filter. Slightly below it is what balanced folds do.",
            "The last row: what taking away as many micro-actions does, whichever they are.",
        ),
        f"per cent, mean and standard deviation of {study.settings.control_shuffles} shufflings",
    )


def _spread(values: np.ndarray) -> str:
    return f"{100 * values.mean():.1f} ± {100 * values.std():.1f}" if len(values) else "-"


def _lists(study: AssociationStudy) -> Table:
    found, table = study.top_five, study.table
    assert found is not None
    rows = tuple(
        (emotion, ", ".join(table.tree.actions[one] for one in own) or "-")
        for emotion, own in zip(table.emotions, found.top, strict=True)
    )
    note = "By adjusted residuals: how far a count lies above chance, in standard deviations. All clips."
    return Table(
        f"The {study.settings.k} micro-actions of each emotion", ("emotion", "micro-actions"), rows, (note,)
    )


def rules_list(study: AssociationStudy) -> str:
    """The tree as sentences, with what it is worth on held-out clips."""
    rules, measured, table = study.rules, study.rules_measures, study.table
    if rules is None or measured is None:
        return ""
    told = (
        f"Depth {rules.depth}, {len(rules.rules)} leaves of {study.settings.smallest_leaf} clips or more. On "
        f"held-out clips: accuracy {_accuracy(measured)} %, UF1 {100 * measured.values['uf1']:.1f} %; the "
        f"commonest emotion alone gives {100 * measured.majority:.1f} %. Shares below are of the clips the "
        "tree has seen."
    )
    sure = sorted(rules.rules, key=lambda rule: -rule.right / max(rule.clips, 1))
    lines = "".join(f"<li>{visible(rule.told(table.tree.actions, table.emotions))}</li>" for rule in sure)
    note = '<p class="soft">simulated</p>' if table.simulated else ""
    return f'{note}<p>{visible(told)}</p><ul class="rules">{lines}</ul>'
