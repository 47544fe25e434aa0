"""The command's arguments to clips: directories, files, globs and lists, each file once, each id once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pose_extract.clip_ids import Candidate, assign_ids

VIDEO_SUFFIXES = frozenset({
    ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif",
    ".h264", ".h265", ".hevc", ".ivf", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov",
    ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".rm", ".rmvb", ".ts",
    ".vob", ".webm", ".wmv", ".y4m",
})  # fmt: skip
"""What counts as video inside a directory; a file that is named itself may have any suffix."""

PREVIEW_MARK = ".fidget-preview"
"""A directory below an argument that holds this file holds our overlays, not somebody's videos."""

_LISTED_AT_MOST = 5  # missing entries of one list that get a line of their own
_SIGNS = frozenset("*?[")  # of a pattern
_TRAILING_NUMBER = re.compile(r"\s+[-+]?\d+$")


@dataclass(frozen=True)
class VideoSource:
    """One clip to extract.

    Attributes:
        path: where the video lies, as the user's argument leads to it.
        clip_id: unique among the sources of a run, POSIX slashes, encodable as UTF-8.
    """

    path: Path
    clip_id: str


@dataclass(frozen=True)
class FoundVideos:
    """What the arguments lead to.

    Attributes:
        sources: the clips, in the order of the arguments, each directory sorted by name.
        problems: one line for each argument, or entry of a list, that leads nowhere.
        notes: one line for each thing worth knowing that is no failure.
    """

    sources: list[VideoSource]
    problems: list[str]
    notes: list[str] = field(default_factory=list)


def find_videos(arguments: Sequence[str]) -> FoundVideos:
    """Find the videos that arguments name, without opening any.

    * A directory: every file below it with a video suffix; hidden names are skipped, links followed once.
    * A file: itself, whatever its suffix.
    * `LIST.txt` or `@LIST`: one argument per line, relative to the list's directory or else to the working
      directory; blank lines and lines that begin with # do not count, nor do whole numbers after the path
      (labels, as in mmaction2's lists) unless a file of that full name exists.
    * A pattern with * ? [ or ** that no shell expanded.

    A file that several routes lead to is taken once. Its clip id is the path below the argument (below
    the fixed part of a pattern, below the list) without suffix; see `assign_ids` for ids that would collide.

    Args:
        arguments: as they come from the command line.
    """
    search = _Search()
    for argument in arguments:
        search.add(argument, "", Path())
    candidates = list(search.found.values())
    ids = assign_ids(candidates)
    sources = [VideoSource(candidate.path, ids[i]) for i, candidate in enumerate(candidates)]
    return FoundVideos(sources, search.problems, [*search.notes(), *_case_notes(ids)])


