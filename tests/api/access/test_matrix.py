"""Each cell of the access matrix, done against a running server; and nothing is reachable that is not in it."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx2
import pytest
from starlette.routing import Route
from tests.api.access.calls import CALLS, call_of
from tests.api.access.scene import BYSTANDERS, MATRIX, SECRET, Caller, Scene, refresh, staged
from tests.api.contract.world import Person, World
from tests.api.served import bearer

from access_matrix import API, DONE, Row
from autopilot.api.http import paths

CLOSED = [row for row in MATRIX.rows if row.cells]
OPEN = [row for row in MATRIX.rows if not row.cells]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
UNTOUCHED = {"audit", "untold_audit", "audit_entry", "audit_head", "seal", "seal_floor", "nonce", "device"}
UNTOUCHED |= {"untold_departure", "departed_membership", "deleted_account", "deleted_user"}
UNTOUCHED |= {"transition", "transition_head", "transition_place", "push_reader", "push_message"}
"""What grows beside: the audit of refusals, seals of it, internal calls, when a device was last heard, memberships and
accounts that the test itself has ended, and what is told to devices of what the test did before."""
ENDING = {f"POST {API}/workers/{{worker_id}}/stop", f"POST {API}/stop-all"}
"""What ends the worker that all others act on: each has a scene of its own."""


def named(row: Row) -> str:
    return row.name


async def state(world: World) -> dict[str, str]:
    """A digest of each table, so that what a refusal changed is seen, whatever it is."""
    await world.api.app.state.api.departures.tell()  # of memberships that the test itself has ended
    pool = world.runtime.pool
    sql = (
        "select schemaname || '.' || tablename as name, tablename from pg_tables where schemaname in ('api', 'runtime')"
    )
    tables = [row["name"] for row in await pool.fetch(sql) if row["tablename"] not in UNTOUCHED]
    digests = (
        f"select '{name}' as name, md5(string_agg(md5(t::text), '' order by md5(t::text))) as digest from {name} t"
        for name in tables
    )
    return {row["name"]: row["digest"] for row in await pool.fetch(" union all ".join(digests))}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The tables that are not as they were."""
    return {name for name in before if before[name] != after[name]}


async def send(world: World, row: Row, url: str, rest: dict[str, Any], *tokens: str) -> httpx2.Response:
    headers = [*rest["headers"].items(), *(("authorization", token) for token in tokens)]
    return await world.api.client.request(row.method, url, **{**rest, "headers": headers})


def said(answer: httpx2.Response) -> str:
    """What an answer is in the words of the matrix."""
    if answer.is_success:
        return DONE
    error = answer.json()["error"]
    reason = str(error["details"][0]["reason_code"]) if error["details"] else ""
    for name, known in MATRIX.answers.items():
        fits = reason.startswith(known.reason_code) if known.reason_code.endswith("_") else reason == known.reason_code
        if known.status == answer.status_code and fits:
            return name
    return f"{answer.status_code} {reason}: {error['message']} {error['details']}"


@pytest.fixture
async def stage(request: pytest.FixtureRequest, scene: Scene) -> Scene:
    found = await staged(scene.world) if request.node.callspec.params["row"].name in ENDING else scene
    await refresh(found)
    return found


@pytest.mark.parametrize("row", CLOSED, ids=named)
async def test_each_principal_gets_what_the_matrix_says_and_a_refusal_changes_nothing(stage: Scene, row: Row):
    wanted = {who.name: who.wanted(row) for who in stage.callers}
    found: dict[str, str] = {}
    prepared = [await call_of(stage, row, who) for who in stage.callers if DONE not in who.wanted(row)]
    before = await state(stage.world)
    for who, url, rest in prepared:
        found[who.name] = await outcome(stage.ada, who, row, url, rest)
    assert changed(before, await state(stage.world)) == set()
    for one in stage.callers:
        if DONE in one.wanted(row):
            who, url, rest = await call_of(stage, row, one)
            found[one.name] = await outcome(stage.ada, who, row, url, rest)
    wrong = {name: (wanted[name], got) for name, got in found.items() if got not in wanted[name]}
    assert not wrong


async def outcome(owner: Person, who: Caller, row: Row, url: str, rest: dict[str, Any]) -> str:
    answer = await who.call(row.method, url, **rest)
    if who.role in BYSTANDERS or not answer.is_success:
        assert SECRET not in answer.text, who.name
    if not answer.is_success:
        assert owner.email not in answer.text, who.name
    if answer.is_success and url.partition("?")[0].endswith(("/stream", "/feed")):
        assert answer.headers["content-type"].startswith("text/event-stream")
    return said(answer)


@pytest.fixture(scope="session")
async def refused(scene: Scene) -> dict[str, tuple[tuple[str, ...], str]]:
    """What speaks for nobody, as `authorization` headers, each with the reason it is refused for."""
    api, pool = scene.world.api, scene.pool

    async def minted() -> str:
        return (await api.mint(scene.ada.email, "observe", "administer", "admin")).token

    expired, signed_out, revoked = await minted(), await minted(), await minted()
    refresh = (await api.mint(scene.ada.email, "observe")).refresh_token
    good = await minted()
    sql = "update api.access_token set expires_at = clock_timestamp() where session_id = $1"
    await pool.execute(sql, await scene.session_of(expired))
    assert (await api.client.post("/api/auth/signout", headers=bearer(signed_out))).status_code == 200
    me = (await api.client.get("/api/me", headers=bearer(revoked))).json()["device"]["device_id"]
    assert (await api.client.post(f"/api/devices/{me}/revoke", headers=bearer(good))).status_code == 200
    return {
        "nobody": ((), "no_token"),
        "an empty token": (("Bearer",), "no_token"),
        "another scheme": ((f"Basic {good}",), "no_token"),
        "two tokens": ((f"Bearer {good}", f"Bearer {good}"), "no_token"),
        "a made-up token": (("Bearer apat_" + "x" * 43,), "token_refused"),
        "an expired token": ((f"Bearer {expired}",), "token_refused"),
        "a token of a session that was signed out": ((f"Bearer {signed_out}",), "token_refused"),
        "a token of a revoked device": ((f"Bearer {revoked}",), "token_refused"),
        "a refresh token": ((f"Bearer {refresh}",), "token_refused"),
    }


