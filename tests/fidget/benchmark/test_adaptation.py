from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.fidget.benchmark.shifted_samples import LimbRun

from fidget.benchmark import adaptation as adaptation_module
from fidget.benchmark.adaptation import (
    ADAPTATIONS,
    EVERYTHING,
    INDUCTIVE,
    PRIOR,
    PSEUDO,
    SETTINGS,
    STATISTICS,
    Adapter,
    adapt,
)
from fidget.benchmark.fine_tuning import FULL, LIGHT, fine_tuned, replayed
from fidget.benchmark.normalisation import normalisation_layers
from protocols.benchmarks import make_tasks
from protocols.k_shot import draw_support, read_support, support_rng, write_support
from protocols.protocol import Split
from protocols.scores import ScoreFile
from protocols.task import Task

HEADS = ("linear_probe", "cosine_prototypes")
QUICK = 64  # clips that a fine-tuning test shows


@pytest.fixture(scope="module")
def task(limb_run: LimbRun) -> Task:
    return make_tasks("mma82/cross-domain", limb_run.table)[0]


@pytest.fixture(scope="module")
def adapter(limb_run: LimbRun, task: Task) -> Adapter:
    return Adapter(task, limb_run.run, limb_run.poses, "cpu")


def _top1(scores: ScoreFile) -> float:
    return float((scores.scores.argmax(1) == scores.labels).mean())


def test_the_network_alone_is_the_networks_scores(adapter, task) -> None:
    scores = adapter.scores()
    assert scores.clip_ids == task.target.clip_ids
    assert tuple(scores.labels.tolist()) == task.target.labels
    assert scores.method == "tiny joint, none, inductive"


@pytest.mark.parametrize("method", HEADS)
def test_shots_beat_none_and_more_shots_beat_few(adapter, method) -> None:
    zero = _top1(adapter.scores())
    few, many = (np.mean([_top1(adapter.scores(k, draw, method)) for draw in range(4)]) for k in (1, 10))
    assert zero + 0.1 < few < many


def test_adapted_statistics_alone_help(adapter) -> None:
    assert _top1(adapter.scores(setting=STATISTICS)) > _top1(adapter.scores()) + 0.2


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("method", ("none", *HEADS))
def test_every_setting_gives_probabilities_of_the_same_clips_and_its_name(adapter, method, setting) -> None:
    scores = adapter.scores(0 if method == "none" else 5, 1, method, setting)
    assert scores.method.endswith(setting)
    assert scores.clip_ids == adapter.task.target.clip_ids
    again = adapter.scores(0 if method == "none" else 5, 1, method, setting)
    np.testing.assert_array_equal(again.scores, scores.scores)


@pytest.mark.parametrize("setting", [STATISTICS, PRIOR, PSEUDO])
def test_only_transductive_settings_look_at_the_target_together(limb_run, task, setting) -> None:
    """Probabilities of a clip change with the other measured clips, but never in `inductive`."""
    halved = replace(task, target=Split(task.target.clip_ids[::3], task.target.labels[::3]))
    among_all = Adapter(task, limb_run.run, limb_run.poses, "cpu")
    among_third = Adapter(halved, limb_run.run, limb_run.poses, "cpu")
    for method, k in (("none", 0), ("linear_probe", 5)):
        all_, third = (one.scores(k, 0, method, INDUCTIVE).scores for one in (among_all, among_third))
        np.testing.assert_allclose(all_[::3], third, atol=1e-5)
        all_, third = (one.scores(k, 0, method, setting).scores for one in (among_all, among_third))
        assert np.abs(all_[::3] - third).max() > 1e-3


def test_labels_of_measured_clips_are_never_looked_at(limb_run, task, adapter) -> None:
    blind = replace(task, target=Split(task.target.clip_ids, tuple(reversed(task.target.labels))))
    other = Adapter(blind, limb_run.run, limb_run.poses, "cpu")
    for method, k, setting in (
        ("none", 0, EVERYTHING), ("linear_probe", 5, EVERYTHING), ("cosine_prototypes", 1, PSEUDO),
    ):  # fmt: skip
        np.testing.assert_array_equal(
            other.scores(k, 0, method, setting).scores, adapter.scores(k, 0, method, setting).scores
        )


def test_a_support_list_of_a_file_is_what_is_used(adapter, task, tmp_path) -> None:
    tree = task.source.tree
    write_support(tmp_path / "a.csv", draw_support(task.support, 2, support_rng(0, 4)), tree)
    support = read_support(tmp_path / "a.csv", tree, task.support)
    given = adapter.scores(2, 4, "linear_probe", support=support)
    np.testing.assert_array_equal(given.scores, adapter.scores(2, 4, "linear_probe").scores)
    assert (given.scores != adapter.scores(2, 5, "linear_probe").scores).any()


def _quick(monkeypatch) -> None:
    quick = {
        "light_fine_tuning": replace(LIGHT, passes=QUICK),
        "full_fine_tuning": replace(FULL, passes=QUICK),
    }
    monkeypatch.setattr(adaptation_module, "_TUNING", quick)


