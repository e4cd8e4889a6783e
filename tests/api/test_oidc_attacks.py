"""What a lying provider, a stranger with a link, and a provider that is away can do to a sign-in: nothing."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response
from tests.api.issuer import (
    Browser,
    Device,
    Issuer,
    asked_for,
    code_on,
    people,
    proved,
    settings_for,
    signed_in,
)
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api import oidc_provider
from autopilot.api.audit import Caller
from autopilot.api.oidc import Returned
from autopilot.api.oidc_client import OidcClient, oidc_client
from autopilot.api.oidc_id_token import NotProved
from autopilot.api.oidc_provider import Provider
from autopilot.api.settings import ApiSettings
from autopilot.contract.errors import Unavailable
from autopilot.ops.settings import Secret, SettingsRefused
from autopilot.testing.clock import FakeClock


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer().running() as running:
        yield running


@pytest.fixture
async def api(database: str, issuer: Issuer) -> AsyncIterator[ServedApi]:
    async with serving(database, EchoRuntime(), settings=settings_for(issuer)) as served:
        yield served


async def reasons(api: ServedApi) -> list[str]:
    """Why sign-ins were refused, as the audit has it."""
    rows = await api.pool.fetch("select detail from api.audit where action = 'sso_refused' order by audit_no")
    return [json.loads(row["detail"])["reason_code"] for row in rows]


async def test_what_is_wrong_with_a_token_is_told_on_the_page_and_in_the_audit_and_signs_nobody_in(
    api: ServedApi, issuer: Issuer
):
    issuer.claims = {"nonce": "of another sign-in"}

    device, page = await proved(api, "ada")

    assert page.status_code == 403
    assert "another sign-in" in page.text
    assert await reasons(api) == ["nonce"]
    assert (await device.collect("00000000")).status_code == 401
    assert await api.pool.fetchval("select count(*) from api.user_account") == 0


async def test_an_answer_that_nothing_can_be_made_of_is_refused_and_not_taken_for_trouble_of_ours(
    api: ServedApi, issuer: Issuer
):
    for claims, tokens in (
        ({"exp": 10**400}, {}),
        ({"sub": "\ud800"}, {}),
        ({"email": None}, {"access_token": "\ud800"}),
        ({"email": None}, {"access_token": "a\r\nb"}),
    ):
        issuer.claims, issuer.tokens = claims, tokens
        assert (await proved(api, "ada"))[1].status_code == 403

    assert await reasons(api) == ["time", "subject", "malformed", "malformed"]


async def test_what_the_provider_says_of_an_address_is_taken_by_the_letter(api: ServedApi, issuer: Issuer):
    said: list[tuple[dict[str, Any], str]] = [
        ({"email_verified": False}, "email_unverified"),
        ({"email_verified": "yes"}, "email_unverified"),
        ({"email": None, "email_verified": None}, "email_unverified"),
        ({"email": 7}, "email_unverified"),
        ({"email": "ada@example.org.evil.example"}, "domain"),
        ({"email": "ada@sub.example.org"}, "domain"),
        ({"email": "ada@elsewhere.example"}, "domain"),
        ({"email": "a@evil.example,ada@example.org"}, "email"),
    ]
    for claims, _ in said:
        issuer.claims = claims
        issuer.people["ada"] = {} if claims.get("email", "") is None else people()["ada"]
        assert (await proved(api, "ada"))[1].status_code == 403

    assert await reasons(api) == [reason for _, reason in said]


async def test_an_answer_of_another_provider_is_not_taken_for_ours(api: ServedApi):
    sso = api.app.state.api.sso
    for issuer_said in ("https://evil.example", None):
        device = Device(api)
        state = asked_for(await device.begin())["state"]
        with pytest.raises(NotProved, match="not of the provider"):
            await sso.come_back(Returned(state=state, code="c", issuer=issuer_said, error=None), Caller())


async def test_a_browser_that_brings_what_was_never_begun_is_told_so_and_leaves_no_trace(api: ServedApi):
    for query in ("", "state=x", "code=c", "code=c&state=%00", "code=c&state=a&state=b", "state=" + "%C3%A9" * 43):
        page = await api.client.get(f"/api/auth/oidc/callback?{query}")
        assert page.status_code == 403
        assert page.headers["content-type"].startswith("text/html")

    assert await api.pool.fetchval("select count(*) from api.audit") == 0


async def test_the_page_holds_nothing_of_the_query_and_no_script(api: ServedApi):
    page = await api.client.get("/api/auth/oidc/callback?state=<script>alert(1)</script>&error=<b>")

    assert "<b>" not in page.text
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")


async def test_a_look_ahead_does_not_use_the_sign_in_up(api: ServedApi):
    device = Device(api)
    async with Browser(api) as browser:
        back = await browser.way_back(await device.begin(), "ada")
        assert (await api.client.head(back.removeprefix("https://autopilot.example.com"))).status_code == 405
        page = await browser.open(back)

    assert (await device.collect(code_on(page))).status_code == 200


async def test_a_link_that_a_stranger_sent_signs_the_stranger_in_nowhere(api: ServedApi):
    """Session fixation: Eve begins, Ada opens the link and signs in; Eve has the verifier, and not what Ada sees."""
    eve, page = await proved(api, "ada")
    right = code_on(page).replace(" ", "")

    guesses = [f"{(int(right) + add) % 10**8:08d}" for add in range(1, 6)]
    for guess in guesses:
        assert (await eve.collect(guess)).status_code == 401
    assert (await eve.collect(right)).status_code == 401
    assert await reasons(api) == ["wrong_code"] * 5


async def test_a_sign_in_that_a_stranger_proved_is_none_of_this_device(api: ServedApi):
    """Login CSRF: Ada is to type the code of Eve's sign-in into her own app."""
    ada, _ = Device(api), await signed_in(api, "ada")
    await ada.begin()
    _, page = await proved(api, "ada")

    assert (await ada.collect(code_on(page))).status_code == 409
    assert (await Device(api).collect(code_on(page))).status_code == 401


