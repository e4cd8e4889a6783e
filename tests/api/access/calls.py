"""How each row of the matrix is called, so that nothing but the caller decides what comes of it.

A row that is not here is called with the ids of the scene and no body.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.api.access.scene import FULL_ACCESS, READ_ONLY, Caller, Scene, number
from tests.api.contract.world import Person
from tests.api.issuer import Browser, Device, code_on, proved
from tests.api.passkeys import BASE as PASSKEYS
from tests.api.passkeys import Passkeyed, asked_to_sign_in, origin
from tests.api.served import bearer
from tests.authenticator import SoftPasskey

from access_matrix import API, Row
from autopilot.api import opaque
from autopilot.client.pairing_words import commitment_of, fresh_nonce, words_of
from autopilot.client.write_signer import WriteSigner
from autopilot.contract import Pairing, decode
from autopilot.contract.write_signature import HEADER
from autopilot.testing import approvals
from autopilot.testing.push_service import PushService


@dataclass
class Call:
    """What is sent, beside the token."""

    body: Any = None
    query: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    who: Caller | None = None
    """Who makes it, where that is somebody else of the same kind."""


Prepared = Callable[[Scene, Caller], Awaitable[Call]]
CALLS: dict[str, Prepared] = {}
OK = 200
WORKER, MACHINE = f"{API}/workers/{{worker_id}}", f"{API}/machines/{{machine_id}}"


def of(*names: str) -> Callable[[Prepared], Prepared]:
    """This is how these rows are called."""

    def kept(prepared: Prepared) -> Prepared:
        CALLS.update(dict.fromkeys(names, prepared))
        return prepared

    return kept


def says(name: str, body: Any, query: str = "") -> None:
    """This row is called with this body, `{x}` in its strings being an id of the scene."""

    async def prepared(scene: Scene, _: Caller) -> Call:
        return Call(_filled(body, scene.ids), query.format_map(scene.ids))

    CALLS[name] = prepared


def _filled(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(part, ids) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, ids) for part in value]
    return ids[value[1:-1]] if isinstance(value, str) and value[1:-1] in ids and value[0] == "{" else value


async def call_of(scene: Scene, row: Row, who: Caller) -> tuple[Caller, str, dict[str, Any]]:
    """Who calls, the URL, and the rest of the request."""
    call = await CALLS[row.name](scene, who) if row.name in CALLS else Call()
    ids = {**scene.ids, **call.ids}
    url = row.path.format_map(ids) + (f"?{call.query}" if call.query else "")
    rest: dict[str, Any] = {"headers": dict(call.headers)}
    if isinstance(call.body, bytes):
        rest["content"] = call.body
        rest["headers"]["content-type"] = "application/json"
    elif row.method == "POST":
        rest["json"] = call.body or {}
    return call.who or who, url, rest


# Accounts.


@of("POST /api/auth/email")
async def ask_for_a_code(_: Scene, __: Caller) -> Call:
    return Call({"email": f"somebody{number()}@example.org"})


@of("POST /api/auth/verify")
async def sign_in(scene: Scene, _: Caller) -> Call:
    email = f"somebody{number()}@example.org"
    return Call({"email": email, "code": await scene.world.api.code_for(email)})


@of("POST /api/auth/refresh")
async def refresh(scene: Scene, _: Caller) -> Call:
    return Call({"refresh_token": (await scene.world.api.mint(scene.ada.email, "observe")).refresh_token})


@of("POST /api/auth/oidc")
async def begin_with_the_provider(_: Scene, __: Caller) -> Call:
    return Call({"challenge": commitment_of(fresh_nonce())})


@of("GET /api/auth/oidc/callback")
async def come_back_from_the_provider(scene: Scene, _: Caller) -> Call:
    async with Browser(scene.world.api) as browser:
        back = await browser.way_back(await Device(scene.world.api).begin(), "ada")
    return Call(query=back.partition("?")[2])


@of("POST /api/auth/oidc/collect")
async def collect_from_the_provider(scene: Scene, _: Caller) -> Call:
    device, page = await proved(scene.world.api, "ada")
    return Call({"verifier": device.verifier, "code": code_on(page)})


@of("DELETE /api/me", "POST /api/auth/signout", "POST /api/devices/revoke-others")
async def end_ones_own(scene: Scene, who: Caller) -> Call:
    return Call(who=await scene.another_like(who))


@of("POST /api/devices/key")
async def register_a_key(scene: Scene, who: Caller) -> Call:
    signer = WriteSigner(fresh_nonce().encode()[:32], lambda: datetime.now(UTC))
    body = json.dumps({"public_key": signer._public.hex()}).encode()
    signed = {} if who.credential == "keyed" else {HEADER: signer.sign("POST", b"/api/devices/key", body)}
    return Call(body, headers=signed, who=await scene.another_like(who))


@of(
    "POST /api/devices/{device_id}/rename",
    "POST /api/devices/{device_id}/confirm",
    "POST /api/devices/{device_id}/revoke",
)
async def change_the_owners_device(scene: Scene, _: Caller) -> Call:
    token = (await scene.world.api.mint(scene.ada.email, "observe")).token
    me = await Person(scene.world, scene.ada.email, scene.ada.user_id, token).get("/api/me")
    return Call({"name": "phone"}, ids={"device_id": me.json()["device"]["device_id"]})


# Passkeys.


@of("POST /api/auth/passkeys/register")
async def register_a_passkey(scene: Scene, who: Caller) -> Call:
    asked = await scene.world.api.client.post(f"{PASSKEYS}/register/options", json={}, headers=bearer(who.token))
    if asked.status_code != OK:  # this caller is refused here as there
        return Call()
    data = asked.json()["data"]
    credential = SoftPasskey(origin(scene.world.api, data["options"]["rp"]["id"])).create(data["options"])
    return Call({"ceremony": data["ceremony"], "credential": credential})


@of("POST /api/auth/passkeys/{passkey_id}/rename", "POST /api/auth/passkeys/{passkey_id}/remove")
async def change_the_owners_passkey(scene: Scene, _: Caller) -> Call:
    owners = "select passkey_id from api.passkey where user_id = $1 and name = 'phone'"
    if await scene.pool.fetchval(owners, scene.ada.user_id) is None:
        await Passkeyed(scene.world.api, scene.ada.token).registered(name="phone")
    return Call({"name": "phone"}, ids={"passkey_id": await scene.pool.fetchval(owners, scene.ada.user_id)})


@of("POST /api/auth/passkeys/sign-in")
async def sign_in_by_passkey(scene: Scene, _: Caller) -> Call:
    passkey = await Passkeyed(scene.world.api, (await scene.account("stranger")).token).registered()
    asked = await asked_to_sign_in(scene.world.api)
    return Call({"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"])})


# Pairing.


async def offer(scene: Scene) -> tuple[dict[str, Any], str]:
    """A pairing that the owner began, and the nonce it is committed to."""
    nonce = fresh_nonce()
    begun = await scene.ada.post("/api/pairing", {"kind": "device", "commitment": commitment_of(nonce)})
    assert begun.status_code == 200, begun.text
    return begun.json()["data"], nonce


async def claimed(scene: Scene) -> tuple[dict[str, Any], str, str]:
    """One that a phone claimed; the owner's nonce, and the phone's ticket."""
    started, nonce = await offer(scene)
    ticket = fresh_nonce()
    device = {"device_name": "phone", "installation_id": f"i{number()}"}
    body = {"ticket": ticket, "credential": started["secret"], "device": device}
    answer = await scene.world.api.client.post("/api/pairing/claim", json=body)
    assert answer.status_code == 200, answer.text
    asked = await scene.world.api.client.post("/api/pairing/state", json={"ticket": ticket, "nonce": fresh_nonce()})
    assert asked.status_code == 200, asked.text
    return started, nonce, ticket


def _words(shown: Any) -> str:
    words = words_of(decode(Pairing, shown))
    assert words is not None
    return " ".join(words)


def _asking(kind: str = "device") -> dict[str, Any]:
    device = {"device_name": "phone", "installation_id": f"i{number()}"}
    return {"kind": kind, "ticket": fresh_nonce(), "commitment": commitment_of(fresh_nonce()), "device": device}


@of("POST /api/pairing")
async def begin_a_pairing(_: Scene, __: Caller) -> Call:
    return Call({"kind": "device", "commitment": commitment_of(fresh_nonce())})


@of("POST /api/pairing/request")
async def ask_to_be_paired(_: Scene, __: Caller) -> Call:
    return Call(_asking())


@of("POST /api/pairing/find")
async def find_who_asks(scene: Scene, _: Caller) -> Call:
    begun = await scene.world.api.client.post("/api/pairing/request", json=_asking())
    return Call({"credential": begun.json()["data"]["secret"]})


@of("POST /api/pairing/claim")
async def claim_an_offer(scene: Scene, _: Caller) -> Call:
    started, _nonce = await offer(scene)
    device = {"device_name": "phone", "installation_id": f"i{number()}"}
    return Call({"ticket": fresh_nonce(), "credential": started["secret"], "device": device})


@of("POST /api/pairing/state")
async def ask_how_far_it_is(scene: Scene, _: Caller) -> Call:
    *_, ticket = await claimed(scene)
    return Call({"ticket": ticket})


@of("POST /api/pairing/collect")
async def fetch_the_tokens(scene: Scene, _: Caller) -> Call:
    started, nonce, ticket = await claimed(scene)
    place = f"/api/pairing/{started['pairing']['pairing_id']}"
    assert (await scene.ada.post(f"{place}/nonce", {"nonce": nonce})).status_code == 200
    shown = (await scene.ada.get(place)).json()["data"]
    assert (await scene.ada.post(f"{place}/decision", {"accept": True, "words": _words(shown)})).status_code == 200
    return Call({"ticket": ticket, "credential": started["secret"]})


@of("GET /api/pairing/{pairing_id}", "POST /api/pairing/{pairing_id}/decision #saying-no")
async def look_at_a_pairing(scene: Scene, _: Caller) -> Call:
    started, _nonce, _ticket = await claimed(scene)
    return Call({"accept": False}, ids={"pairing_id": started["pairing"]["pairing_id"]})


@of("POST /api/pairing/{pairing_id}/nonce")
async def show_ones_nonce(scene: Scene, _: Caller) -> Call:
    started, nonce, _ticket = await claimed(scene)
    return Call({"nonce": nonce}, ids={"pairing_id": started["pairing"]["pairing_id"]})


@of("POST /api/pairing/{pairing_id}/decision #saying-yes")
async def let_it_in(scene: Scene, _: Caller) -> Call:
    started, nonce, _ticket = await claimed(scene)
    pairing_id = started["pairing"]["pairing_id"]
    shown = (await scene.ada.post(f"/api/pairing/{pairing_id}/nonce", {"nonce": nonce})).json()["data"]
    return Call({"accept": True, "words": _words(shown)}, ids={"pairing_id": pairing_id})


# Teams.


@of("POST /api/teams")
async def make_a_team(_: Scene, __: Caller) -> Call:
    return Call({"name": "another"})


@of("POST /api/teams/accept")
async def join_a_team(scene: Scene, who: Caller) -> Call:
    caller = await scene.another_like(who)
    email = f"invited{number()}@example.org"
    await scene.pool.execute("update api.user_account set email = $2 where user_id = $1", caller.user_id, email)
    await scene.pool.execute("delete from api.membership where user_id = $1", caller.user_id)
    return Call({"secret": await invited(scene, email)}, who=caller)


@of("POST /api/teams/accept #meant-for-another")
async def join_with_anothers_invitation(scene: Scene, _: Caller) -> Call:
    return Call({"secret": await invited(scene, f"invited{number()}@example.org")})


async def invited(scene: Scene, email: str) -> str:
    """The secret of an invitation that lies in somebody's mail."""
    secret = f"apin_{fresh_nonce()}"
    sql = (
        "insert into api.invitation (invitation_id, team_id, email, email_key, role, secret_digest, expires_at)"
        " values ($1, $2, $3, $3, 'viewer', $4, clock_timestamp() + interval '1 hour')"
    )
    await scene.pool.execute(sql, f"inv_{number()}", scene.team_id, email, opaque.token_digest(secret))
    return secret


