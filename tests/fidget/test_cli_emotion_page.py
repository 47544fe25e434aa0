"""The commands on docs/emotion.md are commands, and its table of a few clips is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from fidget.cli import benchmark, emotion, faces
from fidget.cli.main import OneLineParser
from protocols.emotion_sets import emotion_set
from protocols.emotion_table import read_emotion_table
from protocols.trees import tree

PAGE = Path(__file__).parents[2] / "docs" / "emotion.md"


def commands():
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^\$ fidget (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("line", commands())
def test_every_command_parses(line):
    parser = OneLineParser()
    verbs = parser.add_subparsers()
    emotion.add_parser(verbs)
    benchmark.add_parser(verbs, "simulate")
    faces.add_parser(verbs)
    assert parser.parse_args(shlex.split(line)).run


def test_the_table_can_be_read(tmp_path):
    text = re.search(r"```csv\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    found = read_emotion_table(tmp_path / "t.csv", emotion_set("mma82"), tree("mma82"))
    assert len(found) == 3 and found.present.sum() == 3 and found.splits == ("train", "test", "test")
