from __future__ import annotations

import os
from pathlib import Path

import pytest

from pose_extract.clip_ids import Candidate, assign_ids, utf8_safe
from pose_extract.sources import PREVIEW_MARK, VIDEO_SUFFIXES, find_videos

ROOT = os.geteuid() == 0  # permissions do not bind root


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode(errors="surrogateescape"))


def ids(*arguments: str | Path) -> list[str]:
    found = find_videos([str(argument) for argument in arguments])
    assert found.problems == []
    for source in found.sources:
        assert source.path.exists()
        source.clip_id.encode("utf-8")
    return [source.clip_id for source in found.sources]


def problems(*arguments: str | Path) -> list[str]:
    found = find_videos([str(argument) for argument in arguments])
    assert all("\n" not in problem for problem in found.problems)
    return found.problems


def test_a_directory_is_searched_to_the_bottom_in_order_of_names(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "a/z.MKV", "a/b/c.avi", "a.webm", "B.mov", "a b/x.y.mp4")
    assert ids(tmp_path) == ["B", "a/b/c", "a/z", "a b/x.y", "a", "b"]


def test_hidden_and_other_files_are_skipped_and_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "._a.mp4", ".git/b.mp4", "notes.txt", "poses.parquet", "noext")
    found = find_videos([str(tmp_path)])
    assert [s.clip_id for s in found.sources] == ["a"]
    assert found.problems == []
    assert found.notes == ["skipped 5 files that are hidden or have no video suffix"]


def test_our_own_overlays_among_the_videos_are_no_videos(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "poses-preview/a.mp4", "poses-preview/" + PREVIEW_MARK, "poses-preview/d/b.mp4")
    assert ids(tmp_path) == ["a"]
    assert ids(tmp_path / "poses-preview") == ["a", "d/b"]  # unless they are asked for


def test_a_file_may_have_any_suffix_when_named_itself(tmp_path: Path) -> None:
    touch(tmp_path, "deep/clip.dat", "deep/noext", "deep/.hidden.mp4")
    assert ids(tmp_path / "deep/clip.dat", tmp_path / "deep/noext") == ["clip", "noext"]
    assert ids(tmp_path / "deep/.hidden.mp4") == [".hidden"]


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "quote'\"",
        "new\nline",
        "emoji 😀",
        "ü",
        "u\u0308",
        "back\\slash",
        "%d",
        "a[1]",
        "-x",
        "#1",
    ],
)
def test_any_name_is_kept_as_it_is(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}/{name}.mp4")
    assert ids(tmp_path) == [f"{name}/{name}"]
    assert ids(tmp_path / name / f"{name}.mp4") == [name]


def test_a_name_that_is_not_utf8_survives(tmp_path: Path) -> None:
    name = b"caf\xe9.mp4"
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    found = find_videos([str(tmp_path)])
    assert [s.clip_id for s in found.sources] == ["caf\\xe9"]
    assert found.sources[0].path.exists()
    assert os.fsencode(found.sources[0].path).endswith(name)


def test_one_stem_twice_keeps_the_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "a.avi", "b.mp4")
    assert ids(tmp_path) == ["a.avi", "a.mp4", "b"]
    touch(tmp_path, "a.mp4.mkv")
    assert ids(tmp_path) == ["a.avi", "a.mp4", "a.mp4.mkv", "b"]


def test_two_roots_that_collide_keep_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.mp4", "val/a.mp4", "val/b.mp4")
    assert ids(tmp_path / "train", tmp_path / "val") == ["train/a", "val/a", "b"]
    touch(tmp_path, "one/v/a.mp4", "two/v/a.mp4")
    assert ids(tmp_path / "one/v", tmp_path / "two/v") == ["one/v/a", "two/v/a"]
    assert ids(tmp_path / "one/v/a.mp4", tmp_path / "two/v/a.mp4") == ["one/v/a", "two/v/a"]