@of("POST /api/teams/{team_id}/invitations")
async def invite(scene: Scene, _: Caller) -> Call:
    await scene.pool.execute("update api.invitation set created_at = created_at - interval '2 hours'")
    return Call({"email": f"invited{number()}@example.org", "role": "viewer"})


@of("POST /api/teams/{team_id}/invitations/{invitation_id}/withdraw")
async def withdraw_an_invitation(scene: Scene, _: Caller) -> Call:
    email = f"invited{number()}@example.org"
    await invited(scene, email)
    sql = "select invitation_id from api.invitation where email = $1"
    return Call(ids={"invitation_id": await scene.pool.fetchval(sql, email)})


@of("POST /api/teams/{team_id}/members/{user_id}/role", "POST /api/teams/{team_id}/members/{user_id}/remove")
async def change_a_member(scene: Scene, _: Caller) -> Call:
    return Call({"role": "operator"}, ids={"user_id": str((await scene.account("viewer", "member")).user_id)})


@of("POST /api/teams/{team_id}/delete")
async def delete_a_team(scene: Scene, who: Caller) -> Call:
    team_id = f"team_{number()}"
    await scene.pool.execute("insert into api.team (team_id, name) values ($1, 'to go')", team_id)
    sql = (
        "insert into api.membership (team_id, user_id, role) select $1, user_id, role from api.membership"
        " where team_id = $2 and user_id = $3"
    )
    await scene.pool.execute(sql, team_id, scene.team_id, who.user_id)
    return Call(ids={"team_id": team_id})


