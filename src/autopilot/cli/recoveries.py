"""What a terminal that is left open says of somebody who came in without a passkey (docs/protocol.md, "Recovery").

Relies on the list of devices, which says what is held; asks nothing else, and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from autopilot.client import RuntimeCodexClient
from autopilot.contract import Device
from autopilot.contract.errors import AutopilotError, Forbidden


@dataclass(slots=True)
class Recoveries:
    """Says once of each device that came in without a passkey, and is held, that it did."""

    told: set[str] = field(default_factory=set)
    is_asked: bool = True
    """Not of whom it is not told: a guest has no devices."""

    async def news(self, client: RuntimeCodexClient) -> list[str]:
        """What was not told yet, in words."""
        if not self.is_asked:
            return []
        try:
            found = await client.devices()
        except Forbidden:
            self.is_asked = False
            return []
        except AutopilotError:
            return []  # that the API does not answer is told of its health
        held = [one for one in found if one.held_until and not one.current and one.device_id not in self.told]
        self.told |= {one.device_id for one in held}
        return [_recovery_words(one) for one in held]


def _recovery_words(device: Device) -> str:
    until = (device.held_until or "")[:16].replace("T", " ")
    return (
        f"somebody signed in to your account without a passkey: {device.name or 'a device without a name'}"
        f" from {device.address or 'an unknown address'}, held until {until} UTC."
        f" Not you: autopilot devices revoke {device.device_id}"
    )
