"""A machine is put into a team and taken out of it; its workers follow, and so does what members see of them."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.api.contract.test_team_roles import Shared, member, shared
from tests.api.contract.world import Person, World, ask, error, lease
from tests.api.served import bearer

from autopilot.client import RuntimeCodexClient
from autopilot.contract import StateGone, StreamCaughtUp
from autopilot.contract.port import Claims, RuntimeRequest

GENEROUS_SECONDS = 30.0
"""Of a loaded machine; the promise to users is 2 s."""


async def put(who: Person, machine_id: str, team_id: str | None) -> Any:
    return await who.post(f"/machines/{machine_id}/team", {"team_id": team_id})


async def team_in_rows(world: World, case: Shared) -> tuple[str | None, str | None]:
    """The team of the machine, and that of its worker."""
    pool = world.runtime.pool
    return (
        await pool.fetchval("select team_id from runtime.machine where machine_id = $1", case.machine.worker_id),
        await pool.fetchval("select team_id from runtime.worker where worker_id = $1", case.worker_id),
    )


async def test_its_owner_puts_a_machine_into_a_team_and_takes_it_out_and_its_workers_follow(ada: Person):
    case = await shared(ada)
    operator = case.team["operator"]
    assert await team_in_rows(ada.world, case) == (case.team_id, case.team_id)
    (listed,) = [one for one in (await operator.get("/machines")).json()["data"] if one["role"] == "operator"]
    assert listed["machine_id"] == case.machine.worker_id
    assert listed["owner"] == {"user_id": ada.user_id, "guest_scope": None, "team_id": case.team_id}

    taken_out = await put(ada, case.machine.worker_id, None)

    assert taken_out.status_code == 200, taken_out.text
    assert taken_out.json()["data"]["owner"]["team_id"] is None
    assert taken_out.json()["data"]["role"] == "owner"
    assert await team_in_rows(ada.world, case) == (None, None)
    error(await operator.get(f"/workers/{case.worker_id}"), 403, "forbidden", "role")
    again = await put(ada, case.machine.worker_id, None)
    assert again.json() == taken_out.json()


async def test_what_a_machine_leased_before_and_what_it_leases_later_is_shared_alike(ada: Person):
    case = await shared(ada)
    released = await ada.open_worker()
    await lease(case.machine, released)
    body = {"machine_id": case.machine.worker_id, "generation": 1}
    assert (await case.machine.post(f"/workers/{released}/lease/release", body)).status_code == 200
    other = (await ada.post("/api/teams", {"name": "others"})).json()["data"]["team_id"]

    assert (await put(ada, case.machine.worker_id, other)).status_code == 200
    later = await ada.open_worker()
    await lease(case.machine, later)

    for worker_id in (case.worker_id, released, later):
        said = (await ada.get(f"/workers/{worker_id}")).json()["data"]["owner"]
        assert said["team_id"] == other
        error(await case.team["viewer"].get(f"/workers/{worker_id}"), 403, "forbidden", "role")


async def test_a_second_machine_that_takes_the_lease_takes_the_worker_into_its_own_team_or_out_of_any(ada: Person):
    case = await shared(ada)
    viewer, second = case.team["viewer"], await ada.machine()
    body = {"machine_id": case.machine.worker_id, "generation": 1}
    assert (await viewer.get(f"/workers/{case.worker_id}")).status_code == 200

    assert (await case.machine.post(f"/workers/{case.worker_id}/lease/release", body)).status_code == 200
    await lease(second, case.worker_id)

    error(await viewer.get(f"/workers/{case.worker_id}"), 403, "forbidden", "role")
    assert (await put(ada, second.worker_id, case.team_id)).status_code == 200
    assert (await viewer.get(f"/workers/{case.worker_id}")).json()["data"]["role"] == "viewer"
    assert (await put(ada, case.machine.worker_id, None)).status_code == 200
    assert (await viewer.get(f"/workers/{case.worker_id}")).status_code == 200, "it is the second machine's now"


async def test_only_its_owner_moves_a_machine_and_into_a_team_only_who_may_operate_there(ada: Person, eve: Person):
    case = await shared(ada)
    machine_id = case.machine.worker_id
    viewers_own = await case.team["viewer"].machine()
    operators_own = await case.team["operator"].machine()

    for who in (*case.team.values(), eve):
        error(await put(who, machine_id, None), 403, "forbidden", "role")
        error(await put(who, machine_id, case.team_id), 403, "forbidden", "role")
    for who in (case.machine, operators_own):
        error(await put(who, who.worker_id, case.team_id), 403, "forbidden", "scope")
    error(await put(case.team["viewer"], viewers_own.worker_id, case.team_id), 403, "forbidden", "role")
    eves_own = await eve.machine()
    for team_id in (case.team_id, "team_nowhere"):
        error(await put(eve, eves_own.worker_id, team_id), 404, "not_found", "no_such_team")
    error(await put(ada, "nowhere", case.team_id), 404, "not_found", "no_such_machine")
    assert (await put(case.team["operator"], operators_own.worker_id, case.team_id)).status_code == 200
    assert await team_in_rows(ada.world, case) == (case.team_id, case.team_id)


async def test_putting_in_takes_a_step_up_and_taking_out_none(ada: Person):
    case = await shared(ada)
    machine_id = case.machine.worker_id
    await ada.world.api.pool.execute(
        "update api.session set stepped_up_until = clock_timestamp() where user_id = $1 and machine_id is null",
        ada.user_id,
    )
    ada.world.api.app.state.api.grants.forget_user(ada.user_id)

    assert (await put(ada, machine_id, None)).status_code == 200
    error(await put(ada, machine_id, case.team_id), 403, "forbidden", "step_up_required")
    for path, body in (
        ("invitations", {"email": "x@example.org", "role": "viewer"}),
        (f"members/{case.team['viewer'].user_id}/role", {"role": "owner"}),
        ("delete", {}),
    ):
        error(await ada.post(f"/api/teams/{case.team_id}/{path}", body), 403, "forbidden", "step_up_required")
    gone = await ada.post(f"/api/teams/{case.team_id}/members/{case.team['viewer'].user_id}/remove", {})
    assert gone.status_code == 200, "who finds something wrong must not first find their mail"


@pytest.mark.parametrize("body", [{}, {"team_id": 7}, {"team_id": ""}, {"team_id": "a b"}, {"team_id": "t\x00"}])
async def test_a_team_that_is_none_or_not_named_at_all_is_422(ada: Person, body: dict[str, Any]):
    machine = await ada.machine()
    error(await ada.post(f"/machines/{machine.worker_id}/team", body), 422, "unprocessable")


async def test_who_leaves_takes_their_own_machines_out_of_the_team_in_the_same_act(ada: Person):
    case = await shared(ada)
    operator = case.team["operator"]
    theirs = await operator.machine()
    worker_id = await operator.open_worker()
    assert (await put(operator, theirs.worker_id, case.team_id)).status_code == 200
    await lease(theirs, worker_id)
    assert (await ada.get(f"/workers/{worker_id}")).json()["data"]["role"] == "owner"

    assert (await operator.post(f"/api/teams/{case.team_id}/leave", {})).status_code == 200

    error(await ada.get(f"/workers/{worker_id}"), 403, "forbidden", "role")
    assert theirs.worker_id not in (await ada.get("/machines")).text
    assert await team_in_rows(ada.world, case) == (case.team_id, case.team_id), "others' stay"
    error(await put(operator, theirs.worker_id, case.team_id), 404, "not_found", "no_such_team")


@pytest.mark.parametrize("ends", ["the member is removed", "the team is deleted", "the user is no more"])
async def test_however_a_membership_ends_the_members_machines_are_their_own_again(ada: Person, ends: str):
    case = await shared(ada)
    owner, api = case.team["owner"], ada.world.api
    promoted = await member(ada, case.team_id, "owner")

    if ends == "the member is removed":
        done = await owner.post(f"/api/teams/{case.team_id}/members/{ada.user_id}/remove", {})
        assert done.status_code == 200
    elif ends == "the team is deleted":
        error(await case.team["operator"].post(f"/api/teams/{case.team_id}/delete", {}), 403, "forbidden", "role")
        assert (await promoted.post(f"/api/teams/{case.team_id}/delete", {})).status_code == 200
        error(await ada.get(f"/api/teams/{case.team_id}"), 404, "not_found", "no_such_team")
    else:
        await api.pool.execute("delete from api.membership where user_id = $1", ada.user_id)
        await api.app.state.api.departures.tell()

    assert await team_in_rows(ada.world, case) == (None, None)
    error(await case.team["viewer"].get(f"/workers/{case.worker_id}"), 403, "forbidden", "role")
    assert await api.pool.fetchval("select count(*) from api.untold_departure") == 0


async def test_a_call_under_a_membership_that_has_ended_puts_nothing_in_however_late_it_comes(ada: Person):
    case = await shared(ada)
    operator, api = case.team["operator"], ada.world.api
    theirs = await operator.machine()
    number = await api.pool.fetchval(
        "select membership_no from api.membership where team_id = $1 and user_id = $2", case.team_id, operator.user_id
    )
    late = RuntimeRequest(
        claims=Claims(
            user_id=operator.user_id,
            scopes=frozenset({"observe", "administer"}),
            roles={case.team_id: "operator"},
            step_up=True,
            membership_no=number,
        ),
        method="POST",
        path=f"/machines/{theirs.worker_id}/team",
        body=json.dumps({"team_id": case.team_id}).encode(),
    )
    assert (await operator.post(f"/api/teams/{case.team_id}/leave", {})).status_code == 200

    refused = await api.app.state.api.departures.port.call(late)

    assert refused.status == 404
    assert theirs.worker_id not in (await ada.get("/machines")).text
    body = {"email": operator.email, "role": "operator"}
    assert (await ada.post(f"/api/teams/{case.team_id}/invitations", body)).status_code == 201
    await api.app.state.api.postman.delivered()
    mail: Any = api.post.mails[-1]
    assert (await operator.post("/api/teams/accept", {"secret": mail.secret})).status_code == 200
    assert (await put(operator, theirs.worker_id, case.team_id)).status_code == 200, (
        "joined again is another membership"
    )


async def test_a_departure_that_was_not_told_is_told_again(ada: Person):
    case = await shared(ada)
    departures = ada.world.api.app.state.api.departures
    number = await ada.world.api.pool.fetchval(
        "select membership_no from api.membership where team_id = $1 and user_id = $2", case.team_id, ada.user_id
    )
    await ada.world.api.pool.execute(
        "insert into api.untold_departure (membership_no, team_id, user_id) values ($1, $2, $3)",
        number,
        case.team_id,
        ada.user_id,
    )

    await asyncio.gather(departures.tell(), departures.tell())

    assert await team_in_rows(ada.world, case) == (None, None)


async def test_an_open_approval_stays_open_and_only_who_may_see_its_worker_answers_it(ada: Person):
    case = await shared(ada)
    operator = case.team["operator"]
    approval_id = await ask(case.machine, case.worker_id, 3)
    assert approval_id in (await operator.get("/approvals")).text

    assert (await put(ada, case.machine.worker_id, None)).status_code == 200

    answer = {"option_id": "accept"}
    error(await operator.post(f"/approvals/{approval_id}/decision", answer), 403, "forbidden", "role")
    assert approval_id not in (await operator.get("/approvals")).text
    decided = await ada.post(f"/approvals/{approval_id}/decision", answer)
    assert decided.json()["data"]["decision"]["actor"]["user_id"] == ada.user_id


async def test_each_move_is_in_the_audit_with_who_from_where_and_in_which_call(ada: Person):
    case = await shared(ada)
    machine_id, operator = case.machine.worker_id, case.team["operator"]
    theirs = await operator.machine()
    for who, one, team_id in ((ada, machine_id, None), (operator, theirs.worker_id, case.team_id)):
        done = await who.post(f"/machines/{one}/team", {"team_id": team_id}, headers={"x-request-id": f"x-{one}"})
        assert done.status_code == 200
    left = await operator.post(f"/api/teams/{case.team_id}/leave", {}, headers={"x-request-id": "leaves"})
    assert left.status_code == 200

    found = await ada.world.runtime.pool.fetch(
        "select action, user_id, device_id, address, x_request_id, subject, detail::json ->> 'from' as former,"
        " detail::json ->> 'to' as team_id from runtime.audit_entry where subject = any ($1) order by seq",
        [f"machine:{machine_id}", f"machine:{theirs.worker_id}"],
    )
    acts = [line for line in found if line["action"] != "machine_registered"]
    assert [tuple(line[name] for name in ("action", "user_id", "former", "team_id")) for line in acts] == [
        ("machine_shared", ada.user_id, None, case.team_id),
        ("machine_unshared", ada.user_id, case.team_id, None),
        ("machine_shared", operator.user_id, None, case.team_id),
        ("machine_unshared", operator.user_id, case.team_id, None),
    ]
    assert all(line["device_id"] and line["address"] == "127.0.0.1" for line in acts)
    assert [line["x_request_id"] for line in acts[1:]] == [f"x-{machine_id}", f"x-{theirs.worker_id}", "leaves"]


async def test_open_streams_of_members_end_over_http_when_the_machine_leaves(ada: Person):
    case = await shared(ada)
    client = ada.world.api.client
    url = f"/api/runtime/codex/workers/{case.worker_id}/stream?frames=control"
    async with asyncio.timeout(GENEROUS_SECONDS), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(client.stream("GET", url, headers=bearer(who.token)))
            for who in (*case.team.values(), ada)
        ]
        assert (await put(ada, case.machine.worker_id, None)).status_code == 200
        ends = [b"".join([chunk async for chunk in stream.aiter_raw()]) for stream in streams[:-1]]
        assert await ada.append(case.worker_id, text="still mine")
        mine = streams[-1].aiter_lines()
        while "still mine" not in await anext(mine):
            pass
    assert all(b'"reason":"roles"' in end for end in ends)


async def test_a_follower_of_everything_is_handed_what_is_gone(ada: Person):
    case = await shared(ada)
    url, viewer, gone = ada.world.api.url, case.team["viewer"], set()
    async with (
        RuntimeCodexClient(url, viewer.token) as client,
        RuntimeCodexClient(url, ada.token) as owner,
        asyncio.timeout(GENEROUS_SECONDS),
        client.follow_everything() as entries,
    ):
        async for entry in entries:
            if isinstance(entry, StreamCaughtUp):
                taken = await owner.unshare_machine(case.machine.worker_id)
                assert taken.owner is not None
                assert taken.owner.team_id is None
            if isinstance(entry, StateGone):
                gone.add((entry.kind, entry.id))
                if len(gone) == 2:
                    break
        assert (await owner.share_machine(case.machine.worker_id, case.team_id)).role == "owner"
        await owner.delete_team(case.team_id)
    assert gone == {("machine", case.machine.worker_id), ("worker", case.worker_id)}
