"""What of a clip is kept where bytes count: fewer joints, frames, steps and score levels; no boxes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip
from poses.layout import Layout, get_layout

FEWEST_FRAMES = 8  # of a clip that has them: a short action must not become two pictures
_FINEST_STEP = 2.0**-100


@dataclass(frozen=True)
class Economy:
    """How a clip is made small; the defaults keep everything. It checks itself once.

    Attributes:
        joints: a part of the joint layout, such as `micro44` or `body`; empty keeps all joints.
        fps: frames a second at most, 0 keeps all; a clip keeps at least 8 of its frames all the same.
        xy_step_px: coordinates are multiples of this, a power of two, in the unit of the cache; 0 leaves it
            to `steps_across`.
        steps_across: the step is the largest power of two that cuts the height of the main person into at
            least so many steps, clip by clip; 0 keeps the stored steps.
        score_levels: different scores that are told apart, "not found" among them; 2 to 256.
        persons: people kept a clip, the main subject first; 0 keeps all.
        boxes: whether boxes are kept; networks read joints only.
        zstd_level: of the compression, 1 to 22; costs time, never accuracy.

    Raises:
        ValueError: a number out of its range; named.
    """

    joints: str = ""
    fps: float = 0.0
    xy_step_px: float = 0.0
    steps_across: int = 0
    score_levels: int = 256
    persons: int = 0
    boxes: bool = True
    zstd_level: int = 3

    def __post_init__(self) -> None:
        problems = []
        if not (math.isfinite(self.fps) and 0 <= self.fps <= 1000):
            problems.append(f"expected fps of 0 (all frames) to 1000, got {self.fps:g}")
        step = self.xy_step_px
        if step and not (_FINEST_STEP <= step <= 2**16 and math.frexp(step)[0] == 0.5):
            problems.append(f"expected xy_step_px of 0 or a power of two up to 65536, got {step:g}")
        if step and self.steps_across:
            problems.append("expected xy_step_px or steps_across, got both")
        if self.steps_across < 0 or self.persons < 0:
            problems.append(
                f"expected 0 or more, got steps_across {self.steps_across}, persons {self.persons}"
            )
        if not 2 <= self.score_levels <= 256:
            problems.append(f"expected score_levels of 2 to 256, got {self.score_levels}")
        if not 1 <= self.zstd_level <= 22:
            problems.append(f"expected zstd_level of 1 to 22, got {self.zstd_level}")
        if problems:
            raise ValueError("low bandwidth: " + "; ".join(problems))

    def told(self) -> str:
        """The settings in words, as the cache's metadata carries them."""
        step = f"step {self.xy_step_px:g}" if self.xy_step_px else "steps as stored"
        if self.steps_across:
            step = f"{self.steps_across} steps across the person"
        return ", ".join(
            (
                f"joints {self.joints or 'all'}",
                f"{self.fps:g} frames/s" if self.fps else "all frames",
                step,
                f"{self.score_levels} score levels",
                f"at most {self.persons} of the people" if self.persons else "all people",
                "boxes" if self.boxes else "no boxes",
                f"zstd {self.zstd_level}",
            )
        )


def kept_layout(layout: Layout, part: str) -> Layout:
    """The layout of a part of a layout, which may be a part itself; the same where `part` is empty.

    Raises:
        ValueError: the layout has no such part; names those it has.
    """
    if not part or layout.name.endswith(f"/{part}"):
        return layout
    if part not in layout.parts:
        raise ValueError(
            f"layout {layout.name!r} has no part {part!r}; expected one of {', '.join(layout.parts)}, or all"
        )
    return get_layout(f"{layout.name.partition('/')[0]}/{part}")


