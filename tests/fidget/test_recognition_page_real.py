"""The page that the real command makes of a real clip, driven in a real Chromium."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import pytest
from tests.fidget.chromium_pipe import CHROMIUM, chromium_tab
from tests.fidget.fidget_samples import decode
from tests.fidget.recognition_page_audit import faults

from fidget.cli.main import main
from fidget.reports.video_file import write_video

pytestmark = [
    pytest.mark.shared,
    pytest.mark.weights,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH"),
]
FRAMES, FPS = 16, Fraction(8)


@pytest.fixture(scope="module")
def found(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a clip, a third as large, at 8 frames a second, by the demo recogniser."""
    import cv2

    directory = tmp_path_factory.mktemp("real")
    _, frames = decode(shared_dir / "data" / "clips" / "B1_nodding__0019_02_0078.mp4")
    with write_video(directory / "clip.mp4", (432, 360), FPS) as video:
        for number, frame in enumerate(frames[: 3 * FRAMES : 3]):
            video.add(float(number / FPS), cv2.resize(frame, (360, 432), interpolation=cv2.INTER_AREA))
    out = directory / "found"
    assert main(["recognize", str(directory / "clip.mp4"), "--run", "demo", "-o", str(out)]) == 0
    return out


def test_the_page_of_a_real_clip_is_driven(found: Path, tmp_path: Path) -> None:
    with chromium_tab(tmp_path / "chromium") as tab:
        assert faults(tab, found / "clip.html") == []


def test_every_file_says_the_same(found: Path) -> None:
    from tests.fidget.recognition.test_elan import read_eaf

    with (found / "clip.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = sorted(
        (
            round(1000 * float(row["start_s"])),
            round(1000 * float(row["end_s"])),
            f"{row['words']} ({float(row['probability']):.2f})",
        )
        for row in rows
    )
    assert told and {row["simulated"] for row in rows} == {"true"}
    assert sorted(one for tier in read_eaf(found / "clip.eaf").values() for one in tier) == told
