"""Schemathesis over the OpenAPI document: no 5xx, no undocumented status, no answer of another shape, for anybody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import given as examples
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.generation import GenerationMode
from tests.api.contract.test_guests import guest_of
from tests.api.contract.test_team_roles import member, put_into
from tests.api.contract.world import Person, World, announce, ask, lease, store
from tests.api.served import bearer

from autopilot.contract import openapi

SCHEMA = schemathesis.openapi.from_dict(openapi.document())


def takes_something(operation: Any) -> bool:
    """Whether there is anything that could be wrong in a call."""
    return bool(list(operation.iter_parameters())) or bool(list(operation.body))


OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
MODES = [
    (label, mode)
    for label, operation in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or takes_something(operation)
]
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
SHORT = {"tail_ms": ("1", 120_000), "wait_ms": ("0", 60_000)}
"""What would hold a call up: replaced where it is valid or missing."""


def bound(case: Any, own: dict[str, str]) -> None:
    """Real ids where `own` has them, and no long waits."""
    case.path_parameters = {**(case.path_parameters or {}), **own}
    query = dict(case.query or {})
    for name, (short, longest) in SHORT.items():
        value = query.get(name)
        if value is None or (str(value).isdigit() and int(value) <= longest):
            query[name] = short
    case.query = query


BUDGET = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FEWER = settings(BUDGET, max_examples=2)
"""For each of those who are mostly refused."""


@pytest.mark.slow
@pytest.mark.parametrize(("label", "mode"), MODES, ids=lambda part: part if isinstance(part, str) else part.value)
async def test_the_server_keeps_to_the_document(
    ada: Person, eve: Person, machine: Person, label: str, mode: GenerationMode
):
    ids = {"workerId": ada.worker_id, "machineId": machine.worker_id}
    if "approvalId" in label:
        await lease(machine, ada.worker_id)
        ids["approvalId"] = await ask(machine, ada.worker_id)
    if "artifacts" in label:
        await lease(machine, ada.worker_id)
        ids["artifactId"] = await announce(machine, ada.worker_id, "content")
        await store(machine, ada.worker_id, "content")

    @BUDGET
    @examples(
        case=OPERATIONS[label].as_strategy(mode),
        is_own=st.booleans(),
        token=st.sampled_from([ada.token, machine.token]),
    )
    def attempt(case: Any, is_own: bool, token: str) -> None:  # noqa: FBT001 - hypothesis names it
        send(ada.world, case, ids if is_own else {}, bearer(token))

    @FEWER
    @examples(case=OPERATIONS[label].as_strategy(mode))
    def attempt_of_others(case: Any) -> None:
        for headers in others.values():
            send(ada.world, case, ids, headers)

    others = await strangers(ada, eve, machine)
    await asyncio.to_thread(attempt)  # schemathesis calls as a client in a thread; the server has the loop
    await asyncio.to_thread(attempt_of_others)


def send(world: World, case: Any, ids: dict[str, str], headers: dict[str, str]) -> None:
    """One call, whose answer is as documented."""
    bound(case, {name: ids[name] for name in set(case.path_parameters or {}) & set(ids)})
    response = case.call(base_url=world.api.url, headers=headers)
    try:
        case.validate_response(response, checks=CHECKS)
    except BaseExceptionGroup as failures:  # not an Exception: it would end the whole session
        raise AssertionError("\n".join(str(one) for one in failures.exceptions)) from None


async def strangers(ada: Person, eve: Person, machine: Person) -> dict[str, dict[str, str]]:
    """Everybody else who might call, about things of Ada's."""
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    await put_into(ada, machine, team_id)
    guest, _ = await guest_of(ada, ada.worker_id)
    mint = ada.world.api.mint
    observer = await mint(ada.email, "observe")
    admin = await mint(ada.email, "observe", "administer", "admin")
    return {
        "nobody": {},
        "a made-up token": bearer("made-up"),
        "a stranger": bearer(eve.token),
        "a stranger's machine": bearer((await eve.machine()).token),
        "who only views": bearer((await member(ada, team_id, "viewer")).token),
        "a guest": bearer(guest.token),
        "the user, who only observes": bearer(observer.token),
        "the user, as an admin": bearer(admin.token),
    }


@pytest.fixture
async def machine(ada: Person) -> Person:
    return await ada.machine()
