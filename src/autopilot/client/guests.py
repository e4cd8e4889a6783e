"""The calls about guests: showing workers to people without an account (docs/protocol.md, "Guests").

A guest comes in by `Session.enter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from autopilot.client.calls import Calls, many, one
from autopilot.contract import Guest, InvitedGuest, InviteGuest, encode

BASE = "/api/guests"


class GuestCalls(Calls):
    """What one may do about one's guests."""

    async def guests(self) -> list[Guest]:
        """Those who may read, or come yet; the newest first."""
        return many(Guest, await self._http.call("guests.list", "GET", BASE))

    async def invite_guest(
        self, name: str, worker_ids: Sequence[str], *, expires_in_seconds: int | None = None
    ) -> InvitedGuest:
        """Let somebody read these workers of one's own: for a day, or so many seconds. Takes a step-up.

        The link is `guest_link(url, secret)`; its secret is never said again.

        Raises:
            NotFound: no such worker.
            Forbidden: somebody else's worker.
            Conflict: too many guests.
        """
        body = encode(InviteGuest(name=name, worker_ids=tuple(worker_ids), expires_in=expires_in_seconds))
        return one(InvitedGuest, await self._http.call("guests.invite", "POST", BASE, body=body))

    async def revoke_guest(self, guest_id: str) -> None:
        """Let one read nothing more; their streams end within two seconds.

        Raises:
            NotFound: no guest of one's own, or one who has ended.
        """
        await self._http.call("guests.revoke", "POST", f"{BASE}/{quote(guest_id, safe='')}/revoke")


def guest_link(base_url: str, secret: str) -> str:
    """What to give to a guest. The secret is in the fragment, which no browser sends anywhere."""
    return f"{base_url.rstrip('/')}/guest#{secret}"
