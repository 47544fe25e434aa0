"""The directory of a benchmark: what lies where, and that all of it belongs together.

`benchmark.json` says what was asked; `cells/*.json` are the results, `scores/*.parquet` the probabilities
behind them, `runs/` the trained networks, `supports/*.csv` the lists of shots, `poses/` caches that were
fetched or made small, `logs/` where a job failed, `report.html` the report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fidget.benchmark.cell import Cell, read_cell
from poses.cache_lock import LOCK_NAME, CacheLockedError, DirectoryLock
from poses.whole_file import replacing

CONTENTS = "benchmark.json"
_ADDED = ("cache_hash", "poses", "videos_hash", "videos")  # empty where a run had no use for them


@dataclass(frozen=True)
class Contents:
    """What decides the results in a directory.

    Attributes:
        benchmark: its name.
        data: name of the data set.
        simulated: whether a simulator made the clips.
        cache_hash: of the poses; empty where nothing looked at any.
        tasks: name -> hash of its clips and labels.
        methods: name -> hash of its recipe.
        poses: where the cache lay; it may move. Empty without one.
        videos_hash: of the videos, likewise.
        videos: where they lay, likewise.
    """

    benchmark: str
    data: str
    simulated: bool
    cache_hash: str
    tasks: Mapping[str, str]
    methods: Mapping[str, str]
    poses: str = ""
    videos_hash: str = ""
    videos: str = ""


@dataclass(frozen=True)
class BenchmarkDirectory:
    """Paths below a benchmark's directory."""

    path: Path

    def cell(self, name: str) -> Path:
        """The result of a cell."""
        return self.path / "cells" / f"{name}.json"

    def scores(self, name: str) -> Path:
        """The score file of a cell."""
        return self.path / "scores" / f"{name}.parquet"

    def support(self, name: str) -> Path:
        """A support list."""
        return self.path / "supports" / f"{name}.csv"

    def log(self, name: str) -> Path:
        """Where a job failed."""
        return self.path / "logs" / f"{name}.txt"

    def small_poses(self, budget_kib: float) -> Path:
        """The cache made small for a budget."""
        return self.path / "poses" / f"{budget_kib:g}KiB"

    @property
    def poses(self) -> Path | None:
        """The cache of the last run that had one; None where none had.

        Raises:
            ValueError: nothing was run here.
        """
        contents = self.contents()
        if contents is None:
            raise ValueError(f"{self.path} holds no {CONTENTS}; name the poses")
        return Path(contents.poses) if contents.poses else None

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def done_cell(self, name: str) -> Cell | None:
        """A cell that is done, with its score file; None where there is anything to do."""
        try:
            cell = read_cell(self.cell(name))
        except (ValueError, OSError):  # damaged or absent: it is run again
            return None
        return cell if cell.status == "done" and (self.path / cell.scores).is_file() else None

    def cells(self) -> list[Cell]:
        """All cells, by file name.

        Raises:
            ValueError: no cell lies here, or a file is damaged; names it.
        """
        files = sorted((self.path / "cells").glob("*.json"))
        if not files:
            raise ValueError(
                f"{self.path} holds no cells of a benchmark; run one: fidget benchmark run ... -o {self.path}"
            )
        return [read_cell(file) for file in files]

    def contents(self) -> Contents | None:
        """What lies here; None where nothing does.

        Raises:
            ValueError: the file that says so is damaged.
        """
        file = self.path / CONTENTS
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            return Contents(**found)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{file}: damaged ({error}); delete it, or choose another directory with -o"
            ) from error

    def prepare(self, contents: Contents) -> DirectoryLock:
        """Make the directory, or see that what lies there fits, and take it until the lock is released.

        Tasks and methods add to those already there.

        Raises:
            ValueError: results of other poses, labels or recipes lie here, other files, or another process
                works here; says which.
        """
        old = self.contents()
        if old is not None:
            _expect_same(self.path, old, contents)
            joined: dict[str, object] = {
                "tasks": {**old.tasks, **contents.tasks},
                "methods": {**old.methods, **contents.methods},
                **{name: getattr(contents, name) or getattr(old, name) for name in _ADDED},
            }
        else:
            own = {LOCK_NAME, "poses"}
            if self.path.exists() and {file.name for file in self.path.iterdir()} - own:
                raise ValueError(
                    f"{self.path} holds other files and no benchmark; choose another directory with -o"
                )
            joined = {"tasks": dict(contents.tasks), "methods": dict(contents.methods)}
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            lock = DirectoryLock(self.path)
        except CacheLockedError as error:
            raise ValueError(
                f"{self.path}: another process runs this benchmark; wait for it, or choose another with -o"
            ) from error
        with replacing(self.path / CONTENTS) as part:
            part.write_text(
                json.dumps(asdict(contents) | joined, indent=1, ensure_ascii=False), encoding="utf-8"
            )
        return lock


def _expect_same(path: Path, old: Contents, new: Contents) -> None:
    differing = [
        f"{entry.name} is {getattr(old, entry.name)!r} there, {getattr(new, entry.name)!r} now"
        for entry in fields(Contents)
        if entry.name not in ("tasks", "methods", "poses", "videos")
        and not (entry.name in _ADDED and "" in (getattr(old, entry.name), getattr(new, entry.name)))
        and getattr(old, entry.name) != getattr(new, entry.name)
    ]
    for what in ("tasks", "methods"):
        there, now = getattr(old, what), getattr(new, what)
        changed = [name for name in now if name in there and there[name] != now[name]]
        meaning = {"tasks": "clips or labels", "methods": "settings"}[what]
        differing += [f"{name!r} has other {meaning} there" for name in changed]
    if differing:
        more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
        raise ValueError(
            f"{path} holds results that do not fit: {'; '.join(differing[:4])}{more}; "
            "choose another directory with -o"
        )
