"""MMA-82: 82 micro-actions in four domains, recognition and detection (arXiv 2606.14096).

How its files are laid out is not public, so they are read behind a column map: whoever has them says which
column holds what (`clip=video_name,label=action,domain=scene`), and labels may be indices or names. Columns
that are not named are those of the labels CSV that Fidget writes itself. The split sizes that the paper
prints are compared, and differences reported, not refused: `size_differences`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from protocols.activitynet import is_activitynet, read_activitynet
from protocols.clip_table import SPLITS, ClipTable
from protocols.column_map import ColumnMap
from protocols.detection_columns import read_detection_columns
from protocols.detection_table import DetectionTable
from protocols.labels_table import LABELS_COLUMNS, read_labels_table
from protocols.published import read_published
from protocols.tree_files import same_name
from protocols.trees import class_counts, nearest, tree

DOMAINS = ("laboratory", "psychiatric", "street", "emotion")
_CALLED = {
    "lab": "laboratory",
    "psych": "psychiatric",
    "psychiatry": "psychiatric",
    "television": "emotion",
    "tv": "emotion",
}
_HOURS_TOLERANCE = 0.01  # as printed: two decimals


@dataclass(frozen=True)
class SizeDifference:
    """A size that is not the published one.

    Attributes:
        what: such as `street, train clips`.
        here: as counted.
        published: as printed in the paper.
    """

    what: str
    here: float
    published: float

    def __str__(self) -> str:
        more = round(self.here - self.published, 2)
        return f"{self.what}: {self.here:,.10g} here, {self.published:,.10g} published ({more:+,.10g})"


def domain_named(text: str) -> str:
    """Fidget's name of a domain: `lab` is `laboratory`, `TV` is `emotion`; empty stays empty.

    Raises:
        ValueError: none of the four; names the nearest.
    """
    name = same_name(text)
    name = _CALLED.get(name.removesuffix(" domain"), name.removesuffix(" domain"))
    if name and name not in DOMAINS:
        raise ValueError(
            f"MMA-82 has no domain {text!r}: {nearest(name, DOMAINS)}expected one of {', '.join(DOMAINS)}"
        )
    return name


def read_mma82(path: str | Path, columns: ColumnMap = LABELS_COLUMNS, simulated: bool = False) -> ClipTable:
    """Clips of the recognition part: a CSV, JSON or Parquet file, or a directory of one a split.

    Raises:
        ValueError: as `read_labels_table`; a class that is none of the 82, a domain that is none of the four.
        OSError: a file cannot be opened.
    """
    return read_labels_table(
        path, columns, tree("mma82"), "mma82", domain_named=domain_named, simulated=simulated
    )


def read_mma82_detection(
    path: str | Path, columns: ColumnMap = LABELS_COLUMNS, simulated: bool = False
) -> DetectionTable:
    """Videos and instances of the detection part, in the same forms, or as JSON of ActivityNet and its like.

    Raises:
        ValueError: as `read_detection_columns`; a class that is none of the 82, a domain that is none.
        OSError: a file cannot be opened.
    """
    if Path(path).suffix.lower() == ".json" and not columns.given and is_activitynet(path):
        table = read_activitynet(path, tree("mma82"))
        try:
            domains = tuple(map(domain_named, table.domains))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        return replace(table, name="mma82-det", domains=domains, simulated=simulated or table.simulated)
    return read_detection_columns(path, columns, tree("mma82"), "mma82-det", domain_named, simulated)


def published_sizes() -> dict[tuple[str, str], float]:
    """What the paper prints: (domain or `all`, `train`, `val`, `test`, `total`, `hours` ...) -> number."""
    return {
        (_CALLED.get(dict(value.setting)["domain"], dict(value.setting)["domain"]), value.metric): value.value
        for value in read_published("mma82_splits")
    }


def size_differences(table: ClipTable) -> tuple[SizeDifference, ...]:
    """Clips a domain and split, subjects, hours and clips a class against the published ones.

    What a table does not say (domains, splits, subjects, durations) is not compared. Clips whose labels are
    kept back count in their split.
    """
    published, found = published_sizes(), []

    def compare(what: str, here: float, there: float, tolerance: float = 0.0) -> None:
        if abs(here - there) > tolerance:
            found.append(SizeDifference(what, here, there))

    domains = np.array(table.domains)
    for domain in (*DOMAINS, "all") if any(table.domains) else ("all",):
        rows = np.flatnonzero((domains == domain) | (domain == "all"))
        sizes = Counter(table.splits[row] for row in rows)
        for split in SPLITS if any(table.splits) else ():
            compare(f"{domain}, {split} clips", sizes[split], published[domain, split])
        compare(f"{domain}, clips", len(rows), published[domain, "total"])
        if any(table.subjects):
            seen = {table.subjects[row] for row in rows} - {""}
            compare(f"{domain}, subjects", len(seen), published[domain, "subjects"])
        if len(rows) and not np.isnan(table.duration_s[rows]).any():
            hours = round(float(table.duration_s[rows].sum()) / 3600, 2)
            compare(f"{domain}, hours", hours, published[domain, "hours"], 1.5 * _HOURS_TOLERANCE)
    labels = table.labels[table.rows()]
    here = np.bincount(labels, minlength=len(table.tree.actions)).tolist()
    if len(labels) == len(table):  # with labels kept back, classes cannot be counted
        for action, one, other in zip(table.tree.actions, here, class_counts("mma82"), strict=True):
            compare(f"class {action!r}, clips", one, other)
    return tuple(found)