@pytest.mark.parametrize("row", CLOSED, ids=named)
async def test_who_speaks_for_nobody_gets_nothing_and_changes_nothing(stage: Scene, refused: dict[str, Any], row: Row):
    owner = stage.callers[0]
    _, url, rest = await call_of(stage, row, owner)
    before = await state(stage.world)
    wrong = {}
    for name, (tokens, reason) in refused.items():
        answer = await send(stage.world, row, url, rest, *tokens)
        told = answer.json()["error"]["details"][0]["reason_code"]
        if (answer.status_code, told) != (401, reason) or answer.headers["www-authenticate"] != "Bearer":
            wrong[name] = answer.text
    assert not wrong
    assert changed(before, await state(stage.world)) == set()


@pytest.mark.parametrize("row", OPEN, ids=named)
async def test_what_is_open_is_so_for_everybody(scene: Scene, refused: dict[str, Any], row: Row):
    tokens = [tokens for tokens, _ in refused.values()] + [(f"Bearer {who.token}",) for who in scene.callers]
    for number, given in enumerate(tokens):
        _, url, rest = await call_of(scene, row, scene.callers[0])
        answer = await send(scene.world, row, url, rest, *given)
        assert answer.is_success or answer.is_redirect, (number, answer.text)
        assert SECRET not in answer.text


def served(world: World) -> set[tuple[str, str]]:
    """Every method and path of the app, from the app itself."""
    found = {(method, f"{API}{path}") for methods, path, _ in paths.TABLE for method in methods.split()}
    for route in world.api.app.routes:
        assert isinstance(route, Route), f"{route} is neither in the table of paths nor a plain route"
        found |= {(method, route.path) for method in route.methods or () if method != "HEAD"}
    return found


async def test_every_route_of_the_app_has_its_row_and_every_row_its_route(installation: World):
    rows = {(row.method, row.path) for row in MATRIX.rows}

    assert rows == served(installation)
    assert len({row.name for row in MATRIX.rows}) == len(MATRIX.rows)
    assert set(CALLS) <= {row.name for row in MATRIX.rows}


def admin_of(scene: Scene) -> Caller:
    """Whom nearly nothing is refused."""
    return next(who for who in scene.callers if who.name == "owner as admin")


def misspelt(url: str) -> list[str]:
    """What a lenient server might take for the same path."""
    return [f"{url}/", f"{url}//", f"/{url}", f"{url}/%2e", f"{url}%2f", f"/%2e{url}", url.replace("/api/", "/API/")]


async def test_no_other_method_of_a_path_and_no_other_spelling_of_it_leads_anywhere(scene: Scene):
    methods: dict[str, set[str]] = {}
    for row in MATRIX.rows:
        methods.setdefault(row.path, {"HEAD"} if not row.path.startswith(API) else set()).add(row.method)
    as_admin = partial(scene.world.api.client.request, headers=bearer(admin_of(scene).token))
    ids = {**scene.ids, "device_id": "x", "pairing_id": "x", "passkey_id": "x", "invitation_id": "x", "user_id": "1"}
    ids |= {"guest_id": "x", "subscription_id": "x"}
    before = await state(scene.world)
    for path, known in methods.items():
        url = path.format_map(ids)
        for method in sorted(set(METHODS) - known - {"HEAD"}):
            answer = await as_admin(method, url)
            assert answer.status_code in {404, 405}, (method, url, answer.text)
        for other in set(misspelt(url)) - {url}:
            for method in sorted(known - {"HEAD"}):
                answer = await as_admin(method, scene.world.api.url + other)
                assert answer.status_code in {404, 405, 422}, (method, other, answer.text)
    assert changed(before, await state(scene.world)) == set()


@pytest.mark.parametrize(
    "path",
    [
        "/internal/v1/codex/workers",
        "/internal/v1/codex/audit/records",
        f"{API}/audit/records",
        f"{API}/devices/dev_x/revoked",
        f"{API}/workers/../audit/records",
        f"{API}/workers/%2e%2e/audit/records",
        f"{API}%2fworkers",
        f"{API.upper()}/workers",
        "/api/../internal/v1/codex/workers",
        "/api",
        "/api/",
        "/api/auth",
        "/static/x",
        "/.env",
        "/docs",
        "/openapi.json",
    ],
)
async def test_a_path_that_is_in_no_row_leads_nowhere(scene: Scene, path: str):
    for method in ("GET", "POST"):
        headers = bearer(admin_of(scene).token)
        answer = await scene.world.api.client.request(
            method, path, headers=headers, json={} if method == "POST" else None
        )
        assert answer.status_code in {404, 405, 422}, answer.text


async def test_a_machine_sees_itself_and_no_other_machine_of_its_owner(scene: Scene):
    for who in scene.callers:
        if who.is_machine:
            listed = (await who.get("/machines")).json()["data"]
            assert [one["machine_id"] for one in listed] == [who.worker_id]
