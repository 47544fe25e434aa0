"""What is minimised: one expression over log-probabilities of the actions, and its hierarchical terms.

Axis letters: N clips, A actions, G body groups, E width of a label embedding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from fidget.training.recipe import LossTable


def action_log_probs(outputs: Tensor, group_of: Tensor | None) -> Tensor:
    """Log-probabilities of the actions (N, A) from a network's outputs.

    Args:
        outputs: (N, A) logits; with `group_of` (N, G + A): those of the groups, then those of the actions.
        group_of: (A,) int64 group of each action for the soft hierarchy
            P(action) = P(group) P(action | group), or None.
    """
    outputs = outputs.float()
    if group_of is None:
        return functional.log_softmax(outputs, dim=1)
    groups = outputs.shape[1] - len(group_of)
    group = functional.log_softmax(outputs[:, :groups], dim=1)  # (N, G)
    action = outputs[:, groups:]  # (N, A)
    return action - group_logsumexp(action, group_of, groups)[:, group_of] + group[:, group_of]


def mean_of_heads(log_probs: Tensor) -> Tensor:
    """(N, A) of one head as they are; of several, (heads, N, A), the logarithm of their mean probability."""
    if log_probs.dim() == 2:
        return log_probs
    return log_probs.logsumexp(0) - math.log(len(log_probs))


def group_logsumexp(values: Tensor, group_of: Tensor, groups: int) -> Tensor:
    """(N, A) to (N, G): the logarithm of each group's summed exponentials."""
    member = group_of == torch.arange(groups, device=group_of.device)[:, None]  # (G, A)
    return values[:, None].masked_fill(~member, -torch.inf).logsumexp(dim=2)


class ActionLoss(nn.Module):
    """The recipe's loss of a batch.

    With q the target distribution (label smoothing spreads eps over all A actions) and p the adjusted
    probabilities, the loss is `-sum_a q_a (1 - p_a)^gamma log p_a`: gamma 0 is cross-entropy, above 0 the
    focal loss (Lin et al., ICCV 2017). Logit adjustment (Menon et al., ICLR 2021, eq. 10) adds tau times the
    log of the class's share of the training clips to the log-probabilities, in training only. The two-level
    loss adds the cross-entropy of the body group, whose probability is the sum over its actions.

    Args:
        table: the recipe's table.
        class_counts: (A,) training clips of each class, all at least 1 where logits are adjusted.
        group_of: (A,) group of each action, or None.
        embeddings: (A, E) vectors of the labels for the label-embedding loss (MANet, Guo et al. 2024),
            or None.

    Raises:
        ValueError: a term needs groups or counts that are not there.
    """

    prior: Tensor
    group_of: Tensor | None
    embeddings: Tensor | None

    def __init__(
        self,
        table: LossTable,
        class_counts: Tensor,
        group_of: Tensor | None = None,
        embeddings: Tensor | None = None,
    ) -> None:
        super().__init__()
        if (table.two_level_weight or table.soft_hierarchy) and group_of is None:
            raise ValueError(
                "loss.two_level_weight and loss.soft_hierarchy need a label tree with body groups, "
                "which this protocol has not"
            )
        if table.logit_adjustment and int(class_counts.min()) < 1:
            raise ValueError("logit_adjustment needs a training clip of every class; a class has none")
        self.table = table
        prior = (class_counts.double() / class_counts.sum()).clamp(min=1e-12).log().float()
        self.register_buffer("prior", prior, persistent=False)
        self.register_buffer("group_of", group_of, persistent=False)
        self.register_buffer("embeddings", embeddings, persistent=False)

    def forward(
        self,
        log_probs: Tensor,
        labels: Tensor,
        embedded: Tensor | None = None,
        shares: Tensor | None = None,
    ) -> Tensor:
        """The mean loss.

        Args:
            log_probs: (N, A), of `action_log_probs`.
            labels: (N,) int64.
            embedded: (N, E), the features as label embeddings.
            shares: (N,) what each clip's loss is multiplied with; all 1 if None.
        """
        table = self.table
        if table.logit_adjustment:
            log_probs = functional.log_softmax(log_probs + table.logit_adjustment * self.prior, dim=1)
        loss = self._of_actions(log_probs, labels, shares)
        if table.two_level_weight and self.group_of is not None:
            groups = int(self.group_of.max()) + 1
            group = group_logsumexp(log_probs, self.group_of, groups)  # (N, G)
            nll = functional.nll_loss(group, self.group_of[labels], reduction="none")  # (N,)
            loss = loss + table.two_level_weight * _mean(nll, shares)
        if embedded is not None and self.embeddings is not None:
            distance = self._distance(embedded.float(), self.embeddings[labels])
            loss = loss + table.label_embedding_weight * _mean(distance, shares)
        return loss

    def _distance(self, embedded: Tensor, wanted: Tensor) -> Tensor:
        """(N, E) twice to (N,): the mean square of the coordinates' differences, or its length."""
        if self.table.label_embedding_distance == "l2":
            return torch.linalg.vector_norm(embedded - wanted, dim=1)
        return functional.mse_loss(embedded, wanted, reduction="none").mean(dim=1)

    def _of_actions(self, log_probs: Tensor, labels: Tensor, shares: Tensor | None) -> Tensor:
        smoothing = self.table.label_smoothing
        weighted = log_probs
        if self.table.kind == "focal":
            weighted = log_probs * (1 - log_probs.exp()).clamp(min=0) ** self.table.focal_gamma
        loss = -weighted.gather(1, labels[:, None])[:, 0]  # (N,)
        if smoothing:
            loss = (1 - smoothing) * loss - smoothing * weighted.mean(dim=1)
        return _mean(loss, shares)


def mixed_loss(
    loss: ActionLoss,
    log_probs: Tensor,
    labels: Tensor,
    embedded: Tensor | None,
    partner: Tensor | None,
    share: Tensor | None,
) -> Tensor:
    """The mean loss of clips that may be mixed with others (mixup, Zhang et al., ICLR 2018).

    Args:
        loss: of the recipe.
        log_probs: (N, A); (heads, N, A) of a network with several heads, whose losses are summed.
        labels: (N,) int64.
        embedded: (N, E) or None.
        partner: (N,) int64, the row of the clip that is mixed into each; None where nothing is mixed.
        share: (N,) of each clip itself; the rest is its partner's.
    """
    if log_probs.dim() == 3:
        each = [mixed_loss(loss, head, labels, None, partner, share) for head in log_probs[1:]]
        return sum(each, mixed_loss(loss, log_probs[0], labels, embedded, partner, share))
    if partner is None or share is None:
        value: Tensor = loss(log_probs, labels, embedded)
        return value
    both: Tensor = loss(log_probs, labels, embedded, share)
    return both + loss(log_probs, labels[partner], embedded, 1 - share)


def _mean(values: Tensor, shares: Tensor | None) -> Tensor:
    """Over the clips (N,), each with its share."""
    return values.mean() if shares is None else (values * shares).mean()
