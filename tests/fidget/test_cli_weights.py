from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from fidget.cli import weights as command
from fidget.cli.usage import UsageError
from weights import fetch, manifest
from weights.errors import DownloadError, HashMismatchError, MissingWeightError
from weights.manifest import ArchiveMember, HttpsFile, Weight

DATA = b"weights"
ROW = Weight(
    name="thing_a",
    what="a thing",
    file="a.onnx",
    groups=("things",),
    source=HttpsFile(url="https://files.test/a.onnx"),
    sha256=hashlib.sha256(DATA).hexdigest(),
    licence="Apache-2.0",
    licence_url="https://example.org/licence",
    attribution="nobody",
    bytes=7,
)
ROWS = [
    ROW,
    replace(ROW, name="thing_b", file="b.onnx", source=HttpsFile(url="https://files.test/b.onnx")),
    *(
        replace(
            ROW,
            name=f"part_{n}",
            file=f"{n}.onnx",
            groups=("parts",),
            sha256="unknown",
            bytes=None,
            source=ArchiveMember(url="https://files.test/both.zip", member=f"{n}.onnx"),
        )
        for n in ("c", "d")
    ),
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Four made-up rows, an empty weights directory, and a network in which only a.onnx exists."""
    monkeypatch.setattr(manifest, "_shipped", lambda: {row.name: row for row in ROWS})
    monkeypatch.setenv("FIDGET_WEIGHTS", str(tmp_path / "w"))
    monkeypatch.setattr("weights.places.user_cache_dir", lambda: tmp_path / "cache")
    asked = []

    def served(url, part, report, patience=None):
        asked.append(url)
        report(0, len(DATA))
        if not url.endswith("a.onnx"):
            raise DownloadError("the server answers 404 Not Found")
        Path(part).write_bytes(DATA)
        report(len(DATA), len(DATA))

    monkeypatch.setattr(fetch, "download", served)
    return tmp_path / "w", asked


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser("fidget")
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["weights", *arguments])
    return args.run(args)


def test_list_shows_what_is_here_and_what_is_not(here, capsys):
    assert run("fetch", "thing_a") == 0
    capsys.readouterr()
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "SIZE", "LICENCE", "LAYOUT", "SOURCE"]
    assert lines[1].split() == ["thing_a", "here", "0.0", "MiB", "Apache-2.0", "https://files.test"]
    assert lines[2].split()[:2] == ["thing_b", "-"] and "(0.0 MiB)" in lines[2]
    assert lines[3].split() == ["part_c", "-", "Apache-2.0", "https://files.test"]
    assert "groups: things, parts" in lines and lines[-1].startswith(f"looked in: {here[0]} then ")


def test_list_as_json_is_complete(here, capsys):
    run("fetch", "thing_a")
    capsys.readouterr()
    assert run("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["thing_a", "thing_b", "part_c", "part_d"]
    assert rows[0]["present"] is True and rows[0]["path"] == str(here[0] / "a.onnx")
    assert rows[1]["present"] is False and rows[1]["path"] is None
    assert rows[2]["source"] == {"kind": "archive", "url": "https://files.test/both.zip", "member": "c.onnx"}


def test_fetch_says_where_the_file_lies_and_the_second_time_asks_nobody(here, capsys):
    assert run("fetch", "thing_a") == 0
    first = capsys.readouterr()
    assert first.out == f"thing_a: fetched, {here[0] / 'a.onnx'}\n"
    assert first.err == "thing_a: fetching from https://files.test\n"
    assert run("fetch", "thing_a") == 0
    second = capsys.readouterr()
    assert second.out == f"thing_a: here already, {here[0] / 'a.onnx'}\n" and second.err == ""
    assert here[1] == ["https://files.test/a.onnx"]


def test_some_failures_are_named_the_rest_is_done_and_the_status_is_1(here, capsys):
    assert run("fetch", "parts", "things") == 1
    said = capsys.readouterr()
    assert said.out == f"thing_a: fetched, {here[0] / 'a.onnx'}\n"
    assert (
        "fidget: part_c: c.onnx (c.onnx in https://files.test/both.zip): the server answers 404" in said.err
    )
    assert "fidget: part_d: not tried, it comes with part_c" in said.err
    assert said.err.endswith("fidget: 3 of 4 weights could not be had\n")
    assert len(here[1]) == 3  # the archive that failed is not asked for twice


def test_a_terminal_gets_one_line_that_is_rewritten(here, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run("fetch", "thing_a") == 0
    err = capsys.readouterr().err
    assert "\n" not in err and err.endswith("\r\x1b[K")
    assert "\r\x1b[Kthing_a: 0.0 MiB of 0.0 MiB, 100 %" in err


@pytest.mark.parametrize(("verb", "name"), [("fetch", "thing_aa"), ("fetch", "thngs"), ("path", "thing_aa")])
def test_an_unknown_name_is_wrong_usage_answered_with_the_nearest(here, verb, name):
    with pytest.raises(UsageError, match="did you mean 'thing"):
        run(verb, name)
    assert here[1] == []


def test_path_prints_a_verified_path_or_fails(here, capsys):
    with pytest.raises(MissingWeightError, match="fidget weights fetch thing_a"):
        run("path", "thing_a")
    here[0].mkdir()
    (here[0] / "a.onnx").write_bytes(DATA)
    assert run("path", "thing_a") == 0 and capsys.readouterr().out == f"{here[0] / 'a.onnx'}\n"
    (here[0] / "a.onnx").write_bytes(b"other file")
    with pytest.raises(HashMismatchError):
        run("path", "thing_a")


@pytest.mark.parametrize(
    "arguments", [[], ["fetch"], ["path"], ["list", "--json", "--markdown"], ["get", "x"]]
)
def test_wrong_arguments_end_with_2(here, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("verb", [[], ["list"], ["fetch"], ["path"]])
def test_every_help_has_an_example(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*verb, "--help")
    assert caught.value.code == 0
    assert "  fidget weights " in capsys.readouterr().out.split("example", 1)[1]


def test_the_page_has_the_table_that_the_command_prints(capsys):
    assert run("list", "--markdown") == 0
    page = Path(__file__, "../../../docs/weights.md").resolve().read_text(encoding="utf-8")
    assert page.endswith("\n" + capsys.readouterr().out)


def test_the_page_names_every_group():
    page = Path(__file__, "../../../docs/weights.md").resolve().read_text(encoding="utf-8")
    assert all(f"`{group}`" in page for group in manifest.group_names())


def test_the_command_imports_nothing_until_it_runs():
    import subprocess
    import sys

    code = "import sys, fidget.cli.weights as w; sys.exit(any(m.startswith('weights') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
