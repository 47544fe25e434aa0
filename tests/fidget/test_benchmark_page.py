"""The benchmark's page: what is on it, escaped; and in a real Chromium, what its script makes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from benchmark_page_samples import Place, small_tree, write_benchmark, write_features
from fidget_samples import HOSTILE

from fidget.benchmark.cell import Cell
from fidget.benchmark.table import Table
from fidget.reports.benchmark_page import write_benchmark_page
from fidget.reports.cell_groups import groups_of
from fidget.reports.class_results import class_results, results_json
from fidget.reports.feature_plane import feature_plane
from fidget.reports.moving_skeletons import choose_examples, skeletons_json
from protocols.recognition import confusion, predictions
from protocols.scores import read_scores

TABLE = Table("Table <VI>", ("method", "top-1"), ((HOSTILE, "71.2"), ("paper", "70.0")), (HOSTILE,))
CHROMIUM = shutil.which("chromium")


class Outline(HTMLParser):
    """Tags that stay open, ids, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        if named.get("id"):
            self.ids.append(named["id"] or "")
        self.fetched += [f"{tag} {named[key]}" for key in ("src", "data", "srcset") if named.get(key)]
        if tag == "a" and not (named.get("href") or "").startswith("#"):
            self.fetched.append(f"a {named.get('href')}")
        if tag not in ("meta", "link", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return write_benchmark(
        tmp_path_factory.mktemp("benchmark"), small_tree(HOSTILE), clips=30, simulated=True
    )


@pytest.fixture(scope="module")
def page(place: Place) -> str:
    failed = replace(place.cells[0], status="failed", error=f"no room {HOSTILE}", scores="", measures={})
    path = place.directory / "report.html"
    write_benchmark_page(place.directory, [TABLE], [*place.cells, failed], place.poses, path)
    return path.read_text(encoding="utf-8")


def test_one_file_whole_and_escaped(page: str) -> None:
    outline = Outline()
    outline.feed(page)
    assert not outline.open and not outline.fetched
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.tags.count("script") == 2 and outline.tags.count("h1") == 1
    assert "http" not in re.sub(r"http-equiv", "", page)
    assert '<script>alert("1")' not in page and "\u202e" not in page
    assert len(page.encode()) < 5_000_000
    for name in ("results", "overview", "curves", "bytes", "classes", "features", "clips", "failed"):
        assert f'id="{name}"' in page
    assert "Table &lt;VI&gt;" in page


def test_simulated_is_said_everywhere(page: str) -> None:
    assert "<title>mma82/cross-domain (simulated)</title>" in page
    assert 'class="banner"' in page
    plots = re.findall(r"<svg [^>]*role=\"img\".*?</svg>", page, flags=re.S)
    assert len(plots) == 2 * 2 + 2 + 2  # two measures and bytes for each task, two planes
    assert all(">simulated</text>" in plot and "simulated data" in plot for plot in plots)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, flags=re.S)[1])
    assert all(one["simulated"] for one in (*data["results"], *data["skeletons"]))


def test_real_data_is_not_called_simulated(tmp_path: Path) -> None:
    place = write_benchmark(tmp_path, small_tree(), clips=12, seeds=1, shots=(0, 1), draws=1)
    write_benchmark_page(tmp_path, [TABLE], place.cells, place.poses, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S)
    assert "simulated</text>" not in body and "banner" not in body and "(simulated)" not in body


def test_curves_show_mean_and_spread(place: Place, page: str) -> None:
    group = next(one for one in groups_of(place.cells) if one.shots == 5 and one.adaptation == "linear_probe")
    values = [cell.measures["action/top1"] for cell in group.cells]
    assert len(values) == 4  # two seeds, two draws
    told = f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f} %, 4 runs"
    assert group.spread("action/top1").told() == told
    assert page.count(told) >= 2  # on hover and in the table


def test_counts_are_those_of_the_score_files(place: Place) -> None:
    results, notes = class_results(place.directory, groups_of(place.cells))
    expected = 0
    for cell in results[0].group.cells:
        scores = read_scores(place.directory / cell.scores)
        expected = expected + confusion(scores.labels, predictions(scores.scores), 6)
    np.testing.assert_array_equal(results[0].counts, expected)
    assert not notes
    stored = results_json(results)["results"][0]["counts"]
    rebuilt = np.zeros((6, 6), int)
    for label, predicted, count in np.reshape(stored, (-1, 3)):
        rebuilt[label, predicted] = count
    np.testing.assert_array_equal(rebuilt, expected)


