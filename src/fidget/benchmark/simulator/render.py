"""Pictures of simulated clips: a person of limbs with a face, clothes and a place, before the clip's camera.

The body is the true one, before the estimator of the pose cache looked at it, with the same camera; joints of
the cache lie on the pictures where they are scaled by the same factor. Everything depends on the clip's id,
the seed and the size alone, and every picture can be had by itself. Simulated: not people.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator import render_film as film
from fidget.benchmark.simulator import render_kernel as kernel
from fidget.benchmark.simulator import render_look as paint
from fidget.benchmark.simulator.clip import SimulationSettings, StagedClip, stage_clip
from fidget.benchmark.simulator.estimator_noise import thing_before
from fidget.benchmark.simulator.render_body import add_body
from fidget.benchmark.simulator.render_look import draw_look
from fidget.benchmark.simulator.render_scenery import muted, paint_scenery
from fidget.benchmark.simulator.render_shapes import SeenShapes, Shapes
from fidget.benchmark.simulator.render_things import add_chair, add_passers_by, floor_m

SMALLEST_SIZE = 32
_GRAIN = 256  # side of the tile of noise
_USUAL_SIZE = 224  # for which a film's blur and grain are meant
_WALL_M = 1.6  # behind the subject
_MARGIN = 1.35  # of a scenery, where the camera moves


@dataclass(frozen=True)
class Film:
    """What the cameras of a domain do to a picture.

    Attributes:
        blur: share of light that goes to the neighbours.
        grain: standard deviation of the noise, of 255.
        ambient: range of the share of light from everywhere.
        gain: range of the brightness.
        keyframe_s: seconds between pictures that decode by themselves; None leaves FFmpeg's 250 frames.
    """

    blur: float
    grain: float
    ambient: tuple[float, float]
    gain: tuple[float, float]
    keyframe_s: float | None


FILMS = {
    "laboratory": Film(0.0, 2.0, (0.5, 0.62), (0.95, 1.08), None),
    "psychiatric": Film(0.12, 4.0, (0.45, 0.62), (0.8, 1.0), None),
    "street": Film(0.16, 3.5, (0.35, 0.6), (0.85, 1.15), 1.0),
    "emotion": Film(0.3, 5.0, (0.3, 0.55), (0.75, 1.15), 2.0),
}


@dataclass(frozen=True, eq=False)
class _Stage:
    """What stays the same over a clip."""

    seen: SeenShapes
    paints: NDArray[np.float32]
    patterns: NDArray[np.float32]
    light: NDArray[np.float32]  # (3,) camera's axes
    ambient: float
    gain: float
    scenery: NDArray[np.float32]
    looking: NDArray[np.float32]  # (T, 4) column and row of the scenery in the middle, cosine, sine
    boxes: NDArray[np.float32]  # (T, B, 5)
    box_paints: NDArray[np.int64]  # (B,)
    grain: NDArray[np.float32]
    grain_at: NDArray[np.int64]  # (T, 2)


class RenderedClip:
    """The pictures of one staged clip.

    Attributes:
        clip_id: its name.
        label: the action that is done.
        frames: T.
        fps: of the clip.
        frame_hw: height and width of the pictures, even; the shorter is `size`.
        scale: by which the pose cache's pixels are to be multiplied.
        simulated: always True.
    """

    simulated = True

    def __init__(self, staged: StagedClip, seed: int, size: int = 224) -> None:
        if size < SMALLEST_SIZE or size % 2:
            raise ValueError(f"expected an even size of at least {SMALLEST_SIZE} pixels, got {size}")
        self._staged, self._seed = staged, seed
        self.clip_id, self.label = staged.clip_id, staged.label
        self.frames = len(staged.body.joints_m)
        self.fps = staged.fps
        height, width = staged.person.setting.domain.frame_hw
        self.scale = size / min(height, width)
        self.frame_hw = (2 * round(height * self.scale / 2), 2 * round(width * self.scale / 2))
        self._fineness = min(1.0, size / _USUAL_SIZE)  # a smaller picture averages grain and blur away
        self._picture = np.empty((*self.frame_hw, 3), np.float32)
        self._spare = np.empty_like(self._picture)
        self._depth = np.empty(self.frame_hw, np.float32)

    @property
    def film(self) -> Film:
        """What the domain's cameras do."""
        return FILMS[self._staged.person.setting.domain.name]

    def read(self, frames: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pictures (K, H, W, 3) of frame numbers (K,), red first.

        Raises:
            ValueError: a frame that the clip has not.
        """
        out = np.empty((len(frames), *self.frame_hw, 3), np.uint8)
        for i, frame in enumerate(frames):
            self.draw(int(frame), out[i])
        return out

    def draw(self, frame: int, out: NDArray[np.uint8]) -> None:
        """Fill `out` (H, W, 3), red first, with the picture of a frame.

        Raises:
            ValueError: a frame that the clip has not.
        """
        if not 0 <= frame < self.frames:
            raise ValueError(
                f"clip {self.clip_id!r}: expected a frame within 0..{self.frames - 1}, got {frame}"
            )
        stage = self._stage
        if stage.scenery.shape == self._picture.shape:  # a camera that stands still
            np.copyto(self._picture, stage.scenery)
        else:
            film.lay_background(self._picture, stage.scenery, *(float(at) for at in stage.looking[frame]))
        kernel.draw(
            self._picture,
            self._depth,
            stage.seen.limbs[frame],
            stage.seen.kinds,
            stage.seen.limb_paints,
            stage.seen.ellipsoids[frame],
            stage.seen.ellipsoid_paints,
            stage.boxes[frame],
            stage.box_paints,
            stage.paints,
            stage.patterns,
            stage.light,
            stage.ambient,
        )
        at_y, at_x = stage.grain_at[frame]
        film.expose(
            out,
            self._picture,
            self._spare,
            self._fineness * self.film.blur,
            stage.grain,
            int(at_y),
            int(at_x),
            stage.gain,
        )

    @cached_property
    def _stage(self) -> _Stage:
        staged, setting = self._staged, self._staged.person.setting
        build = staged.person.build
        name = setting.domain.name
        look = draw_look(staged.subject, self._seed)
        room = np.random.default_rng([self._seed, crc32(staged.subject.encode()), 8])
        clip = np.random.default_rng([self._seed, crc32(staged.clip_id.encode()), 9])
        paints = look.paints.copy()
        paints[paint.FURNITURE, :3] = muted(room, 40, 150, 0.15 if name == "laboratory" else 0.45)
        paints[paint.METAL, :3] = room.uniform(50, 130)
        for other in range(paint.OTHERS, paint.PAINTS):
            paints[other, :3] = muted(clip, 40, 200, 0.5)
        paints[paint.OTHERS + 6 :, :3] = (196, 150, 122), (120, 84, 62)
        things = np.array(muted(clip, 30, 190, 0.5))
        paints[paint.THING] = np.concatenate([things, 0.7 * things])
        shapes = Shapes(self.frames, staged.camera)
        floor = floor_m(build, setting.posture)
        if setting.posture == "seated":
            add_chair(shapes, build, room)
        if name == "street":
            time_s = np.arange(self.frames, dtype=np.float32) / np.float32(self.fps)
            add_passers_by(shapes, floor, time_s, clip)
        add_body(shapes, staged.body, build, look)
        used = FILMS[name]
        scenery, looking = self._background(name, floor, room, clip)
        boxes, box_paints = self._boxes(name, clip)
        return _Stage(
            shapes.seen(self.scale),
            paints,
            look.patterns,
            _light(
                name, staged.camera.rotation()[0], room if name in ("laboratory", "psychiatric") else clip
            ),
            float(clip.uniform(*used.ambient)),
            float(clip.uniform(*used.gain)),
            scenery,
            looking,
            boxes,
            box_paints,
            (self._fineness * used.grain * clip.standard_normal((_GRAIN, _GRAIN))).astype(np.float32),
            clip.integers(0, _GRAIN, (self.frames, 2)),
        )

    def _background(
        self, name: str, floor: float, room: np.random.Generator, clip: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The scenery, and where every frame looks at it."""
        camera, scale = self._staged.camera, self.scale
        height, width = self.frame_hw
        into = np.array(camera.rotation()[0, 2])
        level = into * (1, 0, 1)
        level = level / np.linalg.norm(level)
        points = np.broadcast_to(camera.target_m, (self.frames, 3))[0] + _WALL_M * level
        foot = (_WALL_M * level * (1, 0, 1)).astype(np.float32) + np.array([0, floor, 0], np.float32)
        points = np.stack([points, foot]).astype(np.float32)
        px, depth = camera.project(np.broadcast_to(points, (self.frames, 2, 3)))
        moves = camera.rotation().shape[0] > 1
        grown = _MARGIN if moves else 1.0
        size = (round(height * grown), round(width * grown))
        floor_row = float(px[0, 1, 1]) * scale + (size[0] - height) / 2
        scenery = paint_scenery(name, size, floor_row, room, clip)
        roll = np.broadcast_to(np.asarray(camera.roll, np.float32), (self.frames,))
        zoom = depth[:, 0] / depth[0, 0]
        looking = np.empty((self.frames, 4), np.float32)
        away = (px[:, 0] - px[0, 0]) * scale
        looking[:, 0] = (size[1] - 1) / 2 - away[:, 0]
        looking[:, 1] = (size[0] - 1) / 2 - away[:, 1]
        looking[:, 2], looking[:, 3] = zoom * np.cos(-roll), zoom * np.sin(-roll)
        return scenery, looking

    def _boxes(self, name: str, clip: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """What stands before everything: the thing that the estimator met, a caption on television."""
        rows, paints = [], []
        height, width = self.frame_hw
        if self._staged.level.occluder:
            true_px, _ = self._staged.camera.project(self._staged.body.joints_m)
            middle, size = thing_before(true_px, self._staged.rng())
            half = np.broadcast_to(size / 2 * self.scale, (self.frames, 2))
            corner = np.full((self.frames, 1), 0.3 * half.min())
            rows.append(np.concatenate([middle * self.scale, half, corner], axis=1))
            paints.append(paint.THING)
        if name == "emotion" and clip.random() < 0.3:  # a caption
            box = (
                clip.uniform(0.3, 0.7) * width,
                0.92 * height,
                clip.uniform(0.2, 0.4) * width,
                0.045 * height,
                1,
            )
            rows.append(np.broadcast_to(np.array(box), (self.frames, 5)))
            paints.append(paint.OTHERS + int(clip.integers(6)))
        if name == "emotion" and clip.random() < 0.4:  # a station's sign
            corner_x = clip.choice([0.06, 0.94]) * width
            box = (corner_x, 0.07 * height, 0.025 * width, 0.03 * height, 2)
            rows.append(np.broadcast_to(np.array(box), (self.frames, 5)))
            paints.append(paint.OTHERS + int(clip.integers(6)))
        boxes = np.stack(rows, 1) if rows else np.empty((self.frames, 0, 5))
        return boxes.astype(np.float32), np.array(paints, np.int64)


def render_clip(
    clip_id: str,
    label: int,
    frames: int,
    domain: str,
    subject: str,
    seed: int,
    settings: SimulationSettings,
    size: int = 224,
) -> RenderedClip:
    """The pictures of the clip that `simulate_clip` with the same arguments gives the poses of.

    Args:
        clip_id: the clip's name.
        label: the action that is done.
        frames: T.
        domain: where.
        subject: who.
        seed: of the data set.
        settings: of cameras and of what stands before the body.
        size: pixels of the shorter side, even.

    Raises:
        ValueError: a size that is odd or too small.
    """
    return RenderedClip(stage_clip(clip_id, label, frames, domain, subject, seed, settings), seed, size)


def _light(name: str, rotation: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(3,) to the light in the camera's axes: from above, in front, to one side."""
    aside = rng.uniform(-0.6, 0.6) if name != "street" else rng.uniform(-1.2, 1.2)
    towards = np.array([np.sin(aside), rng.uniform(0.5, 1.1), np.cos(aside)])
    seen = rotation @ towards
    return (seen / np.linalg.norm(seen)).astype(np.float32)
