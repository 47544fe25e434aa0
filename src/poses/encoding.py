"""A clip as numbers that compress well: fixed point, differences along time, a checksum.

The arrays of a row, in C order of (M, T, V, 2), (M, T, V) and (M, T, 4):

* `xy` counts steps of `xy_step` pixels, stores the difference to the frame before (the first frame to 0)
  and folds the sign into the last bit (zigzag: 0, -1, 1, -2 become 0, 1, 2, 3), so that high bytes are 0.
  A joint that was not found repeats its last value; score 0 marks it.
* `z`, where the joints are points in space, is coded like `xy` in the same step, in C order of (M, T, V).
* `score` is round(255 s); a joint that was found never rounds to 0.
* `box` is coded like `xy`; four times -1 says that there is no box, the running value stays.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poses.cache_schema import DEFAULT_XY_STEP, Axes, CacheRow, SourceStamp
from poses.clip import PoseClip
from poses.layout import Layout
from poses.quality import measure_quality

UNIT_LIMIT = 2**29  # |steps| stay below, so that a zigzag difference fits int32
NO_BOX = -1

_SMALLEST_PERSON = 16  # px
_FRAMES_AT_ONCE = 4096  # bounds the temporaries of an hour of video
_MICROSECONDS = 1_000_000
_INT64 = np.dtype("<i8")


def fitting_step(*coordinates: NDArray[np.float32]) -> float:
    """A step for coordinates of any scale (`xy_px`, and `z` where there is one): 1/16 for pixels, else finer.

    Where the largest coordinate is below 16 these cannot be pixels of a person; then the step is the power of
    two that cuts the largest coordinate into 2**15 to 2**16 steps.
    """
    finite = [np.abs(values[np.isfinite(values)]) for values in coordinates]
    extent = max((float(values.max()) for values in finite if values.size), default=0.0)
    if extent == 0 or extent >= _SMALLEST_PERSON:
        return DEFAULT_XY_STEP
    step: float = 2.0 ** max(math.floor(math.log2(extent)) - 15, -100)
    return step


def encode_clip(
    clip: PoseClip, source: SourceStamp, error: str | None = None, xy_step: float = DEFAULT_XY_STEP
) -> CacheRow:
    """The row of a clip; status `ok`, or `no_person` where it holds nobody.

    Args:
        clip: what was extracted or imported.
        source: the file it came from.
        error: a remark on a clip that is usable all the same, such as a truncated file.
        xy_step: pixels per unit, a power of two; the stored error is at most half of it. `fitting_step`
            finds one for coordinates that are not pixels.

    Raises:
        ValueError: coordinates or times that do not fit, a box that is partly NaN; names the clip.
    """
    _expect_step(clip.clip_id, xy_step)
    if max(clip.fps.numerator, clip.fps.denominator) >= 2**63:
        raise ValueError(f"clip {clip.clip_id!r}: expected a frame rate of 64-bit integers, got {clip.fps}")
    time_us = _time_us(clip)
    found = clip.score > 0
    m, t, v = found.shape
    xy = np.empty((m, t, 2 * v), np.int32)
    box = np.empty((m, t, 4), np.int32)
    z = None if clip.z is None else np.empty((m, t, v), np.int32)
    has_box = _has_box(clip)
    for person in range(m):
        name = f"clip {clip.clip_id!r}, person {person}"
        _encode_track(
            clip.xy_px[person].reshape(t, 2 * v),
            np.repeat(found[person], 2, axis=1),
            xy_step,
            xy[person],
            name,
        )
        if clip.z is not None and z is not None:
            _encode_track(clip.z[person], found[person], xy_step, z[person], name + " (z)")
        present = np.repeat(has_box[person, :, None], 4, axis=1)
        _encode_track(clip.box_px[person], present, xy_step, box[person], name + " (box)")
    box[~has_box] = NO_BOX
    return _sealed(
        CacheRow(
            clip_id=clip.clip_id,
            source=source,
            status="ok" if m else "no_person",
            error=error,
            frame_hw=(int(clip.frame_hw[0]), int(clip.frame_hw[1])),
            fps_num=clip.fps.numerator,
            fps_den=clip.fps.denominator,
            time_us=time_us,
            track_ids=np.ascontiguousarray(clip.track_ids),
            xy_step=float(xy_step),
            xy=xy.reshape(-1),
            score=_stored_scores(clip.score, found).reshape(-1),
            box=box.reshape(-1),
            quality=measure_quality(clip),
            checksum=0,
            z=None if z is None else z.reshape(-1),
        )
    )


def _stored_scores(score: NDArray[np.float32], found: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(M, T, V) in 255ths; a joint that was found never becomes 0."""
    stored = np.empty(score.shape, np.uint8)
    for start in range(0, score.shape[1], _FRAMES_AT_ONCE):
        here = slice(start, start + _FRAMES_AT_ONCE)
        rounded = np.rint(score[:, here] * np.float32(255)).astype(np.uint8)
        stored[:, here] = np.maximum(rounded, found[:, here])
    return stored


