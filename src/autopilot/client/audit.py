"""The calls about the audit: who did what, what was refused, every hop of a request (docs/protocol.md, "Audit")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from autopilot.client.calls import Calls, many, one, path_of
from autopilot.contract import AuditLine, Trace
from autopilot.contract.instants import instant


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page, the latest first."""

    lines: Sequence[AuditLine]
    next: str | None
    """Where the next page begins; None: this is the last."""


class AuditCalls(Calls):
    """What one may ask of the audit."""

    async def audit(
        self,
        *,
        user_id: int | None = None,
        action: str | None = None,
        x_request_id: str | None = None,
        device_id: str | None = None,
        surface: str | None = None,
        outcome: str | None = None,
        text: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> AuditPage:
        """One's own acts; with the scope `admin` everybody's. `since` is included, `until` is not; both know a zone.

        With `text` a page may have few lines, or none, and still a `next`: the server looks at so many at a time.

        Raises:
            Forbidden: another user's acts, without `admin`.
        """
        query = {
            "user_id": user_id,
            "action": action,
            "x_request_id": x_request_id,
            "device_id": device_id,
            "surface": surface,
            "outcome": outcome,
            "text": text,
            "from": _time(since),
            "to": _time(until),
            "limit": limit,
            "before": before,
        }
        reply = await self._http.call("audit.search", "GET", path_of("audit"), query=query)
        return AuditPage(many(AuditLine, reply), reply.body.get("next"))

    async def trace(self, name: str, *, worker_id: str | None = None) -> Trace:
        """Every hop of a request, by its id or an `x-request-id`, that one may read; `worker_id`: look further there.

        Raises:
            NotFound: nothing that one may see has this name.
        """
        reply = await self._http.call("trace.get", "GET", path_of("trace", name), query={"worker_id": worker_id})
        return one(Trace, reply)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)
