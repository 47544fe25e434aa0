"""Limbs and ellipsoids of a clip, in space first, then as the kernel takes them for every frame.

Axis letters: T frames, P limbs, E ellipsoids.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator import render_kernel as kernel
from fidget.benchmark.simulator.camera import Camera

Reals = NDArray[np.float32]
Radius = float | Reals  # of all frames, or (T,)


@dataclass(frozen=True, eq=False)
class SeenShapes:
    """What one clip's kernel calls need; one row of axis T a frame."""

    limbs: Reals  # (T, P, LIMB_COLUMNS)
    kinds: NDArray[np.int64]  # (P,)
    limb_paints: NDArray[np.int64]  # (P,)
    ellipsoids: Reals  # (T, E, ELLIPSOID_COLUMNS)
    ellipsoid_paints: NDArray[np.int64]  # (E,)


@dataclass
class Shapes:
    """A list that grows; metres in the world's axes.

    Attributes:
        frames: T.
        camera: which will see them; wide shapes depend on its side.
    """

    frames: int
    camera: Camera
    _starts: list[Reals] = field(default_factory=list)
    _ends: list[Reals] = field(default_factory=list)
    _numbers: list[Reals] = field(
        default_factory=list
    )  # (T, 9) each: radii, rises, round, cloth, alpha, nearer
    _kinds: list[int] = field(default_factory=list)
    _paints: list[int] = field(default_factory=list)
    _ellipsoids: list[tuple[Reals, Reals, tuple[float, float, float], tuple[float, ...], Reals]] = field(
        default_factory=list
    )
    _ellipsoid_paints: list[int] = field(default_factory=list)

    def limb(
        self,
        start: Reals,
        end: Reals,
        radii: tuple[Radius, Radius],
        paint: int,
        *,
        rises: tuple[Radius, Radius] | None = None,
        rounded: float = 1.0,
        cloth: tuple[float, float] = (0.0, 0.3),
        alpha: float = 1.0,
        nearer: float = 0.0,
        mark: bool = False,
    ) -> None:
        """A round limb between two points (T, 3) or (3,).

        Args:
            start: one end.
            end: the other.
            radii: across, as the camera sees it, metres at both ends.
            paint: row of the paints.
            rises: how far the surface rises towards the camera; the radii where None.
            rounded: length of the ends as a share of the radius.
            cloth: coordinate of the pattern at both ends, metres.
            alpha: opacity.
            nearer: metres nearer than it is, for the order of drawing.
            mark: flat paint on a surface.
        """
        shape = (self.frames, 3)
        self._starts.append(np.broadcast_to(np.asarray(start, np.float32), shape))
        self._ends.append(np.broadcast_to(np.asarray(end, np.float32), shape))
        numbers = np.empty((self.frames, 9), np.float32)
        lifted = radii if rises is None else rises
        for column, value in enumerate((*radii, *lifted, rounded, *cloth, alpha, nearer)):
            numbers[:, column] = value
        self._numbers.append(numbers)
        self._kinds.append(kernel.MARK if mark else kernel.SURFACE)
        self._paints.append(paint)

    def line(self, points: Reals, radius: Radius, paint: int, **options: float) -> None:
        """Marks that join points (T, K, 3), one after the other."""
        for i in range(points.shape[1] - 1):
            self.limb(points[:, i], points[:, i + 1], (radius, radius), paint, mark=True, **options)

    def wide_limb(
        self,
        start: Reals,
        end: Reals,
        rotation: Reals,
        sections: tuple[tuple[float, float], tuple[float, float]],
        paint: int,
        rounded: float = 1.0,
        cloth: tuple[float, float] = (0.0, 0.3),
    ) -> None:
        """A limb with elliptic sections, such as a trunk.

        Args:
            start: (T, 3).
            end: (T, 3).
            rotation: (T, 3, 3) frame of the sections.
            sections: half axes to the side and to the front at both ends, metres.
            paint: row of the paints.
            rounded: as of `limb`.
            cloth: as of `limb`.
        """
        seen = self.camera.rotation()  # (T or 1, 3, 3)
        spine = np.einsum("tij,tj->ti", np.broadcast_to(seen, (self.frames, 3, 3)), end - start)
        length = np.maximum(np.hypot(spine[:, 0], spine[:, 1]), 1e-4)
        aside = np.stack([-spine[:, 1] / length, spine[:, 0] / length], -1)  # (T, 2) in the picture
        turned = np.matmul(seen, rotation)  # (T, 3, 3) columns are the frame's axes as the camera has them
        widths, rises = [], []
        for half_x, half_z in sections:
            x, z = turned[:, :, 0] * half_x, turned[:, :, 2] * half_z
            widths.append(np.hypot((x[:, :2] * aside).sum(-1), (z[:, :2] * aside).sum(-1)))
            rises.append(np.hypot(x[:, 2], z[:, 2]))
        self.limb(
            start,
            end,
            (widths[0], widths[1]),
            paint,
            rises=(rises[0], rises[1]),
            rounded=rounded,
            cloth=cloth,
        )

    def ellipsoid(
        self,
        middle: Reals,
        rotation: Reals,
        half_axes: tuple[float, float, float],
        paint: int,
        shown: tuple[float, float, float, float] | None = None,
        lit_from: Reals | None = None,
    ) -> None:
        """An ellipsoid at (T, 3), turned by (T, 3, 3).

        Args:
            middle: metres.
            rotation: columns are its axes.
            half_axes: metres.
            paint: row of the paints.
            shown: (x, y, z, d): only where x u + y v + z w > d on the unit sphere; None for the whole.
            lit_from: (T, 3) the middle that its light is computed with; its own where None.
        """
        moved = np.zeros_like(middle) if lit_from is None else lit_from - middle
        self._ellipsoids.append((middle, rotation, half_axes, shown or (0.0, 0.0, 0.0, -2.0), moved))
        self._ellipsoid_paints.append(paint)

    def seen(self, scale: float) -> SeenShapes:
        """As the camera sees them, in a picture `scale` times the size of the camera's."""
        return SeenShapes(
            self._seen_limbs(scale),
            np.array(self._kinds, np.int64),
            np.array(self._paints, np.int64),
            self._seen_ellipsoids(scale),
            np.array(self._ellipsoid_paints, np.int64),
        )

    def _seen_limbs(self, scale: float) -> Reals:
        starts, ends = np.stack(self._starts, 1), np.stack(self._ends, 1)  # (T, P, 3)
        numbers = np.stack(self._numbers, 1)  # (T, P, 9)
        limbs = np.empty((*starts.shape[:2], kernel.LIMB_COLUMNS), np.float32)
        focal = np.asarray(self.camera.focal_px, np.float32).reshape(-1, 1) * scale
        for first, points, which in ((kernel.X0, starts, 0), (kernel.X1, ends, 1)):
            px, depth = self.camera.project(points)
            limbs[..., first : first + 2] = (px + 0.5) * scale - 0.5
            limbs[..., first + 2] = numbers[..., which] * focal / depth
            limbs[..., first + 3] = depth
        limbs[..., kernel.RISE0 : kernel.RISE1 + 1] = numbers[..., 2:4]
        limbs[..., kernel.ROUND] = numbers[..., 4]
        limbs[..., kernel.CLOTH0 : kernel.CLOTH1 + 1] = numbers[..., 5:7]
        limbs[..., kernel.METRES] = 0.5 * (limbs[..., kernel.Z0] + limbs[..., kernel.Z1]) / focal
        limbs[..., kernel.ALPHA] = numbers[..., 7]
        limbs[..., kernel.NEARER] = numbers[..., 8]
        return limbs

    def _seen_ellipsoids(self, scale: float) -> Reals:
        out = np.empty((self.frames, len(self._ellipsoids), kernel.ELLIPSOID_COLUMNS), np.float32)
        focal = np.asarray(self.camera.focal_px, np.float32).reshape(-1) * scale
        seen = self.camera.rotation()
        for i, (middle, rotation, half_axes, shown, moved) in enumerate(self._ellipsoids):
            px, depth = self.camera.project(middle[:, None])
            out[:, i, kernel.EX : kernel.EY + 1] = (px[:, 0] + 0.5) * scale - 0.5
            out[:, i, kernel.EZ] = depth[:, 0]
            out[:, i, kernel.SCALE] = focal / depth[:, 0]
            axes = np.matmul(seen, rotation).transpose(0, 2, 1)  # (T, 3, 3) rows are axes, camera's
            matrix = axes / np.array(half_axes, np.float32)[:, None]
            out[:, i, kernel.MATRIX : kernel.MATRIX + 9] = matrix.reshape(-1, 9)
            out[:, i, kernel.PLANE : kernel.PLANE + 4] = shown
            out[:, i, kernel.LIT :] = np.matmul(seen, moved[:, :, None])[:, :, 0]
        return out
