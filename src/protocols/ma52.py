"""MA-52: 22,422 clips of 52 micro-actions (Guo et al., IEEE TCSVT 2024), from its official lists.

`train_list_videos.txt`, `val_list_videos.txt` and `test_list_videos.txt` hold one `name.mp4 label` a line,
with Windows line ends, the last one sometimes without. Test labels are kept back: the list writes 0 for all.
Names of the first two are `SSSS_SS_NNNN`: subject, session, number. Both show the same 186 subjects.

`by_subject` is another split, our own: every subject is in one part only. `protocols.subject_split` made it,
`tables/ma52_subjects.csv` lists it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from protocols.clip_table import SPLITS, ClipTable
from protocols.label_names import is_index
from protocols.labels_table import without_placeholders
from protocols.row_files import raise_problems
from protocols.scores import NO_LABEL
from protocols.trees import tree

LIST_NAME = "{}_list_videos.txt"
SUBJECTS_NOTE = (
    "subject-disjoint: train and val lists joined, each of the 186 subjects in one part (our own split, "
    "tables/ma52_subjects.csv)"
)
_NAME = re.compile(r"(\d+)_\d+_\d+")


def is_ma52(directory: str | Path) -> bool:
    """Whether a directory holds official lists."""
    return any((Path(directory) / LIST_NAME.format(split)).is_file() for split in SPLITS)


def read_ma52(directory: str | Path) -> ClipTable:
    """The official lists of a directory, as one table; clip ids are the names without `.mp4`.

    Test clips have no label, unless the user's own list has real ones.

    Raises:
        ValueError: no list there, or a line of another form; all of a list at once, with their lines.
        OSError: a list cannot be opened.
    """
    directory = Path(directory)
    if not is_ma52(directory):
        raise ValueError(
            f"{directory}: expected the official MA-52 lists, {LIST_NAME.format('train')} and its like, "
            "found none; they are in github.com/VUT-HFUT/Micro-Action under "
            "mar_scripts/manet/mmaction2/data/ma52"
        )
    labels_of = tree("ma52")
    clip_ids: list[str] = []
    labels: list[int] = []
    splits: list[str] = []
    for split in SPLITS:
        path = directory / LIST_NAME.format(split)
        if path.is_file():
            names, found = read_list(path, len(labels_of.actions))
            clip_ids += names
            labels += found
            splits += [split] * len(names)
    kept, note = without_placeholders(np.array(labels, np.int64), splits, "the official lists")
    none = ("",) * len(clip_ids)
    subjects = tuple(map(subject_of, clip_ids))
    return ClipTable("ma52", labels_of, tuple(clip_ids), kept, tuple(splits), none, subjects, note=note)


def read_list(path: Path, classes: int) -> tuple[list[str], list[int]]:
    """Names without suffix, and labels, of one list; `NO_LABEL` where a line has no label.

    Raises:
        ValueError: lines of another form.
    """
    names: list[str] = []
    labels: list[int] = []
    problems: list[str] = []
    lines = path.read_text(encoding="utf-8-sig", errors="backslashreplace").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(" ")
        if not name and not is_index(label):
            name, label = label, ""
        if not name or (label and not (is_index(label) and int(label) < classes)):
            problems.append(
                f"line {number}: expected `name.mp4 label` with a label 0..{classes - 1}, got {line!r}"
            )
            continue
        names.append(name.strip().removesuffix(".mp4"))
        labels.append(int(label) if label else NO_LABEL)
    raise_problems(path, problems)
    return names, labels


def subject_of(clip_id: str) -> str:
    """The subject in a clip's name, its first field; empty for names that tell none, as the test's."""
    match = _NAME.fullmatch(clip_id.rpartition("/")[2])
    return match[1] if match else ""


@cache
def subject_splits() -> Mapping[str, str]:
    """Subject -> split of the subject-disjoint protocol, as published in `tables/ma52_subjects.csv`."""
    text = (files("protocols") / "tables" / "ma52_subjects.csv").read_text(encoding="utf-8")
    return {row["subject"]: row["split"] for row in csv.DictReader(text.splitlines())}


def by_subject(table: ClipTable) -> ClipTable:
    """The labelled clips of MA-52, split by subject; its own test clips have no subject and are left out.

    Raises:
        ValueError: a labelled clip of a subject that the published list does not know.
    """
    split_of = subject_splits()
    rows = table.rows()
    unknown = sorted({table.subjects[row] for row in rows} - set(split_of))
    if unknown:
        raise ValueError(
            f"{table.name}: {len(unknown)} subjects are not in the published subject split, such as "
            f"{unknown[0]!r}; expected the clips of the official train and val lists, named SSSS_SS_NNNN"
        )
    chosen = table.subset(rows)
    splits = tuple(split_of[subject] for subject in chosen.subjects)
    return replace(chosen, name="ma52_subjects", splits=splits, note=SUBJECTS_NOTE)