def test_ids_are_unique_whatever_collides() -> None:
    paths = ["/r/x/a.mp4", "/r/y/a.mp4", "/r/y/a.avi", "/s/x/a.mp4", "/r/x/a\udce9.mp4", "/r/x/a\\xe9.mp4"]
    given = assign_ids([Candidate(Path(path), Path(path).parent) for path in paths])
    assert len(set(given)) == len(given)
    assert given[2] == "a.avi"
    assert all(name == utf8_safe(name) for name in given)


def test_the_same_file_by_two_routes_is_one_clip(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4", "v/sub/b.mp4")
    found = find_videos([str(tmp_path / "v"), str(tmp_path / "v/a.mp4"), str(tmp_path / "v/../v/sub")])
    assert [s.clip_id for s in found.sources] == ["a", "sub/b"]
    assert found.notes == ["2 files that several arguments or links lead to are taken once"]
    assert found.problems == []


def test_links_are_followed_once_and_never_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "v/real/a.mp4", "outside/c.mp4")
    (tmp_path / "v/loop").symlink_to("..", target_is_directory=True)
    (tmp_path / "v/real/loop").symlink_to(tmp_path / "v")
    (tmp_path / "v/a_link").symlink_to("real")
    (tmp_path / "v/b_link.mp4").symlink_to("real/a.mp4")
    (tmp_path / "v/self").symlink_to("self")
    (tmp_path / "v/other").symlink_to(tmp_path / "outside")
    assert ids(tmp_path / "v") == ["loop/outside/c", "real/a"]
    assert "real/a" in ids(f"{tmp_path}/v/**/*.mp4")


def test_a_link_to_nowhere_is_a_source_that_fails_by_name(tmp_path: Path) -> None:
    (tmp_path / "gone.mp4").symlink_to("nowhere.mp4")
    assert [s.clip_id for s in find_videos([str(tmp_path)]).sources] == ["gone"]


def test_patterns_that_no_shell_expanded(tmp_path: Path) -> None:
    touch(tmp_path, "v/s1/a.mp4", "v/s1/b.avi", "v/s2/a.mp4", "v/s2/deep/c.mp4", "v/readme.md", "v/x.dat")
    assert ids(f"{tmp_path}/v/*/a.mp4") == ["s1/a", "s2/a"]
    assert ids(f"{tmp_path}/v/s?/*") == ["s1/a", "s1/b", "s2/a", "c"]
    assert ids(f"{tmp_path}/v/**/*.mp4") == ["s1/a", "s2/a", "s2/deep/c"]
    assert ids(f"{tmp_path}/v/**") == ["s1/a", "s1/b", "s2/a", "s2/deep/c"]
    assert ids(f"{tmp_path}/v/**/s[2]/**/*.mp4") == ["s2/a", "s2/deep/c"]
    assert ids(f"{tmp_path}/v/*.dat") == ["x"]
    assert ids(f"{tmp_path}/v/**/*.dat") == ["x"]
    assert "no file matches" in problems(f"{tmp_path}/v/*.mkv")[0]
    assert "no file matches" in problems(f"{tmp_path}/nowhere/**/*.mkv")[0]


def test_a_relative_argument_gives_the_same_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "v/s/a.mp4", "v/b.mp4")
    monkeypatch.chdir(tmp_path)
    assert ids("v") == ids("./v/") == ids(tmp_path / "v") == ["b", "s/a"]
    monkeypatch.chdir(tmp_path / "v")
    assert sorted(ids(".")) == ["b", "s/a"]
    assert ids("b.mp4") == ["b"]
    assert sorted(ids("**/*.mp4")) == ["b", "s/a"]
    assert sorted(ids("../v")) == ["b", "s/a"]


