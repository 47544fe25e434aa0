from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.simcc_graph import build_simcc_graph, count_parameters

from pose_extract.onnx_session import OnnxSession
from pose_extract.rtmpose import RtmPose
from weights.manifest import get_weight


def test_the_stand_in_is_of_rtmpose_ms_size_and_fits_its_row(tmp_path: Path) -> None:
    path = build_simcc_graph(tmp_path / "simcc.onnx", seed=0)
    assert abs(count_parameters(path) / 13.59e6 - 1) < 0.01
    frame = np.random.default_rng(0).integers(0, 256, (200, 100, 3), dtype=np.uint8)
    boxes = np.array([[10, 10, 60, 160], [30, 40, 90, 190]], np.float32)
    pose = RtmPose.from_weight(OnnxSession(path, "cpu"), get_weight("rtmpose_m"))
    ((xy_px, score),) = pose.estimate([frame], [boxes])
    assert xy_px.shape == (2, 17, 2) and np.isfinite(xy_px).all()
    assert np.all((score > 0.05) & (score < 0.3))  # low and even: it raises no doubt
