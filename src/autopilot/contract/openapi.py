"""The OpenAPI document of the public calls, generated from `proto/` and shipped as it is. Never changed at run time."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def text() -> bytes:
    """The document as JSON, UTF-8."""
    return (resources.files("autopilot.contract._generated") / "openapi.json").read_bytes()


def document() -> dict[str, Any]:
    """The document as plain values; the caller's own copy."""
    found: dict[str, Any] = json.loads(text())
    return found
