# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about the server itself."""

from dataclasses import dataclass
from typing import Any


__all__ = ["GetContractResponse", "GetHealthResponse", "GetReadinessResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetContractResponse:
    """The OpenAPI document."""

    openapi: str
    """Version of OpenAPI."""
    info: dict[str, Any]
    """Title and version."""
    paths: dict[str, Any]
    """The calls."""
    components: dict[str, Any]
    """The messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetHealthResponse:
    """The process answers."""

    ok: bool
    """Always true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetReadinessResponse:
    """Database and runtime answer."""

    ok: bool
    """Always true."""
