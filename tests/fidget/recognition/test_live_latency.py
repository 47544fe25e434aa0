"""The benchmark of live recognition: the file it plays, its table and its picture."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from benchmarks import live_latency

from fidget.recognition.live import LatencyParts, LiveCounts
from fidget.reports.video_file import write_video
from pose_extract.video import VideoFrames


def _video(path, size, value, frames):
    with write_video(path, size, Fraction(25)) as video:
        for number in range(frames):
            video.add(number / 25, np.full((*size, 3), value, np.uint8))
    return path


def test_videos_are_joined_over_and_over_to_the_length_asked_for(tmp_path) -> None:
    parts = [_video(tmp_path / "a.mp4", (48, 64), 60, 20), _video(tmp_path / "b.mp4", (96, 64), 200, 10)]
    assert live_latency.joined(parts, 2 / 60, tmp_path / "c.mp4") == 25
    with VideoFrames(tmp_path / "c.mp4") as video:
        assert (video.info.height, video.info.width) == (48, 64)
        found = [int(frame.mean()) for _, frame in video]
    assert len(found) == 50
    assert [value > 120 for value in (found[10], found[25], found[45])] == [False, True, False]


def test_the_table_and_the_picture_tell_the_distribution(tmp_path) -> None:
    parts = [LatencyParts(0.01, 0.02 * number, 0.005) for number in range(1, 11)]
    counts = LiveCounts(30, [sum(one) for one in parts], parts, 0.0, 10.0)
    rows = {
        one.what: one.value for one in live_latency.rows(live_latency.Played(counts, 70, 11.0, 2.5, 10.0))
    }
    assert round(rows["latency of a window, max"]) == 215 and round(rows["of it network, p50"], 6) == 5
    assert round(rows["of it pose, p50"], 6) == 110 and rows["windows"] == 10
    assert (rows["frames looked at"], rows["frames passed over"]) == (3, 70)
    assert rows["load average over 5 minutes, other programs included"] == 2.5
    live_latency.draw(counts, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_what_cannot_be_played_is_named(tmp_path, capsys) -> None:
    assert live_latency.main(["--video", str(tmp_path / "no.mp4")]) == 2
    assert "no.mp4" in capsys.readouterr().err
    video = _video(tmp_path / "a.mp4", (48, 64), 60, 5)
    assert live_latency.main(["--video", str(video), "--minutes", "0"]) == 2
    assert "minutes above 0" in capsys.readouterr().err