class _Search:
    """What was found so far, by the real path of each file."""

    def __init__(self) -> None:
        self.found: dict[str, Candidate] = {}
        self.problems: list[str] = []
        self._skipped = 0
        self._again = 0
        self._lists: set[str] = set()

    def notes(self) -> Iterator[str]:
        if self._skipped:
            yield f"skipped {_count(self._skipped, 'file')} that are hidden or have no video suffix"
        if self._again:
            yield f"{_count(self._again, 'file')} that several arguments or links lead to are taken once"

    def add(self, argument: str, where: str, base: Path) -> bool:
        """Take one argument, relative to `base`; False if there is no such thing (and nothing is said)."""
        path = base / argument
        if not argument:
            self.problems.append(f"{where}expected a path, got an empty argument")
        elif os.path.lexists(path):
            self._add_existing(path, path.parent, where)
        elif argument.startswith("@") and os.path.lexists(base / argument[1:]):
            self._add_list(base / argument[1:])
        elif _SIGNS.intersection(argument):
            self._add_pattern(argument, where, base)
        elif where:
            return False
        else:
            self.problems.append(_missing(argument))
        return True

    def _add_existing(self, path: Path, root: Path, where: str) -> None:
        if path.is_dir():
            self._add_directory(path, where)
        elif path.suffix.lower() == ".txt" and path.is_file():
            self._add_list(path)
        else:
            self._add_file(path, root, os.path.realpath(path))

    def _add_file(self, path: Path, root: Path, real: str) -> None:
        self._again += real in self.found
        self.found.setdefault(real, Candidate(path, root))

    def _add_directory(self, directory: Path, where: str) -> None:
        skipped = self._skipped
        files = self._sorted_files(directory, where, any_suffix=False)
        for path, real in files:
            self._add_file(path, directory, real)
        if not files:
            others = self._skipped - skipped
            held = f"it holds {_count(others, 'other file')}" if others else "it is empty"
            self.problems.append(
                f"{where}{_quoted(directory)}: expected a directory with videos, {held}: name a file itself "
                "to read it whatever its suffix"
            )

    def _sorted_files(self, top: Path, where: str, any_suffix: bool) -> list[tuple[Path, str]]:
        """Path and real path of every video below a directory, once, by name."""
        by_real: dict[str, Path] = {}
        # What is reached without a link comes first and gives the name.
        for path, real, _ in sorted(self._walk(top, where, any_suffix), key=lambda it: (it[2], it[0].parts)):
            self._again += real in by_real
            by_real.setdefault(real, path)
        return sorted(((path, real) for real, path in by_real.items()), key=lambda it: it[0].parts)

    def _walk(self, top: Path, where: str, any_suffix: bool) -> Iterator[tuple[Path, str, bool]]:
        """Path, real path and whether a link led there, for every video below a directory."""
        waiting = [(top, False)]
        links: list[Path] = []  # after everything else, so that a real directory gives the names
        seen: set[tuple[int, int]] = set()
        while waiting or links:
            directory, linked = waiting.pop() if waiting else (links.pop(0), True)
            try:
                status = directory.stat()
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                real = os.path.realpath(directory)
                with os.scandir(directory) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                self.problems.append(f"{where}{_quoted(directory)}: the directory cannot be read ({reason})")
                continue
            if directory != top and any(entry.name == PREVIEW_MARK for entry in listed):
                continue
            for entry in listed:
                path = directory / entry.name
                if entry.name.startswith("."):
                    self._skipped += 1
                elif _is_directory(entry):
                    if entry.is_symlink():
                        links.append(path)
                    else:
                        waiting.append((path, linked))
                elif not any_suffix and path.suffix.lower() not in VIDEO_SUFFIXES:
                    self._skipped += 1
                elif entry.is_symlink():
                    yield path, os.path.realpath(path), True
                else:
                    yield path, os.path.join(real, entry.name), linked

    def _add_pattern(self, pattern: str, where: str, base: Path) -> None:
        suffix = Path(pattern).suffix
        any_suffix = bool(suffix) and not _SIGNS.intersection(suffix)  # `*.dat` means what it says
        skipped, root = self._skipped, _fixed_part(base / pattern)
        matches = 0
        for path in self._matching(base / pattern, root, where, any_suffix):
            matches += 1
            if any_suffix or path.suffix.lower() in VIDEO_SUFFIXES or path.is_dir():
                self._add_existing(path, root, where)
            else:
                self._skipped += 1
        if not matches and self._skipped == skipped:
            self.problems.append(f"{where}{_quoted(pattern)}: no file matches the pattern")

    def _matching(self, pattern: Path, root: Path, where: str, any_suffix: bool) -> list[Path]:
        import glob

        if "**" not in pattern.parts:
            return sorted(map(Path, glob.glob(str(pattern))), key=lambda path: path.parts)
        if not root.is_dir():
            return []
        parts = pattern.parts[len(root.parts) :]
        files = self._sorted_files(root, where, any_suffix)  # glob's own ** runs in circles of links
        return [path for path, _ in files if _matches(path.relative_to(root).parts, parts)]

    def _add_list(self, path: Path) -> None:
        real = os.path.realpath(path)
        if real in self._lists:
            return
        self._lists.add(real)
        try:
            text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self.problems.append(f"{_quoted(path)}: the list cannot be read ({reason})")
            return
        if "\0" in text:
            self.problems.append(f"{_quoted(path)}: expected a list with one path per line, got binary data")
            return
        missing: list[str] = []
        entries = 0
        for number, line in enumerate(text.split("\n"), start=1):
            entry = line.strip()
            if entry and not entry.startswith("#"):
                entries += 1
                where = f"line {number} of {_quoted(path)}: "
                if not self._add_entry(entry, where, path.parent):
                    missing.append(f"{where}{_missing(entry)}")
        self.problems.extend(missing[:_LISTED_AT_MOST])
        if len(missing) > _LISTED_AT_MOST:
            self.problems.append(
                f"{_quoted(path)}: {len(missing)} of {entries} entries do not exist, {_LISTED_AT_MOST} "
                "of them are named above: a path is relative to the list's directory or the working directory"
            )
        if not entries:
            self.problems.append(f"{_quoted(path)}: expected a list with one path per line, it names nothing")

    def _add_entry(self, entry: str, where: str, base: Path) -> bool:
        """The whole line if there is such a file, else what stands before its trailing numbers."""
        while True:
            for directory in (base, Path()):
                path = directory / entry
                if os.path.lexists(path):
                    below = not Path(os.path.normpath(entry)).is_absolute() and ".." not in Path(entry).parts
                    self._add_existing(path, directory if below else path.parent, where)
                    return True
            shorter = _TRAILING_NUMBER.sub("", entry)
            if shorter == entry:
                return self.add(entry, where, base)
            entry = shorter


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _fixed_part(pattern: Path) -> Path:
    """The directories before the first part with a sign: `a/b/*/c*.mp4` -> `a/b`."""
    fixed = Path()
    for part in pattern.parts[:-1]:
        if _SIGNS.intersection(part):
            break
        fixed /= part
    return fixed


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the parts of a path match those of a pattern; ** stands for any number of parts."""
    from fnmatch import fnmatchcase

    reached = {0}  # how many parts may be used up so far
    for wanted in pattern:
        if wanted == "**":
            reached = set(range(min(reached), len(parts) + 1))
        else:
            reached = {i + 1 for i in reached if i < len(parts) and fnmatchcase(parts[i], wanted)}
        if not reached:
            return False
    return len(parts) in reached


def _missing(argument: str) -> str:
    if re.match(r"[a-z]+://", argument):
        return f"{_quoted(argument)}: expected a file or directory, got an address: download the video first"
    return f"{_quoted(argument)}: no such file or directory: check the path and the working directory"


def _quoted(path: str | Path) -> str:
    return repr(str(path))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _case_notes(ids: Sequence[str]) -> Iterator[str]:
    folded: dict[str, str] = {}
    alike = [(folded[key], name) for name in ids if folded.setdefault(key := name.casefold(), name) != name]
    if alike:
        first, second = alike[0]
        yield (
            f"{_count(len(alike), 'clip id')} differ from another only in upper and lower case, such as "
            f"{first!r} and {second!r}: both are kept"
        )
