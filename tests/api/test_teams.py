"""Teams: who is in them, who gets in, who changes that; and roles as claims, for as long as a membership lasts."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api.settings import Limits
from autopilot.api.teams import TEAMS_PER_USER
from autopilot.client import RuntimeCodexClient
from autopilot.contract.errors import NotFound

STREAM = "/api/runtime/codex/workers/w/stream?frames=control"
GENEROUS_SECONDS = 30.0
"""Of a loaded machine; the promise to users is 2 s."""


class OpenRuntime(EchoRuntime):
    """Its streams say one thing and then nothing, for ever."""

    async def _stream(self) -> Any:
        yield b": here\n\n"
        await asyncio.Event().wait()


async def call(api: ServedApi, who: dict[str, Any], method: str, path: str = "", body: Any = None) -> httpx2.Response:
    rest = {"json": body} if body is not None else {}
    return await api.client.request(method, f"/api/teams{path}", headers=bearer(who["token"]), **rest)


async def people(api: ServedApi, *names: str) -> list[dict[str, Any]]:
    return [await api.sign_in(f"{name}@example.org") for name in names]


async def team_of(api: ServedApi, owner: dict[str, Any], **members: dict[str, Any]) -> str:
    """A team of this owner, with `role=member`; its id."""
    team_id = (await call(api, owner, "POST", "", {"name": "crew"})).json()["data"]["team_id"]
    for role, member in members.items():
        secret = await invited(api, owner, team_id, member["user"]["email"], role)
        assert (await call(api, member, "POST", "/accept", {"secret": secret})).status_code == 200
    return team_id


async def invited(api: ServedApi, owner: dict[str, Any], team_id: str, email: str, role: str) -> str:
    """Invite somebody; the secret in the mail."""
    answer = await call(api, owner, "POST", f"/{team_id}/invitations", {"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    await api.app.state.api.postman.delivered()
    mail: Any = api.post.mails[-1]
    assert mail.email == email
    assert mail.secret not in answer.text
    return mail.secret


def reason(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["details"][0]["reason_code"]


async def test_who_makes_a_team_owns_it_and_who_is_invited_joins_it_with_a_role(api: ServedApi):
    ada, eve = await people(api, "ada", "eve")
    team_id = await team_of(api, ada, viewer=eve)

    (listed,) = (await call(api, eve, "GET")).json()["data"]
    assert (listed["team_id"], listed["name"], listed["role"], listed["members"]) == (team_id, "crew", "viewer", [])
    shown = (await call(api, ada, "GET", f"/{team_id}")).json()["data"]
    assert [(one["email"], one["role"]) for one in shown["members"]] == [
        ("ada@example.org", "owner"),
        ("eve@example.org", "viewer"),
    ]
    assert (shown["role"], shown["invitations"]) == ("owner", [])


async def test_an_invitation_is_good_once_and_for_its_address_alone(api: ServedApi):
    ada, eve, mallory = await people(api, "ada", "eve", "mallory")
    team_id = await team_of(api, ada)
    secret = await invited(api, ada, team_id, "eve@example.org", "operator")

    for secret_tried in (secret, "apin_guessed"):
        refused = await call(api, mallory, "POST", "/accept", {"secret": secret_tried})
        assert reason(refused) == (404, "no_such_invitation")
    assert (await call(api, eve, "POST", "/accept", {"secret": secret})).json()["data"]["role"] == "operator"
    assert reason(await call(api, eve, "POST", "/accept", {"secret": secret})) == (404, "no_such_invitation")
    again = await invited(api, ada, team_id, "eve@example.org", "owner")
    assert reason(await call(api, eve, "POST", "/accept", {"secret": again})) == (409, "already_member")
    assert (await call(api, eve, "GET")).json()["data"][0]["role"] == "operator"
    kept = await api.pool.fetch("select * from api.invitation")
    assert secret not in str([dict(row) for row in kept])
    refusals = await api.pool.fetch(
        "select user_id from api.audit where action = 'team_joined' and outcome = 'refused'"
    )
    assert [row["user_id"] for row in refusals] == [mallory["userId"]]


async def test_an_old_a_withdrawn_and_a_replaced_invitation_let_nobody_in(api: ServedApi):
    ada, eve = await people(api, "ada", "eve")
    team_id = await team_of(api, ada)
    replaced = await invited(api, ada, team_id, "eve@example.org", "owner")
    withdrawn = await invited(api, ada, team_id, "eve@example.org", "operator")
    (pending,) = (await call(api, ada, "GET", f"/{team_id}")).json()["data"]["invitations"]
    path = f"/{team_id}/invitations/{pending['invitation_id']}/withdraw"
    assert (await call(api, ada, "POST", path)).json()["data"]["invitations"] == []
    assert reason(await call(api, ada, "POST", path)) == (404, "no_such_invitation")
    old = await invited(api, ada, team_id, "eve@example.org", "viewer")
    await api.pool.execute("update api.invitation set expires_at = clock_timestamp() where withdrawn_at is null")

    for secret in (replaced, withdrawn, old):
        assert reason(await call(api, eve, "POST", "/accept", {"secret": secret})) == (404, "no_such_invitation")
    assert (await call(api, eve, "GET")).json()["data"] == []


async def test_a_user_sends_thirty_invitations_an_hour(api: ServedApi):
    (ada,) = await people(api, "ada")
    team_id = await team_of(api, ada)
    await api.pool.execute(
        "insert into api.invitation (invitation_id, team_id, email, email_key, role, secret_digest, invited_by,"
        " expires_at) select n::text, $1, 'x', 'x', 'viewer', n::text::bytea, $2, now() from generate_series(1, 30) n",
        team_id,
        ada["userId"],
    )
    body = {"email": "eve@example.org", "role": "viewer"}
    assert reason(await call(api, ada, "POST", f"/{team_id}/invitations", body)) == (429, "too_many_invitations")


CHANGES = [
    ("/{team}/invitations", {"email": "x@example.org", "role": "viewer"}),
    ("/{team}/invitations/inv_x/withdraw", {}),
    ("/{team}/members/{ada}/role", {"role": "viewer"}),
    ("/{team}/members/{ada}/remove", {}),
]


@pytest.mark.parametrize(("path", "body"), CHANGES)
async def test_only_an_owner_changes_a_team_and_to_a_stranger_there_is_none(api: ServedApi, path: str, body: Any):
    ada, otto, vic, eve = await people(api, "ada", "otto", "vic", "eve")
    team_id = await team_of(api, ada, operator=otto, viewer=vic)
    path = path.format(team=team_id, ada=ada["userId"])

    for member in (otto, vic):
        assert reason(await call(api, member, "POST", path, body)) == (403, "role")
    strange = await call(api, eve, "POST", path, body)
    nowhere = await call(api, eve, "POST", path.replace(team_id, "team_x"), body)
    assert reason(strange) == reason(nowhere) == (404, "no_such_team")
    assert reason(await call(api, eve, "GET", f"/{team_id}")) == (404, "no_such_team")
    assert reason(await call(api, eve, "POST", f"/{team_id}/leave")) == (404, "no_such_team")
    assert "invitations" in (await call(api, otto, "GET", f"/{team_id}")).json()["data"]
    observer = {"token": (await api.mint("ada@example.org", "observe")).token}
    assert (await call(api, observer, "POST", path, body)).status_code == 403
    assert (await call(api, observer, "GET", f"/{team_id}")).status_code == 200


async def test_what_is_no_role_name_or_member_is_refused_by_field(api: ServedApi):
    (ada,) = await people(api, "ada")
    team_id = await team_of(api, ada)

    for path, body, status in (
        ("", {"name": " "}, 422),
        ("", {"name": "two\nlines"}, 422),
        (f"/{team_id}/invitations", {"email": "eve@example.org", "role": "king"}, 422),
        (f"/{team_id}/invitations", {"email": "nobody", "role": "viewer"}, 422),
        (f"/{team_id}/members/zero/role", {"role": "viewer"}, 422),
        (f"/{team_id}/members/{'9' * 30}/remove", {}, 422),
        (f"/{team_id}/members/{'1'.zfill(20)}{'9' * 30}/remove", {}, 422),
        (f"/{team_id}/members/123456/remove", {}, 404),
    ):
        assert (await call(api, ada, "POST", path, body)).status_code == status, path


async def test_a_team_always_has_an_owner_also_when_two_leave_at_once(api: ServedApi):
    ada, otto = await people(api, "ada", "otto")
    team_id = await team_of(api, ada, operator=otto)
    leave, role_of_ada = f"/{team_id}/leave", f"/{team_id}/members/{ada['userId']}/role"
    assert reason(await call(api, ada, "POST", leave)) == (409, "last_owner")
    assert reason(await call(api, ada, "POST", role_of_ada, {"role": "viewer"})) == (409, "last_owner")

    promoted = await call(api, ada, "POST", f"/{team_id}/members/{otto['userId']}/role", {"role": "owner"})
    assert [one["role"] for one in promoted.json()["data"]["members"]] == ["owner", "owner"]
    answers = await asyncio.gather(*(call(api, who, "POST", leave) for who in (ada, otto)))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await api.pool.fetchval("select count(*) from api.membership where role = 'owner'") == 1


async def test_nobody_is_in_more_than_fifty_teams(api: ServedApi):
    (ada,) = await people(api, "ada")
    await api.pool.execute(
        "with made as (insert into api.team select n::text, 'x' from generate_series(1, $2) n returning team_id)"
        " insert into api.membership (team_id, user_id, role) select team_id, $1, 'viewer' from made",
        ada["userId"],
        TEAMS_PER_USER,
    )
    assert reason(await call(api, ada, "POST", "", {"name": "crew"})) == (409, "too_many_teams")
    assert await api.pool.fetchval("select count(*) from api.team") == TEAMS_PER_USER


async def test_the_runtime_is_told_the_roles_of_people_and_none_of_machines(api: ServedApi):
    ada, eve = await people(api, "ada", "eve")
    team_id = await team_of(api, ada, viewer=eve)
    machine = (await api.mint("eve@example.org", "execute", machine_id="m", surface="companion")).token

    async def roles(token: str) -> dict[str, str]:
        await api.client.get("/api/runtime/codex/workers", headers=bearer(token))
        return dict(api.runtime.calls[-1].claims.roles)

    assert await roles(eve["token"]) == {team_id: "viewer"}
    assert await roles(machine) == {}
    await call(api, ada, "POST", f"/{team_id}/members/{eve['userId']}/role", {"role": "operator"})
    assert await roles(eve["token"]) == {team_id: "operator"}
    await call(api, ada, "POST", f"/{team_id}/members/{eve['userId']}/remove")
    assert await roles(eve["token"]) == {}


async def test_streams_of_a_removed_member_end_on_every_node_and_their_machines_go_on(database: str):
    """The promise is two seconds; the loop that looks wakes every second."""
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(serving(database, OpenRuntime(), limits=Limits(remember_seconds=0.0)))
            for _ in range(2)
        ]
        ada, eve = await people(nodes[0], "ada", "eve")
        team_id = await team_of(nodes[0], ada, operator=eve)
        machine = (await nodes[0].mint("eve@example.org", "execute", machine_id="m", surface="companion")).token
        feed = "/api/runtime/codex/machines/m/feed"

        async with asyncio.timeout(2 * GENEROUS_SECONDS):
            fed = await stack.enter_async_context(nodes[1].client.stream("GET", feed, headers=bearer(machine)))
            streams = [
                await stack.enter_async_context(node.client.stream("GET", STREAM, headers=bearer(eve["token"])))
                for node in nodes
            ]
            path = f"/{team_id}/members/{eve['userId']}/remove"
            assert (await call(nodes[0], ada, "POST", path)).status_code == 200
            ends = [b"".join([chunk async for chunk in stream.aiter_raw()]) for stream in streams]

        assert all(b'"reason":"roles"' in end for end in ends)
        assert [node.app.state.api.watch.count for node in nodes] == [0, 1]
        assert fed.status_code == 200


async def test_the_sdk_does_all_of_it_and_the_audit_tells_of_it(api: ServedApi):
    ada, eve = await people(api, "ada", "eve")
    async with RuntimeCodexClient(api.url, ada["token"]) as owner, RuntimeCodexClient(api.url, eve["token"]) as member:
        made = await owner.create_team("crew")
        withdrawn = await owner.invite(made.team_id, "otto@example.org", "viewer")
        assert (await owner.withdraw_invitation(made.team_id, withdrawn.invitation_id)).invitations == ()
        await owner.invite(made.team_id, "eve@example.org", "operator")
        await api.app.state.api.postman.delivered()
        mail: Any = api.post.mails[-1]
        assert (await member.accept_invitation(mail.secret)).role == "operator"
        changed = await owner.set_role(made.team_id, eve["userId"], "owner")
        assert [one.role for one in changed.members] == ["owner", "owner"]
        await member.remove_member(made.team_id, ada["userId"])
        with pytest.raises(NotFound):
            await owner.leave_team(made.team_id)
        assert [team.name for team in await member.teams()] == ["crew"]
        assert len((await member.team(made.team_id)).members) == 1
    lines = await api.pool.fetch("select action, subject from api.audit where action like 'team%' order by audit_no")
    assert [line["action"] for line in lines] == [
        "team_created",
        "team_invited",
        "team_invitation_withdrawn",
        "team_invited",
        "team_joined",
        "team_role_changed",
        "team_member_removed",
    ]
    assert {line["subject"] for line in lines} == {f"team:{made.team_id}"}
    secrets = await api.pool.fetchval("select string_agg(detail, '') from api.audit")
    assert mail.secret not in secrets


async def test_the_mail_says_who_invites_where_and_what_to_do(api: ServedApi):
    (ada,) = await people(api, "ada")
    team_id = await team_of(api, ada)
    secret = await invited(api, ada, team_id, "eve@example.org", "viewer")
    mail: Any = api.post.mails[-1]

    assert "crew" in mail.subject
    assert f"    {secret}\n" in mail.text
    assert secret in mail.line
    assert "http" not in mail.text.partition(secret)[2]
