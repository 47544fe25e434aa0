"""The rows of `manifest.toml`: one frozen, self-checking record per weight file.

A row says where a file comes from and how it is fed, so that neither a checkpoint's address nor its colour
order, mean, input size or layout stands anywhere else. Reading the manifest opens no network.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from weights.errors import ManifestError

MANIFEST_PATH = Path(__file__).with_name("manifest.toml")
UNKNOWN = "unknown"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA256_PREFIX = re.compile(r"[0-9a-f]{8,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class WheelMember:
    """A file inside one fixed wheel of the Python package index, fetched with pip.

    Attributes:
        project: name on the index.
        version: the exact release.
        member: path inside the wheel.
        python: Python version of the wheel that is taken; it need not be the user's.
        platforms: platform tags of that wheel, likewise.
    """

    project: str
    version: str
    member: str
    python: str
    platforms: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.member} in the wheel {self.project}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class HttpsFile:
    """A file behind an address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, kw_only=True)
class ArchiveMember:
    """A file inside a zip or tar archive behind an address.

    Attributes:
        url: the archive's address.
        member: the last components of the path inside, enough to name one member only.
    """

    url: str
    member: str

    def __str__(self) -> str:
        return f"{self.member} in {self.url}"


Source = WheelMember | HttpsFile | ArchiveMember
_SOURCES: Mapping[str, type[WheelMember] | type[HttpsFile] | type[ArchiveMember]] = {
    "wheel": WheelMember,
    "https": HttpsFile,
    "archive": ArchiveMember,
}
_KIND_OF = {source: kind for kind, source in _SOURCES.items()}


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One row of the manifest.

    A pixel p (0..255) enters the network, channel by channel in the order `colour`, as `(p - mean) / std`;
    where `value_range` (low, high) is given instead, as `low + p / 255 * (high - low)`.

    Attributes:
        name: what code and commands call it.
        what: what it does, in a few words.
        file: its name in the weights directory.
        groups: families that are fetched together.
        source: where it comes from.
        sha256: of the file (not of its archive), or `unknown`: recorded on the first download, then verified.
        sha256_prefix: its first digits, at least 8, where the publisher's file name states no more.
        bytes: the file's size where it is known.
        licence: SPDX name, or `public domain`.
        licence_url: where the licence can be read.
        attribution: whose work it is.
        input_hw: the network's input, (height, width) in pixels; None for a file that is no network.
        colour: channel order that the network expects, `rgb` or `bgr`.
        mean: per channel, in the order of `colour`, on 0..255.
        std: likewise.
        value_range: (low, high) that 0..255 is mapped to, instead of mean and std.
        decoding: what the outputs mean: `simcc`, `rtmdet`, `yolox`, `blazepose_detector`, ...
        simcc_split_ratio: SimCC bins per input pixel.
        layout: joint layout of the answers, a name of `poses.layout`.
    """

    name: str
    what: str
    file: str
    groups: tuple[str, ...]
    source: Source
    sha256: str
    licence: str
    licence_url: str
    attribution: str
    sha256_prefix: str | None = None
    bytes: int | None = None
    input_hw: tuple[int, int] | None = None
    colour: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    value_range: tuple[float, float] | None = None
    decoding: str | None = None
    simcc_split_ratio: float | None = None
    layout: str | None = None

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ManifestError(f"weights manifest, [{self.name}]: {'; '.join(problems)}")

    @property
    def sha256_is_known(self) -> bool:
        """Whether the manifest itself names the file's hash."""
        return self.sha256 != UNKNOWN

    @property
    def source_kind(self) -> str:
        """`wheel`, `https` or `archive`."""
        return _KIND_OF[type(self.source)]

    @property
    def container(self) -> str:
        """A file name for what is downloaded: the wheel, the archive, or the file itself."""
        if isinstance(self.source, WheelMember):
            return f"{self.source.project}-{self.source.version}.whl"
        if isinstance(self.source, ArchiveMember):
            return PurePosixPath(self.source.url).name
        return self.file

    def _problems(self) -> Iterable[str]:
        if not _NAME.fullmatch(self.name):
            yield "expected a name of lower-case letters, digits and underscores"
        if not _FILE_NAME.fullmatch(self.file):
            yield f"expected file to be a plain file name, got {self.file!r}"
        if not self.groups:
            yield "expected at least one group"
        if self.sha256_is_known and not _SHA256.fullmatch(self.sha256):
            yield f"expected sha256 of 64 lower-case hex digits or {UNKNOWN!r}, got {self.sha256!r}"
        if self.sha256_prefix is not None:
            if not _SHA256_PREFIX.fullmatch(self.sha256_prefix):
                yield f"expected sha256_prefix of 8 lower-case hex digits or more, got {self.sha256_prefix!r}"
            if self.sha256_is_known:
                yield "expected sha256_prefix only beside sha256 = 'unknown'"
        if not self.licence or not self.licence_url.startswith("https://"):
            yield "expected a licence and a licence_url that begins with https://"
        yield from _source_problems(self.source)
        yield from self._preprocessing_problems()

    def _preprocessing_problems(self) -> Iterable[str]:
        fed = (self.colour, self.decoding)
        if self.input_hw is None:
            if any(value is not None for value in (*fed, self.mean, self.std, self.value_range)):
                yield "expected input_hw beside colour, decoding, mean, std or value_range"
            return
        if len(self.input_hw) != 2 or min(self.input_hw) <= 0:
            yield f"expected input_hw = [height, width], got {self.input_hw}"
        if self.colour not in ("rgb", "bgr"):
            yield f"expected colour to be rgb or bgr, got {self.colour!r}"
        if not self.decoding:
            yield "expected decoding beside input_hw"
        has_mean = self.mean is not None and self.std is not None
        if has_mean == (self.value_range is not None) or (self.mean is None) != (self.std is None):
            yield "expected either mean and std, or value_range"
        if any(len(values) != 3 for values in (self.mean, self.std) if values is not None):
            yield "expected three values each in mean and std"
        if self.std is not None and min(self.std) <= 0:
            yield f"expected a positive std, got {self.std}"
        if self.value_range is not None and len(self.value_range) != 2:
            yield f"expected value_range = [low, high], got {self.value_range}"
        if (self.decoding == "simcc") != (self.simcc_split_ratio is not None):
            yield "expected simcc_split_ratio with decoding = 'simcc', and only there"