async def test_the_very_same_collect_gets_the_very_same_tokens_until_they_are_used(api: ServedApi):
    device, page = await proved(api, "ada")
    code = code_on(page)

    first, again = await device.collect(code), await device.collect(code)
    assert first.json()["token"] == again.json()["token"]
    await api.client.post("/api/auth/refresh", json={"refresh_token": first.json()["refresh_token"]})
    assert (await device.collect(code)).status_code == 401


async def test_two_collects_at_once_make_one_session(api: ServedApi):
    device, page = await proved(api, "ada")

    answers = await asyncio.gather(*(device.collect(code_on(page)) for _ in range(5)))
    assert len({answer.json()["token"] for answer in answers}) == 1
    assert await api.pool.fetchval("select count(*) from api.session") == 1


async def test_a_sign_in_is_over_after_ten_minutes(api: ServedApi):
    device, page = await proved(api, "ada")
    other = Device(api)
    async with Browser(api) as browser:
        back = await browser.way_back(await other.begin(), "ada")
        await api.pool.execute("update api.oidc_sign_in set expires_at = clock_timestamp()")

        assert (await browser.open(back)).status_code == 403
    assert (await device.collect(code_on(page))).status_code == 401
    assert (await other.collect("00000000")).status_code == 401


async def test_no_secret_of_a_sign_in_is_stored_in_the_clear(api: ServedApi, issuer: Issuer):
    device = Device(api)
    asked = asked_for(await device.begin())
    async with Browser(api) as browser:
        page = await browser.open(await browser.way_back(await Device(api).begin(), "ada"))

    stored = ""
    for table in ("oidc_sign_in", "oidc_identity", "audit"):
        for row in await api.pool.fetch(f"select * from api.{table}"):
            stored += repr(dict(row))
    assert "sso_" in stored
    for secret in (device.verifier, asked["state"], asked["nonce"], code_on(page).replace(" ", "")):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_an_account_is_linked_or_made_only_where_the_settings_name_its_domain(database: str, issuer: Issuer):
    settings = settings_for(issuer, oidc_domains="example.net", sign_up="open")
    async with serving(database, EchoRuntime(), settings=settings) as api:
        mailed = await api.sign_in("ada@example.org")
        for who in ("ada", "eve"):  # who has an account, and who would find another's hand on it when they come
            assert (await proved(api, who))[1].status_code == 403
        assert await reasons(api) == ["domain", "domain"]
        assert await api.pool.fetchval("select count(*) from api.user_account") == 1
    async with serving(database, EchoRuntime(), settings=settings_for(issuer)) as api:
        assert (await signed_in(api, "ada"))["userId"] == mailed["userId"]
        lines = await api.pool.fetch("select user_id from api.audit where action = 'sso_linked' order by audit_no")
        assert lines[-1]["user_id"] == mailed["userId"]


