"""Networks that transformers holds in plain PyTorch: its classes, asked for when a network is built."""

from __future__ import annotations

from typing import Any


def transformers_class(name: str) -> Any:
    """A class of transformers by its name.

    Raises:
        ImportError: transformers is not installed, or too old to have it; the message says what to install.
    """
    try:
        import transformers

        return getattr(transformers, name)
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f"expected transformers 5.0 or later with {name}, got: {error}; "
            "install it with `pip install 'fidget[rgb]'`"
        ) from error
