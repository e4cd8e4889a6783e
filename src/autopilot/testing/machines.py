"""Machines for tests of the runtime: their tokens, and what a companion calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.runtime.app import Runtime
from autopilot.testing.approvals import asked, ended
from autopilot.testing.runtime import OWNER, Answer, call, insert_worker

MACHINE = "m1"


def machine_claims(machine_id: str = MACHINE, user_id: int = 1) -> Claims:
    """The execute token of one machine."""
    return Claims(
        user_id=user_id,
        device_id=f"device-{machine_id}",
        machine_id=machine_id,
        scopes=frozenset({"execute"}),
        surface="companion",
    )


class Companion:
    """What a companion does, call by call; `generations` are those it was granted."""

    def __init__(self, runtime: Runtime, machine_id: str = MACHINE, user_id: int = 1) -> None:
        self.runtime = runtime
        self.machine_id = machine_id
        self.claims = machine_claims(machine_id, user_id)
        self.generations: dict[str, int] = {}

    async def post(self, path: str, body: object = None, **options: Any) -> Answer:
        """One POST as this machine."""
        return await call(self.runtime, "POST", path, body, claims=self.claims, **options)

    async def register(self, **said: Any) -> Answer:
        """Register the machine."""
        return await self.post("/machines", {"machine_id": self.machine_id, **said})

    async def claim(self, worker_id: str, **options: Any) -> Answer:
        """Claim a worker's lease, and remember the generation."""
        answer = await self.post(f"/workers/{worker_id}/lease", {"machine_id": self.machine_id, **options})
        if answer.status == 200:  # noqa: PLR2004 - the contract's
            self.generations[worker_id] = answer.data["generation"]
        return answer

    async def release(self, worker_id: str, generation: int | None = None) -> Answer:
        """Release a worker's lease."""
        body = {"machine_id": self.machine_id, "generation": generation or self.generations[worker_id]}
        return await self.post(f"/workers/{worker_id}/lease/release", body)

    async def append(self, worker_id: str, event_type: str, event_id: str, **payload: Any) -> Answer:
        """Append one event under the present generation."""
        event = {"event_type": event_type, "event_id": event_id, "payload": payload}
        body: dict[str, Any] = {"events": [event]}
        if worker_id in self.generations:
            body["generation"] = self.generations[worker_id]
        return await self.post(f"/workers/{worker_id}/events", body)

    async def respond(self, worker_id: str, request_id: str, response: object, *, ok: bool = True) -> Answer:
        """End a worker's request through its log."""
        result = {"response": response} if ok else {"error": response}
        return await self.append(
            worker_id,
            "worker.response" if ok else "worker.error",
            f"response:{request_id}",
            source="autopilot-desktop",
            request_id=request_id,
            ok=ok,
            **result,
        )

    async def report(self, request_id: str, state: str, worker_id: str | None = None, **more: Any) -> dict[str, Any]:
        """Report one step; what became of it."""
        item = {"worker_id": worker_id, "request_id": request_id, "state": state, **more}
        answer = await self.post(f"/machines/{self.machine_id}/receipts", {"receipts": [item]})
        found: dict[str, Any] = answer.data[0]
        return found

    async def ask_approval(self, worker_id: str, approval: dict[str, Any], **params: Any) -> Answer:
        """Say what Codex asks a person."""
        event_id = f"approval:{approval['approval_id']}:requested"
        return await self.append(worker_id, "worker.approval.requested", event_id, **asked(approval, **params))

    async def end_approval(
        self, worker_id: str, approval_id: str, state: str, outcome: str | None = None, reason: str | None = None
    ) -> Answer:
        """Say how it ended: `applied`, `superseded` or `closed`."""
        payload = ended(approval_id, outcome, reason)
        return await self.append(worker_id, f"worker.approval.{state}", f"approval:{approval_id}:{state}", **payload)

    async def feed(self, cursor: int | None = None, *, tail_ms: int = 1) -> list[dict[str, Any]]:
        """The feed after the cursor, long-polled; each frame's data, with its `id`."""
        place = "" if cursor is None else f"cursor={cursor}&"
        answer = await call(
            self.runtime,
            "GET",
            f"/machines/{self.machine_id}/feed",
            claims=self.claims,
            query=f"{place}tail_ms={tail_ms}",
        )
        assert answer.status == 200, answer.body  # noqa: PLR2004 - the contract's
        return frames_of(answer.body)

    @asynccontextmanager
    async def following(self, cursor: int | None = None) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The feed as it lives."""
        query = "" if cursor is None else f"cursor={cursor}"
        response = await self.runtime.call(
            RuntimeRequest(self.claims, "GET", f"/machines/{self.machine_id}/feed", query)
        )
        stream: Any = response.body
        entries = _entries(stream)
        try:
            yield entries
        finally:
            await entries.aclose()
            await stream.aclose()


def frames_of(body: bytes) -> list[dict[str, Any]]:
    """The frames of a feed: their data, and `id` where they have one."""
    found = []
    for frame in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if not line.startswith(":"))
        if fields.get("event", "").startswith("codex.feed."):
            data: dict[str, Any] = msgspec.json.decode(fields["data"])
            found.append({**data, "id": int(fields["id"]) if "id" in fields else None})
    return found


async def _entries(stream: AsyncIterator[bytes]) -> Any:
    async for chunk in stream:
        for entry in frames_of(chunk):
            yield entry


async def leased(runtime: Runtime, worker_id: str = "w", machine_id: str = MACHINE) -> Companion:
    """A registered machine that holds an open worker of the owner."""
    await insert_worker(runtime, worker_id)
    companion = Companion(runtime, machine_id)
    await companion.register()
    await companion.claim(worker_id)
    return companion


async def ask(
    runtime: Runtime,
    method: str,
    request_id: str,
    params: object = None,
    *,
    path: str = "/workers/w",
    wait_ms: int = 0,
    claims: Claims = OWNER,
    **options: Any,
) -> Answer:
    """Send a request, without waiting for its end unless told."""
    asked: dict[str, object] = {"request_id": request_id, "method": method}
    if params is not None:
        asked["params"] = params
    body = {"request": asked}
    return await call(runtime, "POST", f"{path}/requests", body, claims=claims, query=f"wait_ms={wait_ms}", **options)


async def receipt(runtime: Runtime, request_id: str, *, path: str = "/workers/w") -> dict[str, Any]:
    """A receipt as its owner reads it."""
    answer = await call(runtime, "GET", f"{path}/requests/{request_id}")
    assert answer.status == 200, answer.body  # noqa: PLR2004 - the contract's
    found: dict[str, Any] = answer.data
    return found
