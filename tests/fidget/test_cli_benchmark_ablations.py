"""`fidget benchmark run ma52/ablations`: ten networks from one recipe, three tables as the paper has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fidget.benchmark.benchmark_samples import CLIPS, write_place
from tests.fidget.training.frame_samples import FRAME_RECIPE, frames_of_clip, write_video

from fidget.benchmark import ablations, methods
from fidget.benchmark.ablations import VARIANTS
from fidget.benchmark.methods import make_ablations
from fidget.cli.main import main
from protocols.published import find_published, published_name

_MANET = FRAME_RECIPE.replace("tsm_r50", "manet_r50").replace("epochs = 2", "epochs = 1").replace(
    "tiny_frames", "tiny_manet"
)  # fmt: skip
_RUN = "benchmark run ma52/ablations --videos videos --labels cache-labels.csv --samples 20 --jobs 1"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    place = write_place(tmp_path_factory.mktemp("ablations"))
    for number in range(CLIPS):
        write_video(place / "videos" / f"clip{number:02d}.mp4", frames_of_clip(number, frames=6))
    (place / "manet.toml").write_text(_MANET + '[loss]\nlabel_embedding = "names"\n')
    return place


@pytest.fixture
def place(made, monkeypatch) -> Path:
    monkeypatch.chdir(made)
    monkeypatch.setenv("XDG_CACHE_HOME", str(made / "user"))
    return made


def test_ten_networks_stand_for_the_thirteen_rows_of_the_paper(place) -> None:
    printed = [tuple(dict(value.setting).values()) for value in find_published("ma52_ablations")]
    stood_for = [row for variant in VARIANTS for row in variant.rows]
    assert sorted(stood_for) == sorted(set(printed)) and len(stood_for) == 13
    recipes = {method.name: method.recipe("", 0) for method in make_ablations(["manet.toml"])}
    assert len(recipes) == 10
    told = {
        name: (recipe.model.name, recipe.input.frames, recipe.loss.label_embedding_weight)
        for name, recipe in recipes.items()
        if recipe.loss.label_embedding
    }
    assert told == {
        "tiny_manet": ("manet_r50", 8, 5), "tiny_manet T4": ("manet_r50", 4, 5),
        "tiny_manet T16": ("manet_r50", 16, 5), "tiny_manet without SE": ("tsm_r50", 8, 5),
        "tiny_manet alpha 0.1": ("manet_r50", 8, 0.1), "tiny_manet alpha 1": ("manet_r50", 8, 1),
        "tiny_manet alpha 2": ("manet_r50", 8, 2), "tiny_manet alpha 10": ("manet_r50", 8, 10),
    }  # fmt: skip
    assert recipes["tiny_manet baseline"].model.name == "tsm_r50"
    assert recipes["tiny_manet without embedding"].model.name == "manet_r50"


def test_the_shipped_recipes_have_ablations() -> None:
    for name in ("manet", "manet_released", "mma82_manet_small"):
        found = make_ablations([name], ["loss.label_embedding=names"])
        assert len({method.recipe_hash for method in found}) == 10


def test_the_tables_of_a_labelled_data_set(place, capsys, monkeypatch) -> None:
    some = tuple(one for one in VARIANTS if one.suffix in ("", "T4", "baseline"))
    monkeypatch.setattr(methods, "VARIANTS", some)
    (place / "videos" / "simulation.json").write_text('{"simulated": true}')
    assert main([*_RUN.split(), "--method", "manet.toml", "-o", "out"]) == 0
    out = capsys.readouterr().out
    assert "3 of 3 cells to do, 3 networks to train" in out
    assert main(["benchmark", "table", "ablations", "out", "--samples", "20"]) == 0
    text = capsys.readouterr().out
    assert text.strip() in out
    ours, published = text.split("published values of MA-52's test split", 1)
    assert ours.count("(simulated data)") == 3 and "65.59" not in ours and "65.59" in published
    assert "| T=4     | tiny_manet, simulated" in ours and "| baseline (TSM) | tiny_manet, sim" in ours
    assert ours.count("Simulated data: these numbers say nothing about real recordings") == 3
    cells = [json.loads(path.read_text()) for path in (place / "out" / "cells").iterdir()]
    assert {cell["task"] for cell in cells} == {"test"} and all(cell["simulated"] for cell in cells)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "recipe manet needs vectors of the labels, and 'FILE' is no file; give --set loss.label"),
        ("--method tsm --set loss.label_embedding=names", "expected a recipe of model 'manet_r50', tsm has"),
        ("--method manet.toml --method manet.toml", "two methods have the name"),
    ],
)
def test_wrong_input_is_one_line_and_a_status(place, capsys, words, told) -> None:
    assert main([*_RUN.split(), *words.split()]) == 2
    shown = capsys.readouterr().err
    assert told in shown and shown.count("\n") == 1


def test_real_results_of_the_test_split_stand_beside_the_published_rows(tmp_path) -> None:
    import numpy as np

    from fidget.benchmark.cell import Cell
    from protocols.recognition import measures_of
    from protocols.scores import ScoreFile, write_scores
    from protocols.trees import tree

    actions = tree("ma52")
    labels = np.arange(104) % 52
    scores = np.full((104, 52), 0.01, np.float32)
    scores[np.arange(104), labels] = 0.49
    file = ScoreFile(actions, tuple(f"c{n}" for n in range(104)), labels, scores)
    write_scores(tmp_path / "s.parquet", file)
    names = ("mine T4", "mine")
    cells = [
        Cell("ma52/ablations", task, "", "", name, 0, measures=measures_of(file), scores="s.parquet")
        for task in ("test", "val")
        for name in names
    ]
    frames, alpha, parts = ablations.ablation_tables(cells[:2], tmp_path, 20)
    assert [row[:2] for row in frames.rows] == [
        ("T=4", "published"), ("T=4", "mine"), ("T=4", "mine: difference [95 %]"),
        ("T=8", "published"), ("T=8", "mine"), ("T=8", "mine: difference [95 %]"), ("T=16", "published"),
    ]  # fmt: skip
    assert frames.rows[0][2] == "61.20" and frames.rows[1][2] == "100.00"
    assert frames.rows[2][2].startswith("+38.80 [")
    assert ("5", "mine") in [row[:2] for row in alpha.rows]
    assert ("MANet", "mine") in [row[:2] for row in parts.rows]
    val = ablations.ablation_tables(cells[2:], tmp_path, 0)
    assert len(val) == 6 and not any("published" in row for table in val[:3] for row in table.rows)


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        ("manet", "MANet"), ("manet_released", "MANet"), ("mma82_manet_small", "MANet"), ("tsm", "TSM"),
        ("gc_tsm", "GC-TSM"), ("mma82_gc_tsm_small", "GC-TSM"), ("swin3d_tiny", "VSwinT"), ("tin", "TIN"),
        ("uniformer_small", "UniFormer"), ("posec3d_c3d_light", "PoseC3D"), ("c3d", "C3D"), ("i3d", "I3D"),
        ("slowfast", "SlowFast"), ("timesformer", "TimeSformer"), ("tsn", "TSN"), ("stgcnpp", ""),
        ("videomae_base", ""), ("rgbpose_conv3d_pose", ""),
    ],
)  # fmt: skip
def test_recipes_have_the_names_of_published_tables(recipe, name) -> None:
    assert published_name(recipe) == name
