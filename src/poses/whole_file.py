"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; what the block writes there takes `path`'s place if it ends well.

    The directory is made. On an error nothing is left behind and an older file stays as it was; OSError
    when the place cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = hashlib.sha256(path.name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    part = path.with_name(f".{mark}-{os.getpid()}.part")
    try:
        yield part
        if part.exists():
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
