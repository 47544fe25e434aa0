"""Pruning leaves the wanted outputs as they were; what the models answer equals a stored answer.

The stored answers are those of an input made by a formula, every 101st value of each output:
`python tests/pose_extract/test_litert_session.py` writes them anew.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pose_extract.litert_session import BrokenModelError, LiteRtSession, litert_runtime, prune

GOLDEN = Path(__file__).parent / "golden" / "litert_outputs.npz"
EVERY = 101
MODELS = (
    "pose_detection",
    "pose_landmark_full",
    "palm_detection_full",
    "hand_landmark_full",
    "hand_recrop",
    "face_detection_short_range",
    "face_landmark",
)


def pattern(shape: tuple[int, ...]) -> np.ndarray:
    """A smooth picture in 0..1 with structure at several scales, the same everywhere."""
    y, x, channel = np.ogrid[: shape[0], : shape[1], : shape[2]]
    waves = np.sin(0.11 * x + channel) + np.sin(0.07 * y - channel) + np.sin(0.031 * (x + y))
    return ((waves + 3) / 6).astype(np.float32)


def answers(name: str, outputs: tuple[int, ...] | None = None) -> list[np.ndarray]:
    from weights.fetch import find_weight

    session = LiteRtSession(find_weight(name), outputs=outputs)
    session.input()[...] = pattern(session.input_shape)
    return session.run()


@pytest.mark.weights
@pytest.mark.parametrize("name", MODELS)
def test_answers_equal_the_stored_ones(name):
    golden = np.load(GOLDEN)
    for at, answer in enumerate(answers(name)):
        stored = golden[f"{name}_{at}"]
        assert np.abs(answer.ravel()[::EVERY] - stored).max() <= 1e-3 * max(np.abs(stored).max(), 1.0)


@pytest.mark.weights
def test_a_pruned_model_answers_the_same():
    whole = answers("pose_landmark_full")
    for outputs in ((0, 1, 3), (3, 0), (1,), (0, 1, 2, 3, 4)):
        pruned = answers("pose_landmark_full", outputs)
        assert [one.shape for one in pruned] == [whole[at].shape for at in outputs]
        for answer, at in zip(pruned, outputs, strict=True):
            np.testing.assert_allclose(answer, whole[at], rtol=1e-6, atol=1e-6)


@pytest.mark.weights
def test_pruning_keeps_the_files_length_and_the_file():
    from weights.fetch import find_weight

    model = find_weight("pose_landmark_full").read_bytes()
    before = bytes(model)
    assert len(prune(model, (0, 1, 3))) == len(model) and model == before


@pytest.mark.weights
@pytest.mark.parametrize("outputs", [(), (5,), (-1,), (0, 9)])
def test_outputs_that_are_not_there(outputs):
    from weights.fetch import find_weight

    with pytest.raises(BrokenModelError, match=r"has outputs 0\.\.4, asked for"):
        prune(find_weight("pose_landmark_full").read_bytes(), outputs)


@pytest.mark.weights
@pytest.mark.parametrize("length", [8, 40, 1000, 100_000])
def test_a_file_that_breaks_off(length, tmp_path):
    from weights.fetch import find_weight

    path = tmp_path / "half.tflite"
    path.write_bytes(find_weight("hand_recrop").read_bytes()[:length])
    with pytest.raises(BrokenModelError):
        LiteRtSession(path, outputs=(0,))


@pytest.mark.parametrize("outputs", [None, (0,)])
@pytest.mark.parametrize("content", [b"", b"no model", b"<html>Not found</html>" * 100])
def test_a_file_that_is_no_model(tmp_path, content, outputs):
    path = tmp_path / "page.tflite"
    path.write_bytes(content)
    with pytest.raises(BrokenModelError, match=r"page\.tflite: expected a TFLite model"):
        LiteRtSession(path, outputs=outputs)


@pytest.mark.parametrize(("threads", "words"), [(1, "XNNPACK, 1 thread"), (2, "XNNPACK, 2 threads")])
def test_runtime_says_what_runs(threads, words):
    runtime = litert_runtime(threads)
    assert runtime.startswith("litert ") and runtime.endswith(words)


@pytest.mark.weights
def test_loading_says_nothing_on_the_terminal():
    """In a process of its own, as the notice comes once a process; other words to the stream pass."""
    code = (
        "import os\n"
        "from pose_extract.litert_session import LiteRtSession, _without_delegate_notice\n"
        "from weights.fetch import find_weight\n"
        "LiteRtSession(find_weight('hand_recrop'))\n"
        "with _without_delegate_notice():\n"
        "    os.write(2, b'passes')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "passes")


if __name__ == "__main__":
    stored = {f"{n}_{at}": a.ravel()[::EVERY] for n in MODELS for at, a in enumerate(answers(n))}
    np.savez_compressed(GOLDEN, **stored)
