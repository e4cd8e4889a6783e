"""Callers and drafts for tests of the runtime, beneath the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.runtime.app import Runtime
from autopilot.runtime.append_identity import AS_STORED, Digests
from autopilot.runtime.ledger_rows import Batch, Draft, Worker, actor_of

OWNER = Claims(user_id=1, device_id="device-1", scopes=frozenset({"administer"}), surface="ios", step_up=True)
OBSERVER = Claims(user_id=1, device_id="device-3", scopes=frozenset({"observe"}), surface="web")
STRANGER = Claims(user_id=2, device_id="device-2", scopes=frozenset({"administer"}), surface="ios", step_up=True)

DIGEST_KEY = b"digest" * 6
"""Of the runtimes that drafts are appended to."""
_DIGESTS = Digests(lambda: (DIGEST_KEY,))


def draft(event_id: str, event_type: str = "worker.event", **payload: Any) -> Draft:
    """A draft of the owner's."""
    text = msgspec.json.encode(payload).decode()
    return Draft(event_type, text, payload, event_id, actor_of(OWNER), digest=AS_STORED, digests=_DIGESTS)


def batch(worker_id: str, *drafts: Draft, claims: Claims = OWNER, generation: int | None = None) -> Batch:
    """What one caller wants appended."""
    return Batch(worker_id, claims, list(drafts), generation)


async def insert_worker(runtime: Runtime, worker_id: str, claims: Claims = OWNER) -> int:
    """An open worker without a single event; its number."""
    number: int = await runtime.pool.fetchval(
        """with made as (
               insert into worker (worker_id, owner_user_id, owner_guest_scope, created_at)
               values ($1, $2, $3, now()) returning worker_no
           ), head as (insert into worker_head (worker_no, updated_at) select worker_no, now() from made
           ), beat as (insert into worker_beat (worker_no) select worker_no from made
           ), state as (insert into worker_state (worker_no, status) select worker_no, 'running' from made)
           select worker_no from made""",
        worker_id,
        claims.user_id,
        claims.guest_scope,
    )
    return number


async def frames(runtime: Runtime, worker_id: str) -> list[dict[str, Any]]:
    """The worker's whole log, as envelopes."""
    records = await runtime.pool.fetch(
        "select frame from event join worker using (worker_no) where worker_id = $1 order by seq", worker_id
    )
    return [msgspec.json.decode(record["frame"]) for record in records]


async def lock(runtime: Runtime, worker_id: str) -> Worker:
    """The worker as it stands, read in a transaction of its own."""
    async with runtime.ledger.transaction() as tx:
        return await tx.lock_worker(worker_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response whose body was read whole."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def data(self) -> Any:
        """`data` of a success."""
        return self.json["data"]

    @property
    def reason(self) -> str:
        """`reason_code` of a refusal's first detail."""
        reason: str = self.json["error"]["details"][0]["reason_code"]
        return reason


async def call(
    runtime: Runtime,
    method: str,
    path: str,
    body: object = None,
    *,
    claims: Claims = OWNER,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One call through the port; `body` is bytes, or a value to encode. A stream is read to its end."""
    raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    response = await runtime.call(RuntimeRequest(claims, method, path, query, headers or {}, raw))
    content = response.body
    if not isinstance(content, bytes):
        content = b"".join([chunk async for chunk in content])
    return Answer(response.status, content, response.headers)
