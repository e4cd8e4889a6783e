"""A role ends in the API, and the runtime takes back what was asked by it: as one process, and as two."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.contract.test_sharing import put
from tests.api.contract.test_team_roles import Shared, shared
from tests.api.contract.world import Person, ask, error

from autopilot.contract.errors import Unavailable

WAYS = ("leaves", "is removed", "is a viewer from now on", "the team is deleted", "the machine is taken out")


async def lose(ada: Person, case: Shared, way: str) -> None:
    member, team = case.team["operator"], f"/api/teams/{case.team_id}"
    if way == "leaves":
        answer = await member.post(f"{team}/leave", {})
    elif way == "is removed":
        answer = await ada.post(f"{team}/members/{member.user_id}/remove", {})
    elif way == "is a viewer from now on":
        answer = await ada.post(f"{team}/members/{member.user_id}/role", {"role": "viewer"})
    elif way == "the team is deleted":
        answer = await ada.post(f"{team}/delete", {})
    else:
        answer = await put(ada, case.machine.worker_id, None)
    assert answer.status_code == 200, answer.text


async def asked(who: Person, path: str, request_id: str) -> str:
    """The path of a receipt that waits: no machine reads its feed here."""
    body = {"request": {"request_id": request_id, "method": "turn/start", "params": {"input": []}}}
    answer = await who.post(f"{path}/requests?wait_ms=0", body)
    assert answer.status_code == 202, answer.text
    return f"{path}/requests/{request_id}"


async def state(who: Person, path: str) -> tuple[str, Any]:
    found = (await who.get(path)).json()["data"]
    return found["state"], (found.get("error") or {}).get("code")


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_member_asked_and_decided_is_taken_back_when_the_role_goes(ada: Person, way: str):
    case = await shared(ada)
    member = case.team["operator"]
    approval_id = await ask(case.machine, case.worker_id, 5)
    decided = await member.post(f"/approvals/{approval_id}/decision", {"option_id": "accept"})
    assert decided.status_code == 200, decided.text
    places = (f"/workers/{case.worker_id}", f"/machines/{case.machine.worker_id}")
    paths = [await asked(member, path, "theirs") for path in places]
    kept = [await asked(ada, path, "mine") for path in places]

    await lose(ada, case, way)

    assert [await state(ada, path) for path in paths] == [("rejected", "role_lost")] * 2
    assert [await state(ada, path) for path in kept] == [("accepted", None)] * 2
    assert (await state(ada, f"/approvals/{approval_id}"))[0:1] == ("pending",)
    assert await ada.world.api.pool.fetchval("select count(*) from api.untold_departure") == 0


async def test_who_is_made_an_owner_or_an_operator_again_keeps_what_they_asked(ada: Person):
    case = await shared(ada)
    member = case.team["operator"]
    path = await asked(member, f"/workers/{case.worker_id}", "kept")
    for role in ("owner", "operator"):
        changed = await ada.post(f"/api/teams/{case.team_id}/members/{member.user_id}/role", {"role": role})
        assert changed.status_code == 200, changed.text

    assert await state(ada, path) == ("accepted", None)


async def test_a_viewer_who_operates_again_asks_anew_and_keeps_the_machines_that_they_shared(ada: Person):
    case = await shared(ada)
    member, role = case.team["operator"], f"/api/teams/{case.team_id}/members/{case.team['operator'].user_id}/role"
    theirs = await member.machine()
    assert (await put(member, theirs.worker_id, case.team_id)).status_code == 200
    old = await asked(member, f"/workers/{case.worker_id}", "old")

    assert (await ada.post(role, {"role": "viewer"})).status_code == 200
    body = {"request": {"request_id": "late", "method": "turn/start"}}
    error(await member.post(f"/workers/{case.worker_id}/requests?wait_ms=0", body), 403, "forbidden", "role")
    assert (await ada.post(role, {"role": "operator"})).status_code == 200
    new = await asked(member, f"/workers/{case.worker_id}", "new")

    assert (await state(ada, old), await state(ada, new)) == (("rejected", "role_lost"), ("accepted", None))
    assert theirs.worker_id in (await ada.get("/machines")).text


@pytest.mark.parametrize("way", ["leaves", "is a viewer from now on"])
async def test_a_runtime_that_is_away_when_a_role_goes_takes_it_back_when_it_is_told_again(
    ada: Person, way: str, monkeypatch: pytest.MonkeyPatch
):
    case = await shared(ada)
    departures = ada.world.api.app.state.api.departures
    path = await asked(case.team["operator"], f"/workers/{case.worker_id}", "theirs")
    port, call = type(departures.port), departures.port.call

    async def away(self: Any, request: Any) -> Any:
        if "/members/" in request.path:
            raise Unavailable("away", reason_code="runtime_unreachable", outcome="unknown")
        return await call(request)

    with monkeypatch.context() as patch:
        patch.setattr(port, "call", away)
        await lose(ada, case, way)
        assert await state(ada, path) == ("accepted", None)
        assert await ada.world.api.pool.fetchval("select count(*) from api.untold_departure") == 1

    await departures.tell()

    assert await state(ada, path) == ("rejected", "role_lost")
    assert await ada.world.api.pool.fetchval("select count(*) from api.untold_departure") == 0


async def test_a_refused_change_of_a_role_takes_nothing_back(ada: Person):
    case = await shared(ada)
    member = case.team["operator"]
    path = await asked(member, f"/workers/{case.worker_id}", "kept")
    error(
        await member.post(f"/api/teams/{case.team_id}/members/{member.user_id}/role", {"role": "viewer"}),
        403,
        "forbidden",
        "role",
    )
    assert await state(ada, path) == ("accepted", None)