def failed_row(clip_id: str, source: SourceStamp, error: str, axes: Axes = "xy") -> CacheRow:
    """The row of a clip that gave nothing: it names the reason, so that no input is lost silently.

    `axes` are those of the cache it goes to.
    """
    return _sealed(
        CacheRow(
            clip_id=clip_id,
            source=source,
            status="failed",
            error=error,
            frame_hw=(0, 0),
            fps_num=0,
            fps_den=1,
            time_us=np.empty(0, np.int64),
            track_ids=np.empty(0, np.int64),
            xy_step=DEFAULT_XY_STEP,
            xy=np.empty(0, np.int32),
            score=np.empty(0, np.uint8),
            box=np.empty(0, np.int32),
            quality=None,
            checksum=0,
            z=np.empty(0, np.int32) if axes == "xyz" else None,
        )
    )


def decode_row(row: CacheRow, layout: Layout) -> PoseClip:
    """The clip of a row.

    Raises:
        ValueError: the row is of a clip that failed (the message holds its error), or its arrays do not
            agree with its counts, its checksum or the layout; names the clip.
    """
    if row.status == "failed":
        raise ValueError(f"clip {row.clip_id!r} holds no poses: it failed with {row.error!r}")
    check_row(row, layout)
    m, t, v = row.persons, row.frames, len(layout.joints)
    missing = row.score.reshape(m, t, v) == 0
    xy_px = _decoded(row, row.xy, 2 * v).reshape(m, t, v, 2)
    xy_px[missing] = np.nan
    z = None
    if row.z is not None:
        z = _decoded(row, row.z, v).reshape(m, t, v)
        z[missing] = np.nan
    no_box = row.box == NO_BOX
    score = row.score.reshape(m, t, v).astype(np.float32)
    score /= np.float32(255)
    steps = running_sum(np.where(no_box, 0, row.box).reshape(m * t, 4), t)
    box_px = (steps.astype(np.float32) * np.float32(row.xy_step)).reshape(m, t, 4)
    box_px[no_box.reshape(m, t, 4)] = np.nan
    return PoseClip(
        clip_id=row.clip_id,
        layout=layout,
        xy_px=xy_px,
        score=score,
        box_px=box_px,
        time_s=row.time_us / _MICROSECONDS,
        frame_hw=row.frame_hw,
        fps=Fraction(row.fps_num, row.fps_den),
        track_ids=row.track_ids.copy(),
        z=z,
    )


def _decoded(row: CacheRow, zigzag: NDArray[np.int32], columns: int) -> NDArray[np.float32]:
    """Coordinates (M * T, columns), not yet NaN where a joint is missing."""
    units = running_sum(zigzag.reshape(row.persons * row.frames, columns), row.frames)
    if units.size and max(-int(units.min()), int(units.max())) >= UNIT_LIMIT:
        raise ValueError(
            f"clip {row.clip_id!r}: coordinates leave the range of the format; the row is damaged"
        )
    decoded: NDArray[np.float32] = units.astype(np.float32)
    decoded *= np.float32(row.xy_step)  # in place: of an hour each copy is a hundred megabytes
    return decoded


def check_row(row: CacheRow, layout: Layout) -> None:
    """Whether the arrays of a row agree with its counts, with the layout and with its checksum.

    Raises:
        ValueError: names the clip and everything that is wrong.
    """
    m, t, v = row.persons, row.frames, len(layout.joints)
    expected = {"xy": m * t * v * 2, "score": m * t * v, "box": m * t * 4}
    if row.z is not None:
        expected["z"] = m * t * v
    problems = [
        f"{name} holds {len(getattr(row, name))} values, expected {size} "
        f"({m} persons, {t} frames, {v} joints of {layout.name})"
        for name, size in expected.items()
        if len(getattr(row, name)) != size
    ]
    if row.status == "failed":
        problems += [f"a failed clip has no frames, got {t}"] if t else []
    else:
        if (row.status == "ok") != (m > 0):
            problems.append(f"status {row.status!r} with {m} persons")
        if t == 0 or min(row.frame_hw) < 1:
            problems.append(f"expected frames of a size, got {t} of height and width {row.frame_hw}")
        if row.fps_num < 1 or row.fps_den < 1:
            problems.append(f"expected a positive frame rate, got {row.fps_num}/{row.fps_den}")
    if not _is_step(row.xy_step):
        problems.append(f"xy_step must be a power of two up to 1, got {row.xy_step}")
    problems += _impossible_numbers(row)
    found = checksum(row)
    sums = [("checksum", found, row.checksum)]
    if row.z is not None:
        sums.append(("z_checksum", _crc_of(row.z, found), row.z_checksum))
    problems += [
        f"{name} is {got:08x}, expected {due:08x}: the row is damaged"
        for name, got, due in sums
        if got != due
    ]
    if problems:
        raise ValueError(f"clip {row.clip_id!r}: " + "; ".join(problems))


