"""What a camera does before and after a person is drawn: it looks at a scenery, and adds blur and grain."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def lay_background(picture, scenery, at_x, at_y, cosine, sine):  # type: ignore[no-untyped-def]
    """Fill a picture (H, W, 3) from a larger scenery, moved, turned and scaled; its edge is repeated.

    Args:
        picture: filled.
        scenery: (h, w, 3) float32.
        at_x: column of the scenery in the middle of the picture.
        at_y: row of it.
        cosine: of the turn, times the scale.
        sine: likewise.
    """
    height, width = picture.shape[:2]
    rows, columns = scenery.shape[:2]
    for y in range(height):
        dy = y - 0.5 * (height - 1)
        for x in range(width):
            dx = x - 0.5 * (width - 1)
            sx = min(max(at_x + cosine * dx - sine * dy, 0.0), columns - 1.001)
            sy = min(max(at_y + sine * dx + cosine * dy, 0.0), rows - 1.001)
            ix, iy = int(sx), int(sy)
            fx, fy = sx - ix, sy - iy
            for k in range(3):
                above = scenery[iy, ix, k] * (1 - fx) + scenery[iy, ix + 1, k] * fx
                below = scenery[iy + 1, ix, k] * (1 - fx) + scenery[iy + 1, ix + 1, k] * fx
                picture[y, x, k] = above * (1 - fy) + below * fy


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def expose(out, picture, softened, blur, grain, grain_y, grain_x, gain):  # type: ignore[no-untyped-def]
    """What a camera makes of a picture: softened, brightened, with grain, in 8 bits.

    Args:
        out: (H, W, 3) uint8, filled.
        picture: (H, W, 3); overwritten where it is softened.
        softened: (H, W, 3) scratch.
        blur: 0..1, share of a pixel's light that goes to its neighbours, of each axis.
        grain: (g, g) float32, a power of two; repeated.
        grain_y: where in it this picture begins.
        grain_x: likewise.
        gain: brightness.
    """
    height, width = picture.shape[:2]
    source = picture
    if blur > 0:
        side, mid = 0.5 * blur, 1.0 - blur
        for y in range(height):
            for x in range(width):
                before, after = max(x - 1, 0), min(x + 1, width - 1)
                for k in range(3):
                    softened[y, x, k] = mid * picture[y, x, k] + side * (
                        picture[y, before, k] + picture[y, after, k]
                    )
        for y in range(height):
            before, after = max(y - 1, 0), min(y + 1, height - 1)
            for x in range(width):
                for k in range(3):
                    picture[y, x, k] = mid * softened[y, x, k] + side * (
                        softened[before, x, k] + softened[after, x, k]
                    )
    size = grain.shape[0]
    for y in range(height):
        row = grain[(y + grain_y) & (size - 1)]
        for x in range(width):
            speck = row[(x + grain_x) & (size - 1)] + 0.5
            for k in range(3):
                out[y, x, k] = np.uint8(min(max(source[y, x, k] * gain + speck, 0.0), 255.0))
