from __future__ import annotations

import gc
import itertools
import os
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hostile_videos import (
    BOTTOM_LEFT,
    BOTTOM_RIGHT,
    MATRICES,
    TOP_LEFT,
    TOP_RIGHT,
    VARIABLE_TICKS,
    changing_size,
    damaged_in_the_middle,
    edit_list,
    no_times,
    picture,
    repeated_times,
    truncated_videos,
    unreadable_videos,
    valid_videos,
    video_with_cover,
    write_video,
)

from pose_extract.estimator import FrameBgr
from pose_extract.video import UnreadableVideoError, VideoFrames, VideoInfo


def read(path: Path) -> tuple[VideoInfo, list[int], list[FrameBgr], str | None]:
    with VideoFrames(path) as video:
        pairs = list(video)
        times_us = [time_us for time_us, _ in pairs]
        frames = [frame for _, frame in pairs]
        assert all(later > earlier for earlier, later in itertools.pairwise(times_us))
        assert all(type(time_us) is int and time_us >= 0 for time_us in times_us)
        for frame in frames:
            assert frame.shape == (video.info.height, video.info.width, 3)
            assert frame.dtype == np.uint8
            assert frame.flags.c_contiguous
            assert frame.flags.writeable
        return video.info, times_us, frames, video.problem