@of("POST /api/teams/{team_id}/leave")
async def leave(scene: Scene, who: Caller) -> Call:
    return Call(who=await scene.another_like(who))


# Guests.


async def shown(scene: Scene) -> dict[str, Any]:
    """What the owner's invitation of a guest answers."""
    await scene.pool.execute("delete from api.guest where name = 'guest'")  # at most fifty at once
    body = {"name": "guest", "worker_ids": [scene.ids["worker_id"]]}
    answer = await scene.ada.post("/api/guests", body)
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


@of("POST /api/guests")
async def invite_a_guest(scene: Scene, _: Caller) -> Call:
    return Call({"name": "guest", "worker_ids": [scene.ids["worker_id"]]})


@of("POST /api/guests/{guest_id}/revoke")
async def revoke_a_guest(scene: Scene, _: Caller) -> Call:
    row = "insert into api.guest (guest_id, invited_by, name, worker_ids, secret_digest, expires_at)"
    guest_id = f"guest_{number()}"
    await scene.pool.execute(
        f"{row} values ($1, $2, 'x', array['w'], $3, clock_timestamp() + interval '1 hour')",
        guest_id,
        scene.ada.user_id,
        opaque.token_digest(guest_id),
    )
    return Call(ids={"guest_id": guest_id})


@of("POST /api/guests/enter")
async def come_in(scene: Scene, _: Caller) -> Call:
    return Call({"secret": (await shown(scene))["secret"]})


