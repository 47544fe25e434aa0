"""Sampled decoding gives, byte for byte, what decoding everything and picking gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.fidget.frames.odd_videos import CODED, all_frames, damaged_videos, write_coded
from tests.pose_extract import hostile_videos
from tests.pose_extract.hostile_videos import write_video

from fidget.frames import sampled_decoding
from fidget.frames.sampled_decoding import plan_stretches, read_frames
from fidget.frames.upright_rgb import scaled_hw
from fidget.frames.video_index import index_video
from poses.sampling import segment_indices


@pytest.mark.parametrize("name", sorted(CODED))
def test_equal_to_decoding_everything(name: str, tmp_path: Path) -> None:
    path = write_coded(tmp_path / name)
    _, pictures = all_frames(path)
    entry = index_video(path)
    rng = np.random.default_rng(3)
    last = len(pictures) - 1
    asked = [np.arange(len(pictures)), np.array([last]), np.array([last, 0, last])]
    asked += [rng.integers(0, len(pictures), rng.integers(1, 9)) for _ in range(6)]
    for numbers in asked:
        assert np.array_equal(read_frames(entry, numbers), pictures[numbers]), numbers


def test_each_frame_alone_of_an_open_gop(tmp_path: Path) -> None:
    """Frames that follow a keyframe but are shown before it need the one before as well."""
    for name in ("open.mp4", "pyramid_open.mkv"):
        path = write_coded(tmp_path / name)
        _, pictures = all_frames(path)
        entry = index_video(path)
        assert len(entry.key_packets) > 2
        for number in range(10, 35):
            assert np.array_equal(read_frames(entry, np.array([number]))[0], pictures[number]), number


def test_damaged_videos_are_read_as_extraction_reads_them(tmp_path: Path) -> None:
    for path in [hostile_videos.changing_size(tmp_path), *damaged_videos(tmp_path)]:
        _, pictures = all_frames(path)
        numbers = segment_indices(len(pictures), 4)
        assert np.array_equal(read_frames(path, numbers), pictures[numbers]), path.name
        assert read_frames(path, numbers, 24).shape[1:3] == scaled_hw(pictures.shape[1:3], 24)


def test_only_what_is_needed_is_decoded(tmp_path: Path) -> None:
    """Decoding begins at a keyframe and ends with the wanted packet; a keyframe between saves packets."""
    params = {"x264-params": "keyint=20:min-keyint=20:scenecut=0:bframes=0"}
    entry = index_video(write_video(tmp_path / "a.mp4", 100, options=params))
    found = [(s.begin, s.end, sorted(s.numbers)) for s in plan_stretches(entry, np.array([3, 5, 47, 79, 81]))]
    assert found == [(0, 6, [3, 5]), (40, 48, [47]), (60, 82, [79, 81])]


def test_frames_that_no_other_needs_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = index_video(write_coded(tmp_path / "long_gop.mp4"))
    real = sampled_decoding._packets
    monkeypatch.setattr(
        sampled_decoding,
        "_packets",
        lambda container, counting, *rest: real(container, counting.stream, *rest),
    )
    skipping = []
    for skips in (frozenset(), sampled_decoding._SKIPPING):
        monkeypatch.setattr(sampled_decoding, "_SKIPPING", skips)
        with sampled_decoding.open_container(entry.path) as container:
            stream = sampled_decoding._opened(entry, container, 1)
            counting = _Counting(stream)
            stretch = plan_stretches(entry, np.array([5, 70]))[0]
            for _ in sampled_decoding._stretch(entry, container, counting, stretch):
                pass
        skipping.append(counting.decoded)
    assert skipping[1] < 0.6 * skipping[0]


class _Counting:
    """A stream and its decoder, which counts the frames that come out."""

    is_open = False

    def __init__(self, stream) -> None:
        self.stream, self.codec_context, self.decoded = stream, self, 0
        self.name = stream.codec_context.name

    def decode(self, packet):
        self.stream.codec_context.skip_frame = getattr(self, "skip_frame", "DEFAULT")
        frames = self.stream.codec_context.decode(packet)
        self.decoded += len(frames)
        return frames


def test_threads_change_nothing(tmp_path: Path) -> None:
    for name in ("b_frames.mp4", "open.mp4", "mpeg4.mp4"):
        entry = index_video(write_coded(tmp_path / name))
        numbers = np.array([2, 17, 39, 20])
        assert np.array_equal(read_frames(entry, numbers, threads=2), read_frames(entry, numbers)), name


def test_a_smaller_picture(tmp_path: Path) -> None:
    """Scaled in the same step, upright, of the right proportions, and near to an exact average over areas."""
    path = write_video(
        tmp_path / "a.mp4", 4, (128, 96), matrix=hostile_videos.MATRICES["turned_90"], options={"crf": "10"}
    )
    whole, small = read_frames(path, np.array([2]))[0], read_frames(path, np.array([2]), 24)[0]
    assert whole.shape == (128, 96, 3)
    assert small.shape == (32, 24, 3)
    means = whole.reshape(32, 4, 24, 4, 3).mean(axis=(1, 3))
    assert np.abs(means - small).mean() < 4


@pytest.mark.parametrize(
    ("hw", "short_side", "expected"),
    [((1296, 1080), 256, (307, 256)), ((1080, 1920), 256, (256, 455)), ((100, 80), 256, (100, 80)),
     ((100, 80), None, (100, 80)), ((80, 80), 40, (40, 40)), ((1, 900), 1, (1, 900)), ((3, 2), 1, (2, 1))],
)  # fmt: skip
def test_scaled_sizes(hw, short_side, expected) -> None:
    assert scaled_hw(hw, short_side) == expected


def test_wrong_questions_are_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    with pytest.raises(ValueError, match=r"a\.mp4.*no frame 5, there are 0 to 4"):
        read_frames(path, np.array([1, 5]))
    with pytest.raises(ValueError, match="no frame -1"):
        read_frames(path, np.array([-1]))
    with pytest.raises(ValueError, match="short_side"):
        read_frames(path, np.array([1]), 0)
    with pytest.raises(ValueError, match="expected a video file, got nothing"):
        read_frames(tmp_path / "absent.mp4", np.array([0]))
    assert read_frames(path, np.array([], np.int64)).shape == (0, 48, 64, 3)


def test_a_video_that_changed_since_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 20)
    entry = index_video(path)
    write_video(path, 5)
    with pytest.raises(ValueError, match=r"a\.mp4.*expected 20 frames .* frame 15 does not decode"):
        read_frames(entry, np.array([15]))


def test_where_seeking_fails_frames_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_coded(tmp_path / "b_frames.mp4")
    entry = index_video(path)
    expected = read_frames(entry, np.array([1, 30]))

    def misses(*_: object) -> object:
        raise sampled_decoding._SeekMissedError
        yield

    monkeypatch.setattr(sampled_decoding, "_packets", misses)
    assert np.array_equal(read_frames(entry, np.array([1, 30])), expected)


@pytest.mark.shared
def test_recordings(shared_dir: Path) -> None:
    """A real clip, as it is decoded frame by frame."""
    path = next((shared_dir / "data" / "clips").glob("*nodding*.mp4"))
    _, pictures = all_frames(path, at_most=20)
    numbers = np.array([2, 7, 19])
    assert np.array_equal(read_frames(path, numbers), pictures[numbers])
