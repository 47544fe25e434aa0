"""Actions and the body groups they belong to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelTree:
    """The actions of a data set, by index, and each one's body group; it checks itself once.

    Attributes:
        name: as stored in score files.
        actions: action names, in index order.
        groups: group names, in index order; empty where a data set has none.
        group_of: for each action its group's index; empty where there are no groups.

    Raises:
        ValueError: names that repeat, an action without a group, a group without actions; names them.
    """

    name: str
    actions: tuple[str, ...]
    groups: tuple[str, ...] = ()
    group_of: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        problems = []
        for what, names in (("actions", self.actions), ("groups", self.groups)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                problems.append(f"{what} must be unique, twice: {', '.join(twice)}")
        if not self.actions:
            problems.append("expected at least one action")
        if self.groups and len(self.group_of) != len(self.actions):
            problems.append(
                f"expected a group for each of {len(self.actions)} actions, got {len(self.group_of)}"
            )
        orphans = [g for i, g in enumerate(self.groups) if i not in self.group_of]
        if orphans:
            problems.append(f"groups without actions: {', '.join(orphans)}")
        if any(not 0 <= g < len(self.groups) for g in self.group_of):
            problems.append(
                f"group indices must lie in 0..{len(self.groups) - 1}, got {sorted(set(self.group_of))}"
            )
        if problems:
            raise ValueError(f"label tree {self.name!r}: " + "; ".join(problems))
