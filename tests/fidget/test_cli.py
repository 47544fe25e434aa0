from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fidget_samples import HOSTILE, clip_of, decode, row_of, write_cache, write_grey_video

from fidget.cli.main import COMMANDS, build_parser, main
from fidget.cli.places import output_beside
from fidget.cli.usage import UsageError
from fidget.reports.file_names import file_below
from poses.cache_reader import PoseCache
from poses.cache_schema import SourceStamp
from poses.encoding import failed_row


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of two clips over one video, one of them within a folder, and one that failed."""
    clip = clip_of("sub/a b", frames=8)
    video = write_grey_video(tmp_path / "videos" / "a b.mp4", clip)
    rows = [
        row_of(clip, video),
        row_of(clip_of(HOSTILE, frames=8, persons=2), tmp_path / "gone.mp4"),
        failed_row("broken", SourceStamp("broken.mp4", 0, 0), "moov atom not found"),
    ]
    return write_cache(tmp_path / "poses", rows)


def helps() -> list[list[str]]:
    """Words of every command and verb that has a help."""
    found: list[list[str]] = [[]]
    for words in found:
        text = run_help(words)
        commands = re.search(r"^commands:\n  COMMAND\n(.*?)\n\n", text + "\n\n", re.MULTILINE | re.DOTALL)
        if commands:
            found += [[*words, name] for name in re.findall(r"^    (\w+)", commands[1], re.MULTILINE)]
    return found


def run_help(words: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "fidget.cli.main", *words, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_every_help_has_an_example_that_starts_with_its_own_words() -> None:
    found = helps()
    assert {"check", "merge", "quality", "preview"} <= {
        words[-1] for words in found if words[:1] == ["poses"]
    }
    for words in found:
        text = run_help(words)
        own = " ".join(["fidget", *words])
        assert re.search(rf"^  {own}\b", text.split("example", 1)[-1], re.MULTILINE), own


def test_a_help_made_of_summaries_says_what_the_commands_say(capsys: pytest.CaptureFixture[str]) -> None:
    full = build_parser().format_help()
    assert build_parser("", "").format_help() == full
    assert set(COMMANDS) == set(re.findall(r"^    (\w+)  ", full, re.MULTILINE))
    said = []
    for verb in (None, ""):
        with pytest.raises(SystemExit):
            build_parser("poses", verb).parse_args(["poses", "--help"])
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from fidget.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pyarrow', 'cv2', 'av', 'scipy', 'onnxruntime'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for words in ([], ["poses"], ["poses", "preview"], ["poses", "check"], ["doctor"]):
        subprocess.run([sys.executable, "-c", code, *words, "--help"], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "words",
    [
        "", "chek", "poses", "poses chek", "poses check", "poses check nowhere", "poses quality {tmp}",
        "poses preview {cache} --limit -1", "poses preview {cache} --limit x", "doctor --jsn",
        "poses preview {cache} --clip nobody", "poses preview {cache} --smooth much", "poses merge {cache}",
        "poses preview {cache} -o {cache}/inside", "poses quality {cache} -o {cache}",
        "poses quality {cache} -o {tmp}/videos/a\\ b.mp4", "poses merge nowhere -o {tmp}/new",
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_two(words: str, cache: Path, tmp_path: Path) -> None:
    done = fidget(*shlex.split(words.format(cache=cache, tmp=tmp_path)))
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("fidget")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["poses", "videos"]


def fidget(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fidget.cli.main", *words], capture_output=True, text=True, check=False
    )


def test_the_examples_of_the_helps_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cache(tmp_path / "poses", [row_of(clip_of(name)) for name in ("a", "b", "c")])
    monkeypatch.chdir(tmp_path)
    own = ([], ["poses"], ["doctor"], *(["poses", verb] for verb in ("check", "quality", "preview", "merge")))
    for words in own:
        lines = re.findall(r"^  fidget (.*)$", run_help(words), re.MULTILINE)
        assert lines
        for line in lines:
            assert main(shlex.split(line)) == 0, line
    assert (tmp_path / "poses-preview/.fidget-preview").exists()  # not to be extracted as videos


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert re.fullmatch(r"fidget \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_check_counts_and_finds_damage(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["poses", "check", str(cache), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "rows": 3, "ok": 2, "no_person": 0, "failed": 1, "problems": []
    }  # fmt: skip
    shard = next(cache.rglob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-100])
    assert main(["poses", "check", str(cache)]) == 1
    assert shard.name in capsys.readouterr().out


def test_merge_joins_and_refuses_other_layouts(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = write_cache(tmp_path / "more", [row_of(clip_of("more"))])
    assert main(["poses", "merge", str(cache), str(more), "-o", str(tmp_path / "all")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'all'}: 4 clips\n"
    assert set(PoseCache(tmp_path / "all").clip_ids) == {"sub/a b", HOSTILE, "more"}
    other = write_cache(tmp_path / "other", [row_of(clip_of("o", layout="halpe26"))], "halpe26")
    assert main(["poses", "merge", str(cache), str(other), "-o", str(tmp_path / "none")]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "coco17" in said
    assert "halpe26" in said
    assert not (tmp_path / "none").exists()


def test_preview_draws_each_clip_and_the_sheet(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in cache.iterdir())
    assert main(["poses", "preview", str(cache), "--smooth", "savgol"]) == 0
    said = capsys.readouterr()
    out = tmp_path / "poses-preview"
    videos = sorted(out.rglob("*.mp4"))
    assert len(videos) == 2
    assert out / "sub" / "a b.mp4" in videos
    assert all(len(decode(video)[1]) == 8 for video in videos)
    assert (out / "contact-sheet.png").read_bytes().startswith(b"\x89PNG")
    assert "broken: failed in extraction: moov atom not found" in said.err
    assert f"plain background: {tmp_path / 'gone.mp4'} is not there" in said.err
    assert "of the motion energy" in said.err
    assert "2 of 3 clips drawn" in said.out
    assert sorted(path.name for path in cache.iterdir()) == before
    assert not list(out.rglob("*.part"))


def test_preview_of_one_clip_on_a_plain_background(cache: Path, tmp_path: Path) -> None:
    words = ["--clip", "sub/a b", "--background", "plain", "-o", str(tmp_path / "p")]
    assert main(["poses", "preview", str(cache), *words]) == 0
    assert [path.name for path in (tmp_path / "p").rglob("*.mp4")] == ["a b.mp4"]
    frame = decode(tmp_path / "p" / "sub" / "a b.mp4")[1][0]
    assert int(frame[-1, -1].max()) < 60  # the video is lighter


def test_preview_names_what_cannot_be_written_and_does_the_rest(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "sub").write_text("a file where a folder must go")
    assert main(["poses", "preview", str(cache), "-o", str(out)]) == 1
    assert "sub/a b: not drawn" in capsys.readouterr().err
    assert len(list(out.rglob("*.mp4"))) == 1


def test_a_closed_pipe_and_an_interrupt_are_quiet(cache: Path) -> None:
    line = f"{shlex.join([sys.executable, '-m', 'fidget.cli.main', 'poses', 'check', str(cache)])} | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    code = (
        "import fidget.cli.poses_check as check, sys\n"
        "def stop(args): raise KeyboardInterrupt\n"
        "check.run = stop\n"
        "from fidget.cli.main import main\n"
        f"sys.exit(main(['poses', 'check', {str(cache)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.strip() == "fidget: stopped"


def test_a_bug_keeps_its_traceback_and_an_expected_error_shows_it_on_request(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def bug(args: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("fidget.cli.poses_check.run", bug)
    with pytest.raises(ZeroDivisionError):
        main(["poses", "check", str(cache)])
    monkeypatch.undo()
    assert main(["poses", "check", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
    monkeypatch.setenv("FIDGET_TRACEBACK", "1")
    with pytest.raises(ValueError, match="nowhere"):
        main(["poses", "check", "nowhere"])


@pytest.mark.parametrize(
    "clip_id",
    [
        "../../etc/x",
        "/abs",
        "a//b",
        ".",
        "..",
        ".hidden",
        "a\nb",
        "c:\\x",
        "%2E",
        "n" * 400,
        "名" * 200,
        "",
        "a/",
    ],
)
def test_a_clip_s_file_stays_below_its_directory(clip_id: str, tmp_path: Path) -> None:
    path = file_below(tmp_path, clip_id, ".mp4")
    assert path.resolve().is_relative_to(tmp_path.resolve())
    assert path == path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    assert not any(part.startswith(".") for part in path.relative_to(tmp_path).parts)


def test_different_clips_get_different_files(tmp_path: Path) -> None:
    ids = [".a", "%2Ea", "a", "a/b", "a%b", "a\nb", "a\\nb", "n" * 300 + "1", "n" * 300 + "2", "", "%00", "é"]
    assert len({file_below(tmp_path, clip_id, ".mp4") for clip_id in ids}) == len(ids)


def test_results_go_beside_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "poses"
    place.mkdir()
    assert output_beside(place, None, "preview") == tmp_path / "poses-preview"
    monkeypatch.chdir(place)
    assert output_beside(Path("."), None, "quality") == tmp_path.resolve() / "poses-quality"
    with pytest.raises(UsageError, match="outside the cache"):
        output_beside(place, str(place / "x"), "quality")
