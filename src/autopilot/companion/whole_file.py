"""Small files of the companion's own: whole, or as they were, whoever reads them meanwhile; for their owner only."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Have `data` in the file at `path` (0600), in folders made where they are missing (0700)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:  # an opener
        file.write(data)
    fresh.replace(path)
