"""Which column of a file holds what: `clip=video,label=action,domain=scene`."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from protocols.row_files import Rows


@dataclass(frozen=True)
class ColumnMap:
    """Names of columns by what they mean. The names given here are those that Fidget itself writes.

    Attributes:
        clip: id of a clip; of a video in detection tables.
        label: class index from 0, or class name.
        split: train, val, test.
        domain: such as `street`.
        subject: who is seen.
        class_name: name of the class, beside an index.
        group_name: name of the class's body group.
        duration: of the clip or video, seconds.
        simulated: `true` where a simulator made the clip.
        start: of an instance, seconds.
        end: of an instance, seconds.
        start_frame: of an instance; with the frame rate, where there are no seconds.
        end_frame: of an instance.
        frames: number of frames of the video.
        fps: frame rate of the video.
        given: which of these were named by somebody; these must be there.
    """

    clip: str = "clip_id"
    label: str = "label"
    split: str = "split"
    domain: str = "domain"
    subject: str = "subject"
    class_name: str = "class_name"
    group_name: str = "group_name"
    duration: str = "duration_s"
    simulated: str = "simulated"
    start: str = "t_start_s"
    end: str = "t_end_s"
    start_frame: str = "start_frame"
    end_frame: str = "end_frame"
    frames: str = "total_frames"
    fps: str = "fps"
    given: frozenset[str] = frozenset()

    def require(self, rows: Rows, needed: Sequence[str]) -> None:
        """Check that a file has the columns that are needed, and those that somebody named.

        Raises:
            ValueError: columns are missing; names them, and those there are.
        """
        lacking = [
            what
            for what in meanings()
            if (what in needed or what in self.given) and getattr(self, what) not in rows.columns
        ]
        if not lacking:
            return
        there = list(rows.columns)
        hints = []
        for what in lacking:
            name = getattr(self, what)
            near = difflib.get_close_matches(name, there, n=1)
            hints.append(f"{what} in {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
        raise ValueError(
            f"{rows.path}: expected {', '.join(hints)}; got the columns {', '.join(map(repr, there))}; "
            f"say which column is which, such as --columns {lacking[0]}=NAME"
        )

    def values(self, rows: Rows, what: str) -> tuple[str, ...]:
        """A column's values without spaces around them; empty strings where the file has no such column."""
        found = rows.columns.get(getattr(self, what))
        return ("",) * len(rows) if found is None else tuple(value.strip() for value in found)


def meanings() -> tuple[str, ...]:
    """What a column can be."""
    return tuple(entry.name for entry in fields(ColumnMap) if entry.name != "given")


def parse_columns(text: str, base: ColumnMap | None = None) -> ColumnMap:
    """A map from the command line.

    Args:
        text: `clip=NAME,label=NAME`; a name may be anything without a comma.
        base: what is not named stays as here.

    Raises:
        ValueError: no `what=name`, an unknown meaning (names the nearest), or one that is there twice.
    """
    columns = base or ColumnMap()
    named: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        what, equals, name = (side.strip() for side in part.partition("="))
        if not equals or not name:
            raise ValueError(f"expected what=COLUMN, such as clip=video_name, got {part!r}")
        if what not in meanings():
            near = difflib.get_close_matches(what, meanings(), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"no column means {what!r}: {hint}expected one of {', '.join(meanings())}")
        if what in named:
            raise ValueError(f"{what!r} is named twice: {named[what]!r} and {name!r}")
        named[what] = name
    return replace(columns, given=columns.given | set(named), **named)
