from __future__ import annotations

import errno
import os
import pickle
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from cache_samples import METADATA, make_clip, make_row

from poses import cache_view
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_view import PoseView
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip, failed_row, fitting_step
from poses.layout import get_layout

STAMP = SourceStamp("v", 1, 2)


def fill(directory: Path, first: int = 0, count: int = 6) -> None:
    rng = np.random.default_rng(first)
    with CacheWriter(directory, METADATA, rows_per_shard=4) as writer:
        for number in range(first, first + count):
            writer.add(encode_clip(make_clip(f"clip {number}", rng, number % 3, 4 + number), STAMP))


def assert_view_is_the_cache(view: PoseView, cache: PoseCache) -> None:
    assert view.clip_ids == cache.clip_ids
    for clip in cache.clips():
        xy_px, score = view.read(clip.clip_id)
        assert (xy_px.dtype, score.dtype) == (np.float32, np.float32)
        np.testing.assert_array_equal(xy_px, clip.xy_px)
        np.testing.assert_array_equal(score, clip.score)


def test_the_view_gives_what_the_cache_gives(tmp_path: Path) -> None:
    fill(tmp_path)
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.add(failed_row("bad", STAMP, "no video"))
    cache = PoseCache(tmp_path)
    view = cache.view()
    assert_view_is_the_cache(view, cache)
    assert "bad" not in view
    with pytest.raises(KeyError, match="bad"):
        view.read("bad")
    xy_px, score = view.read("clip 1")
    xy_px[:] = 0
    score[:] = 0  # the arrays are the caller's own
    assert_view_is_the_cache(view, cache)


def shifted(clip: PoseClip, factor: float, offset: float) -> PoseClip:
    return PoseClip(
        clip.clip_id,
        clip.layout,
        clip.xy_px * np.float32(factor) + np.float32(offset),
        clip.score,
        clip.box_px,
        clip.time_s,
        clip.frame_hw,
        clip.fps,
        clip.track_ids,
    )


def test_coordinates_of_any_size_are_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with CacheWriter(tmp_path, METADATA) as writer:
        for name, factor, offset in [
            ("near", 1, 0),
            ("left", 1, -3500.0),
            ("far", 1, 20_000.0),
            ("wide", 1000, 0),
            ("normalised", 1e-4, 0),
        ]:
            clip = shifted(make_clip(name, rng, 2), factor, offset)
            writer.add(encode_clip(clip, STAMP, xy_step=fitting_step(clip.xy_px)))
    cache = PoseCache(tmp_path)
    view = cache.view()
    assert_view_is_the_cache(view, cache)
    wide = {name: bool(view._records[view._number[name]]["wide"]) for name in cache.clip_ids}
    assert wide == {"near": False, "left": False, "far": False, "wide": True, "normalised": False}


def test_a_view_is_built_once_and_again_when_shards_change(tmp_path: Path) -> None:
    fill(tmp_path)
    cache = PoseCache(tmp_path)
    first = cache.view().folder
    written = (first / "data.bin").stat().st_mtime_ns
    assert PoseCache(tmp_path).view().folder == first
    assert (first / "data.bin").stat().st_mtime_ns == written
    old_view = cache.view()
    fill(tmp_path, first=20, count=3)
    new_cache = PoseCache(tmp_path)
    view = new_cache.view()
    assert view.folder != first
    assert not first.exists()  # the old one is gone, whoever had it open goes on reading
    assert_view_is_the_cache(view, new_cache)
    assert_view_is_the_cache(old_view, cache)
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.remove(["clip 3"])
    assert_view_is_the_cache(PoseCache(tmp_path).view(), PoseCache(tmp_path))


def test_a_view_of_shards_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    cache = PoseCache(tmp_path)
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.remove(["clip 0"])
    with pytest.raises(ValueError, match="open the cache again"):
        cache.view()
    assert [path.name for path in (tmp_path / "_view").iterdir()] == ["_lock"]


def test_a_view_travels_to_another_process_without_its_data(tmp_path: Path) -> None:
    fill(tmp_path)
    cache = PoseCache(tmp_path)
    sent = pickle.dumps(cache.view())
    assert len(sent) < 2000
    assert_view_is_the_cache(pickle.loads(sent), cache)