async def test_the_owner_whom_the_settings_name_may_come_with_the_provider(database: str, issuer: Issuer):
    settings = settings_for(issuer, owner_email="ada@example.org")
    async with serving(database, EchoRuntime(), settings=settings) as api:
        await signed_in(api, "ada")
        assert await api.pool.fetchval("select is_owner from api.user_account")


async def test_a_rotated_key_is_found_and_a_token_can_not_have_the_keys_fetched_at_will(issuer: Issuer):
    clock = FakeClock()
    provider = Provider(client_of(issuer), clock)
    try:
        issuer.claims = {"iat": clock.now().timestamp(), "exp": clock.now().timestamp() + 300}
        await prove(provider, issuer)
        issuer.key = RSAKey.generate_key(2048, {"kid": "k2"})
        with pytest.raises(NotProved, match="no key of the provider"):
            await prove(provider, issuer)  # within the minute: as it is for a forged one
        assert issuer.asked.count("keys") == 1
        await clock.advance(61)
        issuer.claims = {"iat": clock.now().timestamp(), "exp": clock.now().timestamp() + 300}
        await prove(provider, issuer)
        assert issuer.asked.count("keys") == 2
        await prove(provider, issuer)
        assert (issuer.asked.count("keys"), issuer.asked.count("metadata")) == (2, 1)
        await clock.advance(3601)
        issuer.claims = {"iat": clock.now().timestamp(), "exp": clock.now().timestamp() + 300}
        await prove(provider, issuer)
        assert (issuer.asked.count("keys"), issuer.asked.count("metadata")) == (3, 2)
    finally:
        await provider.aclose()


def client_of(issuer: Issuer) -> OidcClient:
    made = oidc_client(settings_for(issuer))
    assert made is not None
    return made


