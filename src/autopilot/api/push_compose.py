"""What a notification says of an event, read from the runtime at the moment it is sent, in the name of its user.

Nothing of a worker is kept here: whoever lost the right to read it is told nothing, and what retention took is not
said. Never sends. Words: `push_words.py`.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from autopilot.api.push_words import BODY_CHARACTERS, TITLE_CHARACTERS, clipped, named, request_words
from autopilot.client.presenters.alerts import asks, turn_ended
from autopilot.contract import PushNotification, PushOption
from autopilot.contract.errors import Unavailable
from autopilot.contract.instants import instant
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest

ANSWER_SECONDS = 12.0
OK = 200
MISSING = frozenset({401, 403, 404, 410})


class Nothing(Exception):
    """There is nothing to say; `why` in a word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Composed:
    """A notification, and what its options hang on."""

    notification: PushNotification
    approval: Mapping[str, Any] | None = None
    role: str | None = None

    def with_options(self, options: Sequence[PushOption], until: datetime) -> PushNotification:
        """With answers that may be given from it."""
        if not options:
            return self.notification
        return replace(self.notification, options=tuple(options), options_until=instant(until))


@dataclass(frozen=True, slots=True)
class Composer:
    """Reads and says."""

    port: RuntimePort

    async def compose(self, row: Any, claims: Claims, *, content: bool) -> Composed:
        """What there is to say of this message's event to this user.

        Raises:
            Nothing: it is over, or nothing that they may read.
            Unavailable, TimeoutError: the runtime can't be asked now.
        """
        async with asyncio.timeout(ANSWER_SECONDS):
            match row["kind"]:
                case "approval":
                    return await self._asked(row, claims, content=content)
                case "approval_closed":
                    return Composed(_said(row, "Answered", "", path=_inbox(row), silent=True))
                case "request":
                    return Composed(await self._request(row, claims, content=content))
                case _:
                    return Composed(await self._turn(row, claims, content=content))

    async def _asked(self, row: Any, claims: Claims, *, content: bool) -> Composed:
        approval = await self._read(claims, f"/approvals/{quote(row['approval_id'], safe='')}")
        if approval["state"] != "pending":
            raise Nothing("closed")
        worker = await self._worker(row, claims)
        title = asks(named(worker)) if content else "Codex asks you something"
        said = _said(row, title, approval["title"] if content else "", path=_inbox(row))
        return Composed(said, approval, worker["role"])

    async def _turn(self, row: Any, claims: Claims, *, content: bool) -> PushNotification:
        worker = await self._worker(row, claims)
        failed = row["kind"] == "failure"
        if not content:
            return _said(row, "A turn failed" if failed else "A turn is done", "")
        params = (await self._event(row, claims)).get("params") or {}
        title = turn_ended(named(worker), failed=failed)
        return _said(row, title, _error(params) if failed else _last_words(params))

    async def _request(self, row: Any, claims: Claims, *, content: bool) -> PushNotification:
        worker = await self._worker(row, claims)
        place = f"/workers/{quote(row['worker_id'], safe='')}/requests/{quote(row['request_id'], safe='')}"
        receipt = await self._read(claims, place)
        words = request_words(receipt["method"], receipt["state"])
        if not content:
            return _said(row, words, "")
        error = receipt.get("error") or {}
        message = error.get("message")
        return _said(row, f"{words}: {named(worker)}", message if isinstance(message, str) else "")

    async def _worker(self, row: Any, claims: Claims) -> Any:
        return await self._read(claims, f"/workers/{quote(row['worker_id'], safe='')}/snapshot")

    async def _event(self, row: Any, claims: Claims) -> dict[str, Any]:
        """The payload of the event itself; nothing of it where retention has taken it."""
        place, query = f"/workers/{quote(row['worker_id'], safe='')}/events", f"after={row['seq'] - 1}&limit=1"
        found = await self._read(claims, place, query)
        payload = found[0]["payload"] if found and found[0]["seq"] == row["seq"] else {}
        return payload if isinstance(payload, dict) else {}

    async def _read(self, claims: Claims, path: str, query: str = "") -> Any:
        headers = {"x-request-id": uuid.uuid4().hex}
        response = await self.port.call(
            RuntimeRequest(claims=claims, method="GET", path=path, query=query, headers=headers)
        )
        if response.status in MISSING:
            raise Nothing("not_theirs")
        if response.status != OK:
            raise Unavailable("what there is to say can't be read", reason_code="runtime", outcome="not_recorded")
        assert isinstance(response.body, bytes)
        return json.loads(response.body)["data"]


def _said(row: Any, title: str, body: str, *, path: str | None = None, silent: bool = False) -> PushNotification:
    return PushNotification(
        kind=row["kind"],
        title=clipped(title, TITLE_CHARACTERS),
        body=clipped(body, BODY_CHARACTERS),
        path=path or f"/w/{quote(row['worker_id'], safe='')}",
        tag=row["tag"],
        occurred_at=instant(row["occurred_at"]),
        silent=silent,
        worker_id=row["worker_id"],
        approval_id=row["approval_id"],
        request_id=row["request_id"],
    )


def _inbox(row: Any) -> str:
    return f"/inbox/{quote(row['approval_id'], safe='')}"


def _turn_of(params: Any) -> dict[str, Any]:
    turn = params.get("turn") if isinstance(params, dict) else None
    return turn if isinstance(turn, dict) else {}


def _last_words(params: Any) -> str:
    """What Codex said last in the turn, as its end sums it up."""
    items = _turn_of(params).get("items")
    said = [
        item["text"]
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and item.get("type") == "agentMessage" and isinstance(item.get("text"), str)
    ]
    return said[-1] if said else ""


def _error(params: Any) -> str:
    error = _turn_of(params).get("error") or (params.get("error") if isinstance(params, dict) else None)
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""