def test_a_list_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "v/a.mp4", "v/b c.mp4", "v/sub/d.mp4", "v/n 3", "w/e.mp4", "cwd/f.mp4")
    lines = [
        "\ufeff# the clips", "", "a.mp4 3", "b c.mp4", "sub/d.mp4 12 7", "n 3", str(tmp_path / "w/e.mp4"),
        "f.mp4 1",
    ]  # fmt: skip
    (tmp_path / "v/list.txt").write_bytes("\r\n".join(lines).encode())
    monkeypatch.chdir(tmp_path / "cwd")
    assert ids(tmp_path / "v/list.txt") == ["a", "b c", "sub/d", "n 3", "e", "f"]
    (tmp_path / "v/list.csv").write_text("a.mp4")
    assert ids(f"@{tmp_path}/v/list.csv") == ["a"]


def test_a_list_may_name_directories_patterns_and_itself(tmp_path: Path) -> None:
    touch(tmp_path, "v/a.mp4", "w/b.mp4", "w/c.mp4")
    (tmp_path / "all.txt").write_text("v\nw/*.mp4\nall.txt\n")
    assert ids(tmp_path / "all.txt") == ["a", "b", "c"]


def test_an_official_list_loads_beside_its_videos(tmp_path: Path) -> None:
    names = [f"{n:04d}_01_0001.mp4" for n in range(5)]
    touch(tmp_path, *names)
    (tmp_path / "train_list_videos.txt").write_bytes(
        "\r\n".join(f"{n} {i}" for i, n in enumerate(names)).encode()
    )
    assert ids(tmp_path / "train_list_videos.txt") == [name[:-4] for name in names]


def test_missing_entries_are_named_and_summed_up(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(f"gone{i}.mp4 {i}" for i in range(50)))
    said = problems(tmp_path / "list.txt")
    assert len(said) == 6
    assert said[0].startswith("line 1 of ")
    assert "'gone0.mp4 0'" in said[0]
    assert "50 of 50 entries do not exist" in said[-1]


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "names nothing"), (b"# only\n", "names nothing"), (b"a\0b\xff", "binary")]
)
def test_a_list_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    (said,) = problems(tmp_path / "list.txt")
    assert message in said


def test_each_dead_end_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "texts/a.doc", "ok/a.mp4")
    arguments = [
        "",
        "no/such\nthing",
        str(tmp_path / "empty"),
        str(tmp_path / "texts"),
        "https://x.org/a.mp4",
    ]
    found = find_videos([*arguments, str(tmp_path / "ok")])
    assert [s.clip_id for s in found.sources] == ["a"]
    empty, missing, bare, texts, address = found.problems
    assert "empty argument" in empty
    assert "no such file" in missing
    assert "\n" not in missing
    assert "it is empty" in bare
    assert "1 other file" in texts
    assert "download" in address


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_an_unreadable_directory_is_a_problem(tmp_path: Path) -> None:
    touch(tmp_path, "v/ok/a.mp4", "v/closed/b.mp4")
    (tmp_path / "v/closed").chmod(0)
    try:
        found = find_videos([str(tmp_path / "v")])
    finally:
        (tmp_path / "v/closed").chmod(0o755)
    assert [s.clip_id for s in found.sources] == ["ok/a"]
    assert "cannot be read" in found.problems[0]


def test_a_directory_that_cannot_be_listed_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "v/ok/a.mp4", "v/closed/b.mp4")
    listing = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_videos([str(tmp_path / "v")])
    assert [s.clip_id for s in found.sources] == ["ok/a"]
    assert found.problems == [
        f"{str(tmp_path / 'v/closed')!r}: the directory cannot be read (Permission denied)"
    ]


def test_ids_that_differ_in_case_only_are_kept_and_told(tmp_path: Path) -> None:
    touch(tmp_path, "196_01_0005_L.mp4", "196_01_0005_l.mp4")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system does not tell case apart")
    found = find_videos([str(tmp_path)])
    assert len(found.sources) == 2
    assert found.problems == []
    assert "only in upper and lower case" in found.notes[0]


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    os.link(tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert ids(tmp_path) == ["a", "b"]


def test_suffixes_are_lower_case_and_dotted() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in VIDEO_SUFFIXES)
