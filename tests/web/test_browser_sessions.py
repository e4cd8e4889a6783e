"""A browser's session: one cookie that no script can read, forms with a proof, and an end that is everywhere."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.api.contract.conftest import opened
from tests.api.contract.world import World
from tests.web.browser import Browser, sign_in

from autopilot.api.settings import Limits
from autopilot.testing.postgres import TestCluster
from autopilot.web import forms

REFUSED = 403


async def test_who_is_not_signed_in_is_led_to_sign_in_and_back(world: World):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        answer = await http.get("/w/desktopw:1?x=1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fw%2Fdesktopw%3A1%3Fx%3D1")
        piece = await http.get("/w/x", headers={"hx-request": "true", "hx-current-url": "http://localhost/w/x?y"})
        assert piece.headers["hx-redirect"] == "/sign-in?next=%2Fw%2Fx%3Fy"


@pytest.mark.parametrize("after", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", ""])
async def test_signing_in_leads_nowhere_else(world: World, after: str):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        page = await http.get("/sign-in", params={"next": after})
        assert 'name="next" value="/"' in page.text


async def test_the_cookie_is_kept_from_scripts_and_other_sites(world: World, ada: Browser):
    assert ada.person is not None
    code = await world.api.code_for(ada.person.email)
    fields = {"email": ada.person.email, "code": code, "next": "/inbox"}
    answer = await ada.http.post("/sign-in/code", data=fields)
    cookie = answer.headers["set-cookie"]
    assert answer.headers["location"] == "/inbox"
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "Domain" not in cookie


async def test_it_is_an_ordinary_device_that_can_be_revoked(ada: Browser):
    assert ada.person is not None
    devices = (await ada.person.get("/api/devices")).json()["data"]
    browsers = [device for device in devices if device["surface"] == "web"]
    assert len(browsers) == 1
    await ada.get("/")
    answer = await ada.person.post(f"/api/devices/{browsers[0]['device_id']}/revoke")
    assert answer.status_code == 200
    assert (await ada.http.get("/w/x")).status_code == 303


async def test_revoking_it_ends_its_stream(ada: Browser):
    assert ada.person is not None
    async with ada.live() as frames:
        assert (await anext(frames))[0] == "hello"
        answer = await ada.person.post("/api/devices/revoke-others")
        assert answer.status_code == 200
        said = [data async for event, data in frames if event == "over"]
    assert said[0]["why"] == "signed_out"


async def test_signing_out_takes_everything_along(ada: Browser):
    answer = await ada.post("/sign-out")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert (await ada.http.get("/")).status_code == 303


@pytest.mark.parametrize("proof", [None, "", "0" * 64])
async def test_a_form_without_its_proof_changes_nothing(ada: Browser, proof: str | None):
    headers = {} if proof is None else {"x-csrf": proof}
    assert (await ada.http.post("/sign-out", headers=headers)).status_code == REFUSED
    assert (await ada.http.get("/")).status_code == 200


async def test_a_form_with_the_proof_of_somebody_else_changes_nothing(ada: Browser, eve: Browser):
    answer = await ada.http.post("/sign-out", headers={"x-csrf": await eve.proof()})
    assert answer.status_code == REFUSED


@pytest.mark.parametrize("path", ["/sign-in/email", "/sign-in/code", "/sign-out"])
async def test_a_form_on_another_site_is_refused(ada: Browser, path: str):
    answer = await ada.http.post(path, headers={"origin": "https://evil.example", "x-csrf": await ada.proof()})
    assert answer.status_code == REFUSED
    assert answer.json()["error"]["details"][0]["reason_code"] == "foreign_origin"


async def test_it_is_not_carried_over_plain_http_from_elsewhere(world: World):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        elsewhere = {"host": "autopilot.example"}
        assert (await http.get("/sign-in", headers=elsewhere)).status_code == 400  # a name that is not ours
        page = await http.get("/sign-in", headers={"host": "localhost"})
        assert "plain HTTP" not in page.text


async def test_pages_let_nothing_in_and_are_kept_nowhere(ada: Browser):
    assert ada.person is not None
    for path in ("/", f"/w/{ada.person.worker_id}", "/sign-in"):
        answer = await ada.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "<style" not in answer.text
        assert " style=" not in answer.text
        assert " onclick=" not in answer.text


async def test_no_token_is_in_any_page_or_stream(ada: Browser):
    assert ada.person is not None
    async with ada.live(ada.person.worker_id) as frames:
        said = [str(await anext(frames)) for _ in range(3)]
    page = await ada.http.get(f"/w/{ada.person.worker_id}")
    for text in (*said, page.text):
        assert "apat_" not in text
        assert "aprt_" not in text
        assert "apwc_" not in text


async def test_the_worker_of_somebody_else_is_refused(ada: Browser, eve: Browser):
    assert eve.person is not None
    page = await ada.get(f"/w/{eve.person.worker_id}", status=403)
    assert eve.person.worker_id not in page.text
    async with ada.live(eve.person.worker_id) as frames:
        said = [data async for event, data in frames if event == "over"]
    assert said[0]["why"] == "forbidden"


async def test_a_session_of_one_browser_is_not_that_of_another(world: World, ada: Browser):
    assert ada.person is not None
    other = await sign_in(world, ada.person.email)
    assert await other.proof() != await ada.proof()
    assert (await other.post("/sign-out")).status_code == 303
    await other.http.aclose()
    await ada.get("/")


async def test_many_pages_at_once_take_one_token(world: World, ada: Browser):
    assert ada.person is not None
    answers = await asyncio.gather(*(ada.http.get("/") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    kept = await world.api.pool.fetchval(
        "select count(*) from api.access_token t join api.session s using (session_id) "
        "join api.device d using (device_id) where d.surface = 'web' and s.user_id = $1",
        ada.person.user_id,
    )
    assert kept <= 3  # that of the sign-in, and those that were asked for before the first was kept


async def test_cookies_of_nobody_are_counted(cluster: TestCluster):
    limits = Limits(strangers_per_second=0.001, strangers_burst=3.0)
    async with opened("one process", cluster, limits=limits, with_web=True) as world:
        statuses = []
        for number in range(5):
            async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
                http.cookies.set("autopilot", f"apwc_{number}")
                statuses.append((await http.get("/w/x")).status_code)
    assert statuses == [303, 303, 303, 429, 429]


async def test_a_form_that_does_not_come_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(forms, "BODY_SECONDS", 0.05)
    at = urlsplit(world.api.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    head = f"POST /sign-in/email HTTP/1.1\r\nhost: {at.netloc}\r\ncontent-length: 100\r\n\r\nemail="
    writer.write(head.encode())
    async with asyncio.timeout(30):
        answer = await reader.readuntil(b"\r\n")
    assert answer.split()[1] == b"408"
    writer.close()


async def test_a_form_over_a_mebibyte_is_refused(world: World):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        answer = await http.post("/sign-in/email", data={"email": "a" * 1_100_000})
    assert answer.status_code == 413
