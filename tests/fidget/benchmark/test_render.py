"""Simulated clips as pictures and videos: the true joints lie on what is drawn; whole and repeatable."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from fidget.benchmark.simulator import render_videos, simulate
from fidget.benchmark.simulator.clip import SimulationSettings, stage_clip
from fidget.benchmark.simulator.domains import DOMAIN_TABLE
from fidget.benchmark.simulator.render import RenderedClip, render_clip
from fidget.benchmark.simulator.render_videos import MARKER, simulate_videos, write_clip
from fidget.cli import benchmark_simulate
from fidget.cli.main import OneLineParser
from fidget.cli.usage import UsageError

PLAIN = SimulationSettings(noise=0, missing=0, label_noise=0)
TINY = 0.0005
DOMAINS = [domain.name for domain in DOMAIN_TABLE]


def picture_of(clip_id: str, domain: str, label: int = 6, size: int = 96) -> RenderedClip:
    return render_clip(clip_id, label, 20, domain, "someone", 0, PLAIN, size)


@pytest.mark.parametrize("domain", DOMAINS)
def test_pictures_have_the_size_and_shape_of_the_domain(domain: str) -> None:
    clip = picture_of(f"{domain}/someone/1", domain)
    pictures = clip.read(np.array([0, 19, 3]))
    height, width = clip.frame_hw
    assert pictures.shape == (3, height, width, 3)
    assert pictures.dtype == np.uint8
    assert height == 96
    assert width % 2 == 0
    source = next(entry for entry in DOMAIN_TABLE if entry.name == domain).frame_hw
    assert width / height == pytest.approx(source[1] / source[0], abs=0.02)
    assert clip.simulated


def _without_scenery(clip: RenderedClip) -> tuple[np.ndarray, np.ndarray]:
    """The clip's first picture, and where it changes when everybody is taken out of it."""
    full = clip.read(np.array([0]))[0].astype(int)
    seen = clip._stage.seen
    clip._stage.seen.limbs[:] = seen.limbs[:, :1] * 0 - 1000  # far outside
    clip._stage.seen.limbs[..., 10] = 1
    clip._stage.seen.ellipsoids[..., :2] = -1000
    empty = clip.read(np.array([0]))[0].astype(int)
    return full, np.abs(full - empty).max(-1) > 12


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_true_joints_lie_on_the_body_that_is_drawn(domain: str) -> None:
    clip = picture_of(f"{domain}/someone/2", domain, size=128)
    staged = stage_clip(f"{domain}/someone/2", 6, 20, domain, "someone", 0, PLAIN)
    joints, _ = staged.camera.project(staged.body.joints_m)
    xy = np.rint((joints[0] + 0.5) * clip.scale - 0.5).astype(int)
    _, drawn = _without_scenery(clip)
    height, width = clip.frame_hw
    inside = (xy >= 0).all(1) & (xy[:, 0] < width) & (xy[:, 1] < height)
    assert inside[0]  # the nose
    on_body = drawn[xy[inside, 1], xy[inside, 0]]
    assert on_body.mean() > 0.9
    assert 0.03 < drawn.mean() < 0.75  # a body, and something around it


def test_a_picture_depends_on_clip_seed_and_frame_alone() -> None:
    name = "street/someone/3"
    first, again = picture_of(name, "street"), picture_of(name, "street")
    np.testing.assert_array_equal(first.read(np.arange(6)), again.read(np.array([0, 1, 2, 3, 4, 5])))
    np.testing.assert_array_equal(again.read(np.array([4, 4, 1]))[[0, 2]], first.read(np.array([4, 1])))
    other = picture_of("street/someone/4", "street")
    assert np.abs(first.read(np.array([0])).astype(int) - other.read(np.array([0]))).mean() > 3


def test_what_moves_is_what_the_action_moves() -> None:
    """Waving changes the picture at the hand; a clip at rest hardly anywhere but for the noise."""
    clip = render_clip("laboratory/someone/5", 20, 60, "laboratory", "someone", 0, PLAIN, 128)
    staged = stage_clip("laboratory/someone/5", 20, 60, "laboratory", "someone", 0, PLAIN)
    joints, _ = staged.camera.project(staged.body.joints_m)
    wrists = joints[:, 9:11]
    side = int(np.ptp(wrists, axis=0).sum(-1).argmax())
    frames = np.array([0, int(np.argmin(wrists[:, side, 1]))])
    before, after = clip.read(frames).astype(int)
    x, y = ((joints[frames[1], 91 + 21 * side + 9] + 0.5) * clip.scale).astype(int)
    changed = np.abs(after - before).max(-1)
    assert changed[y - 2 : y + 3, x - 2 : x + 3].mean() > 25
    assert np.median(changed) < 12


