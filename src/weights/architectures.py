"""Networks by their names, as timm has it: a table of functions, and the questions one asks of it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import NoneType, UnionType
from typing import Any, Generic, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

Model = TypeVar("Model")

NameRules = Sequence[tuple[str, str]]
"""Pairs of (regular expression, replacement), applied in order to a whole name by `re.sub`."""

Conversion = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
"""A checkpoint's tensors under our names, and the network's own -> tensors that the network takes."""


class Entry(NamedTuple, Generic[Model]):
    """One named architecture.

    Attributes:
        make: builds it; its keyword-only parameters, and those of the class that it returns, are its options.
        published: toolbox -> rules that turn its checkpoints' names into ours.
        convert: what remains to be done to the tensors once they have our names, where something does.
    """

    make: Callable[..., Model]
    published: Mapping[str, NameRules]
    convert: Conversion | None = None


class Architectures(Mapping[str, Entry[Model]]):
    """The named architectures of one package.

    Args:
        entries: name -> entry.
        common: parameters that every architecture takes, which are therefore no options.
    """

    def __init__(self, entries: Mapping[str, Entry[Model]], common: Sequence[str]) -> None:
        self._entries = dict(entries)
        self._common = tuple(common)

    def __getitem__(self, name: str) -> Entry[Model]:
        if name not in self._entries:
            close = difflib.get_close_matches(name, self._entries, n=3, cutoff=0.5)
            hint = f"nearest: {', '.join(close)}" if close else f"known: {', '.join(self.matching())}"
            raise ValueError(f"unknown model {name!r}; {hint}")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def matching(self, pattern: str = "*") -> list[str]:
        """Names that match a shell pattern such as `tsm*`, sorted."""
        return sorted(name for name in self._entries if fnmatchcase(name, pattern))

    def model_class(self, name: str) -> type[Model]:
        """The class that an architecture's function says it returns.

        Raises:
            ValueError: no such architecture.
        """
        made: type[Model] = get_type_hints(self[name].make)["return"]
        return made

    def options(self, name: str) -> list[str]:
        """What an architecture takes beside what all take, in its file's order.

        Raises:
            ValueError: no such architecture.
        """
        return list(self._hints(name))

    def check_options(self, name: str, options: Mapping[str, Any]) -> None:
        """See that an architecture takes these options, and that a choice is one of those there are.

        Raises:
            ValueError: no such architecture or option (the nearest is named), or no such choice.
        """
        hints = self._hints(name)
        for option, value in options.items():
            if option not in hints:
                near = difflib.get_close_matches(option, hints, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(
                    f"{name} has no option {option!r}; {hint}it takes {', '.join(hints) or 'none'}"
                )
            choices = _choices(hints[option])
            if choices and value not in choices:
                allowed = ", ".join(map(repr, choices))
                raise ValueError(f"{name}: {option} must be one of {allowed}, got {value!r}")

    def _hints(self, name: str) -> dict[str, Any]:
        """Option -> its type: those of the function, and those of the class to which it passes others on."""
        make = self[name].make
        own = get_type_hints(make)
        model = self.model_class(name)
        inherited = get_type_hints(model.__init__)
        hints: dict[str, Any] = {}
        for function, types in ((make, own), (model.__init__, inherited)):
            for parameter in inspect.signature(function).parameters.values():
                if parameter.kind is parameter.KEYWORD_ONLY:
                    hints.setdefault(parameter.name, types[parameter.name])
        return {option: hint for option, hint in hints.items() if option not in self._common}


def check_count(name: str, what: str, number: object) -> None:
    """See that a network's number of something is a whole number of at least 1.

    Raises:
        ValueError: it is not; the message names the network.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"{name}: {what} must be a whole number of at least 1, got {number!r}")


def _choices(hint: Any) -> list[Any]:
    """The values of a Literal, with None where it may be None; empty for any other type."""
    values: list[Any] = []
    for part in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
        if get_origin(part) is Literal:
            values.extend(get_args(part))
        elif part is NoneType:
            values.append(None)
        else:
            return []
    return values
