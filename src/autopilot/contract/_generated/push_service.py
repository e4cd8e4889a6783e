# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about Web Push."""

from dataclasses import dataclass

from autopilot.contract._generated.approval import Approval
from autopilot.contract._generated.push import PushSettings, PushState, PushSubscription, PushTried

__all__ = [
    "ActOnPushResponse",
    "ChangePushSettingsResponse",
    "GetPushResponse",
    "SubscribePushResponse",
    "TryPushResponse",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPushResponse:
    """All of it."""

    data: PushState
    """All of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribePushResponse:
    """The subscription."""

    data: PushSubscription
    """The subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePushSettingsResponse:
    """The settings."""

    data: PushSettings
    """The settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryPushResponse:
    """What came of it."""

    data: PushTried
    """What came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOnPushResponse:
    """The approval as it is now."""

    data: Approval
    """The approval."""
