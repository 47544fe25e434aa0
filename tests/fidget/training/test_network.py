from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.fidget.training.training_samples import TREE, tiny_recipe

from fidget.training.network import (
    ActionNetwork,
    load_pretrained,
    make_network,
    read_label_embeddings,
    to_channels_last,
)
from poses.layout import get_layout
from protocols.label_tree import LabelTree

LAYOUT = get_layout("coco17")


def _network(*overrides: str, embeddings=None) -> ActionNetwork:
    return make_network(tiny_recipe(*overrides), LAYOUT, 2, TREE, embeddings)


def test_probabilities_sum_to_one_and_features_become_embeddings() -> None:
    for overrides in ((), ("loss.soft_hierarchy=true",)):
        network = _network(*overrides, embeddings=torch.zeros(3, 5)).eval()
        log_probs, embedded = network(torch.randn(2, 1, 8, 17, 2), None, None)
        torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(2))
        assert log_probs.shape == (2, 3) and embedded.shape == (2, 5)


def test_a_batch_without_anybody_is_features_of_zero() -> None:
    network = _network().eval()
    got, _ = network(torch.randn(2, 2, 8, 17, 2), torch.zeros(2, 2, dtype=torch.bool), None)
    expected = network.model.forward_head(torch.zeros(2, network.model.num_features)).log_softmax(1)
    torch.testing.assert_close(got, expected)


def test_an_option_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="no option 'colour'"):
        _network("model.options.colour=3")


@pytest.mark.parametrize("wrapped", ["model", "state_dict"])
def test_pretrained_weights_load_with_another_number_of_classes(tmp_path, wrapped) -> None:
    source, target = _network("loss.soft_hierarchy=true"), _network()
    torch.save({wrapped: source.state_dict()}, tmp_path / "weights.pt")
    before = target.model.get_classifier().weight.clone()
    assert load_pretrained(target.model, "stgcnpp", tmp_path / "weights.pt") == "fidget"
    head = next(n for n, m in target.model.named_modules() if m is target.model.get_classifier())
    for name, tensor in target.model.state_dict().items():
        if not name.startswith(head):
            assert torch.equal(tensor, source.model.state_dict()[name]), name
    assert torch.equal(target.model.get_classifier().weight, before)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path) -> None:
    state = {key: value for key, value in _network().state_dict().items() if "running_var" not in key}
    torch.save({"model": state}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match=r"missing .*running_var"):
        load_pretrained(_network().model, "stgcnpp", tmp_path / "weights.pt")


def test_label_embeddings_follow_the_actions(tmp_path) -> None:
    file = tmp_path / "vectors.npz"
    np.savez(file, actions=np.array(TREE.actions[::-1]), vectors=np.arange(1.0, 7).reshape(3, 2))
    assert read_label_embeddings(file, TREE).tolist() == [[5, 6], [3, 4], [1, 2]]
    with pytest.raises(ValueError, match="no vector for 1 actions: shrug"):
        read_label_embeddings(file, LabelTree("two", ("still", "shrug")))
    np.savez(file, names=np.zeros(2))
    with pytest.raises(ValueError, match="expected the arrays actions and vectors"):
        read_label_embeddings(file, TREE)
    with pytest.raises(ValueError, match=r"no file 'FILE'; give the labels' vectors with --set"):
        read_label_embeddings("FILE", TREE)


def test_label_embeddings_without_names_are_in_the_order_of_the_actions(tmp_path) -> None:
    file = tmp_path / "vectors.npy"
    np.save(file, np.arange(1.0, 7).reshape(3, 2))
    assert read_label_embeddings(file, TREE).tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(ValueError, match=r"expected vectors \(2, D\), got \(3, 2\)"):
        read_label_embeddings(file, LabelTree("two", TREE.actions[:2]))


def test_names_have_vectors_of_their_own() -> None:
    tree = LabelTree("words", ("rubbing hands", "rubbing knees", "nodding"))
    vectors = read_label_embeddings("names", tree)
    assert vectors.dtype == torch.float32 and len(vectors) == 3
    products = vectors @ vectors.T
    assert products[0, 1] > 0 and products[0, 2] == 0


@pytest.mark.shared
def test_the_vectors_of_manets_authors_are_read(shared_dir) -> None:
    file = shared_dir / "data" / "annotations" / "ma52" / "glove_label_embeddings_52x300.npy"
    vectors = read_label_embeddings(file, LabelTree("52", tuple(f"action {n}" for n in range(52))))
    np.testing.assert_array_equal(vectors.numpy(), np.load(file))


def test_the_released_embedding_head_has_two_layers_with_tanh_between() -> None:
    network = _network("loss.label_embedding_head=tanh", embeddings=torch.zeros(3, 5))
    assert [tuple(p.shape) for p in network.embed.parameters()] == [
        (5, network.model.num_features), (5,), (5, 5), (5,),
    ]  # fmt: skip
    assert 0 < network.embed[0].weight.std() < 0.002
    features = torch.randn(2, network.model.num_features)
    expected = network.embed[2](torch.tanh(network.embed[0](features)))
    torch.testing.assert_close(network.embed(features), expected)


def test_models_and_inputs_of_different_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'stgcnpp' takes joints, but input\.form is 'frames'"):
        make_network(tiny_recipe("input={form='frames'}"), None, 3, TREE, None)


def test_convolutions_of_two_and_three_dimensions_have_their_channels_last() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv3d(4, 5, 3), torch.nn.Linear(5, 2))
    before = [p.clone() for p in network.parameters()]
    to_channels_last(network)
    assert network[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert all(torch.equal(p, q) for p, q in zip(before, network.parameters(), strict=True))
