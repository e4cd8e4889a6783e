# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about single sign-on."""

from dataclasses import dataclass

from autopilot.contract._generated.sso import BegunSso, SsoOffer

__all__ = ["BeginSsoResponse", "SsoResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoResponse:
    """What there is."""

    data: SsoOffer
    """It."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSsoResponse:
    """A sign-in that was begun."""

    data: BegunSso
    """It."""
