"""What a team that shares a machine sees and does with it. What each role may is in the access matrix."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from tests.api.contract.test_two_users import SECRET, settled
from tests.api.contract.world import Person, ask, error, person


@dataclass
class Shared:
    """Ada's worker and machine, shared with a team that she owns."""

    team_id: str
    worker_id: str
    machine: Person
    ids: dict[str, str]
    team: dict[str, Person]


async def member(ada: Person, team_id: str, role: str) -> Person:
    """Somebody who accepted an invitation into Ada's team."""
    made = await person(ada.world, role)
    invited = await ada.post(f"/api/teams/{team_id}/invitations", {"email": made.email, "role": role})
    assert invited.status_code == 201, invited.text
    await ada.world.api.app.state.api.postman.delivered()
    mail: Any = ada.world.api.post.mails[-1]
    assert (await made.post("/api/teams/accept", {"secret": mail.secret})).status_code == 200
    return made


async def shared(ada: Person) -> Shared:
    """A machine that is put into the team when it has its worker's lease already."""
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    team = {role: await member(ada, team_id, role) for role in ("owner", "operator", "viewer")}
    worker_id, machine, ids = await settled(ada)
    await put_into(ada, machine, team_id)
    return Shared(team_id, worker_id, machine, ids, team)


async def put_into(owner: Person, machine: Person, team_id: str | None) -> None:
    answer = await owner.post(f"/machines/{machine.worker_id}/team", {"team_id": team_id})
    assert answer.status_code == 200, answer.text


async def test_a_snapshot_says_the_team_and_the_role_of_who_asks(ada: Person):
    case = await shared(ada)

    said = {role: (await who.get(f"/workers/{case.worker_id}")).json()["data"] for role, who in case.team.items()}
    assert {role: one["role"] for role, one in said.items()} == {role: role for role in case.team}
    assert {one["owner"]["team_id"] for one in said.values()} == {case.team_id}
    assert {one["owner"]["user_id"] for one in said.values()} == {ada.user_id}


async def test_a_worker_follows_its_machine_out_of_the_team(ada: Person):
    case = await shared(ada)
    operator = case.team["operator"]
    assert await operator.append(case.worker_id, text="hello")

    await put_into(ada, case.machine, None)

    body = {"event": {"event_type": "worker.event", "payload": {}}}
    error(await operator.post(f"/workers/{case.worker_id}/events", body), 403, "forbidden", "role")
    error(await operator.get(f"/workers/{case.worker_id}"), 403, "forbidden", "role")
    assert await ada.append(case.worker_id, text="still mine")


async def test_an_operators_answer_is_taken_and_its_actor_is_the_operator(ada: Person):
    case = await shared(ada)
    approval_id = await ask(case.machine, case.worker_id, 1)

    error(
        await case.team["viewer"].post(f"/approvals/{approval_id}/decision", {"option_id": "accept"}),
        403,
        "forbidden",
        "role",
    )
    answered = await case.team["operator"].post(f"/approvals/{approval_id}/decision", {"option_id": "accept"})
    assert answered.status_code == 200, answered.text
    assert answered.json()["data"]["decision"]["actor"]["user_id"] == case.team["operator"].user_id


async def test_an_approval_says_the_role_of_who_reads_it_in_lists_by_itself_and_on_the_stream(ada: Person):
    case = await shared(ada)
    approval_id = await ask(case.machine, case.worker_id, 1)

    for role, who in {**case.team, "owner": ada}.items():
        page = (await who.get("/approvals")).json()["data"]
        (in_the_list,) = [one for one in page if one["approval_id"] == approval_id]
        read = (await who.get(f"/approvals/{approval_id}")).json()["data"]
        lines = (await who.get("/stream?tail_ms=1")).text.splitlines()
        (told,) = [json.loads(line[5:]) for line in lines if line.startswith("data:") and f'"{approval_id}"' in line]
        assert [one["role"] for one in (in_the_list, read, told)] == [role] * 3


