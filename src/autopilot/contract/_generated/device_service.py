# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about devices."""

from dataclasses import dataclass

from autopilot.contract._generated.account import Device, Revoked

__all__ = ["ListDevicesResponse", "RenameDeviceResponse", "RevokeDevicesResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDevicesResponse:
    """The devices."""

    data: tuple[Device, ...] = ()
    """The devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameDeviceResponse:
    """The device as it is now."""

    data: Device
    """The device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeDevicesResponse:
    """What ended."""

    data: Revoked
    """What ended."""
