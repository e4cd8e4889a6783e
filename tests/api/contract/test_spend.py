"""Spend through the SDK, over a real server as one process and as two."""

from __future__ import annotations

from datetime import date

import pytest
from tests.api.contract.world import Person, error, lease

from autopilot.client import RuntimeCodexClient
from autopilot.contract import SpendGroup
from autopilot.contract.errors import Unprocessable
from autopilot.testing.spend import thread, turn, usage


async def use(person: Person, tokens: int, model: str = "gpt-5") -> str:
    """A machine of this person's reports so much; the worker it did it for."""
    machine, worker_id = await person.machine(), await person.open_worker()
    await lease(machine, worker_id)
    for payload in (thread(model=model), turn("turn-1"), usage(tokens)):
        await machine.append(worker_id, **payload)
    return worker_id


def client_of(person: Person) -> RuntimeCodexClient:
    return RuntimeCodexClient(str(person.world.api.client.base_url), person.token)


async def test_everybody_sees_what_their_own_workers_used(ada: Person, eve: Person) -> None:
    first, second = await use(ada, 800), await use(ada, 80)
    await use(eve, 8)

    async with client_of(ada) as client:
        by_worker = await client.spend(by="worker")
        (today,) = (await client.spend()).groups
        by_model = await client.spend(by="model")

    totals = {group.worker_id: group.tokens.total_tokens for group in by_worker.groups}
    assert totals == {first: 800, second: 80}
    assert (today.day, today.tokens) == (by_worker.last_day, by_worker.totals)
    assert by_model.groups == (SpendGroup(model="gpt-5", tokens=by_worker.totals),)
    assert (await eve.get("/spend?by=thread")).json()["data"]["totals"]["total_tokens"] == 8
    assert first not in (await eve.get("/spend?by=worker")).text


async def test_what_makes_no_sense_is_refused(ada: Person) -> None:
    async with client_of(ada) as client:
        with pytest.raises(Unprocessable) as refused:
            await client.spend(first_day=date(2026, 11, 23), last_day=date(2026, 11, 22))
    assert refused.value.fact("field") == "from"
    error(await ada.get("/spend?by=week"), 422, "unprocessable", "invalid_value")
    error(await ada.get("/spend?by=day&by=model"), 400, "invalid_request", "repeated_parameter")
    error(await ada.post("/spend", {}), 405, "method_not_allowed")
    error(await (await ada.machine()).get("/spend"), 403, "forbidden", "scope")
