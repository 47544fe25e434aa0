from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from temporal_detection.feature_files import feature_grid, find_features, read_features

FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)
TIMES = np.arange(100) / 25


def test_reads_what_recognisers_write(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FEATURES)
    np.save(tmp_path / "columns.npy", np.asfortranarray(FEATURES.astype(np.float64)))
    np.save(tmp_path / "half.npy", FEATURES.astype(np.float16))
    np.save(tmp_path / "pooled.npy", FEATURES[:, :, None, None])
    np.savez(tmp_path / "b.npz", feats=FEATURES, other=FEATURES[:1])
    np.savez_compressed(tmp_path / "only.npz", x=FEATURES)
    rows = [",".join(f"{value:.4f}" for value in row) for row in FEATURES]
    (tmp_path / "c.csv").write_text("\n".join(["f0,f1,f2", *rows]))
    (tmp_path / "bare.csv").write_text("\n".join(rows) + "\n")
    names = ["a.npy", "columns.npy", "half.npy", "pooled.npy", "b.npz", "only.npz", "c.csv", "bare.csv"]
    for name in names:
        got = read_features(tmp_path / name, channels=3)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, FEATURES)
    for shape, kept in (((1, 4, 3), (4, 3)), ((1, 12, 1, 1), (1, 12)), ((1, 1, 12), (1, 12))):
        np.save(tmp_path / "axes.npy", FEATURES.reshape(shape))
        np.testing.assert_array_equal(read_features(tmp_path / "axes.npy"), FEATURES.reshape(kept))
    np.testing.assert_array_equal(read_features(tmp_path / "b.npz", key="other"), FEATURES[:1])
    np.testing.assert_array_equal(read_features(tmp_path / "a.npy", channels_first=True), FEATURES.T)
    with pytest.raises(
        ValueError, match=r"a.npy: expected features of 4 channels, got \(4, 3\); it may have"
    ):
        read_features(tmp_path / "a.npy", channels=4)
    with pytest.raises(ValueError, match="expected an array 'rgb', there are feats, other; say which one"):
        read_features(tmp_path / "b.npz", key="rgb")


def _npy(header: dict, content: bytes = b"") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content


def _saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("feats.npy", _npy({"descr": "<f4", "fortran_order": False, "shape": (2**31, 2**30)}))
    return file.getvalue()


def _damaged() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, feats=np.random.default_rng(0).normal(size=(50, 4)))
    content = bytearray(file.getvalue())
    content[300:400] = bytes(100)
    return bytes(content)


class _Trap:
    def __reduce__(self) -> tuple:
        return (pytest.fail, ("a pickle was opened",))


HOSTILE = {
    "pickled.npy": (_saved(np.array([_Trap()], dtype=object)), "pickled.npy: expected an array of numbers"),
    "pickle.npy": (pickle.dumps(_Trap()), "pickle.npy: expected an array of numbers"),
    "a.pkl": (pickle.dumps(_Trap()), "a.pkl: a pickle may run code when it is opened and is not read"),
    "a.pt": (b"", "is not read; write the array by numpy.save"),
    "empty.npy": (b"", "empty.npy: expected an array of numbers"),
    "cut.npy": (_saved(np.ones((40, 3)))[:-8], "header claims|ends after"),
    "huge.npy": (
        _npy({"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**20)}, b"1234"),
        r"header claims \(1099511627776, 1048576\) of float32, the file has",
    ),
    "negative.npy": (_npy({"descr": "<f4", "fortran_order": False, "shape": (-1, 3)}), "header claims"),
    "words.npy": (_saved(np.array([["a", "b"]])), "its values are <U1"),
    "complex.npy": (_saved(np.ones((2, 2), complex)), "its values are complex128"),
    "line.npy": (_saved(np.ones(5)), r"line.npy: expected features \(T, C\), got \(5,\)"),
    "cube.npy": (_saved(np.ones((2, 3, 4))), r"expected features \(T, C\), got \(2, 3, 4\)"),
    "none.npy": (_saved(np.ones((0, 4))), "none.npy: expected an array of numbers"),
    "nan.npy": (
        _saved(np.array([[1, 2], [np.nan, 1]])),
        "nan.npy: 1 of 4 values are not numbers or too great, the first in feature 1, channel 0",
    ),
    "great.npy": (_saved(np.array([[1e300, 1.0]])), "not numbers or too great"),
    "bomb.npz": (_bomb(), r"bomb.npz, 'feats': expected an array of numbers .* header claims"),
    "damaged.npz": (_damaged(), "damaged.npz, 'feats': expected an array of numbers"),
    "text.npz": (b"hello", "text.npz: expected an archive as numpy.savez writes it"),
    "ragged.csv": (b"f0,f1\n1,2\n3\n", "ragged.csv: expected a row of numbers a feature, got"),
    "words.csv": (b"f0,f1\n1,two\n", "words.csv: expected a row of numbers a feature, got"),
    "binary.csv": (bytes(range(256)) * 4, "binary.csv: expected a row of numbers a feature, got"),
    "empty.csv": (b"", "empty.csv: expected a row of numbers a feature, the file begins with an empty one"),
    "nan.csv": (b"f0,f1\n1,nan\n", "nan.csv: 1 of 2 values are not numbers"),
    "header.csv": (b"f0,f1\n", r"header.csv: expected features \(T, C\)"),
    "a.h5": (b"", "a.h5: expected a file .npy, .npz, .csv"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_hostile_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    content, message = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_features(tmp_path / name)


def test_finds_one_file_a_recording(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "day1").mkdir()
    for name in ("day1/a.npy", "b.csv", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert find_features(tmp_path) == {"b": tmp_path / "b.csv", "day1/a": tmp_path / "day1" / "a.npy"}
    (tmp_path / "b.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"two files of recording 'b', b.csv and b.npy; remove one"):
        find_features(tmp_path)
    with pytest.raises(ValueError, match="found none"):
        find_features(empty)
    with pytest.raises(ValueError, match="there is none"):
        find_features(tmp_path / "absent")


@pytest.mark.parametrize(
    ("points", "stride", "clip", "first", "frames"),
    [
        (25, 4, 1, 0, [0, 4, 96]),  # OpenTAD: the first frame of each
        (22, 4, 16, 0, [7.5, 11.5, 91.5]),  # the middle of 16 frames
        (22, 4, 16, 2, [9.5, 13.5, 93.5]),
        (10, None, 1, 0, [4.5, 14.5, 94.5]),  # resized
    ],
)
def test_features_have_their_place_in_time(points, stride, clip, first, frames) -> None:
    grid = feature_grid(TIMES, points, stride_frames=stride, clip_frames=clip, first_frame=first)
    assert grid.points == points
    np.testing.assert_allclose(grid.seconds([0, 1, points - 1]), np.array(frames) / 25)


def test_features_of_another_recording_are_refused() -> None:
    assert feature_grid(TIMES, 11, stride_frames=8).points == 11  # one or two may lack at the end
    for points in (5, 20):
        end = f"x.npy: {points} features at a stride of 8 frames end at frame {points * 8}, but the"
        with pytest.raises(ValueError, match=end):
            feature_grid(TIMES, points, stride_frames=8, name="x.npy")
    with pytest.raises(ValueError, match="clips of at least 1 frame"):
        feature_grid(TIMES, 25, stride_frames=4, clip_frames=0)