def test_features_of_the_network_itself(place: Place) -> None:
    groups = groups_of(place.cells)
    plane = feature_plane(place.directory, groups, points=40)
    assert plane is not None and plane.clips == 60 and plane.places.shape == (40, 2)
    assert set(plane.domains) == {"street", "psychiatric"} and set(plane.groups) == {"head", "hands", "legs"}
    bare = [group for group in groups if group.plain and group.task == "laboratory to street"]
    damaged = [replace(cell, run="runs/other") for cell in bare[0].cells]
    assert feature_plane(place.directory, groups_of(damaged)) is None


def test_features_of_an_adapted_network_are_not_taken(tmp_path: Path) -> None:
    place = write_benchmark(tmp_path, small_tree(), clips=12, seeds=1, shots=(0,), budgets=())
    for file in tmp_path.glob("runs/**/*.npz"):
        with np.load(file) as stored:
            arrays = dict(stored)
        np.savez(file, **{**arrays, "log_probs": arrays["log_probs"][::-1]})
    assert feature_plane(tmp_path, groups_of(place.cells)) is None
    (tmp_path / "runs/laboratory/stgcnpp/seed0/features/x.npz").write_bytes(b"no archive")
    assert feature_plane(tmp_path, groups_of(place.cells)) is None


def test_features_of_streams_stand_side_by_side(tmp_path: Path) -> None:
    place = write_benchmark(tmp_path, small_tree(), clips=12, seeds=1, shots=(0,), budgets=())
    run, rng = tmp_path / place.cells[0].run, np.random.default_rng(0)
    for file in run.glob("features/*.npz"):
        file.unlink()
    for stream, sign in (("joint", 1), ("bone", -1)):
        for cell in place.cells:
            scores = read_scores(tmp_path / cell.scores)
            apart = np.random.default_rng(7).uniform(-0.5, 0.5, scores.scores.shape)
            file = run / stream / "features" / f"{cell.task}.npz"
            write_features(
                file, scores.clip_ids, rng.normal(size=(12, 4)), scores.scores * (1 + sign * apart)
            )
        found = feature_plane(tmp_path, groups_of(place.cells))
        assert (found is None) == (stream == "joint")  # one alone is not what the fused scores say
    assert found is not None and found.clips == 24


def test_skeletons_are_small_whole_numbers(place: Place) -> None:
    examples = choose_examples(place.directory, groups_of(place.cells))
    assert len({example.label for example in examples}) == 6
    assert {example.task for example in examples} == {"laboratory to street", "laboratory to psychiatric"}
    drawn = skeletons_json(place.poses, examples)
    assert len(drawn) == len(examples)
    for clip in drawn:
        frames = np.array(clip["persons"][0]).reshape(len(clip["ms"]), -1, 2)
        found = frames[(frames >= 0).all(axis=-1)]
        assert (found <= (clip["width"], clip["height"])).all() and frames.min() == -1  # a knee is missing
        assert clip["ms"][0] == 0 and max(clip["width"], clip["height"]) <= 1000
        assert all(max(limb) < frames.shape[1] for limb in clip["limbs"])
    assert len(json.dumps(drawn)) < 200_000


def test_absent_things_are_said(tmp_path: Path) -> None:
    gone, report = "scores/gone.parquet", tmp_path / "report.html"
    cell = Cell("labels", "all", "", "", "ddnet", 0, measures={"action/top1": 0.5}, scores=gone)
    write_benchmark_page(tmp_path, [], [cell], tmp_path / "nowhere", report)
    page = report.read_text(encoding="utf-8")
    for words in ("No score files", f"no score file {gone}", "No features lie", "50.00 %, one run"):
        assert words in page
    write_benchmark_page(tmp_path, [], [], tmp_path / "nowhere", tmp_path / "empty.html")
    place = write_benchmark(
        tmp_path / "b", small_tree(), clips=12, seeds=1, shots=(0,), budgets=(), moving=False
    )
    write_benchmark_page(place.directory, [], place.cells, place.poses, report)
    page = report.read_text(encoding="utf-8")
    assert "None of the measured clips is in the pose cache" in page and 'id="curves"' not in page
    write_benchmark_page(place.directory, [], place.cells, tmp_path / "no", report)
    assert "The poses cannot be read" in report.read_text(encoding="utf-8")