def _impossible_numbers(row: CacheRow) -> list[str]:
    """What no writer of zigzag differences stores."""
    problems = []
    for name, zigzag in (("xy", row.xy), ("z", row.z)):
        if zigzag is not None and zigzag.size and int(zigzag.min()) < 0:
            problems.append(f"{name} holds a negative number, which is no zigzag difference")
    if row.box.size and int(row.box.min()) < NO_BOX:
        problems.append("box holds a number below -1, which is no zigzag difference")
    return problems


def checksum(row: CacheRow) -> int:
    """CRC-32 (the one of zlib) over counts and arrays, little-endian, in the order of the format page."""
    height, width = row.frame_hw
    counts = (width, height, row.fps_num, row.fps_den, row.frames, row.persons)
    crc = zlib.crc32(np.array(counts, _INT64).tobytes())
    crc = zlib.crc32(np.array(row.xy_step, "<f8").tobytes(), crc)
    for array in (row.time_us, row.track_ids, row.xy, row.score, row.box):
        crc = _crc_of(array, crc)
    return crc


def z_checksum(row: CacheRow) -> int:
    """The row's checksum, continued over `z`; 0 in a row without it."""
    return 0 if row.z is None else _crc_of(row.z, checksum(row))


def _crc_of(array: NDArray[Any], crc: int) -> int:
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return zlib.crc32(plain.data.cast("B") if plain.size else b"", crc)


def running_sum(zigzag: NDArray[np.int32], frames: int) -> NDArray[np.int32]:
    """Values from zigzag differences (P * T, K): people of `frames` frames below each other, each from 0."""
    sign = zigzag & 1
    np.negative(sign, out=sign)
    steps = zigzag >> 1
    steps ^= sign
    if not steps.size:
        return steps
    people = steps.reshape(-1, frames, steps.shape[1])  # (P, T, K)
    np.cumsum(people, axis=1, dtype=np.int32, out=people)
    return steps


def _encode_track(
    values: NDArray[np.float32], present: NDArray[np.bool_], step: float, out: NDArray[np.int32], name: str
) -> None:
    """Fixed point and zigzag differences along time of (T, K), some values absent, into `out` (T, K)."""
    k = values.shape[1]
    last = np.zeros(k, np.int32)
    for start in range(0, len(values), _FRAMES_AT_ONCE):
        here = slice(start, start + _FRAMES_AT_ONCE)
        mask = present[here]
        with np.errstate(over="ignore"):
            scaled = values[here] / np.float32(step)  # exact: the step is a power of two
        if not np.all(np.abs(scaled, where=mask, out=np.zeros_like(scaled)) < UNIT_LIMIT):
            limit = UNIT_LIMIT * step
            raise ValueError(
                f"{name}: expected coordinates within {limit:g} of 0 (with a step of {step:g}), "
                f"got {np.abs(values[here][mask]).max():g}; choose a coarser step or mend the clip"
            )
        units = np.zeros((len(scaled) + 1, k), np.int32)  # (1 + T, K), the last known value first
        units[0] = last
        np.rint(scaled, where=mask, out=scaled)
        units[1:][mask] = scaled[mask].astype(np.int32)
        if not mask.all():
            _repeat_last(units, mask)
        change = np.diff(units, axis=0)
        out[here] = (change << 1) ^ (change >> 31)
        last = units[-1]


def _repeat_last(units: NDArray[np.int32], present: NDArray[np.bool_]) -> None:
    """Fill absent values of units[1:] (T, K) with the one before them, in place."""
    row = np.arange(1, len(units))[:, None]
    source = np.maximum.accumulate(np.where(present, row, 0), axis=0)  # (T, K)
    units[1:] = np.take_along_axis(units, source, axis=0)


def _time_us(clip: PoseClip) -> NDArray[np.int64]:
    scaled = np.rint(clip.time_s * _MICROSECONDS)
    if np.abs(scaled).max() >= 2**53:
        raise ValueError(
            f"clip {clip.clip_id!r}: expected times within 285 years of 0, got {clip.time_s[-1]:g} s"
        )
    time_us = scaled.astype(np.int64)
    if not np.all(np.diff(time_us) > 0):
        raise ValueError(f"clip {clip.clip_id!r}: frames are less than a microsecond apart")
    return time_us


def _has_box(clip: PoseClip) -> NDArray[np.bool_]:
    """(M, T): where there is a box."""
    absent = np.isnan(clip.box_px)
    has_box: NDArray[np.bool_] = np.logical_not(absent.any(axis=-1))
    if not np.array_equal(has_box, ~absent.all(axis=-1)) or np.isinf(clip.box_px).any():
        raise ValueError(f"clip {clip.clip_id!r}: a box must be four finite numbers or four NaN")
    return has_box


def _is_step(step: float) -> bool:
    return bool(2.0**-100 <= step <= 1 and math.frexp(step)[0] == 0.5)


def _expect_step(clip_id: str, step: float) -> None:
    if not _is_step(step):
        raise ValueError(f"clip {clip_id!r}: xy_step must be a power of two up to 1, got {step}")


def _sealed(row: CacheRow) -> CacheRow:
    return dataclasses.replace(row, checksum=checksum(row), z_checksum=z_checksum(row))
