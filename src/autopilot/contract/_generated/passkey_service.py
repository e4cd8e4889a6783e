# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about passkeys."""

from dataclasses import dataclass

from autopilot.contract._generated.passkey import Passkey, PasskeyCeremony

__all__ = ["BeginPasskeyResponse", "ListPasskeysResponse", "PasskeyResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPasskeysResponse:
    """The passkeys."""

    data: tuple[Passkey, ...] = ()
    """The passkeys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginPasskeyResponse:
    """What to hand to the authenticator."""

    data: PasskeyCeremony
    """What to hand to the authenticator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyResponse:
    """The passkey as it is now."""

    data: Passkey
    """The passkey."""
