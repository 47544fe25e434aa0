from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from weights import archive
from weights.archive import copy_member
from weights.errors import DownloadError


def zipped(path, members: dict[str, bytes], **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return path


def member(path, name: str) -> bytes:
    target = io.BytesIO()
    copy_member(path, name, target)
    return target.getvalue()


@pytest.fixture
def two(tmp_path):
    return zipped(tmp_path / "two.zip", {"a/x/end2end.onnx": b"one", "a/y/end2end.onnx": b"two", "a/z": b"3"})


@pytest.mark.parametrize(
    ("name", "data"), [("x/end2end.onnx", b"one"), ("a/y/end2end.onnx", b"two"), ("z", b"3")]
)
def test_a_member_is_named_by_the_end_of_its_path(two, name, data):
    assert member(two, name) == data


@pytest.mark.parametrize(
    ("name", "said"), [("end2end.onnx", "found 2 of them"), ("2end.onnx", "no such member"), ("a", "no such")]
)
def test_exactly_one_member_is_meant(two, name, said):
    with pytest.raises(DownloadError, match=said):
        member(two, name)


def test_a_full_path_wins_over_an_ending(tmp_path):
    path = zipped(tmp_path / "a.zip", {"b/x": b"deep", "x": b"flat"})
    assert member(path, "x") == b"flat"


def test_a_member_is_never_written_under_its_own_name(tmp_path):
    path = zipped(tmp_path / "evil.zip", {"../../escaped": b"data"})
    assert member(path, "escaped") == b"data"
    assert [p.name for p in tmp_path.iterdir()] == ["evil.zip"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_tar_archives_are_read_too_but_not_their_links(tmp_path, mode):
    path = tmp_path / "a.tar"
    with tarfile.open(path, mode) as opened:
        info = tarfile.TarInfo("deep/model.onnx")
        info.size = 4
        opened.addfile(info, io.BytesIO(b"data"))
        link = tarfile.TarInfo("linked/other.onnx")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(link)
    assert member(path, "model.onnx") == b"data"
    with pytest.raises(DownloadError, match="no such member"):
        member(path, "other.onnx")


def test_neither_zip_nor_tar(tmp_path):
    path = tmp_path / "page.zip"
    path.write_text("<html>not found</html>")
    with pytest.raises(DownloadError, match=r"page.zip: expected a zip or tar archive"):
        member(path, "x")


def test_damage_inside_a_zip_is_noticed(tmp_path):
    path = zipped(tmp_path / "a.zip", {"x": bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DownloadError, match="expected a sound archive"):
        member(path, "x")


def test_a_cut_tar_is_noticed(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w:gz") as opened:
        info = tarfile.TarInfo("x")
        info.size = 100_000
        opened.addfile(info, io.BytesIO(bytes(100_000)))
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(DownloadError):
        member(path, "x")


def test_a_bomb_is_refused_before_it_inflates(tmp_path, monkeypatch):
    path = zipped(tmp_path / "a.zip", {"x": bytes(1_000_000)})
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 999_999)
    with pytest.raises(DownloadError, match="expected at most 999999 bytes, the archive says 1000000"):
        member(path, "x")


def test_an_encrypted_member_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", {"x": b"data"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag of encryption, in the local header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DownloadError, match="encrypted"):
        member(path, "x")
