"""Published numbers of MMA-82 and MA-52: carried here with their source, to be printed beside ours.

The tables lie in `tables/published/` as they were printed: per cent, with as many decimals. Domains are named
as there (`lab`); lookups take `laboratory` for it too. MA-52's macro-F1 may be the paper's own (equation 5,
the harmonic mean of mean precision and mean recall) where ours is the mean of the classes' F1.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO

_MMA82 = "MMA-82 (arXiv 2606.14096), as printed on its project page"
_MA52 = "MA-52 paper (Guo et al., Benchmarking Micro-action Recognition, IEEE TCSVT 2024)"
_DOMAINS = {"laboratory": "lab"}


@dataclass(frozen=True)
class PublishedTable:
    """How a table lies in its file.

    Attributes:
        dataset: whose paper it is.
        title: what it shows.
        source: where it was published.
        columns: of the file, in order.
        settings: those that say what was measured under.
        metrics: those that hold numbers; empty where a row has one number, and `metric` names it.
        unit: of the numbers; `various` where columns differ.
    """

    dataset: str
    title: str
    source: str
    columns: tuple[str, ...]
    settings: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    unit: str = "per cent"


_F1 = ("f1_mean", "body_macro_f1", "action_macro_f1", "body_micro_f1", "action_micro_f1", "action_top5")

TABLES: Mapping[str, PublishedTable] = {
    "mma82_in_domain": PublishedTable(
        "mma82",
        "Recognition within MMA-82 and its four domains",
        f"{_MMA82}, in-domain recognition",
        ("domain", "method", "modality", "level", "metric", "split", "value"),
        ("domain", "modality", "level", "split"),
    ),
    "mma82_cross_domain": PublishedTable(
        "mma82",
        "Recognition from the laboratory to the other domains, zero and K shots",
        f"{_MMA82}, cross-domain recognition",
        ("source", "target", "method", "shots", "level", "metric", "value"),
        ("source", "target", "shots", "level"),
    ),
    "mma82_detection": PublishedTable(
        "mma82",
        "Detection on MMA-82: mean average precision at temporal overlaps",
        f"{_MMA82}, detection",
        ("method", "backbone", "metric", "value"),
        ("backbone",),
    ),
    "mma82_emotion": PublishedTable(
        "mma82",
        "Emotion from micro-expressions and micro-actions",
        f"{_MMA82}, emotion",
        ("experiment", "method", "accuracy", "f1"),
        ("experiment",),
        ("accuracy", "f1"),
        "per cent, of a classification",
    ),
    "mma82_splits": PublishedTable(
        "mma82",
        "Clips, hours and subjects of the domains",
        f"{_MMA82}, statistics of the recognition part",
        ("domain", "train", "val", "test", "total", "hours", "mean_seconds", "subjects"),
        ("domain",),
        ("train", "val", "test", "total", "hours", "mean_seconds", "subjects"),
        "various",
    ),
    "ma52_recognition": PublishedTable(
        "ma52",
        "Recognition on MA-52",
        f"{_MA52}, among Tables II to VII",
        ("method", "metric", "value"),
        (),
    ),
    "ma52_ablations": PublishedTable(
        "ma52",
        "MANet on MA-52: frames, weight of the embedding loss, components",
        f"{_MA52}, among Tables II to VII",
        ("table", "setting", *_F1),
        ("table", "setting"),
        _F1,
    ),
    "ma52pro_emotion": PublishedTable(
        "ma52pro",
        "Emotion on MA-52-Pro",
        f"{_MA52}, among Tables II to VII",
        ("method", "accuracy", "weighted_f1", "uf1", "uar", "micro_action_map"),
        (),
        ("accuracy", "weighted_f1", "uf1", "uar", "micro_action_map"),
    ),
}


@dataclass(frozen=True)
class PublishedValue:
    """One number of a published table.

    Attributes:
        dataset: whose paper it is in.
        table: one of `TABLES`.
        method: as the table names it; empty where it names none.
        setting: (column, value) of what it was measured under, as printed.
        metric: as the table names it.
        value: the number, in the table's unit (mostly per cent).
        source: paper and part of it.
        text: the number as printed, with its decimals.
    """

    dataset: str
    table: str
    method: str
    setting: tuple[tuple[str, str], ...]
    metric: str
    value: float
    source: str
    text: str = ""

    @property
    def fraction(self) -> float:
        """The number in 0..1, as our own measures are.

        Raises:
            ValueError: its table is not in per cent.
        """
        if not TABLES[self.table].unit.startswith("per cent"):
            raise ValueError(f"{self.metric} of {self.table} is no percentage")
        return self.value / 100

    @property
    def measure(self) -> str:
        """Its name among our measures: `action/top1`, `body/mean_class`, `f1_mean` ..."""
        name = {"mca": "mean_class"}.get(self.metric, self.metric)
        level = dict(self.setting).get("level")
        if level:
            return f"{level}/{name}"
        head, _, tail = name.partition("_")
        return f"{head}/{tail}" if head in ("action", "body") and tail else name


@cache
def read_published(table: str) -> tuple[PublishedValue, ...]:
    """All numbers of a table, row by row, left to right.

    Raises:
        ValueError: no such table; names the nearest.
    """
    shape = _shape(table)
    path = files("protocols").joinpath("tables", "published", f"{table}.csv")
    rows = csv.DictReader(StringIO(path.read_text(encoding="utf-8"), newline=""))
    if tuple(rows.fieldnames or ()) != shape.columns:
        raise ValueError(
            f"{table}.csv: expected the columns {', '.join(shape.columns)}, got {rows.fieldnames}"
        )
    values = []
    for row in rows:
        setting = tuple((name, row[name]) for name in shape.settings)
        cells = [(name, row[name]) for name in shape.metrics] or [(row["metric"], row["value"])]
        for metric, text in cells:
            if text:
                values.append(
                    PublishedValue(
                        shape.dataset,
                        table,
                        row.get("method", ""),
                        setting,
                        metric,
                        float(text),
                        shape.source,
                        text,
                    )
                )
    return tuple(values)


def _shape(table: str) -> PublishedTable:
    if table not in TABLES:
        near = difflib.get_close_matches(table, TABLES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no published table {table!r}: {hint}expected one of {', '.join(TABLES)}")
    return TABLES[table]


def reprint(table: str, values: Iterable[PublishedValue] | None = None) -> str:
    """A table as CSV again, made from its numbers: what the paper prints, cell by cell.

    Args:
        table: one of `TABLES`.
        values: of that table, all of it where None.
    """
    shape = _shape(table)
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for value in read_published(table) if values is None else values:
        cells = {**dict(value.setting), "method": value.method}
        if shape.metrics:
            cells[value.metric] = value.text
        else:
            cells |= {"metric": value.metric, "value": value.text}
        keys = shape.settings if shape.metrics else (*shape.settings, "metric")
        rows.setdefault((value.method, *(cells[key] for key in keys)), {}).update(cells)
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(shape.columns)
    writer.writerows([row.get(column, "") for column in shape.columns] for row in rows.values())
    return out.getvalue()


def find_published(
    table: str, /, method: str | None = None, metric: str | None = None, **setting: str | int
) -> tuple[PublishedValue, ...]:
    """The numbers of a table that fit what is asked: `find_published("mma82_cross_domain", target="street")`.

    Args:
        table: one of `TABLES`.
        method: as printed; capitals make no difference.
        metric: as printed (`mca`), or as our measures are named (`action/mean_class`).
        setting: columns of the table and their values; `laboratory` is taken for `lab`.

    Raises:
        ValueError: no such table, or no such column in it; names the nearest.
    """
    shape = _shape(table)
    for name in setting:
        if name not in shape.settings:
            near = difflib.get_close_matches(name, shape.settings, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(
                f"{table} has no setting {name!r}: {hint}it has {', '.join(shape.settings) or 'none'}"
            )
    wanted = {(name, _DOMAINS.get(str(value), str(value))) for name, value in setting.items()}
    return tuple(
        value
        for value in read_published(table)
        if wanted <= set(value.setting)
        and (method is None or method.casefold() == value.method.casefold())
        and (metric is None or metric in (value.metric, value.measure))
    )


def published_measures(
    benchmark: str, method: str, source: str = "", target: str = "", shots: int = 0, split: str = "test"
) -> dict[str, PublishedValue]:
    """What was published for one cell of a benchmark, by the names of our measures; empty where nothing was.

    Args:
        benchmark: `mma82/in-domain`, `mma82/cross-domain` or `ma52`; others have nothing published.
        method: as the paper names it, such as `PoseC3D`.
        source: domain that was trained on; across domains only.
        target: domain that was measured, `all` for all of them.
        shots: K; 0 without any.
        split: `val` or `test`; the papers print validation numbers within domains only.
    """
    if benchmark == "mma82/in-domain" and not shots:
        found = find_published("mma82_in_domain", method, domain=target or "all", split=split)
    elif benchmark == "mma82/cross-domain" and split == "test":
        found = find_published("mma82_cross_domain", method, source=source, target=target, shots=shots)
    elif benchmark == "ma52" and split == "test" and not shots:
        found = find_published("ma52_recognition", method)
    else:
        found = ()
    return {value.measure: value for value in found}


_NAMES = {
    "gc_tsm": "GC-TSM",
    "posec3d": "PoseC3D",
    "tsn": "TSN",
    "tsm": "TSM",
    "tin": "TIN",
    "c3d": "C3D",
    "i3d": "I3D",
    "slowfast": "SlowFast",
    "swin3d": "VSwinT",
    "timesformer": "TimeSformer",
    "uniformer": "UniFormer",
    "manet": "MANet",
}
_NAMED = re.compile(rf"(?:^|[_ ])({'|'.join(_NAMES)})(?=[_ ]|$)")


def published_name(recipe: str) -> str:
    """What published tables call the network of a recipe: `mma82_gc_tsm_small` is `GC-TSM`.

    Empty for networks that no table has.
    """
    found = _NAMED.search(recipe.casefold())
    return _NAMES[found[1]] if found else ""


def published_methods(table: str) -> tuple[str, ...]:
    """Methods of a table in the order it prints them."""
    return tuple(dict.fromkeys(value.method for value in read_published(table) if value.method))