async def test_a_members_machine_does_not_execute_for_the_teams_workers(ada: Person):
    case = await shared(ada)
    other = await case.team["operator"].machine()
    await put_into(case.team["operator"], other, case.team_id)

    body = {"machine_id": other.worker_id, "ttl_ms": 60000}
    error(await other.post(f"/workers/{case.worker_id}/lease", body), 403, "forbidden", "role")
    error(await other.get(f"/workers/{case.worker_id}"), 403, "forbidden", "role")


async def listed(who: Person) -> dict[str, str]:
    """All that somebody's lists say, as text, by list."""
    lists = ("/workers?limit=200", "/machines", "/approvals?state=all", "/spend?by=worker", "/stream?tail_ms=1")
    return {path: (await who.get(path)).text for path in lists}


async def test_members_lists_show_what_is_shared_and_nobody_elses_do(ada: Person, eve: Person):
    case = await shared(ada)
    mine = await ada.open_worker(workspace_ref="ada's own")
    usage = {"threadId": "t", "tokenUsage": {"total": {"totalTokens": 7, "inputTokens": 7, "outputTokens": 0}}}
    await case.machine.append(case.worker_id, method="thread/tokenUsage/updated", params=usage)

    for role, who in case.team.items():
        told = await listed(who)
        for path, text in told.items():
            needle = case.machine.worker_id if path == "/machines" else case.worker_id
            assert (needle in text) or path.startswith("/spend"), (role, path)
            assert f'"{mine}"' not in text, (role, path)
        assert {case.worker_id} <= {one["worker_id"] for one in (await who.get("/workers")).json()["data"]}
        (summary,) = [one for one in (await who.get("/workers")).json()["data"] if one["worker_id"] == case.worker_id]
        assert summary["role"] == role
    for who in (eve, await case.team["operator"].machine(), await eve.machine()):
        for path in ("/workers?limit=200", "/machines"):
            text = (await who.get(path)).text
            assert SECRET not in text
            assert case.machine.worker_id not in text
    assert all(SECRET not in text for text in (await listed(eve)).values())


async def test_a_removed_members_lists_show_nothing_of_the_team(ada: Person):
    case = await shared(ada)
    operator = case.team["operator"]
    assert SECRET in (await listed(operator))["/stream?tail_ms=1"]

    assert (await operator.post(f"/api/teams/{case.team_id}/leave", {})).status_code == 200

    assert all(SECRET not in text for text in (await listed(operator)).values())


async def test_the_one_stream_tells_an_operator_of_a_change_and_ends_with_the_membership(ada: Person):
    case = await shared(ada)
    operator, api = case.team["operator"], ada.world.api
    headers = {"authorization": f"Bearer {operator.token}"}

    async with (
        asyncio.timeout(30),
        api.client.stream("GET", "/api/runtime/codex/stream?frames=control", headers=headers) as stream,
    ):
        lines = stream.aiter_lines()
        while "codex.stream.caught_up" not in await anext(lines):
            pass
        approval_id = await ask(case.machine, case.worker_id, 2)
        while approval_id not in await anext(lines):
            pass
        gone = await ada.post(f"/api/teams/{case.team_id}/members/{operator.user_id}/remove", {})
        assert gone.status_code == 200
        rest = "\n".join([line async for line in lines])
    assert '"reason":"roles"' in rest


async def test_stop_all_stops_what_one_may_stop_and_a_viewer_nothing_of_the_team(ada: Person):
    case = await shared(ada)

    async def stopped_by(role: str) -> set[str]:
        answer = await case.team[role].post("/stop-all", {})
        assert answer.status_code in {200, 202}, answer.text
        return {one["worker_id"] for one in answer.json()["data"]["workers"]}

    assert case.worker_id not in await stopped_by("viewer")
    assert case.worker_id in await stopped_by("operator")