_PROBE = """<script>
const key = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
addEventListener("load", () => setTimeout(() => {
  const matrix = document.getElementById("matrix"), found = {}, hint = document.getElementById("hint");
  matrix.focus(); ["ArrowDown", "ArrowDown", "ArrowRight"].forEach(name => key(matrix, name));
  found.hint = hint.textContent;
  const box = matrix.getBoundingClientRect();
  const point = { clientX: box.left + 1, clientY: box.top + 1, bubbles: true };
  matrix.dispatchEvent(new PointerEvent("pointermove", point));
  found.pointed = hint.textContent;
  found.inked = [...document.querySelectorAll("canvas")].map(canvas =>
    new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data).size);
  const order = document.getElementById("order");
  order.value = "worst"; order.dispatchEvent(new Event("change"));
  const rows = [...document.querySelectorAll("#bars tbody tr")];
  found.worst = rows.map(row => parseFloat(row.cells[3].textContent));
  const choice = document.getElementById("result");
  found.results = choice.options.length;
  choice.value = choice.options.length - 1; choice.dispatchEvent(new Event("change"));
  found.note = document.getElementById("result-note").textContent;
  document.getElementById("all").click();
  const slider = document.querySelector(".clips input"), button = document.querySelector(".clips button");
  found.paused = [button.textContent, button.getAttribute("aria-label")];
  slider.value = 5; slider.dispatchEvent(new Event("input"));
  found.time = slider.getAttribute("aria-valuetext");
  key(slider, " "); found.playing = button.textContent;
  found.figures = document.querySelectorAll(".clips figure").length;
  const told = document.createElement("pre");
  told.id = "found"; told.textContent = JSON.stringify(found); document.body.append(told);
}, 300));
</script>"""


def chromium(arguments: list[str], file: Path, scratch: Path) -> tuple[str, str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        f"--user-data-dir={scratch}", "--virtual-time-budget=2500", "--window-size=1300,2400", *arguments,
        file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert not said, said
    return done.stdout, done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
def test_in_chromium(place: Place, page: str, tmp_path: Path) -> None:
    file = tmp_path / "probe.html"
    file.write_text(page.replace("</body>", _PROBE + "</body>"), encoding="utf-8")
    dom, _ = chromium(["--dump-dom", f"--screenshot={tmp_path / 'page.png'}"], file, tmp_path / "chromium")
    found = json.loads(unescape(re.search(r'<pre id="found">(.*?)</pre>', dom, flags=re.S)[1]))
    scores = read_scores(place.directory / place.cells[0].scores)
    counts = class_results(place.directory, groups_of(place.cells))[0][0].counts
    clips, percent = counts[1].sum(), 100 * counts[1, 1] / counts[1].sum()
    assert found["hint"] == f"shaking head: recognised {counts[1, 1]} of {clips} ({percent:.1f} %)"
    assert found["pointed"].startswith('<script>alert("1")</script>\\n=2+2')
    assert len(scores) == 30 and found["figures"] == 12 and found["results"] == 12
    assert min(found["inked"]) > 8  # every canvas has been drawn on
    assert found["worst"] == sorted(found["worst"]) and len(found["worst"]) == 6
    assert "Simulated." in found["note"]
    assert found["paused"][0] == "play" and found["paused"][1].startswith("play ")
    assert found["time"].endswith(" s") and found["playing"] == "pause"


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
def test_screenshots_light_and_dark(page: str, tmp_path: Path) -> None:
    import cv2

    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    brightness = []
    for scheme in (1, 0):  # light, dark
        picture = tmp_path / f"{scheme}.png"
        chromium(
            [f"--screenshot={picture}", f"--blink-settings=preferredColorScheme={scheme}"],
            file,
            tmp_path / "c",
        )
        pixels = cv2.imread(str(picture))
        brightness.append(float(np.median(pixels)))
        assert pixels.std() > 8  # not blank
    assert brightness[0] > 200 and brightness[1] < 60
