"""An audit on the terminal: small tables, then what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols.audit_record import Audit

_ORDER = ("train", "val", "test", "no split")
_EXAMPLES = 12
_MANY_SUBJECTS = 12


def print_audit(audit: Audit) -> None:
    """Print counts and findings."""
    from protocols.audit_findings import counted

    one = "clip" if audit.kind == "recognition" else "video"
    what, simulated = f"{one}s", " (simulated)" if audit.simulated else ""
    told = counted(audit.clips, one)
    if audit.kind == "detection":
        told += f", {counted(audit.labelled, 'instance')}"
    elif audit.labelled != audit.clips:
        told += f", {audit.labelled:,} of them labelled"
    _say(f"{audit.name}{simulated}: {told}, {len(audit.tree.actions)} classes; {audit.note}")
    for name, value in audit.facts.items():
        words = name.removesuffix("_s").replace("_", " ") + (" seconds" if name.endswith("_s") else "")
        _say(f"  {words}: {value}")
    splits = [split for split in _ORDER if split in audit.splits]
    _table(what, splits, {**audit.domains, "all": audit.splits})
    if audit.subjects:
        _subjects(audit, splits, what)
    groups = [audit.tree.groups[group] for group in audit.tree.group_of]
    names = [f"{index:>3} {action}" for index, action in enumerate(audit.tree.actions)]
    if groups:
        names = [f"{name} ({group})" for name, group in zip(names, groups, strict=True)]
    _table(audit.counted, splits, dict(zip(names, audit.classes.values(), strict=True)))
    for finding in audit.findings:
        _say(f"{finding.kind}: {finding.text}")
        shown = finding.examples[:_EXAMPLES]
        rest = finding.count - len(shown)
        if shown:
            _say(f"    {'; '.join(shown)}" + (f" ... and {rest:,} more" if rest > 0 else ""))
    state = counted(audit.problems, "problem") if audit.problems else "no problem"
    _say(f"{state}, {counted(len(audit.findings) - audit.problems, 'note')}")


def _say(line: str) -> None:
    """Print a line; characters that would steer the terminal become escapes."""
    print("".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line))


def _subjects(audit: Audit, splits: Sequence[str], what: str) -> None:
    """Every subject where there are few, else how many, and the spread."""
    if len(audit.subjects) <= _MANY_SUBJECTS:
        _table(f"{what} of subjects", splits, audit.subjects)
        return
    sizes = sorted(sum(found.values()) for found in audit.subjects.values())
    each = ", ".join(
        f"{split}: {sum(split in found for found in audit.subjects.values())}" for split in splits
    )
    _say(
        f"  {len(audit.subjects)} subjects ({each}); {what} of one: {sizes[0]:,} to {sizes[-1]:,}, "
        f"median {sizes[len(sizes) // 2]:,}"
    )


def _table(head: str, splits: Sequence[str], rows: Mapping[str, Mapping[str, int]]) -> None:
    """Rows of counts a split, and their sum."""
    wide = max([len(head), *map(len, rows)])
    _say(f"  {head:<{wide}}" + "".join(f"{split:>10}" for split in [*splits, "all"]))
    for name, found in rows.items():
        counts = [found.get(split, 0) for split in splits]
        _say(f"  {name:<{wide}}" + "".join(f"{count:>10,}" for count in [*counts, sum(counts)]))