@pytest.mark.parametrize("method", ["light_fine_tuning", "full_fine_tuning"])
def test_fine_tuning_is_a_function_of_the_draw(limb_run, task, adapter, monkeypatch, method) -> None:
    _quick(monkeypatch)
    torch.manual_seed(1)
    first = adapter.scores(2, 0, method)
    torch.manual_seed(2)
    again = adapt(task, limb_run.run, limb_run.poses, 2, 0, method, device="cpu")
    np.testing.assert_array_equal(again.scores, first.scores)
    assert (adapter.scores(2, 1, method).scores != first.scores).any()
    assert (first.scores != adapter.scores().scores).any()


@pytest.mark.parametrize("setting", [STATISTICS, PSEUDO])
def test_fine_tuning_in_transductive_settings(adapter, monkeypatch, setting) -> None:
    _quick(monkeypatch)
    scores = {one: adapter.scores(1, 0, "full_fine_tuning", one).scores for one in (INDUCTIVE, setting)}
    assert (scores[INDUCTIVE] != scores[setting]).any()


def _names(module: torch.nn.Module, parts: list[torch.nn.Module]) -> set[str]:
    wanted = {id(parameter) for part in parts for parameter in part.parameters()}
    return {name for name, parameter in module.named_parameters() if id(parameter) in wanted}


def test_light_fine_tuning_changes_the_head_and_normalisation_weights_only(adapter, task) -> None:
    run = adapter.run
    before = run.state()
    shots = draw_support(task.support, 2, support_rng(0, 0)).split
    replay = replayed(task.source.splits["train"], shots.labels, 2, 0)
    tuned = fine_tuned(run, shots, replay, replace(LIGHT, passes=QUICK), 3)
    after = tuned.network.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    model = run.network.model
    parts = [*normalisation_layers(model), model.get_classifier()]
    assert changed == {f"model.{name}" for name in _names(model, parts)}  # no running statistics among them
    assert all(torch.equal(before[name], tensor) for name, tensor in run.network.state_dict().items())


def test_fine_tuning_learns_its_shots(adapter, task) -> None:
    """On the shots themselves the tuned network is much better than the source's."""
    shots = draw_support(task.support, 6, support_rng(0, 0)).split
    replay = replayed(task.source.splits["train"], shots.labels, 6, 0)
    tuned = fine_tuned(adapter.run, shots, replay, replace(FULL, passes=320), 3)

    def right(run) -> float:
        found = adaptation_module.run_features(run, shots.clip_ids, keep=False)
        return float((found.log_probs.argmax(1) == np.array(shots.labels)).mean())

    assert right(tuned) > right(adapter.run) + 0.3


def test_replay_is_k_of_a_class_and_no_more_than_the_shots(task) -> None:
    source = task.source.splits["train"]
    found = replayed(source, range(15), 3, 0)
    assert np.bincount(found.labels).tolist() == [3] * 5
    assert set(found.clip_ids) <= set(source.clip_ids)
    assert len(replayed(source, range(7), 3, 0).clip_ids) == 7
    assert replayed(source, range(15), 3, 1) != found


@pytest.mark.parametrize("method", ADAPTATIONS)
def test_only_drawn_clips_of_the_target_are_learned_from(limb_run, task, method, monkeypatch) -> None:
    """Wrong labels of the clips that were not drawn change nothing."""
    _quick(monkeypatch)
    drawn = draw_support(task.support, 2, support_rng(0, 0))
    ids, labels = task.support.clip_ids, task.support.labels
    kept = set(drawn.split.clip_ids)
    wrong = tuple(label if one in kept else (label + 1) % 5 for one, label in zip(ids, labels, strict=True))
    misled = replace(task, support=Split(ids, wrong))
    one, other = (
        adapt(each, limb_run.run, limb_run.poses, 2, 0, method, support=drawn, device="cpu")
        for each in (task, misled)
    )
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((1, 0, "linear_prob"), "no adaptation 'linear_prob': did you mean 'linear_probe'"),
        ((1, 0, "linear_probe", "transductive"), "no setting 'transductive': .*expected one of inductive"),
        ((1, 0, "none"), "takes no shots, got 1"),
        ((0, 0, "linear_probe"), "1 shot a class or more, got 0"),
    ],
)
def test_names_and_shots_that_do_not_fit(adapter, given, told) -> None:
    with pytest.raises(ValueError, match=told):
        adapter.scores(*given)


def test_a_support_list_with_measured_clips_is_refused(adapter, task) -> None:
    support = draw_support(Split(task.target.clip_ids, task.target.labels), 1, support_rng(0, 0))
    with pytest.raises(ValueError, match=f"K 1 with 5 others, such as '{support.split.clip_ids[0]}'"):
        adapter.scores(1, 0, "linear_probe", support=support)


def test_a_task_without_a_pool_has_no_shots(limb_run) -> None:
    task = make_tasks("mma82/cross-domain", limb_run.table, shots=())[0]
    with pytest.raises(ValueError, match="no clips to draw shots from"):
        adapt(task, limb_run.run, limb_run.poses, 1, 0, "linear_probe", device="cpu")
