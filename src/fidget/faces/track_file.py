"""Face tracks as a file: where faces are, and no picture of any.

One row a person and clip, Parquet: `clip_id`, `person`, `track_id`, `height`, `width`, `gap_s`, and lists
over the frames that were looked at: `frames`, `time_s`, `box` (four a frame), `eyes` (four a frame), `score`,
`found` (numbers of `Found`). Boxes and eyes are NaN where there is no face.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fidget.faces.face_tracks import FaceTrack
from poses.whole_file import replacing

_KEY, _VERSION = b"fidget.faces", b"1"
_ROWS = 64  # of a row group
_SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string()),
        pa.field("person", pa.int32()),
        pa.field("track_id", pa.int64()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("gap_s", pa.float64()),
        pa.field("frames", pa.list_(pa.int64())),
        pa.field("time_s", pa.list_(pa.float64())),
        pa.field("box", pa.list_(pa.float32())),
        pa.field("eyes", pa.list_(pa.float32())),
        pa.field("score", pa.list_(pa.float32())),
        pa.field("found", pa.list_(pa.uint8())),
    ],
    metadata={_KEY: _VERSION},
)


def write_tracks(path: Path, tracks: Iterable[FaceTrack]) -> int:
    """Write tracks as they come; the file appears when it is whole.

    Args:
        path: of the file; its directory is made.
        tracks: may be made one by one, so that not all are in memory.

    Returns:
        How many there were.

    Raises:
        OSError: it cannot be written.
    """
    written = 0
    source = iter(tracks)
    with replacing(path) as part, pq.ParquetWriter(part, _SCHEMA, compression="zstd") as writer:
        while group := list(islice(source, _ROWS)):
            writer.write_table(pa.Table.from_pylist([_row(track) for track in group], _SCHEMA))
            written += len(group)
    return written


def read_tracks(path: Path) -> Iterator[FaceTrack]:
    """Tracks of a file, one after the other.

    Raises:
        ValueError: it is no such file; names it.
        OSError: it cannot be read.
    """
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: expected face tracks (fidget faces -o), got no Parquet file") from error
    with file:
        if (file.schema_arrow.metadata or {}).get(
            _KEY
        ) != _VERSION or file.schema_arrow.names != _SCHEMA.names:
            raise ValueError(
                f"{path}: expected face tracks of version {_VERSION.decode()} (fidget faces -o), "
                f"got columns {', '.join(file.schema_arrow.names[:6])}"
            )
        for batch in file.iter_batches(batch_size=_ROWS):
            yield from map(_track, batch.to_pylist())


def _row(track: FaceTrack) -> dict[str, object]:
    return {
        "clip_id": track.clip_id,
        "person": track.person,
        "track_id": track.track_id,
        "height": track.frame_hw[0],
        "width": track.frame_hw[1],
        "gap_s": track.longest_gap_s,
        "frames": track.frames,
        "time_s": track.time_s,
        "box": track.box_xyxy_px.ravel(),
        "eyes": track.eyes_xy_px.ravel(),
        "score": track.score,
        "found": track.found,
    }


def _track(row: dict[str, object]) -> FaceTrack:
    return FaceTrack(
        str(row["clip_id"]),
        int(str(row["person"])),
        int(str(row["track_id"])),
        (int(str(row["height"])), int(str(row["width"]))),
        np.array(row["frames"], np.int64),
        np.array(row["time_s"], np.float64),
        np.array(row["box"], np.float32).reshape(-1, 4),
        np.array(row["eyes"], np.float32).reshape(-1, 2, 2),
        np.array(row["score"], np.float32),
        np.array(row["found"], np.uint8),
        float(str(row["gap_s"])),
    )
