"""Dropout and one linear layer behind pooled features, as MMAction2's heads have them."""

from __future__ import annotations

from torch import Tensor, nn

from rgb_models.model import RgbModel


class LinearHead(RgbModel):
    """A network whose head is dropout and a linear layer with normal weights.

    A subclass builds its trunk after `super().__init__()`, and then calls `build_head`.
    """

    _std: float

    def build_head(self, num_features: int, num_classes: int, dropout: float, std: float = 0.01) -> None:
        """Give the network its head.

        Args:
            num_features: width of what `forward_features` returns.
            num_classes: width of the logits.
            dropout: before the linear layer.
            std: of fresh weights; biases are 0.
        """
        self.num_features = num_features
        self.dropout = nn.Dropout(dropout)
        self._std = std
        self.reset_classifier(num_classes)

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to (N, num_classes)."""
        logits: Tensor = self.fc(self.dropout(features.to(self.fc.weight.dtype)))
        return logits

    def get_classifier(self) -> nn.Linear:
        """The linear layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """A new linear layer with fresh weights, where the old one lay."""
        self.num_classes = num_classes
        fc = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(fc.weight, std=self._std)
        nn.init.zeros_(fc.bias)
        old = getattr(self, "fc", None)
        self.fc = fc if old is None else fc.to(old.weight)