def test_half_built_views_are_cleared_away(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "_view" / ".building-x").mkdir(parents=True)
    (tmp_path / "_view" / ".building-x" / "data.bin").write_bytes(b"half")
    cache = PoseCache(tmp_path)
    assert_view_is_the_cache(cache.view(), cache)
    assert not (tmp_path / "_view" / ".building-x").exists()


@pytest.mark.parametrize("damage", ["data", "index", "foreign"])
def test_a_damaged_view_says_delete_it(tmp_path: Path, damage: str) -> None:
    fill(tmp_path)
    cache = PoseCache(tmp_path)
    folder = cache.view().folder
    if damage == "data":
        os.truncate(folder / "data.bin", 100)
    elif damage == "index":
        (folder / "index.npy").write_bytes(b"no array")
    else:
        np.save(folder / "index.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"_view.*delete it"):
        cache.view()


def test_damage_in_the_cache_is_named_when_the_view_is_built(tmp_path: Path) -> None:
    row = make_row("c", np.random.default_rng(0))
    row.xy[3] += 2
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.add(row)
    with pytest.raises(ValueError, match="clip 'c': checksum"):
        PoseCache(tmp_path).view()
    assert [path.name for path in (tmp_path / "_view").iterdir()] == ["_lock"]


def read_only_mount(directory: Path) -> bool:
    """Whether the directory could be mounted read-only onto itself."""
    try:
        for options in ([], ["-o", "remount,ro,bind"]):
            bind = ["mount", *(options or ["--bind"]), *([] if options else [str(directory)]), str(directory)]
            if subprocess.run(bind, capture_output=True, check=False).returncode:
                return False
    except FileNotFoundError:
        return False
    return True


def test_a_read_only_cache_has_its_view_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, temporary = tmp_path / "cache", tmp_path / "temporary"
    temporary.mkdir()
    fill(place)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    if not read_only_mount(place):
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)
        pytest.skip("nothing may be mounted here, and permissions do not bind root")
    try:
        with pytest.raises(OSError) as caught:
            (place / "x").touch()
        assert caught.value.errno == errno.EROFS
        cache = PoseCache(place)
        view = cache.view()
        assert_view_is_the_cache(view, cache)
        assert view.folder.is_relative_to(temporary)
        assert PoseCache(place).view().folder == view.folder  # and is found again
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_refusal_of_the_directory_is_enough_to_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without a mount: the lock beside the cache cannot be made."""
    fill(tmp_path / "cache")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    real = cache_view.DirectoryLock

    def refusing(directory: Path, wait: bool = False) -> object:
        if directory.parent == tmp_path / "cache":
            raise PermissionError(errno.EACCES, "denied", str(directory))
        return real(directory, wait)

    monkeypatch.setattr(cache_view, "DirectoryLock", refusing)
    cache = PoseCache(tmp_path / "cache")
    view = cache.view()
    assert view.folder.is_relative_to(tmp_path / "temporary")
    assert_view_is_the_cache(view, cache)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners of files are a matter of POSIX")
def test_a_temporary_folder_of_somebody_else_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    base = tmp_path / f"fidget-views-{os.getuid()}"
    base.mkdir()
    base.chmod(0o777)
    with pytest.raises(PermissionError, match="only this user can write to"):
        cache_view._private_folder(tmp_path)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_view.np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        PoseCache(tmp_path).view()
    assert [path.name for path in (tmp_path / "_view").iterdir()] == ["_lock"]


def test_another_layout(tmp_path: Path) -> None:
    layout = get_layout("coco_wholebody133")
    clip = make_clip("c", np.random.default_rng(0), 2, 9, layout)
    with CacheWriter(tmp_path, CacheMetadata(layout.name)) as writer:
        writer.add(encode_clip(clip, STAMP))
    cache = PoseCache(tmp_path)
    assert cache.view().read("c")[0].shape == (2, 9, 133, 2)
    assert_view_is_the_cache(cache.view(), cache)
