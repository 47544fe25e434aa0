"""What was found in recordings, as files for people and programs: Parquet, csv and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fidget.detection.inference import Found, as_detections
from poses.whole_file import replacing
from protocols.detections import write_detections
from protocols.label_tree import LabelTree

COLUMNS = ("video_id", "t_start_s", "t_end_s", "action", "action_name", "group_name", "score")


def write_found(
    directory: Path, found: Sequence[Found], tree: LabelTree, method: str, duration_s: Mapping[str, float]
) -> list[Path]:
    """Write `detections.parquet`, `.csv` and `.json`; each is there whole or not at all.

    The JSON has the form of ActivityNet's results, with the recordings' durations beside them; times and
    scores are not rounded in any of them.

    Args:
        directory: made if it is not there.
        found: of each recording.
        tree: the actions.
        method: what found them.
        duration_s: recording -> seconds.

    Returns:
        The files.

    Raises:
        OSError: no room, or no permission.
    """
    directory.mkdir(parents=True, exist_ok=True)
    parquet, table, listed = (directory / f"detections.{suffix}" for suffix in ("parquet", "csv", "json"))
    write_detections(parquet, as_detections(found, tree, method))
    with replacing(table) as part, open(part, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for one in found:
            for (start, end), score, label in zip(one.span_s, one.score, one.label, strict=True):
                rows.writerow([
                    one.recording, repr(float(start)), repr(float(end)), int(label), tree.actions[label],
                    _group(tree, int(label)), repr(float(score)),
                ])  # fmt: skip
    results = {
        one.recording: [
            {"label": tree.actions[label], "segment": [float(start), float(end)], "score": float(score)}
            for (start, end), score, label in zip(one.span_s, one.score, one.label, strict=True)
        ]
        for one in found
    }
    content = {
        "version": "fidget 1",
        "method": method,
        "results": results,
        "duration_s": {one.recording: duration_s[one.recording] for one in found},
    }
    with replacing(listed) as part:
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [parquet, table, listed]


def _group(tree: LabelTree, label: int) -> str:
    return tree.groups[tree.group_of[label]] if tree.groups else ""