def _source_problems(source: Source) -> Iterable[str]:
    url = getattr(source, "url", "https://")
    if not url.startswith("https://"):
        yield f"expected a url that begins with https://, got {url!r}"
    member = getattr(source, "member", "ok")
    path = PurePosixPath(member)
    if not member or path.is_absolute() or ".." in path.parts or "\\" in member:
        yield f"expected member to be a relative path inside the archive, got {member!r}"
    if isinstance(source, WheelMember) and not (source.platforms and isinstance(source.platforms, tuple)):
        yield "expected at least one platform tag"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like this one, as the end of a sentence; never empty."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _frozen(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _build(kind: type, row: Mapping[str, object], where: str) -> Any:
    """A dataclass from a TOML table: an unknown or a missing key is an error that names it."""
    known = {field.name: field for field in fields(kind)}
    for key in row:
        if key not in known:
            raise ManifestError(f"{where}: unknown key {key!r}, {nearest(key, known)}")
    try:
        return kind(**{key: _frozen(value) for key, value in row.items()})
    except TypeError as error:
        raise ManifestError(f"{where}: {error}") from error


def _weight(name: str, row: object) -> Weight:
    where = f"weights manifest, [{name}]"
    if not isinstance(row, dict):
        raise ManifestError(f"{where}: expected a table, got {row!r}")
    source = row.get("source")
    kind = source.get("kind") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(kind, str) or kind not in _SOURCES:
        wanted = ", ".join(_SOURCES)
        raise ManifestError(f"{where}: expected source = {{ kind = one of {wanted}, ... }}, got {source!r}")
    details = {key: value for key, value in source.items() if key != "kind"}
    built = _build(_SOURCES[kind], details, f"{where}.source")
    assert isinstance(built, get_args(Source))
    weight = _build(Weight, {**row, "name": name, "source": built}, where)
    assert isinstance(weight, Weight)
    return weight


def read_manifest(path: Path) -> dict[str, Weight]:
    """Read and check a manifest file.

    Raises:
        ManifestError: naming the row, the key and the nearest known key; or two rows with one file name.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{path}: expected TOML, {error}") from error
    rows = {name: _weight(name, row) for name, row in table.items()}
    owners: dict[str, str] = {}
    for weight in rows.values():
        if weight.name in {group for row in rows.values() for group in row.groups}:
            raise ManifestError(f"{path}: [{weight.name}] is also the name of a group")
        owner = owners.setdefault(weight.file, weight.name)
        if owner != weight.name:
            raise ManifestError(f"{path}: [{owner}] and [{weight.name}] both name the file {weight.file}")
    return rows


@cache
def _shipped() -> dict[str, Weight]:
    return read_manifest(MANIFEST_PATH)


def load_manifest() -> dict[str, Weight]:
    """Name -> row of every weight that Fidget knows, in the manifest's order."""
    return dict(_shipped())


def get_weight(name: str) -> Weight:
    """The row of one weight; ManifestError names the nearest known one."""
    rows = _shipped()
    if name not in rows:
        raise ManifestError(f"no weight is called {name!r}, {nearest(name, rows)}")
    return rows[name]


def group_names() -> tuple[str, ...]:
    """Every group, in the manifest's order."""
    return tuple(dict.fromkeys(group for weight in _shipped().values() for group in weight.groups))


def select(names: Iterable[str]) -> tuple[Weight, ...]:
    """Rows of these weights and groups, each once, in the order asked for.

    Raises:
        ManifestError: a name is neither a weight nor a group; the message names the nearest.
    """
    rows = _shipped()
    groups = group_names()
    chosen: dict[str, Weight] = {}
    for name in names:
        if name in rows:
            chosen[name] = rows[name]
        elif name in groups:
            chosen.update({row.name: row for row in rows.values() if name in row.groups})
        else:
            raise ManifestError(f"no weight or group is called {name!r}, {nearest(name, (*rows, *groups))}")
    return tuple(chosen.values())
