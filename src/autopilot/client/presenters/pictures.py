"""Pictures whose content came with an item: small, of a kind that every screen shows, and nothing that is loaded."""

from __future__ import annotations

import re

_DATA_URL = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LARGEST = 150_000


def picture(source: str) -> str:
    """A checked `data:` URL, of one or of PNG in base64; empty for anything else."""
    if len(source) > _LARGEST:
        return ""
    if source and not source.startswith("data:") and _BASE64.fullmatch(source):
        source = f"data:image/png;base64,{source}"
    return source if _DATA_URL.fullmatch(source) else ""
