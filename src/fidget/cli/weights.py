"""`fidget weights`: which weight files there are, where they lie, and bringing them here."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weights.manifest import Weight

_EPILOG = """\
examples:
  fidget weights list
  fidget weights fetch blazepose
  fidget weights path pose_detection
"""
_LIST_EPILOG = """\
example:
  fidget weights list

`here` says that a file of this name lies in FIDGET_WEIGHTS or in the user's cache; its bytes are verified
when it is used. A size in brackets is what a file will take that is not here yet.
"""
_FETCH_EPILOG = """\
examples:
  fidget weights fetch blazepose
  fidget weights fetch rtmdet_nano rtmpose_m

Files go to the directory that FIDGET_WEIGHTS names, else to the user's cache. Whatever is there already is
verified and left alone. Files from the Python package index are fetched with pip, with its own settings;
others over https, with the proxies of the environment (https_proxy, no_proxy).
"""
_PATH_EPILOG = """\
example:
  fidget weights path pose_detection
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `weights` and its verbs."""
    parser = _described(subparsers, "weights", "list, fetch and find the models' weight files", _EPILOG)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _described(verbs, "list", "each weight: here or not, size, licence, source", _LIST_EPILOG)
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, one object per weight")
    form.add_argument("--markdown", action="store_true", help="print the licence table of docs/weights.md")
    listing.set_defaults(run=run, verb="list")
    fetching = _described(verbs, "fetch", "download weights or whole groups, verified", _FETCH_EPILOG)
    fetching.add_argument("names", nargs="+", metavar="NAME", help="a weight or a group")
    fetching.set_defaults(run=run, verb="fetch")
    finding = _described(verbs, "path", "print where a weight lies, verified", _PATH_EPILOG)
    finding.add_argument("name", metavar="NAME", help="a weight (fidget weights list)")
    finding.set_defaults(run=run, verb="path")


def _described(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str, help_text: str, epilog: str
) -> argparse.ArgumentParser:
    return subparsers.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 1 if some weight could not be had.

    Raises:
        UsageError: a name is neither a weight nor a group; the message names the nearest.
        WeightError: with `path`, the file is missing or another one.
    """
    if args.verb == "list":
        return _list(as_json=args.json, as_markdown=args.markdown)
    return _fetch(args.names) if args.verb == "fetch" else _path(args.name)


def _list(*, as_json: bool, as_markdown: bool) -> int:
    from weights.manifest import load_manifest

    rows = list(load_manifest().values())
    if as_json:
        import json

        print(json.dumps([_as_object(row) for row in rows], indent=2))
    elif as_markdown:
        print(licence_table(rows), end="")
    else:
        print(_plain_table(rows))
    return 0


def _as_object(row: Weight) -> dict[str, object]:
    from dataclasses import asdict

    from weights.fetch import locate_weight

    path = locate_weight(row.name)
    return {
        **asdict(row),
        "source": {"kind": row.source_kind, **asdict(row.source)},
        "path": str(path) if path else None,
        "present": path is not None,
    }


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _plain_table(rows: list[Weight]) -> str:
    from weights.fetch import locate_weight
    from weights.manifest import group_names
    from weights.places import weights_dirs

    lines = [("NAME", "", "SIZE", "LICENCE", "LAYOUT", "SOURCE")]
    for row in rows:
        path = locate_weight(row.name)
        known = f"({_mebibytes(row.bytes)})" if row.bytes else ""
        size = _mebibytes(path.stat().st_size) if path else known
        lines.append((row.name, "here" if path else "-", size, row.licence, row.layout or "", _short(row)))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    table = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]])
        for line in lines
    ]
    places = " then ".join(str(place) for place in weights_dirs())
    return "\n".join([*table, "", f"groups: {', '.join(group_names())}", f"looked in: {places}"])


