"""Small pose caches: by named settings, or by a budget of bytes a clip. They are caches like any other.

What a cache costs is counted as it travels: all its files but the lock, over all its clips. A cache of few
clips costs more a clip, as a Parquet file needs some 7 KB for itself.
"""

from __future__ import annotations

import dataclasses
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fidget.benchmark.clip_economy import Economy, kept_layout, thin_clip
from poses.cache_files import ShardBuffer, schema_file
from poses.cache_reader import PoseCache
from poses.cache_schema import METADATA_KEY, CacheMetadata, CacheRow, rows_to_table
from poses.cache_shards import rows_of
from poses.cache_writer import CacheWriter
from poses.encoding import decode_row, encode_clip, failed_row
from poses.layout import Layout

SETTINGS_KEY = "low_bandwidth"  # of the cache's metadata
ROWS_PER_GROUP = 512
BUDGETS_KIB = (1, 4, 16, 64)
_SAMPLE = 256  # clips that a search for settings measures
_SELDOM_S = 3600.0

# From the richest to the poorest; joints are "" (all), "main" (see `main_joints`) or a part of the layout.
# What each costs in accuracy is measured by `python -m benchmarks.low_bandwidth`.
_LADDER = (
    Economy(zstd_level=15),
    Economy(steps_across=1024, score_levels=64, boxes=False, zstd_level=15),
    Economy("", 0, 0, 512, 16, 0, False, 15),
    Economy("main", 0, 0, 512, 16, 0, False, 15),
    Economy("main", 15, 0, 512, 16, 0, False, 15),
    Economy("main", 15, 0, 256, 16, 0, False, 15),
    Economy("main", 10, 0, 256, 16, 0, False, 15),
    Economy("main", 10, 0, 128, 8, 0, False, 15),
    Economy("main", 10, 0, 128, 4, 1, False, 15),
    Economy("main", 7.5, 0, 128, 4, 1, False, 15),
    Economy("main", 5, 0, 128, 4, 1, False, 15),
    Economy("main", 5, 0, 64, 2, 1, False, 15),
    Economy("body", 5, 0, 64, 2, 1, False, 15),
    Economy("body", 5, 0, 32, 2, 1, False, 15),
    Economy("body", 3, 0, 32, 2, 1, False, 15),
    Economy("body", 2, 0, 32, 2, 1, False, 15),
    Economy("body", 2, 0, 16, 2, 1, False, 15),
    Economy("arms", 2, 0, 16, 2, 1, False, 15),
)
PROFILES = {"low-bandwidth": Economy("main", 10, 0, 256, 16, 0, False, 15)}


class BudgetError(ValueError):
    """No settings reach the budget; the message names the smallest there is."""


@dataclass(frozen=True)
class Weight:
    """What poses cost.

    Attributes:
        clips: rows of the cache, failed ones too.
        bytes: of the cache's files.
        seconds: length of all clips together.
        source_bytes: of the files that the poses came from, each once: videos, or another program's file.
    """

    clips: int
    bytes: int
    seconds: float
    source_bytes: int

    @property
    def per_clip(self) -> float:
        """Mean bytes a clip."""
        return self.bytes / max(self.clips, 1)

    @property
    def per_second(self) -> float:
        """Mean bytes a second of video; NaN without any."""
        return self.bytes / self.seconds if self.seconds else float("nan")

    def told(self) -> str:
        """In one line."""
        line = f"{self.per_clip:,.0f} bytes a clip"
        if self.seconds:
            line += f", {self.per_second:,.0f} bytes a second"
        if self.source_bytes:
            line += f", {100 * self.bytes / self.source_bytes:.2f} % of the source files"
        return line


@dataclass(frozen=True)
class Shrunk:
    """A cache that was made small.

    Attributes:
        economy: the settings.
        before: what the cache cost that it was made of.
        after: what it costs.
        layout: name of its joint layout.
        simulated: whether the cache says that a simulator made it.
    """

    economy: Economy
    before: Weight
    after: Weight
    layout: str
    simulated: bool

    def lines(self) -> tuple[str, ...]:
        """What was done and what it saves."""
        share = 100 * self.after.bytes / max(self.before.bytes, 1)
        lines = [
            f"settings: {self.economy.told()} ({self.layout}{', simulated' if self.simulated else ''})",
            f"before: {self.before.told()}",
            f"after: {self.after.told()}; {share:.1f} % of the cache",
        ]
        if self.before.source_bytes:
            lines.append(
                f"source files: {self.before.source_bytes / max(self.before.clips, 1):,.0f} bytes a clip"
            )
        return tuple(lines)