async def prove(provider: Provider, issuer: Issuer) -> None:
    """One exchange, beside the browser."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v").digest()).rstrip(b"=").decode()
    issuer.codes["c"] = {
        "sub": "ada",
        "nonce": "n",
        "code_challenge": challenge,
        "redirect_uri": provider.client.redirect_uri,
    }
    assert (await provider.prove("c", verifier="v", nonce="n")).subject == "ada"


ODD_ANSWERS = {
    "500": Response("", 500),
    "no JSON": Response("<html>"),
    "no object": JSONResponse(["x"]),
    "deep": Response("[" * 100_000),
    "a redirect": RedirectResponse("http://127.0.0.1:1/"),
    "huge": Response(b"{" + b" " * (oidc_provider.BODY_BYTES + 1)),
    "a bomb": Response(gzip.compress(b" " * 10**8), headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("answer", ODD_ANSWERS.values(), ids=ODD_ANSWERS)
async def test_a_provider_that_answers_nonsense_is_away_for_a_moment(issuer: Issuer, answer: Response):
    issuer.answer = answer
    clock = FakeClock()
    provider = Provider(client_of(issuer), clock)
    try:
        for _ in range(2):
            with pytest.raises(Unavailable) as away:
                await provider.metadata()
            assert (away.value.reason_code, away.value.fact("outcome")) == ("sso_unavailable", "not_recorded")
        assert issuer.asked == ["metadata"]  # left alone for a while
        issuer.answer = None
        await clock.advance(6)
        assert (await provider.metadata()).keys == f"{issuer.url}/jwks"
    finally:
        await provider.aclose()


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "http://169.254.169.254/"},
        {"token_endpoint": "https://" + "user:password@example.org/"},
    ],
)
async def test_a_provider_that_is_another_or_would_have_secrets_without_tls_is_none(
    issuer: Issuer, said: dict[str, Any]
):
    issuer.metadata = said
    provider = Provider(client_of(issuer), FakeClock())
    try:
        with pytest.raises(Unavailable):
            await provider.metadata()
    finally:
        await provider.aclose()


async def test_a_client_is_told_503_with_plain_words_where_the_provider_is_away(api: ServedApi, issuer: Issuer):
    issuer.answer = Response("", 500)

    answer = await api.client.post("/api/auth/oidc", json={"challenge": "0" * 64})

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "the sign-in provider does not answer" in answer.json()["error"]["message"]


async def test_a_provider_that_goes_away_in_the_middle_is_503_in_plain_words_on_the_page(
    api: ServedApi, issuer: Issuer
):
    device = Device(api)
    async with Browser(api) as browser:
        back = await browser.way_back(await device.begin(), "ada")
        issuer.answer = Response("", 502)
        page = await browser.open(back)

    assert page.status_code == 503
    assert "The sign-in provider does not answer" in page.text
    assert int(page.headers["retry-after"]) >= 1
    assert await reasons(api) == ["provider_away"]
    assert (await device.collect("00000000")).status_code == 401


async def test_a_provider_that_does_not_come_to_an_end_is_given_up(issuer: Issuer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(oidc_provider, "ANSWER_SECONDS", 0.2)
    issuer.held = asyncio.Event()
    provider = Provider(client_of(issuer), FakeClock())
    try:
        for problem in await asyncio.gather(*(provider.metadata() for _ in range(20)), return_exceptions=True):
            assert isinstance(problem, Unavailable)
        assert issuer.asked == ["metadata"]
    finally:
        issuer.held.set()
        await provider.aclose()


async def test_nobody_listening_is_the_same(database: str, issuer: Issuer):
    async with serving(database, EchoRuntime(), settings=settings_for(issuer, oidc_issuer="http://127.0.0.1:1")) as api:
        answer = await api.client.post("/api/auth/oidc", json={"challenge": "0" * 64})
        assert answer.status_code == 503


async def test_sign_ins_of_one_network_address_are_limited(database: str, issuer: Issuer):
    settings = settings_for(issuer, sign_ins_per_minute=3.0)
    async with serving(database, EchoRuntime(), settings=settings) as api:
        answers: list[httpx2.Response] = [
            await api.client.post("/api/auth/oidc", json={"challenge": f"{number:064x}"}) for number in range(4)
        ]
        page = await api.client.get("/api/auth/oidc/callback?state=x")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (429, "text/html")


async def test_so_many_are_under_way_also_where_they_are_begun_at_once(api: ServedApi):
    async def begin(number: int) -> int:
        return (await api.client.post("/api/auth/oidc", json={"challenge": f"{number:064x}"})).status_code

    statuses = await asyncio.gather(*map(begin, range(60)))

    assert sorted(statuses) == [200] * 50 + [429] * 10


async def test_so_many_are_under_way_at_once_and_a_verifier_is_good_for_one(api: ServedApi):
    for number in range(50):
        assert (await api.client.post("/api/auth/oidc", json={"challenge": f"{number:064x}"})).status_code == 200

    more = await api.client.post("/api/auth/oidc", json={"challenge": "f" * 64})
    assert (more.status_code, more.json()["error"]["details"][0]["reason_code"]) == (429, "too_many_sign_ins")
    await api.pool.execute("update api.oidc_sign_in set state = 'refused' where state = 'open'")
    again = await api.client.post("/api/auth/oidc", json={"challenge": f"{0:064x}"})
    assert again.status_code == 422


async def test_without_a_provider_the_calls_say_that_there_is_none(database: str):
    async with serving(database, EchoRuntime()) as api:
        for answer in (
            await api.client.get("/api/auth/oidc"),
            await api.client.post("/api/auth/oidc", json={"challenge": "0" * 64}),
            await api.client.post("/api/auth/oidc/collect", json={"verifier": "0" * 64, "code": "1"}),
            await api.client.get("/api/auth/oidc/callback"),
        ):
            assert answer.status_code == 404
            assert answer.json()["error"]["details"][0]["reason_code"] == "sso_off"


async def test_a_client_learns_what_the_provider_is_called(api: ServedApi):
    assert (await api.client.get("/api/auth/oidc")).json() == {"data": {"name": "Example Corp"}}


async def test_what_is_no_challenge_is_refused(api: ServedApi):
    for body in ({"challenge": "x"}, {"challenge": "A" * 64}, {}, {"challenge": 7}):
        assert (await api.client.post("/api/auth/oidc", json=body)).status_code == 422


async def test_the_audit_says_who_signed_in_by_which_provider(api: ServedApi, issuer: Issuer):
    signed = await signed_in(api, "ada")
    await api.client.post("/api/auth/signout", headers=bearer(signed["token"]))

    rows = await api.pool.fetch("select action, user_id, detail from api.audit order by audit_no")
    assert [row["action"] for row in rows] == ["sso_linked", "signed_in", "signed_out"]
    assert json.loads(rows[1]["detail"]) == {"method": "oidc", "issuer": issuer.url}
    assert {row["user_id"] for row in rows} == {signed["userId"]}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"oidc_issuer": "http://provider.example"}, "AUTOPILOT_OIDC_ISSUER"),
        ({"oidc_issuer": "https://provider.example?x=1"}, "AUTOPILOT_OIDC_ISSUER"),
        ({"oidc_client_id": None}, "AUTOPILOT_OIDC_CLIENT_ID"),
        ({"public_url": None}, "AUTOPILOT_PUBLIC_URL"),
        ({"public_url": "http://autopilot.example.com"}, "AUTOPILOT_PUBLIC_URL"),
        ({"oidc_client_secret_file": "/nowhere"}, "AUTOPILOT_OIDC_CLIENT_SECRET_FILE"),
        ({"oidc_domains": "ada@example.org"}, "AUTOPILOT_OIDC_DOMAINS"),
        ({"oidc_domains": ""}, "AUTOPILOT_OIDC_DOMAINS: not set"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused_by_name(more: dict[str, Any], named: str, tmp_path: Any):
    usual: dict[str, Any] = {
        "oidc_issuer": "https://provider.example",
        "oidc_client_id": "c",
        "oidc_domains": "example.org",
        "public_url": "https://autopilot.example.com",
    }
    if "oidc_client_secret_file" in more:
        more = {"oidc_client_secret_file": tmp_path / "nowhere"}

    with pytest.raises(SettingsRefused, match=named):
        oidc_client(ApiSettings(**{**usual, **more}))


def test_the_secret_may_lie_in_a_file_and_prints_as_stars(tmp_path: Any):
    file = tmp_path / "secret"
    file.write_text("the-secret\n")
    settings = ApiSettings(
        oidc_issuer="https://provider.example",
        oidc_client_id="c",
        oidc_client_secret_file=file,
        oidc_domains="example.org",
        public_url="https://autopilot.example.com",
    )

    made = oidc_client(settings)
    assert made is not None
    assert made.secret == Secret("the-secret")
    assert "the-secret" not in repr(made)
    assert "hidden" not in repr(ApiSettings(oidc_client_secret=Secret("hidden")))
