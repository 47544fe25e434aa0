"""The README's picture: frames of the demo clips with their skeletons.

    python -m fidget.reports.readme_picture docs/images/overlay.png

Makes the demo clips and extracts them into a temporary place, as a reader of the README would. Only the two
public-domain portraits are in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.reports.drawing import put_label

_LAYOUT = "coco_wholebody133"
_SIDE_PX = 288
# clip, time in seconds, the square that is shown: left, top, side in pixels
_SHOWN = (
    ("nodding__portrait", 1.12, (0, 0, 512)),
    ("shaking__astronaut", 1.40, (20, 0, 400)),
    ("tilting__astronaut", 1.76, (20, 0, 400)),
)


def picture_of(videos: Path, cache: Path) -> NDArray[np.uint8]:
    """The frames in a row, (`_SIDE_PX`, n * `_SIDE_PX`, 3) BGR.

    Args:
        videos: where the demo clips lie.
        cache: their poses.
    """
    import cv2

    from fidget.reports.overlay import Background, ClipPainter
    from poses.cache_reader import PoseCache

    poses = PoseCache(cache)
    tiles = []
    for clip_id, time_s, (left, top, side) in _SHOWN:
        clip = poses.read(clip_id)
        index = int(np.abs(clip.time_s - time_s).argmin())
        painter = ClipPainter(clip)
        background = Background(clip, videos / f"{clip_id}.mp4", clip.frame_hw)
        with closing(background.frames()) as frames:
            drawn = painter.paint(next(islice(frames, index, None)), index, labels=False)
        square = drawn[top : top + side, left : left + side]
        tile = np.asarray(cv2.resize(square, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
        put_label(tile, f"{clip_id.split('__')[0]} {clip.time_s[index]:.2f} s", 8, _SIDE_PX - 10, 0.45)
        tiles.append(tile)
    return np.hstack(tiles)


def main(argv: list[str] | None = None) -> int:
    """Command line; 0 when the picture is written."""
    parser = argparse.ArgumentParser(
        prog="python -m fidget.reports.readme_picture", description="Make the picture of the README."
    )
    parser.add_argument("picture", type=Path, metavar="PNG", help="where it goes")
    target: Path = parser.parse_args(argv).picture
    from fidget.demo_clips import make_demo_clips
    from fidget.reports.contact_sheet import write_png
    from pose_extract.command import main as extract

    with tempfile.TemporaryDirectory(prefix="fidget-readme-") as temporary:
        videos, cache = Path(temporary) / "videos", Path(temporary) / "poses"
        make_demo_clips(videos)
        status = extract([str(videos), "-o", str(cache), "--layout", _LAYOUT, "--quiet"])
        if status != 0:
            return status
        write_png(picture_of(videos, cache), target)
    print(f"{target}: {target.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