def test_the_thing_that_hides_joints_from_the_estimator_stands_in_the_picture() -> None:
    bad = SimulationSettings(noise=0, missing=20)
    name = "laboratory/someone/6"
    staged = stage_clip(name, 6, 20, "laboratory", "someone", 0, bad)
    assert staged.level.occluder
    clip = RenderedClip(staged, 0, 96)
    with_thing = clip.read(np.array([0]))[0].astype(int)
    level = replace(staged.level, occluder=False)
    without = RenderedClip(replace(staged, level=level), 0, 96).read(np.array([0]))[0].astype(int)
    box = clip._stage.boxes[0, 0]
    changed = np.argwhere(np.abs(with_thing - without).max(-1) > 20)
    assert len(changed) > 20
    middle = (changed.min(0) + changed.max(0)) / 2
    visible = np.clip([box[1] - box[3], box[1] + box[3]], 0, 95).mean()
    assert middle[0] == pytest.approx(visible, abs=6)


def test_sizes_and_frames_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="even size of at least 32 pixels, got 33"):
        picture_of("laboratory/someone/1", "laboratory", size=33)
    with pytest.raises(ValueError, match=r"a frame within 0\.\.19, got 20"):
        picture_of("laboratory/someone/1", "laboratory").read(np.array([20]))


def test_a_video_shows_its_clip_and_says_that_it_is_simulated(tmp_path: Path) -> None:
    clip = picture_of("street/someone/7", "street", size=64)
    write_clip(tmp_path / "clip.mp4", clip)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.metadata["title"] == "simulated, not a person: street/someone/7, Nodding"
        stream = container.streams.video[0]
        assert stream.average_rate == clip.fps == 30
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(decoded) == clip.frames
    assert decoded[0].shape[:2] == clip.frame_hw
    error = np.abs(decoded[9].astype(int) - clip.read(np.array([9]))[0])
    assert error.mean() < 12


def few(monkeypatch: pytest.MonkeyPatch, clips: int = 5) -> None:
    """A plan of the first clips of the real one."""
    real = render_videos.plan_clips

    def first(*args: object) -> object:
        plan = real(*args)
        return replace(
            plan,
            clip_ids=plan.clip_ids[-clips:],
            performed=plan.performed[-clips:],
            labels=plan.labels[-clips:],
            splits=plan.splits[-clips:],
            domains=plan.domains[-clips:],
            subjects=plan.subjects[-clips:],
            frames=np.minimum(plan.frames[-clips:], 20),
        )

    monkeypatch.setattr(render_videos, "plan_clips", first)


def test_a_stopped_run_goes_on_and_another_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)

    class StoppedError(Exception):
        pass

    def stop() -> None:
        if len(list(tmp_path.rglob("*.mp4"))) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        simulate_videos(tmp_path / "poses", TINY, size=32, on_clip=stop)
    half = next(tmp_path.rglob("*.mp4")).with_name(".0123456789ab-1.part")
    half.write_bytes(b"of a run that was killed")
    made = simulate_videos(tmp_path / "poses", TINY, size=32)
    assert (made.clips, made.made) == (5, 3)
    assert made.directory == tmp_path.resolve() / "poses-videos"
    assert not list(made.directory.rglob("*.part"))
    assert json.loads((made.directory / MARKER).read_text())["simulated"] is True
    with pytest.raises(ValueError, match="size is 32 there, 64 in this job; name another directory"):
        simulate_videos(tmp_path / "poses", TINY, size=64)
    (tmp_path / "mine-videos").mkdir()
    (tmp_path / "mine-videos" / "letter.txt").write_text("")
    with pytest.raises(ValueError, match="it holds something else and was left alone"):
        simulate_videos(tmp_path / "mine", TINY, size=32)


def test_processes_do_not_change_the_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, 4)
    alone = simulate_videos(tmp_path / "a", TINY, size=32).directory
    monkeypatch.setattr(simulate, "_PACKS_WORTH_A_PROCESS", 1)
    together = simulate_videos(tmp_path / "b", TINY, size=32, workers=2).directory
    for path in sorted(alone.rglob("*.mp4")):
        assert (together / path.relative_to(alone)).read_bytes() == path.read_bytes()


def run(*words: str) -> int:
    parser = OneLineParser(prog="fidget benchmark")
    benchmark_simulate.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["simulate", *words])
    status: int = args.run(args)
    return status


def test_the_command_writes_videos_under_the_ids_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    few(monkeypatch, 2)
    words = (
        "--scale",
        str(TINY),
        "-o",
        str(tmp_path / "poses"),
        "--workers",
        "1",
        "--videos",
        "--size",
        "32",
    )
    assert run(*words, "--json") == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert result["simulated"] is True
    assert "2 videos to make" in shown.err
    videos = Path(result["videos"])
    found = {path.relative_to(videos).with_suffix("").as_posix() for path in videos.rglob("*.mp4")}
    with (tmp_path / "poses-labels.csv").open(newline="") as file:
        rows = {row["clip_id"]: row for row in csv.DictReader(file)}
    assert len(found) == 2
    assert found < set(rows)
    assert {rows[clip_id]["simulated"] for clip_id in found} == {"true"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--size", "64"], "--size: it is the size of the videos, so it needs --videos"),
        (
            ["--videos", "--size", "31"],
            r"--size: expected an even number of pixels within 32\.\.1080, got 31",
        ),
        (["--videos", "--size", "4000"], "--size: expected an even number of pixels"),
    ],
)
def test_wrong_sizes_are_named(words: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=problem):
        run("-o", str(tmp_path / "poses"), *words)
    assert not list(tmp_path.iterdir())
