"""docs/architecture.md names every module, and no module that is not there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:4] for line in PAGE.splitlines() if line.startswith("| `")]


def test_every_module_is_named() -> None:
    modules = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if path.name != "__init__.py"
    }
    in_table = re.findall(r"`([^`]+\.py)`", " ".join(row[0] for row in ROWS))
    assert modules
    assert sorted(in_table) == sorted(modules)  # each once


def test_every_path_on_the_page_exists() -> None:
    paths = re.findall(
        r"`((?:poses|weights|pose_extract|skeleton_models|rgb_models|fidget)/[\w/]+\.\w+)`", PAGE
    )
    assert paths
    assert [path for path in paths if not (ROOT / "src" / path).is_file()] == []


def test_every_name_is_in_a_module_of_its_row() -> None:
    missing = []
    for files, _, names in ROWS:
        paths = re.findall(r"`([^`]+)\.py`", files)
        modules = [importlib.import_module(path.replace("/", ".")) for path in paths]
        missing += [
            name
            for name in re.findall(r"`(\w+)`", names)
            if not any(hasattr(module, name) for module in modules)
        ]
    assert missing == []
