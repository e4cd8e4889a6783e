"""A machine that does what it is asked, without a Codex: for screens that ask machines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import httpx2
from tests.api.contract.world import Person
from tests.waiting import until
from tests.web.browser import Browser


def person_of(browser: Browser) -> Person:
    assert browser.person is not None
    return browser.person


async def report(machine: Person, request_id: str, state: str = "completed", **said: Any) -> None:
    """Say how far a request to the machine is, once it was asked."""
    path = f"/machines/{machine.worker_id}/requests/{request_id}"

    async def is_there() -> bool:
        return (await machine.get(path)).status_code == 200

    await until(is_there)
    body = {"receipts": [{"worker_id": None, "request_id": request_id, "state": state, **said}]}
    answer = await machine.post(f"/machines/{machine.worker_id}/receipts", body)
    assert answer.status_code == 200, answer.text


async def meanwhile(
    posting: Coroutine[Any, Any, httpx2.Response], reporting: Coroutine[Any, Any, None]
) -> httpx2.Response:
    """What a browser is answered, while its machine does what it was asked."""
    async with asyncio.TaskGroup() as both:
        posted = both.create_task(posting)
        both.create_task(reporting)
    return posted.result()


async def asked_for(machine: Person, method: str) -> str:
    """The request of this method that reaches the machine; its id."""
    found: list[str] = []

    async def is_asked() -> bool:
        feed = await machine.get(f"/machines/{machine.worker_id}/feed?cursor=0&tail_ms=200")
        lines = [line.removeprefix("data: ") for line in feed.text.splitlines() if line.startswith("data: ")]
        entries = [entry for entry in map(json.loads, lines) if entry.get("request_id")]
        found.extend(entry["request_id"] for entry in entries if (entry["body"] or {}).get("method") == method)
        return bool(found)

    await until(is_asked)
    return found[0]


async def report_any(machine: Person, method: str, **said: Any) -> None:
    """The machine is asked for this under whatever id, and has done it."""
    await report(machine, await asked_for(machine, method), **said)