@of("POST /api/guests/refresh")
async def go_on(scene: Scene, _: Caller) -> Call:
    entered = await scene.world.api.client.post("/api/guests/enter", json={"secret": (await shown(scene))["secret"]})
    return Call({"refresh_token": entered.json()["refresh_token"]})


# Notifications.

PLACE = "https://push.example.org/x"
"""Nobody sends there in these tests: what is tried is of another key than the server's, and nothing is wanted."""
WANTS_NOTHING = """
insert into api.push_settings (user_id, approvals, failures, turns, requests)
select user_id, false, false, false, false from api.session where session_id = $1 and user_id is not null
on conflict (user_id) do update set approvals = false, failures = false, turns = false, requests = false
"""
"""Else what the scene did before is told to it in the midst of a test, and it is forgotten as one of another key."""


async def subscribed(scene: Scene, who: Person) -> str:
    """A subscription of this caller's session."""
    subscription_id = f"push_{number()}"
    session_id = await scene.session_of(who.token)
    await scene.pool.execute(WANTS_NOTHING, session_id)
    await scene.pool.execute("delete from api.push_subscription where session_id = $1", session_id)
    await scene.pool.execute(
        "insert into api.push_subscription (subscription_id, session_id, user_id, endpoint, p256dh, auth, key_id)"
        " select $1, session_id, user_id, $3, $4, $5, 'of-before' from api.session"
        " where session_id = $2 and user_id is not null",
        subscription_id,
        session_id,
        PLACE,
        bytes(65),
        bytes(16),
    )
    return subscription_id


@of("POST /api/push/subscriptions")
async def subscribe(_: Scene, __: Caller) -> Call:
    return Call(PushService("https://push.invalid").subscribe("").subscription())


