"""Nobody is led into a session that somebody else knows: tokens are the server's own, and a sign-in makes new ones."""

from __future__ import annotations

from tests.api.served import ServedApi, bearer

ADA, EVE = "ada@example.org", "eve@example.org"
PLANTED = {"token": "apat_planted", "session_id": "ses_planted", "user_id": 1, "device_id": "dev_planted"}


async def test_a_sign_in_takes_no_token_session_or_user_that_the_caller_brings(api: ServedApi):
    eve = await api.sign_in(EVE)
    code = await api.code_for(ADA)
    body = {"email": ADA, "code": code, **PLANTED, "refresh_token": eve["refresh_token"]}
    headers = bearer(eve["token"]) | {"cookie": f"session={eve['token']}", "x-oa-user-id": str(eve["userId"])}

    signed = (await api.client.post("/api/auth/verify", json=body, headers=headers)).json()

    assert signed["userId"] != eve["userId"]
    brought = {"apat_planted", eve["token"], eve["refresh_token"]}
    assert not {signed["token"], signed["refresh_token"]} & brought
    me = (await api.client.get("/api/me", headers=bearer(eve["token"]))).json()
    assert me["user"]["email"] == EVE
    sessions = await api.pool.fetch("select session_id, user_id from api.session")
    assert sorted(row["user_id"] for row in sessions) == sorted([eve["userId"], signed["userId"]])
    assert "ses_planted" not in {row["session_id"] for row in sessions}
    assert (await api.client.get("/api/me", headers=bearer("apat_planted"))).status_code == 401


async def test_who_signs_in_gains_nothing_for_a_session_that_was_open_before(api: ServedApi):
    """An attacker who signed a victim's browser in as himself, or kept an old session, gets no proof from a new one."""
    old = await api.sign_in(ADA)
    await api.pool.execute("update api.session set stepped_up_until = clock_timestamp()")

    new = await api.sign_in(ADA, authorization=f"Bearer {old['token']}")

    assert new["token"] != old["token"]
    stepped = await api.pool.fetch(
        "select stepped_up_until > clock_timestamp() as up from api.session order by created_at"
    )
    assert [row["up"] for row in stepped] == [False, True]


async def test_a_token_in_a_query_a_cookie_or_a_body_speaks_for_nobody(api: ServedApi):
    token = (await api.sign_in(ADA))["token"]

    for name in ("token", "access_token", "authorization", "bearer"):
        answer = await api.client.get("/api/me", params={name: token}, headers={"cookie": f"{name}={token}"})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    posted = await api.client.post("/api/auth/signout", json={"token": token, "access_token": token})
    assert posted.status_code == 401
    assert (await api.client.get("/api/me", headers=bearer(token))).status_code == 200


async def test_no_answer_sets_a_cookie(api: ServedApi):
    code = await api.code_for(ADA)
    answers = [
        await api.client.post("/api/auth/verify", json={"email": ADA, "code": code}),
        await api.client.get("/pair"),
        await api.client.get("/api/docs"),
    ]
    assert all("set-cookie" not in answer.headers for answer in answers)
