"""Signing in, refreshing, signing out: over real HTTP and a real database."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api.settings import ApiSettings, Limits


async def test_a_mailed_code_signs_in_and_the_token_speaks_for_its_user(api: ServedApi):
    signed = await api.sign_in("Ada@Example.org", **{"x-autopilot-surface": "ios"})

    assert signed["ok"] is True
    assert signed["user"] == {"id": signed["userId"], "email": "Ada@Example.org"}
    assert signed["expires_in"] == 900
    me = (await api.client.get("/api/me", headers=bearer(signed["token"]))).json()
    assert me["user"] == signed["user"]
    assert me["scopes"] == ["administer", "observe"]
    assert me["device"]["surface"] == "ios"
    assert me["machine_id"] is None


async def test_two_spellings_of_an_address_are_one_user_and_another_address_is_another(api: ServedApi):
    first = await api.sign_in("ada@example.org")
    again = await api.sign_in(" ADA@example.ORG ")
    other = await api.sign_in("bob@example.org")

    assert first["userId"] == again["userId"] != other["userId"]


async def test_only_the_named_owner_becomes_the_owner(database: str):
    settings = ApiSettings(owner_email="boss@example.org", sign_ins_per_minute=6000.0, sign_up="open")
    async with serving(database, EchoRuntime(), settings=settings) as api:
        await api.sign_in("ada@example.org")
        boss = await api.sign_in("Boss@example.org")

        owners = await api.pool.fetch("select user_id from api.user_account where is_owner")
        assert [row["user_id"] for row in owners] == [boss["userId"]]


async def test_the_answer_to_an_address_is_the_same_whether_it_may_sign_in_or_not(database: str):
    settings = ApiSettings(sign_up="closed", sign_ins_per_minute=6000.0, owner_email="owner@example.org")
    async with serving(database, EchoRuntime(), settings=settings) as api:
        await api.sign_in("owner@example.org")
        sent = len(api.post.mails)
        known = await api.client.post("/api/auth/email", json={"email": "owner@example.org"})
        unknown = await api.client.post("/api/auth/email", json={"email": "stranger@example.org"})
        await api.app.state.api.postman.delivered()

        assert (
            (known.status_code, known.json())
            == (unknown.status_code, unknown.json())
            == (
                200,
                {"ok": True, "expires_in": 600},
            )
        )
        assert [mail.email for mail in api.post.mails[sent:]] == ["owner@example.org"]


async def test_a_code_may_be_typed_with_blanks_and_hyphens(api: ServedApi):
    code = await api.code_for("ada@example.org")

    typed = f" {code[:4]} - {code[4:]} "
    answer = await api.client.post("/api/auth/verify", json={"email": "ada@example.org", "code": typed})
    assert answer.status_code == 200


async def test_a_code_alone_identifies_a_sign_in_from_the_same_network_address(api: ServedApi):
    code = await api.code_for("ada@example.org")

    assert (await api.client.post("/api/auth/verify", json={"code": code})).json()["user"]["email"] == "ada@example.org"


async def test_a_code_alone_is_refused_from_another_network_address(api: ServedApi):
    code = await api.code_for("ada@example.org")
    await api.pool.execute("update api.login_code set address = '192.0.2.9'")

    assert (await api.client.post("/api/auth/verify", json={"code": code})).status_code == 401


async def test_a_code_is_good_once(api: ServedApi):
    body = {"email": "ada@example.org", "code": await api.code_for("ada@example.org")}

    assert (await api.client.post("/api/auth/verify", json=body)).status_code == 200
    again = await api.client.post("/api/auth/verify", json=body)
    assert again.status_code == 401
    assert again.json()["error"]["details"][0]["reason_code"] == "code_refused"


async def test_two_verifies_at_once_make_one_session(api: ServedApi):
    body = {"email": "ada@example.org", "code": await api.code_for("ada@example.org")}

    answers = await asyncio.gather(*(api.client.post("/api/auth/verify", json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]


async def test_an_old_code_is_refused_with_the_same_words_as_a_wrong_one(api: ServedApi):
    code = await api.code_for("ada@example.org")
    wrong = await api.client.post("/api/auth/verify", json={"email": "ada@example.org", "code": "x"})
    unknown = await api.client.post("/api/auth/verify", json={"email": "nobody@example.org", "code": code})
    await api.pool.execute("update api.login_code set expires_at = clock_timestamp()")
    old = await api.client.post("/api/auth/verify", json={"email": "ada@example.org", "code": code})

    assert wrong.json() == unknown.json() == old.json()
    assert {wrong.status_code, unknown.status_code, old.status_code} == {401}


@pytest.mark.parametrize("email", [{"email": "ada@example.org"}, {}], ids=["with e-mail", "code alone"])
async def test_the_fifth_wrong_guess_uses_the_code_up(api: ServedApi, email: dict[str, str]):
    code = await api.code_for("ada@example.org")
    wrong = f"{(int(code) + 1) % 10**8:08d}"

    for _ in range(5):
        assert (await api.client.post("/api/auth/verify", json={**email, "code": wrong})).status_code == 401
    assert (await api.client.post("/api/auth/verify", json={**email, "code": code})).status_code == 401


async def test_an_address_is_sent_so_many_codes_an_hour_and_then_told_when_again(database: str):
    async with serving(database, EchoRuntime(), limits=Limits(codes_per_hour=3)) as api:
        for _ in range(3):
            await api.code_for("ada@example.org")
        refused = await api.client.post("/api/auth/email", json={"email": "ADA@example.org"})

        assert refused.status_code == 429
        assert 3500 < int(refused.headers["retry-after"]) <= 3600
        assert (await api.client.post("/api/auth/email", json={"email": "bob@example.org"})).status_code == 200


async def test_sign_in_calls_of_one_network_address_are_limited(database: str):
    async with serving(database, EchoRuntime(), settings=ApiSettings(sign_ins_per_minute=3.0)) as api:
        answers = [await api.client.post("/api/auth/verify", json={"code": "1"}) for _ in range(4)]

        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        assert answers[-1].json()["error"]["code"] == "rate_limited"


@pytest.mark.parametrize(
    "email", ["", "ada", "a b@example.org", "ada@", "a@b@c", "ada@example.org\nbcc: x", "\ud800@x", 7]
)
async def test_what_is_no_mail_address_is_refused_by_field(api: ServedApi, email: object):
    answer = await api.client.post(
        "/api/auth/email", content=json.dumps({"email": email}), headers={"content-type": "application/json"}
    )

    assert answer.status_code == 422
    assert "email" in answer.json()["error"]["details"][0]["field"]


async def test_no_secret_is_stored_in_the_clear(api: ServedApi):
    signed = await api.sign_in("ada@example.org")
    code = await api.code_for("ada@example.org")

    stored = ""
    for table in ("session", "access_token", "refresh_token", "login_code", "audit", "device"):
        for row in await api.pool.fetch(f"select * from api.{table}"):
            stored += repr(dict(row))
    for secret in (signed["token"], signed["refresh_token"], code):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_the_audit_says_who_signed_in_where_from_and_with_which_request(api: ServedApi):
    signed = await api.sign_in("ada@example.org", **{"x-request-id": "req-1", "x-autopilot-surface": "cli"})
    await api.client.post("/api/auth/signout", headers=bearer(signed["token"]))

    rows = await api.pool.fetch("select * from api.audit order by audit_no")
    assert [row["action"] for row in rows] == ["code_requested", "signed_in", "signed_out"]
    assert (rows[1]["user_id"], rows[1]["surface"], rows[1]["x_request_id"]) == (signed["userId"], "cli", "req-1")
    assert {row["address"] for row in rows} == {"127.0.0.1"}


async def test_a_surface_that_is_not_a_clients_to_claim_is_not_believed(api: ServedApi):
    for surface in ("runtime", "companion", "x"):
        signed = await api.sign_in("ada@example.org", **{"x-autopilot-surface": surface})
        me = (await api.client.get("/api/me", headers=bearer(signed["token"]))).json()
        assert me["device"]["surface"] == "sdk"