@of("POST /api/push/subscriptions/{subscription_id}/remove")
async def remove_a_subscription(scene: Scene, _: Caller) -> Call:
    return Call(ids={"subscription_id": await subscribed(scene, scene.ada)})


@of("POST /api/push/test #of-that-one")
async def try_a_subscription(scene: Scene, _: Caller) -> Call:
    return Call({"subscription_id": await subscribed(scene, scene.ada)})


@of("POST /api/push/actions")
async def answer_from_a_notification(scene: Scene, who: Caller) -> Call:
    subscription_id, token = await subscribed(scene, who), f"appa_{number()}"
    await scene.pool.execute(
        "insert into api.push_action (token_digest, subscription_id, session_id, approval_id, option_id, expires_at)"
        " select $1, subscription_id, session_id, $3, 'accept', clock_timestamp() + interval '10 minutes'"
        " from api.push_subscription where subscription_id = $2",
        opaque.token_digest(token),
        subscription_id,
        scene.ids["approval_id"],
    )
    return Call({"token": token})


says("POST /api/push/looking", {"worker_ids": ["{worker_id}"]})


# Workers.

NONE: Mapping[str, Any] = {}
NOTE = {"event": {"event_type": "worker.event", "payload": {}}}


@of(f"POST {API}/workers")
async def open_ones_own(_: Scene, __: Caller) -> Call:
    return Call({"worker_id": f"desktopw:own-{number()}"})


def event(event_type: str, payload: Any) -> dict[str, Any]:
    return {"event": {"event_type": event_type, "payload": payload}}


says(f"POST {API}/workers #that-exists", {"worker_id": "{worker_id}", "workspace_ref": "mine now"})
says(f"GET {WORKER}/stream", None, "cursor=0&tail_ms=1")
says(f"POST {WORKER}/events", NOTE)
says(
    f"POST {WORKER}/events #as-codex",
    event("worker.event", {"source": "autopilot-desktop", "method": "turn/completed", "params": {}}),
)
says(f"POST {WORKER}/events #usage", event("worker.usage", {"tokens": 1}))
says(f"POST {WORKER}/events #a-decision", event("worker.approval.decided", {"approval_id": "{approval_id}"}))
says(f"POST {WORKER}/artifacts", {"artifacts": [{"artifact_id": "{artifact_id}", "offset": 0, "text": "x"}]})
says(f"POST {WORKER}/lease", {"machine_id": "{machine_id}", "ttl_ms": 600_000})


@of(f"POST {WORKER}/events #a-question")
async def ask_a_question(scene: Scene, _: Caller) -> Call:
    asked = approvals.question(scene.ids["worker_id"], 1000 + number())
    return Call(event("worker.approval.requested", approvals.asked(asked)))


def request(method: str, params: Mapping[str, Any] = NONE) -> Prepared:
    async def prepared(_: Scene, __: Caller) -> Call:
        asked = {"request_id": f"r-{number()}", "method": method, "params": dict(params)}
        return Call({"request": asked}, "wait_ms=0")

    return prepared


CALLS[f"POST {WORKER}/requests"] = request("turn/start")
CALLS[f"POST {WORKER}/requests #full-access"] = request("turn/start", {"approvalPolicy": "never"})
CALLS[f"POST {MACHINE}/requests"] = request("thread/start", READ_ONLY)


@of(f"POST {WORKER}/requests/{{request_id}}/cancel")
async def take_back_a_workers_request(scene: Scene, who: Caller) -> Call:
    return await _take_back(scene, who, f"/workers/{scene.ids['worker_id']}", "turn/start")


@of(f"POST {MACHINE}/requests/{{request_id}}/cancel")
async def take_back_a_machines_request(scene: Scene, who: Caller) -> Call:
    return await _take_back(scene, who, f"/machines/{scene.ids['machine_id']}", "thread/start", READ_ONLY)


async def _take_back(scene: Scene, who: Caller, place: str, method: str, params: Mapping[str, Any] = NONE) -> Call:
    call = await request(method, params)(scene, who)
    assert (await scene.ada.post(f"{place}/requests?wait_ms=0", call.body)).status_code == 202
    return Call(ids={"request_id": call.body["request"]["request_id"]})


