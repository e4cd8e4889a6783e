"""Guests read the workers that they were shown, from when they come in until they end; and nothing else anywhere."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from starlette.routing import Route
from tests.api.contract.test_two_users import SECRET, settled
from tests.api.contract.world import BASE, Person, World, ask, error
from tests.api.served import bearer

from autopilot.api.http import paths
from autopilot.client import RuntimeCodexClient, Session
from autopilot.client.guests import guest_link
from autopilot.client.tokens import MemoryTokenStore
from autopilot.contract import WorkerSummary
from autopilot.contract.errors import Forbidden, Unauthorized

GENEROUS_SECONDS = 30.0
"""Of a loaded machine; the promise to users is 2 s."""
SHOWN = {
    f"GET /workers{rest}"
    for rest in (
        "",
        "/{worker_id}",
        "/{worker_id}/stream",
        "/{worker_id}/events",
        "/{worker_id}/requests/{request_id}",
        "/{worker_id}/artifacts",
        "/{worker_id}/artifacts/{artifact_id}",
    )
} | {"GET /approvals", "GET /approvals/{approval_id}", "GET /stream"}
"""All that a guest gets of what they were shown."""
OF_A_WORKER = sorted(one for one in SHOWN if "{" in one)


async def invite(host: Person, *worker_ids: str, **more: Any) -> httpx2.Response:
    return await host.post("/api/guests", {"name": "Gil", "worker_ids": list(worker_ids), **more})


async def guest_of(host: Person, *worker_ids: str, **more: Any) -> tuple[Person, dict[str, Any]]:
    """Somebody who came in by the link, and what the invitation answered."""
    made = await invite(host, *worker_ids, **more)
    assert made.status_code == 201, made.text
    data = made.json()["data"]
    session = await enter(host.world, data["secret"])
    assert session.status_code == 200, session.text
    return Person(host.world, "", 0, session.json()["token"], worker_ids[0]), {**data, **session.json()}


async def enter(world: World, secret: str) -> httpx2.Response:
    return await world.api.client.post("/api/guests/enter", json={"secret": secret})


async def test_a_guest_reads_what_was_shown_and_not_the_same_persons_other_workers(ada: Person):
    worker_id, machine, ids = await settled(ada)
    other, _, other_ids = await settled(ada)
    guest, _ = await guest_of(ada, worker_id)

    (listed,) = (await guest.get("/workers")).json()["data"]
    assert (listed["worker_id"], listed["role"]) == (worker_id, "viewer")
    assert [one["worker_id"] for one in (await guest.get("/approvals?state=all")).json()["data"]] == [worker_id]
    for row in OF_A_WORKER:
        for one, of_one, status in ((worker_id, ids, 200), (other, other_ids, 403)):
            path = row.removeprefix("GET ").format(worker_id=one, request_id="r1", **of_one)
            answer = await guest.get(path + ("?cursor=0&tail_ms=1" if path.endswith("/stream") else ""))
            assert answer.status_code == status, (path, answer.text)
            assert status == 200 or SECRET not in answer.text
    told = (await guest.get("/stream?tail_ms=1")).text
    assert worker_id in told
    assert other not in told
    assert "codex.state.machine" not in told
    error(await guest.get(f"/stream?tail_ms=1&workers={other}"), 403, "forbidden", "role")
    error(await guest.get(f"/approvals?worker_id={other}"), 403, "forbidden", "role")
    assert machine.worker_id not in (await ada.world.api.client.get("/api/guests", headers=bearer(guest.token))).text


@pytest.mark.parametrize(("method", "path"), [(m, path) for methods, path, _ in paths.TABLE for m in methods.split()])
async def test_everything_else_is_refused_and_nothing_leaks(ada: Person, method: str, path: str):
    worker_id, machine, ids = await settled(ada)
    guest, _ = await guest_of(ada, worker_id)
    if f"{method} {path}" in SHOWN:
        return
    before = (await ada.get(f"/workers/{worker_id}")).json()["data"]

    url = path.format(worker_id=worker_id, machine_id=machine.worker_id, request_id="r1", **ids)
    answer = await guest.call(method, url, **({"json": {}} if method == "POST" else {}))

    error(answer, 403, "forbidden")
    assert SECRET not in answer.text
    after = (await ada.get(f"/workers/{worker_id}")).json()["data"]
    assert all(after[name] == before[name] for name in ("latest_seq", "status", "lease", "pending_approvals"))


async def test_a_guest_has_no_account_on_any_of_its_paths(ada: Person):
    guest, _ = await guest_of(ada, ada.worker_id)
    refused = set()
    for route in ada.world.api.app.routes:
        assert isinstance(route, Route)
        path = route.path.format(**dict.fromkeys(route.param_convertors, "1"))
        for method in route.methods or ():
            is_open = path in {"/", "/api/me", "/api/auth/signout"} or not path.startswith("/api/")
            asks_no_token = path.startswith(
                ("/api/auth/", "/api/pairing/", "/api/guests/", "/api/openapi", "/api/docs")
            )
            if is_open or (asks_no_token and path != "/api/auth/step-up") or method == "HEAD":
                continue
            error(
                await guest.call(method, path, **({"json": {}} if method == "POST" else {})), 403, "forbidden", "scope"
            )
            refused.add(path)
    assert {"/api/devices", "/api/teams", "/api/guests", "/api/pairing", "/api/auth/step-up"} <= refused
    for path in ("/api/pairing/find", "/api/pairing/p1/decision", "/api/pairing/p1/nonce", "/api/guests/g1/revoke"):
        error(await guest.post(path, {"accept": False}), 403, "forbidden", "scope")
    me = (await guest.get("/api/me")).json()
    assert me["user"] is None
    assert me["guest_scope"].startswith("guest_")
    assert me["scopes"] == ["observe"]
    assert ada.email not in json.dumps(me)


async def test_a_question_is_shown_to_a_guest_and_answered_by_others(ada: Person):
    worker_id, machine, _ = await settled(ada)
    guest, _ = await guest_of(ada, worker_id)
    approval_id = await ask(machine, worker_id, 1)

    assert (await guest.get(f"/approvals/{approval_id}")).json()["data"]["state"] == "pending"
    error(await guest.post(f"/approvals/{approval_id}/decision", {"option_id": "accept"}), 403, "forbidden", "guest")
    assert (await ada.get(f"/approvals/{approval_id}")).json()["data"]["state"] == "pending"


async def test_a_link_is_good_once_until_it_is_revoked_or_over_and_its_secret_is_nowhere_else(ada: Person):
    pool = ada.world.api.pool
    guest, said = await guest_of(ada, ada.worker_id)
    revoked, old = [(await invite(ada, ada.worker_id)).json()["data"] for _ in range(2)]
    done = await ada.post(f"/api/guests/{revoked['guest']['guest_id']}/revoke", {})
    assert done.status_code == 200
    sql = "update api.guest set expires_at = clock_timestamp() where guest_id = $1"
    await pool.execute(sql, old["guest"]["guest_id"])

    for secret in (said["secret"], revoked["secret"], old["secret"], "apgu_guessed"):
        error(await enter(ada.world, secret), 401, "unauthorized", "link_refused")
    (listed,) = (await ada.get("/api/guests")).json()["data"]
    assert (listed["guest_id"], listed["worker_ids"]) == (said["guest_scope"], [ada.worker_id])
    assert listed["entered_at"] is not None
    kept = [
        dict(row) for name in ("guest", "audit", "device", "session") for row in await pool.fetch(f"table api.{name}")
    ]
    assert said["secret"] not in str(kept)
    assert guest.token not in str(kept)


async def test_a_guest_whose_answer_was_lost_comes_in_again_and_who_has_the_link_alone_does_not(ada: Person):
    async def entered(secret: str, verifier: str | None = None) -> httpx2.Response:
        body = {"secret": secret} | ({} if verifier is None else {"verifier": verifier})
        return await ada.world.api.client.post("/api/guests/enter", json=body)

    secret = (await invite(ada, ada.worker_id)).json()["data"]["secret"]
    mine, anothers = "ab" * 32, "cd" * 32
    error(await entered(secret, "AB" * 32), 422, "unprocessable", "invalid_value")
    both = await asyncio.gather(entered(secret, mine), entered(secret, mine))
    first, again = (answer.json() for answer in both)
    assert first["token"] == again["token"]
    assert first["refresh_token"] == again["refresh_token"]
    assert (await entered(secret, mine)).json()["guest_scope"] == first["guest_scope"]
    for verifier in (None, anothers):
        error(await entered(secret, verifier), 401, "unauthorized", "link_refused")

    body = {"refresh_token": first["refresh_token"]}
    assert (await ada.world.api.client.post("/api/guests/refresh", json=body)).status_code == 200
    error(await entered(secret, mine), 401, "unauthorized", "link_refused")

    late = (await invite(ada, ada.worker_id)).json()["data"]
    assert (await entered(late["secret"], mine)).status_code == 200
    sql = "update api.guest set entered_at = entered_at - interval '121 s' where guest_id = $1"
    await ada.world.api.pool.execute(sql, late["guest"]["guest_id"])
    error(await entered(late["secret"], mine), 401, "unauthorized", "link_refused")

    over = (await invite(ada, ada.worker_id)).json()["data"]
    assert (await entered(over["secret"], mine)).status_code == 200
    await ada.post(f"/api/guests/{over['guest']['guest_id']}/revoke", {})
    error(await entered(over["secret"], mine), 401, "unauthorized", "link_refused")


async def test_only_its_owner_shows_a_worker_and_only_stepped_up(ada: Person, eve: Person):
    error(await invite(eve, ada.worker_id), 403, "forbidden", "role")
    error(await invite(eve, eve.worker_id, ada.worker_id), 403, "forbidden", "role")
    error(await invite(eve, "nowhere"), 404, "not_found", "no_such_worker")
    guest, said = await guest_of(ada, ada.worker_id)
    error(await eve.post(f"/api/guests/{said['guest_scope']}/revoke", {}), 404, "not_found", "no_such_guest")
    error(await guest.post(f"/api/guests/{said['guest_scope']}/revoke", {}), 403, "forbidden", "scope")
    assert (await eve.get("/api/guests")).json()["data"] == []
    await ada.world.api.pool.execute(
        "update api.session set stepped_up_until = clock_timestamp() where user_id = $1 and machine_id is null",
        ada.user_id,
    )
    ada.world.api.app.state.api.grants.forget_user(ada.user_id)
    error(await invite(ada, ada.worker_id), 403, "forbidden", "step_up_required")
    assert (await ada.post(f"/api/guests/{said['guest_scope']}/revoke", {})).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "worker_ids": ["w"]},
        {"name": "x", "worker_ids": []},
        {"name": "x", "worker_ids": ["w"] * 2 + [f"w{n}" for n in range(20)]},
        {"name": "x", "worker_ids": ["a b"]},
        {"name": "x", "worker_ids": ["w"], "expires_in": 59},
        {"name": "x", "worker_ids": ["w"], "expires_in": 7 * 86_400 + 1},
    ],
)
async def test_what_is_no_invitation_is_422(ada: Person, body: dict[str, Any]):
    error(await ada.post("/api/guests", body), 422, "unprocessable")


async def test_a_guest_is_over_after_a_day_unless_said_otherwise(ada: Person):
    _, by_itself = await guest_of(ada, ada.worker_id)
    _, longest = await guest_of(ada, ada.worker_id, expires_in=7 * 86_400)
    seconds = await ada.world.api.pool.fetch(
        "select guest_id, extract(epoch from expires_at - created_at)::int as life from api.guest"
        " where invited_by = $1",
        ada.user_id,
    )
    assert {row["guest_id"]: row["life"] for row in seconds} == {
        by_itself["guest_scope"]: 86_400,
        longest["guest_scope"]: 7 * 86_400,
    }


async def test_nobody_has_more_than_fifty_guests(ada: Person):
    await ada.world.api.pool.execute(
        "insert into api.guest (guest_id, invited_by, name, worker_ids, secret_digest, expires_at)"
        " select n::text || '.' || $1::bigint, $1::bigint, 'x', array['w'], (n::text || '.' || $1::bigint)::bytea,"
        " now() + interval '1 hour' from generate_series(1, 50) n",
        ada.user_id,
    )
    error(await invite(ada, ada.worker_id), 409, "conflict", "too_many_guests")


@pytest.mark.parametrize("ends", ["revoked", "over", "the host is no more"])
async def test_a_guests_open_streams_and_tokens_end_when_the_guest_does(ada: Person, ends: str):
    """The promise is two seconds; the loop that looks wakes every second."""
    guest, said = await guest_of(ada, ada.worker_id)
    client, pool = ada.world.api.client, ada.world.api.pool
    async with asyncio.timeout(GENEROUS_SECONDS), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(
                client.stream("GET", f"{BASE}{path}?frames=control", headers=bearer(guest.token))
            )
            for path in (f"/workers/{ada.worker_id}/stream", "/stream")
        ]
        if ends == "revoked":
            assert (await ada.post(f"/api/guests/{said['guest_scope']}/revoke", {})).status_code == 200
        elif ends == "over":
            await pool.execute(
                "update api.guest set expires_at = clock_timestamp() where guest_id = $1", said["guest_scope"]
            )
        else:
            await pool.execute("delete from api.user_account where user_id = $1", ada.user_id)
        rest = [b"".join([chunk async for chunk in stream.aiter_raw()]) for stream in streams]
    assert all(b'"reason":"revoked"' in one for one in rest)
    ada.world.api.app.state.api.grants._known.clear()  # what is remembered holds for a second
    error(await guest.get("/workers"), 401, "unauthorized", "token_refused")
    body = {"refresh_token": said["refresh_token"]}
    error(await client.post("/api/guests/refresh", json=body), 401, "unauthorized")


async def test_a_guests_tokens_rotate_and_a_used_one_ends_the_session(ada: Person):
    _, said = await guest_of(ada, ada.worker_id)
    client = ada.world.api.client

    async def refresh(token: str, path: str = "/api/guests/refresh") -> httpx2.Response:
        return await client.post(path, json={"refresh_token": token})

    error(await refresh(said["refresh_token"], "/api/auth/refresh"), 401, "unauthorized")
    first = (await refresh(said["refresh_token"])).json()
    second = (await refresh(first["refresh_token"])).json()
    assert (second["worker_ids"], second["expires_at"]) == ([ada.worker_id], said["expires_at"])
    error(await refresh(said["refresh_token"]), 401, "unauthorized")
    error(await refresh(second["refresh_token"]), 401, "unauthorized")
    users = await ada.world.api.sign_in("a-user@example.org")
    error(await refresh(users["refresh_token"]), 401, "unauthorized")
    assert (await refresh(users["refresh_token"], "/api/auth/refresh")).status_code == 200


async def test_every_act_about_a_guest_is_in_the_audit(ada: Person):
    guest, said = await guest_of(ada, ada.worker_id)
    await enter(ada.world, said["secret"])
    await ada.post(f"/api/guests/{said['guest_scope']}/revoke", {})

    rows = await ada.world.api.pool.fetch(
        "select action, user_id, guest_scope, device_id, address, outcome from api.audit"
        " where subject = $1 order by audit_no",
        f"guest:{said['guest_scope']}",
    )
    assert [(row["action"], row["user_id"], row["guest_scope"]) for row in rows] == [
        ("guest_invited", ada.user_id, None),
        ("guest_entered", None, said["guest_scope"]),
        ("guest_revoked", ada.user_id, None),
    ]
    assert all(row["device_id"] and row["address"] == "127.0.0.1" for row in rows)
    refused = await ada.world.api.pool.fetchval("select count(*) from api.audit where action = 'guest_refused'")
    assert refused >= 1
    assert guest.token


async def test_the_sdk_lets_a_guest_in_by_a_link_and_follows_everything_that_was_shown(ada: Person):
    url = ada.world.api.url
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(GENEROUS_SECONDS))
        host = await stack.enter_async_context(RuntimeCodexClient(url, ada.token))
        made = await host.invite_guest("Gil", [ada.worker_id], expires_in_seconds=3600)
        session = await stack.enter_async_context(Session(url, MemoryTokenStore()))
        link = guest_link(url, made.secret)
        assert link == f"{url}/guest#{made.secret}"
        entered = await session.enter(link.partition("#")[2])
        assert entered.worker_ids == (ada.worker_id,)
        with pytest.raises(Unauthorized):
            await session.enter(made.secret)
        guest = await stack.enter_async_context(RuntimeCodexClient(url, session))
        renewed = await session.renew(await session.access_token())
        assert renewed == await session.access_token()
        entries = await stack.enter_async_context(guest.follow_everything())
        await ada.append(ada.worker_id, text="live")
        async for entry in entries:
            if isinstance(entry, WorkerSummary) and entry.latest_seq >= 2:
                break
        with pytest.raises(Forbidden):
            await guest.stop_worker(ada.worker_id)
        assert [one.name for one in await host.guests()] == ["Gil"]
        await host.revoke_guest(made.guest.guest_id)
        assert await host.guests() == []
        page = await ada.world.api.client.get("/guest")
        assert page.headers["content-type"].startswith("text/html")