def frame_rows(time_s: NDArray[np.float64], fps: float) -> NDArray[np.int64]:
    """Frames nearest to the ticks of a slower clock that starts with the first frame, each once.

    Args:
        time_s: (T,) seconds, strictly increasing.
        fps: ticks a second; 0 takes every frame.

    Returns:
        Frame numbers in order: at least `FEWEST_FRAMES` where there are so many.
    """
    frames = len(time_s)
    span_s = float(time_s[-1] - time_s[0])
    ticks = math.floor(span_s * fps + 1e-6) + 1
    wanted = max(ticks, min(FEWEST_FRAMES, frames))
    if not fps or wanted >= frames:
        return np.arange(frames)
    if wanted > ticks:
        return np.unique(np.rint(np.linspace(0, frames - 1, wanted)).astype(np.int64))
    clock = time_s[0] + np.arange(ticks) / fps
    right = np.clip(np.searchsorted(time_s, clock), 1, frames - 1)
    nearer = clock - time_s[right - 1] <= time_s[right] - clock
    return np.unique(np.where(nearer, right - 1, right)).astype(np.int64)


def person_size(clip: PoseClip) -> float:
    """The longer side of the main person, median over frames, in the clip's unit; 0 without joints."""
    if not clip.persons:
        return 0.0
    spread = []
    axes = [clip.xy_px[0, ..., 0], clip.xy_px[0, ..., 1], *(() if clip.z is None else (clip.z[0],))]
    seen = clip.score[0] > 0
    frames = seen.sum(axis=1) >= 2
    if not frames.any():
        return 0.0
    for values in axes:  # (T, V)
        spread.append(np.nanmax(values[frames], axis=1) - np.nanmin(values[frames], axis=1))
    return float(np.median(np.max(spread, axis=0)))


def step_of(clip: PoseClip, economy: Economy, stored: float) -> float:
    """The step whose multiples a clip's coordinates become, in the clip's unit; at least the stored one."""
    step = economy.xy_step_px
    if economy.steps_across:
        size = person_size(clip)
        step = 2.0 ** math.floor(math.log2(size / economy.steps_across)) if size > 0 else 0.0
    return max(step, stored)


def thin_clip(clip: PoseClip, economy: Economy, stored_step: float) -> tuple[PoseClip, float]:
    """A clip with less in it, and the step its coordinates are multiples of.

    The error of a coordinate is at most half a step, that of a score at most one level (it is rounded, and a
    joint that was found stays found). Frames are chosen, never mixed.

    Raises:
        ValueError: the layout has no such part.
    """
    step = step_of(clip, economy, stored_step)
    layout = kept_layout(clip.layout, economy.joints)
    joints = [clip.layout.index(name) for name in layout.joints]
    rows = frame_rows(clip.time_s, economy.fps)
    people = slice(0, economy.persons or clip.persons)
    xy_px = clip.xy_px[people][:, rows][:, :, joints]  # (M', T', V', 2)
    score = _levelled(clip.score[people][:, rows][:, :, joints], economy.score_levels)
    z = None if clip.z is None else _on_grid(clip.z[people][:, rows][:, :, joints], step)
    box_px = _on_grid(clip.box_px[people][:, rows], step)
    if not economy.boxes:
        box_px = np.full_like(box_px, np.nan)
    fps = clip.fps
    if 1 < len(rows) < clip.frames:
        span_s = float(clip.time_s[rows[-1]] - clip.time_s[rows[0]])
        fps = max(Fraction((len(rows) - 1) / span_s).limit_denominator(1001), Fraction(1, 1001))
    thinned = dataclasses.replace(
        clip,
        layout=layout,
        xy_px=_on_grid(xy_px, step),
        score=score,
        box_px=box_px,
        time_s=clip.time_s[rows],
        fps=fps,
        track_ids=clip.track_ids[people],
        z=z,
    )
    return thinned, step


def _on_grid(values: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    rounded: NDArray[np.float32] = np.rint(values / np.float32(step)) * np.float32(step)
    return rounded


def _levelled(score: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """Scores rounded to `levels` values from 0 to 1; 0 stays for joints that were not found."""
    if levels == 256:
        return score
    top = np.float32(levels - 1)
    return np.where(score > 0, np.maximum(np.rint(score * top), 1) / top, 0).astype(np.float32)