def count_plainly(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def close_to(frame: FrameBgr, wanted: FrameBgr, within: float = 12.0) -> bool:
    return float(np.abs(frame.astype(int) - wanted.astype(int)).mean()) < within


def test_valid_videos_of_every_kind_read_without_a_word(tmp_path: Path) -> None:
    for path, wanted in valid_videos(tmp_path).items():
        info, times_us, frames, problem = read(path)
        assert (path.name, len(frames), problem) == (path.name, wanted, None)
        assert times_us[0] == 0
        assert info.fps > 0
        if path.stem.split(".")[0] not in {*MATRICES, "grey"}:
            within = 25.0 if path.suffix == ".gif" else 12.0  # 256 colours
            assert close_to(frames[-1], picture(wanted - 1, *frames[-1].shape[:2]), within), path.name


def test_frames_are_shown_in_order_where_avi_numbers_them_otherwise(tmp_path: Path) -> None:
    for codec, options in (("libx264", {}), ("mpeg4", {"bf": "2"}), ("mpeg4", {})):
        path = write_video(tmp_path / "a.avi", codec=codec, options=options)
        _, times_us, frames, problem = read(path)
        assert (times_us, problem) == ([k * 40_000 for k in range(20)], None)
        assert all(close_to(frame, picture(k), 10.0) for k, frame in enumerate(frames))


def test_a_cover_picture_is_not_the_video(tmp_path: Path) -> None:
    path = video_with_cover(tmp_path)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 2
    info, _, frames, problem = read(path)
    assert (info.codec, info.height, info.width, len(frames), problem) == ("h264", 48, 64, 20, None)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", len(VARIABLE_TICKS), ticks=VARIABLE_TICKS)
    _, times_us, _, problem = read(path)
    assert times_us == [tick * 1000 for tick in VARIABLE_TICKS]
    assert problem is None


def test_times_are_exact_at_awkward_rates(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=30, fps=29)
    info, times_us, _, _ = read(path)
    assert info.fps == Fraction(29)
    assert times_us == [round(k * 1_000_000 / 29) for k in range(30)]


def test_what_is_shown_counts_not_what_is_stored(tmp_path: Path) -> None:
    path = edit_list(tmp_path, stored=75, shown=60, fps=30)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 75
    _, _, frames, problem = read(path)
    assert (len(frames), problem) == (60, None)


@pytest.mark.parametrize(
    ("name", "rotation_deg", "mirrored", "corners"),
    [
        ("turned_0", 0, False, (TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT)),
        ("turned_90", 90, False, (TOP_RIGHT, BOTTOM_RIGHT, TOP_LEFT, BOTTOM_LEFT)),
        ("turned_180", 180, False, (BOTTOM_RIGHT, BOTTOM_LEFT, TOP_RIGHT, TOP_LEFT)),
        ("turned_270", 270, False, (BOTTOM_LEFT, TOP_LEFT, BOTTOM_RIGHT, TOP_RIGHT)),
        ("mirrored", 0, True, (TOP_RIGHT, TOP_LEFT, BOTTOM_RIGHT, BOTTOM_LEFT)),
        ("upside_down", 180, True, (BOTTOM_LEFT, BOTTOM_RIGHT, TOP_LEFT, TOP_RIGHT)),
        ("transposed", 270, True, (TOP_LEFT, BOTTOM_LEFT, TOP_RIGHT, BOTTOM_RIGHT)),
        ("transverse", 90, True, (BOTTOM_RIGHT, TOP_RIGHT, BOTTOM_LEFT, TOP_LEFT)),
    ],
)
def test_frames_come_upright(
    tmp_path: Path, name: str, rotation_deg: int, mirrored: bool, corners: tuple[tuple[int, int, int], ...]
) -> None:
    path = write_video(tmp_path / "a.mp4", frames=2, matrix=MATRICES[name])
    info, _, (frame, _), _ = read(path)
    assert (info.rotation_deg, info.mirrored) == (rotation_deg, mirrored)
    assert (info.height, info.width) == ((64, 48) if rotation_deg % 180 else (48, 64))
    for wanted, seen in zip(corners, (frame[3, 3], frame[3, -4], frame[-4, 3], frame[-4, -4]), strict=True):
        assert np.abs(seen.astype(int) - wanted).max() < 40, (name, frame[3, 3])
    stored = np.rot90(picture(0), rotation_deg // 90)
    assert close_to(frame, stored[:, ::-1] if mirrored else stored)


def test_a_rotation_equals_the_one_that_ffmpeg_reports(tmp_path: Path) -> None:
    for name in ("turned_90", "turned_180", "turned_270"):
        path = write_video(tmp_path / f"{name}.mp4", frames=1, matrix=MATRICES[name])
        with av.open(str(path)) as container:
            reported = next(container.decode(video=0)).rotation
        assert read(path)[0].rotation_deg == reported % 360


def yuv_video(path: Path, luma: int, blue: int, red: int, **colour: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for name, value in colour.items():
            setattr(stream.codec_context, name, value)
        planes = [np.full((48, 64), luma), np.full((12, 64), blue), np.full((12, 64), red)]
        frame = av.VideoFrame.from_ndarray(np.concatenate(planes).astype(np.uint8), "yuv420p")
        for name, value in colour.items():
            setattr(frame, name, value)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("colour", "bgr"),
    [  # Y 120, Cb 90, Cr 180 by the equations of ITU-R BT.601 and BT.709
        ({}, (44, 93, 204)),
        ({"colorspace": 1, "color_range": 1}, (41, 101, 214)),
        ({"colorspace": 5, "color_range": 1}, (44, 93, 204)),
        ({"colorspace": 5, "color_range": 2}, (53, 96, 193)),
    ],
)
def test_colour_follows_the_matrix_and_range_of_the_stream(
    tmp_path: Path, colour: dict[str, int], bgr: tuple[int, int, int]
) -> None:
    _, _, (frame,), _ = read(yuv_video(tmp_path / "a.mkv", 120, 90, 180, **colour))
    assert np.abs(frame[20, 20].astype(int) - bgr).max() <= 3, frame[20, 20]


def test_unreadable_files_say_what_came(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for path, word in unreadable_videos(tmp_path).items():
        with pytest.raises(UnreadableVideoError) as caught:
            VideoFrames(path)
        message = str(caught.value)
        assert word in message, message
        assert message.startswith(f"{str(path)!r}: expected a video file, got ")
        assert "\n" not in message
        assert message.count(": ") >= 2, "what to do is missing"
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.mp4")
        for name, kind in (("pipe.mp4", "a pipe"), ("s.mp4", "a socket"), (".", "a directory")):
            with pytest.raises(UnreadableVideoError, match=kind):
                VideoFrames(tmp_path / name)
    for name, kind in (("/dev/zero", "a device"), ("none.mp4", "No such file"), ("nul\0l", "null")):
        with pytest.raises(UnreadableVideoError, match=kind):
            VideoFrames(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=2)
    path.chmod(0)
    with pytest.raises(UnreadableVideoError, match="permissions"):
        VideoFrames(path)


@pytest.mark.parametrize(
    "name",
    ["http:a.mp4", "concat:a.mp4", "data:,a.mp4", "%03d.mkv", "a b.mp4", "a'\"\n.mkv", "😀.mp4", "-i.mp4"],
)
def test_a_name_is_only_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "plain.mkv", frames=2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read(Path(name))[2]) == 2


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mkv"))
    try:
        write_video(tmp_path / "plain.mkv", frames=2).rename(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert len(read(path)[2]) == 2
    path.write_bytes(b"")
    with pytest.raises(UnreadableVideoError) as caught:
        VideoFrames(path)
    str(caught.value).encode("utf-8")


def test_truncated_videos_give_what_decodes_and_say_so(tmp_path: Path) -> None:
    for path, whole in truncated_videos(tmp_path).items():
        _, _, frames, problem = read(path)
        assert 0 < len(frames) <= whole
        if len(frames) == whole:  # only the index at the end is gone
            assert path.suffix == ".avi"
            continue
        assert problem is not None, path.name
        assert problem.startswith(f"truncated: {len(frames)} frames decoded, about "), problem


def test_damage_in_the_middle_is_passed_over_and_counted(tmp_path: Path) -> None:
    for path, whole in damaged_in_the_middle(tmp_path).items():
        _, times_us, frames, problem = read(path)
        assert 10 <= len(frames) <= whole
        assert problem, path.name
        if path.suffix == ".mp4":  # its index survives, so that reading goes on behind the damage
            assert "damaged packet" in problem
            assert times_us[-1] == (whole - 1) * 40_000


def test_pictures_without_times_follow_the_frame_rate(tmp_path: Path) -> None:
    _, times_us, frames, problem = read(no_times(tmp_path))
    assert times_us == [k * 40_000 for k in range(20)]
    assert len(frames) == 20
    assert problem is not None
    assert problem.startswith("20 frames without a usable timestamp")


def test_a_clock_that_starts_again_goes_on(tmp_path: Path) -> None:
    _, times_us, _, problem = read(repeated_times(tmp_path))
    assert times_us == [k * 40_000 for k in range(20)]
    assert "without a usable timestamp" in (problem or "")


def test_a_changing_picture_size_is_scaled_to_the_first(tmp_path: Path) -> None:
    info, _, frames, problem = read(changing_size(tmp_path))
    assert (info.height, info.width) == (48, 64)
    assert len(frames) == 20
    assert "10 frames scaled, the picture size changes from 64x48 to 96x64" in (problem or "")
    assert np.abs(frames[-1][3, 3].astype(int) - TOP_LEFT).max() < 40


def test_later_sound_and_a_later_picture_keep_in_step(tmp_path: Path) -> None:
    path = write_video(tmp_path / "late.mkv", frames=5, ticks=[500, 540, 580, 620, 660], audio=True)
    assert read(path)[1][0] == 500_000


def test_frames_are_the_callers_own(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.avi", codec="rawvideo", pixel_format="bgr24", frames=3)
    with VideoFrames(path) as video:
        kept = []
        for _, frame in video:
            kept.append(frame.copy())
            frame[:] = 7
    assert all(close_to(frame, picture(k), 1.0) for k, frame in enumerate(kept))


def test_frames_outlive_the_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=5)
    with VideoFrames(path) as video:
        frames = [frame for _, frame in video]
    path.unlink()
    assert all(close_to(frame, picture(k)) for k, frame in enumerate(frames))


def test_a_second_pass_needs_a_second_opening(tmp_path: Path) -> None:
    with VideoFrames(write_video(tmp_path / "a.mp4", frames=2)) as video:
        assert len(list(video)) == 2
        with pytest.raises(ValueError, match="open it again"):
            iter(video)


def test_problem_is_unknown_until_the_last_frame(tmp_path: Path) -> None:
    path = next(iter(truncated_videos(tmp_path)))
    with VideoFrames(path) as video:
        frames = iter(video)
        next(frames)
        assert video.problem is None
        assert sum(1 for _ in frames) > 0
        assert video.problem is not None


def test_stopping_early_leaves_nothing_open(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        with VideoFrames(path) as video:
            next(iter(video))
        with pytest.raises(UnreadableVideoError):
            VideoFrames(tmp_path / "none")
    if opened:
        assert len(os.listdir("/proc/self/fd")) <= opened


def test_a_closed_video_leaves_no_memory_to_the_collector(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=3, matrix=MATRICES["turned_90"])
    gc.collect()
    gc.disable()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        with VideoFrames(path) as video:
            assert len(list(video)) == 3
        del video
        gc.collect()
        left = [item for item in gc.garbage if isinstance(item, av.VideoFrame)]
        assert all((frame.width, frame.height) == (8, 8) for frame in left)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_threads_do_not_change_the_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=30, size=(160, 120))
    with VideoFrames(path) as one, VideoFrames(path, threads=3) as three:
        for (time, frame), (same_time, same_frame) in zip(one, three, strict=True):
            assert time == same_time
            np.testing.assert_array_equal(frame, same_frame)


def test_importing_loads_neither_av_nor_cv2() -> None:
    code = "import sys, pose_extract.video; sys.exit(bool({'av', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.shared
def test_real_clips(shared_dir: Path) -> None:
    clips = sorted((shared_dir / "data/clips").glob("*.mp4"))
    wanted = {"A1": (75, 30), "A2": (60, 30), "B1": (50, 30), "B2": (45, 30), "mu": (5, 5), "tw": (72, 30)}
    assert len(clips) == 6
    for path in clips:
        count, fps = wanted[path.name[:2]]
        info, times_us, frames, problem = read(path)
        assert len(frames) == count == count_plainly(path)
        assert problem is None
        assert info.fps == fps
        with av.open(str(path)) as container:
            exact = [frame.pts * frame.time_base for frame in container.decode(video=0)]
        assert times_us == [round(time * 1_000_000) for time in exact]


@pytest.mark.shared
def test_a_real_clip_whose_edit_list_shows_less_than_its_header_says(
    shared_dir: Path, tmp_path: Path
) -> None:
    data = bytearray(next((shared_dir / "data/clips").glob("A1*")).read_bytes())
    edit = data.index(b"elst")
    data[edit + 12 : edit + 16] = (2000).to_bytes(4, "big")  # of a movie clock of 1000 per second
    movie = data.index(b"mvhd")
    data[movie + 20 : movie + 24] = (2000).to_bytes(4, "big")
    path = tmp_path / "edited.mp4"
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 75
    _, _, frames, problem = read(path)
    assert (len(frames), problem) == (60, None)


@pytest.mark.shared
@pytest.mark.parametrize("percent", [30, 70, 95])
def test_a_real_clip_cut_short(shared_dir: Path, tmp_path: Path, percent: int) -> None:
    source = next((shared_dir / "data/clips").glob("A1*"))
    path = tmp_path / "cut.mkv"
    with av.open(str(source)) as container, av.open(str(path), "w") as copy:
        stream = container.streams.video[0]
        target = copy.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.dts is not None:
                packet.stream = target
                copy.mux(packet)
    assert read(path)[3] is None
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    _, _, frames, problem = read(path)
    assert 75 * percent // 200 < len(frames) < 75
    assert problem is not None
    assert problem.startswith(f"truncated: {len(frames)} frames decoded, about 7")