def weigh(poses: Path) -> Weight:
    """What a cache costs, and the videos behind it.

    Raises:
        NotACacheError: there is none.
        CorruptShardError: a shard cannot be read; names it.
    """
    cache = PoseCache(poses)
    sources: dict[str, int] = {}
    seconds = 0.0
    for _, table in cache.groups(("source_path", "source_bytes", "fps_num", "fps_den", "time_us")):
        columns = [table[name].to_pylist() for name in table.column_names[:4]]
        times = table["time_us"].combine_chunks()
        stamps, ends = times.values.to_numpy(), times.offsets.to_numpy()
        for row, (path, size, num, den) in enumerate(zip(*columns, strict=True)):
            sources[path] = size
            first, last = ends[row], ends[row + 1] - 1
            if last >= first:
                seconds += (int(stamps[last]) - int(stamps[first])) / 1e6 + den / num
    clips = sum(len(shard.clip_ids) for shard in cache.shards)
    return Weight(clips, _file_bytes(poses), seconds, sum(sources.values()))


def _file_bytes(directory: Path) -> int:
    """Of what travels: shards and metadata, neither lock nor view."""
    return sum(
        entry.stat().st_size
        for entry in directory.iterdir()
        if entry.is_file() and (entry.suffix == ".parquet" or entry.name == "_common_metadata")
    )


def main_joints(layout: Layout) -> str:
    """The part that micro-action networks look at: `micro44` of a whole body, else all joints (empty)."""
    return "micro44" if "micro44" in layout.parts else ""


def _of_layout(economy: Economy, layout: Layout) -> Economy:
    """Settings with a part that the layout has."""
    part = main_joints(layout) if economy.joints == "main" else economy.joints
    return dataclasses.replace(economy, joints=part)


def profile(name: str, layout: Layout) -> Economy:
    """The settings of a name, for a layout.

    Raises:
        ValueError: no such profile; names those there are.
    """
    if name not in PROFILES:
        raise ValueError(f"no profile {name!r}; expected one of {', '.join(PROFILES)}")
    return _of_layout(PROFILES[name], layout)


def ladder(layout: Layout) -> tuple[Economy, ...]:
    """Settings from the richest to the poorest, for a layout."""
    rungs = (
        _of_layout(economy, layout) for economy in _LADDER if economy.joints in ("", "main", *layout.parts)
    )
    return tuple(dict.fromkeys(rungs))


def shrink(poses: Path, out: Path, economy: Economy) -> Shrunk:
    """Write a cache of less; clips that failed go over as they are.

    Args:
        poses: the cache to make small.
        out: a new or an empty directory.
        economy: what to keep.

    Raises:
        ValueError: the layout has no such part, or `out` holds something already.
        NotACacheError: `poses` is none.
        OSError: no room, or no permission.
    """
    cache = PoseCache(poses)
    layout = kept_layout(cache.layout, economy.joints)
    _expect_free(poses, out)
    temporary = out.with_name(f".{out.name}-{secrets.token_hex(4)}")
    try:
        _write(cache, temporary, economy, layout)
        after = weigh(temporary)
        if out.is_dir():
            out.rmdir()
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    simulated = str(cache.metadata.settings.get("simulated")).lower() == "true"
    return Shrunk(economy, weigh(poses), after, layout.name, simulated)