def _short(row: Weight) -> str:
    """Where a weight comes from, short enough for a line."""
    from weights.manifest import WheelMember

    if isinstance(row.source, WheelMember):
        return f"pip: {row.source.project}=={row.source.version}"
    return "https://" + row.source.url.removeprefix("https://").split("/")[0]


def licence_table(rows: list[Weight]) -> str:
    """The table of docs/weights.md: file, licence, author, source and hash of every weight, in Markdown."""
    from weights.manifest import ArchiveMember, WheelMember

    lines = ["| weight | file | licence | author | from | SHA-256 |", "|---|---|---|---|---|---|"]
    for row in rows:
        source = row.source
        if isinstance(source, WheelMember):
            origin = f"`{source.member}` in the wheel `{source.project}=={source.version}`"
        elif isinstance(source, ArchiveMember):
            origin = f"`{source.member}` in [{source.url.rsplit('/', 1)[1]}]({source.url})"
        else:
            origin = f"[{source.url.rsplit('/', 1)[1]}]({source.url})"
        begins = f"begins with `{row.sha256_prefix}`, whole " if row.sha256_prefix else ""
        sha256 = f"`{row.sha256}`" if row.sha256_is_known else f"{begins}recorded on first download"
        cells = (
            *(f"`{row.name}`: {row.what}", f"`{row.file}`", f"[{row.licence}]({row.licence_url})"),
            *(row.attribution, origin, sha256),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _fetch(names: list[str]) -> int:
    from fidget.cli.usage import UsageError
    from weights.errors import ManifestError, WeightError
    from weights.fetch import fetch_weight, locate_weight
    from weights.manifest import select

    try:
        rows = select(names)
    except ManifestError as error:
        raise UsageError(str(error)) from error
    failed: dict[str, str] = {}  # what holds the weight -> the one that failed: not asked for twice
    failures = 0
    for row in rows:
        if row.container in failed:
            _complain(f"{row.name}: not tried, it comes with {failed[row.container]}")
            failures += 1
            continue
        line = _ProgressLine(row)
        try:
            was_here = locate_weight(row.name) is not None
            path = fetch_weight(row.name, None if was_here else line.report)
        except WeightError as error:
            line.clear()
            _complain(f"{row.name}: {error}")
            failed[row.container] = row.name
            failures += 1
            continue
        line.clear()
        print(f"{row.name}: {'here already' if was_here else 'fetched'}, {path}", flush=True)
    if failures:
        _complain(f"{failures} of {len(rows)} weights could not be had")
    return 1 if failures else 0


def _complain(message: str) -> None:
    print(f"fidget: {' '.join(message.split())}", file=sys.stderr)


def _path(name: str) -> int:
    from fidget.cli.usage import UsageError
    from weights.errors import ManifestError
    from weights.fetch import find_weight

    try:
        print(find_weight(name))
    except ManifestError as error:
        raise UsageError(str(error)) from error
    return 0


class _ProgressLine:
    """One line on stderr that is rewritten on a terminal; elsewhere one plain line at the start."""

    def __init__(self, row: Weight) -> None:
        self.row = row
        self.on_terminal = sys.stderr.isatty()
        self.begun = False
        self.percent = -1

    def report(self, done: int, total: int | None) -> None:
        if not self.begun:
            self._begin()
        if not self.on_terminal or not done:
            return
        percent = int(100 * done / total) if total else done >> 20  # at most one line per percent, or per MiB
        if percent != self.percent:
            self.percent = percent
            of_all = f" of {_mebibytes(total)}, {percent} %" if total else ""
            self._rewrite(f"{self.row.name}: {_mebibytes(done)}{of_all}")

    def _begin(self) -> None:
        self.begun = True
        text = f"{self.row.name}: fetching from {_short(self.row)}"
        if self.on_terminal:
            self._rewrite(text)
        else:
            print(text, file=sys.stderr, flush=True)

    def _rewrite(self, text: str) -> None:
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the terminal's line empty for what follows."""
        if self.on_terminal and self.begun:
            self._rewrite("")
