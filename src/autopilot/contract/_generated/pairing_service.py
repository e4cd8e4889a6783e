# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about pairing. Secrets travel in bodies only, never in a path or query."""

from dataclasses import dataclass

from autopilot.contract._generated.pairing import Pairing, StartedPairing

__all__ = ["PairingResponse", "StartPairingResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPairingResponse:
    """A pairing that was begun."""

    data: StartedPairing
    """With its secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingResponse:
    """A pairing."""

    data: Pairing
    """The pairing."""