@of(f"POST {WORKER}/lease #for-itself")
async def claim_for_itself(scene: Scene, who: Caller) -> Call:
    return Call({"machine_id": who.worker_id if who.is_machine else scene.ids["machine_id"], "ttl_ms": 600_000})


@of(f"POST {WORKER}/lease/release")
async def release(scene: Scene, _: Caller) -> Call:
    claimed = await scene.machine.post(
        f"/workers/{scene.ids['worker_id']}/lease", {"machine_id": scene.machine.worker_id, "ttl_ms": 600_000}
    )
    generation = claimed.json()["data"]["generation"]
    return Call({"machine_id": scene.machine.worker_id, "generation": generation})


# Machines.


@of(f"POST {API}/machines")
async def register_ones_own(_: Scene, who: Caller) -> Call:
    return Call({"machine_id": who.worker_id or f"machine-own-{number()}", "name": "laptop"})


says(f"POST {API}/machines #that-exists", {"machine_id": "{machine_id}", "name": "mine now"})
says(f"POST {MACHINE}/team #into-one", {"team_id": "{team_id}"})


@of(f"POST {MACHINE}/team #out-of-it")
async def take_a_machine_out(scene: Scene, _: Caller) -> Call:
    return Call({"team_id": None}, ids={"machine_id": (await scene.ada.machine()).worker_id})


says(f"POST {MACHINE}/heartbeat", {"desktop_session_id": "d", "workers": []})
says(f"GET {MACHINE}/feed", None, "cursor=0&tail_ms=1")
says(f"POST {MACHINE}/feed/ack", {"cursor": 0})
says(
    f"POST {MACHINE}/receipts",
    {"receipts": [{"worker_id": None, "request_id": "r0", "state": "completed", "response": {}}]},
)
# Approvals, policies, prices, the audit.

says(f"GET {API}/approvals #of-that-worker", None, "state=all&worker_id={worker_id}")
says(f"POST {API}/approvals/{{approval_id}}/decision", {"option_id": "accept"})
says(f"GET {API}/policies/version", None, "subject=installation&version=1")
says(f"POST {API}/policies/test", {"method": "turn/start"})
says(f"POST {API}/policies/test #on-that-worker", {"method": "turn/start", "worker_id": "{worker_id}"})
says(f"GET {API}/policies #of-the-team", None, "team_id={team_id}")
says(f"GET {API}/policies/history #of-the-team", None, "subject=team&team_id={team_id}")
says(f"POST {API}/policies/test #for-the-team", {"method": "turn/start", "team_id": "{team_id}"})
says(f"POST {API}/policies/test/approval", {"kind": "command", "command_line": "ls"})
says(f"GET {API}/audit #of-another", None, "user_id=1000000000")
says(f"GET {API}/stream", None, "tail_ms=1")


@of(f"POST {API}/policies")
async def set_ones_own_policy(scene: Scene, who: Caller) -> Call:
    return await _document(scene, "user", str(who.user_id), "")


@of(f"POST {API}/policies #of-the-installation")
async def set_the_installations_policy(scene: Scene, _: Caller) -> Call:
    return await _document(scene, "installation", "", FULL_ACCESS)


@of(f"POST {API}/policies #of-the-team")
async def set_the_teams_policy(scene: Scene, _: Caller) -> Call:
    call = await _document(scene, "team", scene.team_id, "")
    return Call({**call.body, "team_id": scene.team_id})


@of(f"GET {API}/policies/version #of-the-team")
async def read_the_teams_first_version(scene: Scene, who: Caller) -> Call:
    call = await set_the_teams_policy(scene, who)
    assert (await scene.ada.post("/policies", call.body)).status_code == 200
    return Call(query=f"subject=team&team_id={scene.team_id}&version=1")


async def _document(scene: Scene, subject: str, subject_id: str, text: str) -> Call:
    sql = "select coalesce(max(version), 0) from runtime.policy_document where subject_kind = $1 and subject_id = $2"
    version = await scene.world.runtime.pool.fetchval(sql, subject, subject_id)
    return Call({"subject": subject, "format": "toml", "text": text, "expected_version": version})


@of(f"POST {API}/prices")
async def set_prices(scene: Scene, _: Caller) -> Call:
    version = await scene.world.runtime.pool.fetchval("select coalesce(max(version), 0) from runtime.price_table")
    return Call({"format": "toml", "text": "currency = 'USD'", "expected_version": version})
