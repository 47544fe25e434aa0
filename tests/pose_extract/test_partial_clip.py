"""A clip that is stopped within its video goes on there, and gives the same row, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pose_extract.job_fakes import GREY, SETTINGS, FakeClip, FakeEstimator, write_video

from pose_extract.boxes import Boxes, Scores
from pose_extract.estimator import FrameBgr, FramePeople
from pose_extract.extract_clip import extract_clip, partial_of
from pose_extract.partial_clip import DIRECTORY, PartialClip, forget_partial, partial_directory
from pose_extract.sources import VideoSource
from pose_extract.top_down import TopDownEstimator
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheRow
from poses.layout import get_layout

HERE = Path(__file__).parent
LOOKS = "FIDGET_TEST_LOOKS"
LAYOUT = get_layout("coco17")


class CountingClip(FakeClip):
    """Answers by the number of the frame, which is its state; in the job, a byte in a file for each look."""

    def _answer(self, frame_bgr: FrameBgr) -> FramePeople:
        if LOOKS in os.environ:
            with open(os.environ[LOOKS], "ab") as file:
                file.write(b".")
        return super()._answer(frame_bgr)

    def state(self) -> dict[str, Any]:
        return {"frame": self._frame}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._frame = state["frame"]


class CountingEstimator(FakeEstimator):
    def start_clip(self) -> CountingClip:
        return CountingClip(self._pause_s)


def build_counting(settings: object) -> CountingEstimator:
    return CountingEstimator(0.01)


class StoppedError(Exception):
    """As if the process were killed."""


def _people(frame: int) -> FramePeople:
    count = frame % 3
    xy_px = np.arange(count * 34, dtype=np.float32).reshape(count, 17, 2) / 3 + frame
    score = np.full((count, 17), 0.5, np.float32)
    return FramePeople(xy_px, score, np.ones((count, 4), np.float32) * frame, np.ones(count, np.float32))


def _partial(directory: Path, key: str = "a") -> PartialClip:
    return PartialClip(directory, key, block_s=0.0)


def _kept(partial: PartialClip) -> tuple[list[FramePeople], Any]:
    people, state = [], None
    for block, state in partial.answers():  # noqa: B007
        people += block
    return people, state


def test_blocks_give_back_what_they_were_given(tmp_path) -> None:
    partial = _partial(tmp_path / "x")
    assert _kept(partial) == ([], None)
    for first in (0, 4, 8):
        partial.add([_people(frame) for frame in range(first, first + 4)], lambda n=first + 4: {"frame": n})
    found, state = _kept(_partial(tmp_path / "x"))
    assert state == {"frame": 12} and len(found) == 12
    for frame, one in enumerate(found):
        for name in ("xy_px", "score", "box_px", "box_score"):
            here, there = getattr(one, name), getattr(_people(frame), name)
            assert here.dtype == there.dtype == np.float32
            np.testing.assert_array_equal(here, there)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [_cut, _flip, Path.unlink])
def test_a_block_that_is_not_whole_ends_what_is_kept(tmp_path, harm: Callable[[Path], None]) -> None:
    partial = _partial(tmp_path)
    list(partial.answers())
    for frame in range(3):
        partial.add([_people(frame)], lambda n=frame: {"frame": n})
    harm(tmp_path / "000001.npz")
    again = _partial(tmp_path)
    found, state = _kept(again)
    assert len(found) == 1 and state == {"frame": 0}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["000000.npz"]  # what lies behind it is gone
    again.add([_people(1)], lambda: {"frame": 1})
    assert len(_kept(_partial(tmp_path))[0]) == 2


def test_blocks_of_another_key_count_for_nothing(tmp_path) -> None:
    partial = _partial(tmp_path / "x")
    partial.add([_people(1)], lambda: {})
    assert _kept(_partial(tmp_path / "x", "b")) == ([], None)
    assert not (tmp_path / "x").exists()


def test_no_room_for_blocks_is_no_failure(tmp_path) -> None:
    (tmp_path / "x").write_text("in the way")
    partial = _partial(tmp_path / "x")
    assert list(partial.answers()) == []
    partial.add([_people(1)], lambda: {})
    partial.add([_people(2)], lambda: {})


def test_finished_clips_leave_nothing(tmp_path) -> None:
    for name in ("a", "b"):
        _partial(partial_directory(tmp_path, name)).add([_people(1)], lambda: {})
    forget_partial(tmp_path, ["a", "never there"])
    assert len(list((tmp_path / DIRECTORY).iterdir())) == 1
    forget_partial(tmp_path, ["b"])
    assert not (tmp_path / DIRECTORY).exists()
    forget_partial(tmp_path, ["b"])


def _same_row(one: CacheRow, other: CacheRow) -> None:
    assert one.status == other.status == "ok"
    assert (one.checksum, one.frames, one.persons) == (other.checksum, other.frames, other.persons)
    for name in ("time_us", "xy", "score", "box", "track_ids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def _stopped_and_gone_on(
    source: VideoSource, make: Callable[[], Any], cache: Path, stops: Iterator[int], layout: Any
) -> CacheRow:
    """The row of a video whose extraction was stopped after so many frames, again and again."""
    for stop in stops:
        done = [0]

        def count(frames: int, stop: int = stop, done: list[int] = done) -> None:
            done[0] += frames
            if done[0] >= stop:
                raise StoppedError

        estimator = make()
        partial = partial_of(cache, source, estimator, "settings")
        partial._block_s = 0.0
        with pytest.raises(StoppedError):
            extract_clip(source, estimator, layout, 2, count, partial)
        assert any(partial_directory(cache, source.clip_id).iterdir())
    estimator = make()
    return extract_clip(
        source, estimator, layout, 2, partial=partial_of(cache, source, estimator, "settings")
    )


def test_a_clip_that_was_stopped_gives_the_same_row(tmp_path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mp4", GREY, 60), "a")
    whole = extract_clip(source, CountingEstimator(), LAYOUT, 2)
    again = _stopped_and_gone_on(source, CountingEstimator, tmp_path / "cache", iter((17, 18, 41)), LAYOUT)
    _same_row(whole, again)


class MovingBoxes:
    """A detector of one person who walks to the right, and of another who comes late; it counts its looks."""

    looks = 0

    def detect(self, frame_bgr) -> tuple[Boxes, Scores]:
        MovingBoxes.looks += 1
        x = float(frame_bgr[0, 0, 0]) / 4
        boxes = [[x, 5, x + 20, 45]] + ([[40, 5, 60, 45]] if x > 12 else [])
        return np.array(boxes, np.float32), np.full(len(boxes), 0.9, np.float32)


class BoxJoints:
    """Joints along the diagonal of each box."""

    layout = LAYOUT

    def estimate(self, frames_bgr, boxes_px):
        found = []
        for boxes in boxes_px:
            share = np.linspace(0.1, 0.9, 17, dtype=np.float32)[None, :, None]
            xy_px = boxes[:, None, :2] + share * (boxes[:, None, 2:] - boxes[:, None, :2])
            found.append((xy_px.astype(np.float32), np.full(xy_px.shape[:2], 0.8, np.float32)))
        return found


def test_a_detector_that_looks_at_windows_goes_on_within_one(tmp_path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(70):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 2 * number, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = VideoSource(tmp_path / "a.mp4", "a")

    def make() -> TopDownEstimator:
        return TopDownEstimator(MovingBoxes(), BoxJoints(), 2, 10, {}, "fake")

    whole = extract_clip(source, make(), LAYOUT, 2)
    looks, MovingBoxes.looks = MovingBoxes.looks, 0
    again = _stopped_and_gone_on(source, make, tmp_path / "cache", iter((12, 33)), LAYOUT)
    assert whole.persons == 2
    _same_row(whole, again)
    assert MovingBoxes.looks < looks + 12  # not all of it was looked at three times


@pytest.mark.weights
@pytest.mark.shared
def test_blazepose_goes_on_bit_for_bit(tmp_path, shared_dir) -> None:
    from pose_extract.blazepose import BlazePoseEstimator
    from weights.fetch import is_present

    if not is_present("face_landmark"):
        pytest.skip("the weights of hands and face are absent")
    layout = get_layout("coco_wholebody133")
    (video,) = (shared_dir / "data" / "clips").glob("B2*.mp4")
    source = VideoSource(video, "b2")

    def make() -> BlazePoseEstimator:
        return BlazePoseEstimator(layout, 2, 10)

    whole = extract_clip(source, make(), layout, 2)
    again = _stopped_and_gone_on(source, make, tmp_path / "cache", iter((24,)), layout)
    _same_row(whole, again)


def test_kill_9_within_a_video_loses_one_block_at_most(tmp_path) -> None:
    videos = tmp_path / "videos"
    source = VideoSource(write_video(videos / "long.mp4", GREY, 150), "long")
    output = tmp_path / "poses"
    command = [sys.executable, str(HERE / "kill_within_clip.py"), str(source.path), str(output)]
    blocks = partial_directory(output, "long")
    job = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    while len(list(blocks.glob("0*.npz"))) < 3 and job.poll() is None:
        time.sleep(0.02)
    assert job.poll() is None, "the job ended before it was killed"
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    looks = tmp_path / "looks"
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {LOOKS: str(looks)})
    assert len(looks.read_bytes()) < 150 - 10, "what was kept was looked at again"
    assert not (output / DIRECTORY).exists()
    with_kills = PoseCache(output).row("long")
    whole = extract_clip(source, CountingEstimator(), LAYOUT, SETTINGS.max_persons)
    np.testing.assert_array_equal(with_kills.xy, whole.xy)
    np.testing.assert_array_equal(with_kills.time_us, whole.time_us)
