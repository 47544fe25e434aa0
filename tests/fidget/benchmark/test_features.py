from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.fidget.benchmark.shifted_samples import TREE, LimbRun

from fidget.benchmark import features as features_module
from fidget.benchmark.features import ClipFeatures, clip_features, run_features
from fidget.benchmark.finished_run import open_finished_run
from fidget.benchmark.normalisation import adapted_statistics, batch_norms, with_statistics
from protocols.scores import read_scores


@pytest.fixture
def ids(limb_run: LimbRun) -> tuple[str, ...]:
    table = limb_run.table
    return tuple(table.clip_ids[row] for row in table.rows("test", "laboratory"))


def test_probabilities_are_those_that_training_measured(limb_run, ids) -> None:
    found = clip_features(limb_run.run, limb_run.poses, ids, device="cpu")
    stored = read_scores(limb_run.run / "scores" / "test.parquet")
    assert found.clip_ids == stored.clip_ids == ids
    np.testing.assert_allclose(np.exp(found.log_probs), stored.scores, atol=1e-5)


def test_the_head_over_the_features_gives_the_probabilities(limb_run, ids) -> None:
    run = open_finished_run(limb_run.run, limb_run.poses, device="cpu")
    assert run.tree == TREE
    found = run_features(run, ids)
    with torch.no_grad():
        logits = run.network.model.forward_head(torch.from_numpy(found.features))  # one view, no dropout
    np.testing.assert_allclose(logits.log_softmax(1).numpy(), found.log_probs, atol=1e-5)
    assert found.features.shape == (len(ids), run.network.model.num_features)


def test_features_are_computed_once(limb_run, ids, monkeypatch) -> None:
    first = clip_features(limb_run.run, limb_run.poses, ids, device="cpu")

    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(features_module, "_computed", refuse)
    again = clip_features(limb_run.run, limb_run.poses, ids, device="cpu")
    np.testing.assert_array_equal(again.features, first.features)
    with pytest.raises(AssertionError, match="computed again"):  # another list is another file
        clip_features(limb_run.run, limb_run.poses, ids[:-1], device="cpu")


def test_a_damaged_file_is_made_again(limb_run, ids) -> None:
    wanted = ids[:4]
    before = set((limb_run.run / "features").glob("*.npz"))
    first = clip_features(limb_run.run, limb_run.poses, wanted, device="cpu")
    (file,) = set((limb_run.run / "features").glob("*.npz")) - before
    whole = file.read_bytes()
    for damaged in (whole[:100], b"", b"not a zip file"):
        file.write_bytes(damaged)
        again = clip_features(limb_run.run, limb_run.poses, wanted, device="cpu")
        np.testing.assert_array_equal(again.features, first.features)


def test_the_order_of_clips_and_the_batches_do_not_matter(limb_run, ids) -> None:
    run = open_finished_run(limb_run.run, limb_run.poses, device="cpu")
    whole = run_features(run, ids)
    turned = run_features(run, ids[::-1], keep=False)
    np.testing.assert_allclose(turned.features[::-1], whole.features, atol=1e-5)
    some = whole.of((ids[3], ids[1]))
    np.testing.assert_array_equal(some.features, whole.features[[3, 1]])


def test_what_is_not_there_is_named(limb_run, ids, tmp_path) -> None:
    with pytest.raises(ValueError, match="1 of 2 clips have no poses, such as 'nobody'"):
        clip_features(limb_run.run, limb_run.poses, [ids[0], "nobody"], device="cpu")
    with pytest.raises(ValueError, match="each clip once, got 1 twice"):
        clip_features(limb_run.run, limb_run.poses, [ids[0], ids[0]], device="cpu")
    with pytest.raises(ValueError, match="expected a finished run"):
        clip_features(tmp_path, limb_run.poses, ids, device="cpu")
    with pytest.raises(ValueError, match="1 clips have no features, such as 'nobody'"):
        clip_features(limb_run.run, limb_run.poses, ids, device="cpu").of(["nobody"])
    with pytest.raises(ValueError, match="log_probs: expected float32 of 1 rows"):
        ClipFeatures(("a",), np.zeros((1, 2), np.float32), np.zeros((2, 3), np.float32))


def test_a_network_of_other_labels_is_refused(limb_run) -> None:
    other = type(TREE)("others", ("a", "b"))
    with pytest.raises(ValueError, match=r"selected\.pt does not fit .* 'others'"):
        open_finished_run(limb_run.run, limb_run.poses, other, device="cpu")


def _street(limb_run: LimbRun) -> tuple[str, ...]:
    return tuple(limb_run.table.clip_ids[row] for row in limb_run.table.rows("test", "street"))


def test_adapted_statistics_change_running_statistics_and_nothing_else(limb_run) -> None:
    run = open_finished_run(limb_run.run, limb_run.poses, device="cpu")
    before = run.state()
    street = _street(limb_run)
    adapted = with_statistics(run, street)
    after = adapted.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    running = {
        f"{name}.{what}" for name in batch_norms(run.network) for what in ("running_mean", "running_var")
    }
    assert changed == running
    assert all(torch.equal(before[name], tensor) for name, tensor in run.network.state_dict().items())
    assert not run.network.training
    assert all(layer.momentum == 0.1 for layer in batch_norms(run.network).values())


def test_adapted_statistics_do_not_depend_on_the_clips_order(limb_run) -> None:
    run = open_finished_run(limb_run.run, limb_run.poses, device="cpu")
    street = _street(limb_run)
    one, other = adapted_statistics(run, street), adapted_statistics(run, street[::-1])
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_first_layers_statistics_are_the_mean_and_variance_of_its_input(limb_run) -> None:
    """What enters the first layer depends on no other layer: the target's part has to be exact."""
    run = open_finished_run(limb_run.run, limb_run.poses, device="cpu")
    street = _street(limb_run)
    found = adapted_statistics(run, street, source_clips=0)
    batch = run.val_input.finish(run.val_input.batch([run.clips.read(one) for one in street], None))
    rows = batch.x[:, 0].flatten(2).flatten(0, 1).double()  # (N * T, V * C) of the only person
    torch.testing.assert_close(
        found["model.data_bn.running_mean"].double(), rows.mean(0), atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(found["model.data_bn.running_var"].double(), rows.var(0), atol=1e-4, rtol=2e-2)
    own = run.network.state_dict()["model.data_bn.running_mean"]
    half = adapted_statistics(run, street, source_clips=len(street))["model.data_bn.running_mean"]
    torch.testing.assert_close(half.double(), (own.double() + rows.mean(0)) / 2, atol=1e-5, rtol=1e-4)
