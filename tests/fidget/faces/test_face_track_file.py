from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.fidget.faces.face_samples import faces_at, people

from fidget.faces.face_joining import TrackSettings, join_faces
from fidget.faces.face_tracks import FaceTrack
from fidget.faces.head_region import head_regions
from fidget.faces.track_file import read_tracks, write_tracks


def some_tracks(clips=40):
    for number in range(clips):
        clip = people([[(100, 60)] * 12, [(160, 60)] * 12], clip_id=f"名/{number}")
        faces = [[faces_at((100, 60)), *[faces_at()] * 2, *[faces_at((100 + number / 9, 60))] * 9]]
        faces.append([faces_at()] * 12)
        yield from join_faces(clip, np.arange(12), faces, head_regions(clip), TrackSettings(gap_s=0.3))


def test_tracks_come_back_as_they_were(tmp_path):
    path = tmp_path / "deep" / "t.parquet"
    tracks = list(some_tracks())
    assert write_tracks(path, tracks) == 80  # more than a row group
    for ours, theirs in zip(tracks, read_tracks(path), strict=True):
        for name in FaceTrack.__dataclass_fields__:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
            if isinstance(getattr(ours, name), np.ndarray):
                assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    assert [path.name for path in path.parent.iterdir()] == ["t.parquet"]
    assert write_tracks(path, ()) == 0 and list(read_tracks(path)) == []


def test_a_run_that_breaks_leaves_the_older_file(tmp_path):
    def breaking():
        yield next(some_tracks())
        raise ValueError("broken")

    path = tmp_path / "t.parquet"
    write_tracks(path, some_tracks(1))
    with pytest.raises(ValueError, match="broken"):
        write_tracks(path, breaking())
    assert len(list(read_tracks(path))) == 2 and len(list(tmp_path.iterdir())) == 1


def test_other_files_are_named(tmp_path):
    (tmp_path / "a").write_text("nothing of the kind")
    with pytest.raises(ValueError, match=r"a: expected face tracks .*got no Parquet file"):
        next(read_tracks(tmp_path / "a"))
    pq.write_table(pa.table({"clip_id": ["a"], "score": [1]}), tmp_path / "b")
    with pytest.raises(ValueError, match=r"b: expected face tracks .*got columns clip_id, score"):
        next(read_tracks(tmp_path / "b"))
    with pytest.raises(OSError):
        next(read_tracks(tmp_path / "c"))
