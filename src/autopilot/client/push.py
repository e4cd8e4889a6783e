"""The calls about notifications (docs/protocol.md, "Notifications"). A browser or app makes the subscription itself."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from autopilot.client.calls import Calls, as_message, one
from autopilot.contract import (
    Approval,
    ChangePushSettings,
    LookNoted,
    PushKeys,
    PushSettings,
    PushState,
    PushSubscription,
    PushTried,
    SubscribePush,
    TryPush,
    encode,
)

PATH = "/api/push"


class PushCalls(Calls):
    """What one may do about one's notifications."""

    async def push(self) -> PushState:
        """The server's public key, one's subscriptions, one's settings."""
        return one(PushState, await self._http.call("push.show", "GET", PATH))

    async def subscribe_push(self, endpoint: str, keys: PushKeys, *, public_key: str | None = None) -> PushSubscription:
        """Tell this device; `public_key`: what the subscription was made for.

        Raises:
            Conflict: `stale_key`: the server has another key now; `too_many_subscriptions`.
            Unprocessable: nothing is sent to such a place.
        """
        body = encode(SubscribePush(endpoint=endpoint, keys=keys, public_key=public_key))
        return one(
            PushSubscription, await self._http.call("push.subscribe", "POST", f"{PATH}/subscriptions", body=body)
        )

    async def remove_push(self, subscription_id: str) -> None:
        """Tell a device no more.

        Raises:
            NotFound: none of one's own.
        """
        path = f"{PATH}/subscriptions/{quote(subscription_id, safe='')}/remove"
        await self._http.call("push.remove", "POST", path, retry=False)

    async def change_push(self, changes: ChangePushSettings) -> PushSettings:
        """Say what one wants to hear; what is None stays as it is.

        Raises:
            Unprocessable: no such time or time zone.
        """
        return one(
            PushSettings, await self._http.call("push.settings", "POST", f"{PATH}/settings", body=encode(changes))
        )

    async def test_push(self, subscription_id: str | None = None) -> PushTried:
        """Send a test notification to one device, or to all of one's own.

        Raises:
            NotFound: none of one's own.
        """
        body = encode(TryPush(subscription_id=subscription_id))
        return one(PushTried, await self._http.call("push.test", "POST", f"{PATH}/test", body=body, retry=False))

    async def look_at(self, worker_ids: Sequence[str]) -> LookNoted:
        """Say which workers a person has before their eyes: of these nothing is sent for `expires_in` seconds."""
        reply = await self._http.call("push.looking", "POST", f"{PATH}/looking", body={"worker_ids": list(worker_ids)})
        return as_message(LookNoted, reply.body, reply.request_id)

    async def act_on_push(self, token: str) -> Approval:
        """Answer a question as a notification offered it.

        Raises:
            NotFound: `no_such_action`: it is offered no more.
            Conflict: it was answered otherwise, or is over.
            Forbidden: it takes more than a tap.
        """
        body = {"token": token}
        return one(Approval, await self._http.call("push.act", "POST", f"{PATH}/actions", body=body, retry=False))
