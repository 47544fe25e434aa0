from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fidget_samples import decode

from fidget.demo_clips import (
    MOVEMENTS,
    PORTRAITS,
    SECONDS,
    HeadField,
    Portrait,
    main,
    make_demo_clips,
    moved,
    phase_at,
)


def picture(path: Path) -> Path:
    """A bright dot where the portrait's face is, on a grid."""
    import cv2

    image = np.full((512, 512, 3), 60, np.uint8)
    image[::16] = image[:, ::16] = 120
    cv2.imwrite(str(path), image)
    return path


def test_the_clips_are_made_once_and_complete(tmp_path: Path) -> None:
    made_of = picture(tmp_path / "p.png")
    asked = []

    def picture_of(name: str) -> Path:
        asked.append(name)
        return made_of

    first = make_demo_clips(tmp_path / "clips", picture_of)
    assert sorted(path.name for path, _ in first) == sorted(
        f"{move}__{who}.mp4"
        for move in ("nodding", "shaking", "tilting")
        for who in ("portrait", "astronaut")
    )
    assert all(made for _, made in first)
    assert asked == ["demo_portrait", "demo_astronaut"]
    times, frames = decode(first[0][0])
    assert len(frames) == round(SECONDS * 25)
    np.testing.assert_allclose(np.diff(times), 1 / 25, atol=1e-6)
    assert frames[0].shape == (512, 512, 3)
    old = first[0][0].read_bytes()
    first[0][0].unlink()
    again = make_demo_clips(tmp_path / "clips", picture_of)
    assert [made for _, made in again] == [True] + [False] * 5
    assert first[0][0].read_bytes() == old  # the same bytes every time
    assert asked == ["demo_portrait", "demo_astronaut", "demo_portrait"]


@pytest.mark.parametrize("portrait", PORTRAITS, ids=lambda portrait: portrait.name)
def test_only_the_head_moves_and_it_never_folds(portrait: Portrait) -> None:
    hw = (600, 512)
    head = HeadField(portrait, hw)
    for name, move, _ in MOVEMENTS:
        for phase in (-1.0, 1.0):
            dx, dy = move(head, phase)
            face = (round(portrait.head_xy[1]) - 20, round(portrait.head_xy[0]))
            assert np.hypot(dx[face], dy[face]) > 4, name
            assert np.hypot(dx[-60:], dy[-60:]).max() < 0.5, name  # shoulders and below
            # A fold would be a place where the map from target to source turns around.
            assert (1 - np.gradient(dx, axis=1)).min() > 0.2, name
            assert (1 - np.gradient(dy, axis=0)).min() > 0.2, name


def test_directions_are_those_the_names_say() -> None:
    head = HeadField(PORTRAITS[0], (600, 512))
    y, x = round(PORTRAITS[0].face_xy[1]), round(PORTRAITS[0].face_xy[0])
    moves = {name: move(head, 1.0) for name, move, _ in MOVEMENTS}
    assert abs(moves["nodding"][0][y, x]) < 1e-6
    assert moves["nodding"][1][y, x] > 5  # down
    assert moves["shaking"][0][y, x] > 5
    assert abs(moves["shaking"][1][y, x]) < 1e-6
    dx, _ = moves["tilting"]
    assert dx[60, x] > dx[y, x] > dx[330, x] > 0  # about the neck: the top moves most, all to one side


def test_a_shift_takes_the_picture_with_it() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[10, 10] = 255
    shift = np.full((20, 20), 3, np.float32)
    out = moved(image, shift, -shift)
    assert np.unravel_index(out[..., 0].argmax(), out.shape[:2]) == (7, 13)


def test_it_begins_and_ends_at_rest() -> None:
    for hertz in (0.8, 1.5):
        assert [phase_at(time_s, hertz) for time_s in (0.0, 0.1, 0.2)] == [0.0] * 3
        assert abs(phase_at(SECONDS - 0.1, hertz)) < 1e-6
        times = np.linspace(0, SECONDS, 301)
        phases = np.array([phase_at(float(time_s), hertz) for time_s in times])
        assert phases.max() > 0.6
        assert phases.min() < -0.6
        assert np.abs(np.diff(phases)).max() < 0.12  # smooth


def test_the_command_says_what_it_made_and_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_of = picture(tmp_path / "p.png")
    monkeypatch.setattr("weights.fetch.fetch_weight", lambda name: made_of)
    assert main([str(tmp_path / "clips")]) == 0
    assert main([str(tmp_path / "clips")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(": made," in line for line in lines) == sum(": kept," in line for line in lines) == 6
    (tmp_path / "p.png").write_text("no picture")
    assert main([str(tmp_path / "other")]) == 1
    assert "expected a JPEG or PNG" in capsys.readouterr().err
    assert main([str(tmp_path / "p.png")]) == 1
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
