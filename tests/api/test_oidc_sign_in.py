"""Signing in with the organisation's provider, as far as any provider goes: on one of a few lines, and where
`TEST_OIDC_PROVIDER` says where it is, on npm's certified one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.issuer import (
    CALLBACK,
    NPM,
    Browser,
    Device,
    Issuer,
    NpmIssuer,
    asked_for,
    code_on,
    npm_issuer,
    proved,
    settings_for,
    signed_in,
)
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

AnyIssuer = Issuer | NpmIssuer


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[AnyIssuer]:
    async with npm_issuer(tmp_path) if NPM else Issuer().running() as running:
        yield running


@pytest.fixture
async def api(database: str, issuer: AnyIssuer) -> AsyncIterator[ServedApi]:
    async with serving(database, EchoRuntime(), settings=settings_for(issuer)) as served:
        yield served


def says(issuer: AnyIssuer) -> None:
    if isinstance(issuer, NpmIssuer):
        issuer.says()


async def test_a_person_signs_in_with_the_provider_and_the_token_speaks_for_them(api: ServedApi):
    device, page = await proved(api, "ada")

    assert "ada@example.org" in page.text
    answer = await device.collect(code_on(page), device_name="laptop", device_platform="Linux")
    assert answer.status_code == 200, answer.text
    signed = answer.json()
    me = (await api.client.get("/api/me", headers=bearer(signed["token"]))).json()
    assert me["user"] == {"id": signed["userId"], "email": "ada@example.org"} == signed["user"]
    assert (me["device"]["name"], me["scopes"], me["stepped_up_until"]) == ("laptop", ["administer", "observe"], None)


async def test_who_has_a_passkey_and_comes_without_it_is_held_and_told_of(api: ServedApi):
    first = await signed_in(api, "ada")
    columns = "passkey_id, user_id, credential_id, public_key, rp_id, name, sign_count, backup_eligible, backed_up"
    sql = f"insert into api.passkey ({columns}) values ('pk', $1, 'c', 'k', 'example.com', 'Phone', 0, false, false)"
    await api.pool.execute(sql, first["userId"])

    again = await signed_in(api, "ada")

    me = (await api.client.get("/api/me", headers=bearer(again["token"]))).json()
    assert me["device"]["held_until"] is not None
    answer = await api.client.post("/api/devices/revoke-others", json={}, headers=bearer(again["token"]))
    assert answer.json()["error"]["details"][0]["reason_code"] == "recovery_hold"
    await api.app.state.api.postman.delivered()
    assert me["device"]["device_id"] in api.post.mails[-1].text


async def test_the_same_subject_is_the_same_user_again_and_refreshes_like_any_session(api: ServedApi):
    first, again = await signed_in(api, "ada"), await signed_in(api, "ada")

    assert first["userId"] == again["userId"]
    refreshed = await api.client.post("/api/auth/refresh", json={"refresh_token": again["refresh_token"]})
    assert refreshed.status_code == 200


async def test_the_account_stays_whose_it_is_when_the_address_changes_at_the_provider(
    api: ServedApi, issuer: AnyIssuer
):
    first = await signed_in(api, "ada")
    issuer.people["ada"]["email"] = "countess@example.org"
    says(issuer)

    again = await signed_in(api, "ada")

    assert (again["userId"], again["user"]["email"]) == (first["userId"], "ada@example.org")


async def test_who_got_a_former_address_of_somebody_else_does_not_get_their_account(api: ServedApi, issuer: AnyIssuer):
    first = await signed_in(api, "ada")
    issuer.people["ada"]["email"] = "countess@example.org"
    issuer.people["bob"] = {"email": "ada@example.org", "email_verified": True}
    says(issuer)

    _, page = await proved(api, "bob")

    assert page.status_code == 403
    assert "somebody else" in page.text
    assert (await signed_in(api, "ada"))["userId"] == first["userId"]


async def test_an_address_that_the_provider_did_not_verify_signs_nobody_in(api: ServedApi):
    device, page = await proved(api, "bob")

    assert page.status_code == 403
    assert "not verified" in page.text
    assert (await device.collect("00000000")).status_code == 401


async def test_an_address_of_another_domain_signs_nobody_in(api: ServedApi):
    _, page = await proved(api, "eve")

    assert page.status_code == 403
    assert await api.pool.fetchval("select count(*) from api.user_account") == 0


async def test_the_browser_is_asked_with_pkce_a_nonce_and_the_one_redirect_of_ours(api: ServedApi):
    asked, other = [asked_for(await Device(api).begin()) for _ in range(2)]

    assert asked["redirect_uri"] == "https://autopilot.example.com/api/auth/oidc/callback"
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid email")
    assert all(asked[name] != other[name] for name in ("state", "nonce", "code_challenge"))


async def test_what_the_browser_brought_back_is_good_once_even_at_the_same_moment(api: ServedApi):
    device = Device(api)
    async with Browser(api) as browser:
        back = await browser.way_back(await device.begin(), "ada")
        pages = await asyncio.gather(*(browser.open(back) for _ in range(4)))

    shown = [page for page in pages if page.status_code == 200]
    assert sorted(page.status_code for page in pages) == [200, 403, 403, 403]
    assert (await device.collect(code_on(shown[0]))).status_code == 200


async def test_a_code_of_the_provider_brought_into_another_sign_in_signs_nobody_in(api: ServedApi):
    """The mix that PKCE and the nonce are for: Eve's browser is made to bring her sign-in what Ada's was given."""
    async with Browser(api) as browser:
        of_ada = asked_for(await browser.way_back(await Device(api).begin(), "ada"))
        device = Device(api)
        begun = asked_for(await device.begin())
        query = f"code={of_ada['code']}&state={begun['state']}&iss={of_ada.get('iss', '')}"
        page = await browser.open(f"{CALLBACK}?{query}")

    assert page.status_code == 403
    assert (await device.collect("00000000")).status_code == 401