def for_budget(poses: Path, out: Path, bytes_per_clip: float) -> Shrunk:
    """Write the richest cache that costs at most so many bytes a clip, on the mean over its clips.

    The settings of `ladder` are measured on a sample of 256 clips in memory; the cache that is written then
    is measured as a whole, and the next poorer settings are taken where the sample promised too much.

    Raises:
        BudgetError: even the poorest settings cost more; says how much.
        ValueError: a budget of 0 or less, or as `shrink`.
    """
    if not bytes_per_clip > 0:
        raise ValueError(f"expected a budget above 0 bytes a clip, got {bytes_per_clip:g}")
    cache = PoseCache(poses)
    _expect_free(poses, out)
    rungs = ladder(cache.layout)
    sample = _sample(cache)
    if not sample:
        raise ValueError(f"{poses}: expected clips to make small, the cache holds none")
    whole = len(sample) == sum(len(shard.clip_ids) for shard in cache.shards)
    low, high = 0, len(rungs)  # the first that fits lies in low..high; sizes fall along the ladder
    while low < high:
        middle = (low + high) // 2
        fits = _sampled_bytes(cache, sample, rungs[middle]) <= bytes_per_clip
        low, high = (low, middle) if fits else (middle + 1, high)
    for economy in rungs[low:] if whole else rungs[max(low - 1, 0) :]:
        made = shrink(poses, out, economy)
        if made.after.per_clip <= bytes_per_clip:
            return made
        shutil.rmtree(out)
    smallest, alone = (_sampled_bytes(cache, rows, rungs[-1], len(sample)) for rows in (sample, []))
    raise BudgetError(
        f"{poses}: expected at most {bytes_per_clip:,.0f} bytes a clip, the smallest settings cost "
        f"{smallest:,.0f} ({rungs[-1].told()}), {alone:,.0f} of it for the files of {len(sample):,} clips; "
        "raise the budget"
    )


def _expect_free(poses: Path, out: Path) -> None:
    if out.resolve() == poses.resolve() or out.resolve().is_relative_to(poses.resolve()):
        raise ValueError(f"{out}: expected a place outside the cache {poses}; name another")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: expected a new or an empty directory; name another")


def _metadata(cache: PoseCache, economy: Economy, layout: Layout) -> CacheMetadata:
    """Says in the cache itself what was left out."""
    settings = {**cache.metadata.settings, SETTINGS_KEY: economy.told()}
    return dataclasses.replace(cache.metadata, layout=layout.name, settings=settings)


def _thin_row(row: CacheRow, cache: PoseCache, economy: Economy) -> CacheRow:
    if row.status == "failed":
        return failed_row(row.clip_id, row.source, row.error or "", cache.metadata.axes)
    clip, step = thin_clip(decode_row(row, cache.layout), economy, row.xy_step)
    return encode_clip(clip, row.source, row.error, min(step, 1.0))


def _rows(cache: PoseCache) -> Iterator[CacheRow]:
    for index, table in cache.groups(cache.metadata.schema.names):
        yield from rows_of(index.path, table)


def _write(cache: PoseCache, out: Path, economy: Economy, layout: Layout) -> None:
    writer = CacheWriter(
        out,
        _metadata(cache, economy, layout),
        rows_per_shard=8 * ROWS_PER_GROUP,
        seconds_per_shard=_SELDOM_S,
        rows_per_group=ROWS_PER_GROUP,
        compression_level=economy.zstd_level,
    )
    with writer:
        for row in _rows(cache):
            writer.add(_thin_row(row, cache, economy))


def _sample(cache: PoseCache) -> list[CacheRow]:
    """Rows evenly spaced over the cache, all where there are few."""
    ids = [clip_id for shard in cache.shards for clip_id in shard.clip_ids]
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(_SAMPLE, len(ids))).astype(int)) if ids else []
    return [cache.row(ids[number]) for number in chosen]


def _sampled_bytes(cache: PoseCache, rows: Sequence[CacheRow], economy: Economy, clips: int = 0) -> float:
    """Bytes a clip (of `clips`, or of the rows) of rows as a cache of their own, in memory."""
    layout = kept_layout(cache.layout, economy.joints)
    metadata = _metadata(cache, economy, layout)
    schema = metadata.schema.with_metadata({METADATA_KEY: metadata.to_json(layout.joints)})
    buffer = ShardBuffer(schema, ROWS_PER_GROUP, economy.zstd_level)
    if rows:
        buffer.add(rows_to_table([_thin_row(row, cache, economy) for row in rows], schema))
    return (len(buffer.finish()) + len(schema_file(schema))) / max(clips, len(rows), 1)
