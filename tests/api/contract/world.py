"""People and machines of the contract tests, as clients of the public API."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from typing import Any

import httpx2
from tests.api.served import ServedApi, bearer

from autopilot.contract import openapi
from autopilot.runtime.app import Runtime
from autopilot.testing import approvals

BASE = "/api/runtime/codex"
_numbers = itertools.count(1)


def _documented() -> dict[str, list[tuple[re.Pattern[str], set[int]]]]:
    """Method -> what its paths look like, and the statuses that the OpenAPI document names for each."""
    found: dict[str, list[tuple[re.Pattern[str], set[int]]]] = {}
    for path, operations in openapi.document()["paths"].items():
        pattern = re.compile("/".join("[^/]+" if part.startswith("{") else part for part in path.split("/")))
        for method, operation in operations.items():
            found.setdefault(method.upper(), []).append((pattern, {int(status) for status in operation["responses"]}))
    return found


DOCUMENTED = _documented()


@dataclass
class World:
    api: ServedApi
    runtime: Runtime


@dataclass
class Person:
    """A signed-in user, and their worker `w`."""

    world: World
    email: str
    user_id: int
    token: str
    worker_id: str = ""

    async def call(self, method: str, path: str, **rest: Any) -> httpx2.Response:
        """One call with the token; `path` is relative to /api/runtime/codex unless it begins there.

        Its answer is one that the OpenAPI document names, whatever the test is about.
        """
        headers = {**bearer(self.token), **rest.pop("headers", {})}
        url = path if path.startswith("/api/") else BASE + path
        answer = await self.world.api.client.request(method, url, headers=headers, **rest)
        for pattern, statuses in DOCUMENTED.get(method, []):
            if pattern.fullmatch(url.partition("?")[0]):
                assert answer.status_code in statuses, f"{answer.status_code} to {method} {url} is not in the document"
        return answer

    async def get(self, path: str, **rest: Any) -> httpx2.Response:
        return await self.call("GET", path, **rest)

    async def post(self, path: str, body: Any = None, **rest: Any) -> httpx2.Response:
        if body is not None:
            rest["json"] = body
        return await self.call("POST", path, **rest)

    async def open_worker(self, **more: Any) -> str:
        """A new worker of this person's."""
        worker_id = f"desktopw:{next(_numbers)}"
        answer = await self.post("/workers", {"worker_id": worker_id, **more})
        assert answer.status_code == 202, answer.text
        return worker_id

    async def append(self, worker_id: str, **payload: Any) -> int:
        body = {"event": {"event_type": "worker.event", "event_id": f"e-{next(_numbers)}", "payload": payload}}
        answer = await self.post(f"/workers/{worker_id}/events", body)
        assert answer.status_code == 202, answer.text
        return answer.json()["data"]["seq"]

    async def read_stream(
        self, worker_id: str, cursor: int, tail_ms: int = 300, **headers: str
    ) -> list[dict[str, str]]:
        """One long poll, read whole and split at blank lines as existing phones do."""
        answer = await self.get(f"/workers/{worker_id}/stream?cursor={cursor}&tail_ms={tail_ms}", headers=headers)
        assert answer.status_code == 200, answer.text
        return frames(answer.text)

    async def machine(self, machine_id: str | None = None) -> Person:
        """A registered machine of this person's: a client with its execute token."""
        machine_id = machine_id or f"machine-{next(_numbers)}"
        minted = await self.world.api.mint(self.email, "execute", machine_id=machine_id, surface="companion")
        made = Person(self.world, self.email, self.user_id, minted.token, machine_id)
        answer = await made.post("/machines", {"machine_id": machine_id, "name": "laptop", "platform": "linux"})
        assert answer.status_code == 200, answer.text
        return made


async def ask(machine: Person, worker_id: str, number: int = 0, **said: Any) -> str:
    """A question of the Codex of this machine, which holds the worker's lease; the approval's id."""
    asked = approvals.question(worker_id, number, **said)
    event = {"event_type": "worker.approval.requested", "payload": approvals.asked(asked)}
    answer = await machine.post(f"/workers/{worker_id}/events", {"event": event})
    assert answer.status_code == 202, answer.text
    return asked["approval_id"]


async def announce(machine: Person, worker_id: str, text: str) -> str:
    """This machine, which holds the worker's lease, says an event that stands for more than it holds; the artifact."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    ref = {"artifact_id": digest[:32], "path": "/params/text", "bytes": len(text.encode()), "sha256": digest}
    ref |= {"media_type": "text/plain", "head_bytes": 0, "tail_bytes": 0}
    await machine.append(worker_id, source="autopilot-desktop", method="item/completed", params={}, artifacts=[ref])
    return digest[:32]


async def store(machine: Person, worker_id: str, text: str) -> None:
    """It stores that artifact."""
    artifact_id = hashlib.sha256(text.encode()).hexdigest()[:32]
    body = {"artifacts": [{"artifact_id": artifact_id, "offset": 0, "text": text}]}
    answer = await machine.post(f"/workers/{worker_id}/artifacts", body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"][0]["state"] == "stored"


async def lease(machine: Person, worker_id: str) -> None:
    """Let this machine execute for this worker."""
    answer = await machine.post(f"/workers/{worker_id}/lease", {"machine_id": machine.worker_id})
    assert answer.status_code == 200, answer.text


async def person(world: World, name: str) -> Person:
    """A new user with an open worker."""
    email = f"{name}{next(_numbers)}@example.org"
    signed = await world.api.sign_in(email)
    made = Person(world, email, signed["userId"], signed["token"])
    made.worker_id = await made.open_worker()
    return made


def frames(text: str) -> list[dict[str, str]]:
    """What is between blank lines, comments left out: each frame's fields."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            found.append(fields)
    return found


def envelope(frame: dict[str, str]) -> dict[str, Any]:
    return json.loads(frame["data"])


def error(answer: httpx2.Response, status: int, code: str, reason: str | None = None) -> dict[str, Any]:
    """The first detail of an error that must be in the contract's form."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert isinstance(body["error"]["message"], str)
    detail = body["error"]["details"][0] if body["error"]["details"] else {}
    if reason is not None:
        assert detail["reason_code"] == reason, body
    return detail
