"""Signing in with the organisation's provider, in a browser from end to end: npm's certified one where it is installed
(`make test` does), else the tests' own.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, Request, expect
from tests.api.issuer import CALLBACK, CLIENT_ID, CLIENT_SECRET, NPM, Issuer, npm_issuer
from tests.browser.screens import PICTURES, Visit, visiting
from tests.browser.trusted import URL, Trusted, trusted

from autopilot.ops.settings import Secret
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e
PROVIDER = "Example Corp"


@pytest.fixture(scope="module")
async def public(cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trusted]:
    folder = tmp_path_factory.mktemp("provider")
    async with npm_issuer(folder) if NPM else Issuer().running() as issuer:
        settings = {
            "oidc_issuer": issuer.url,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": Secret(CLIENT_SECRET),
            "oidc_domains": "example.org",
            "oidc_name": PROVIDER,
        }
        async with trusted(cluster, tmp_path_factory.mktemp("caddy"), **settings) as made:
            yield made


@pytest.fixture
async def visit(public: Trusted) -> AsyncIterator[Visit]:
    async with visiting(public.launched, URL) as made:
        yield made


async def at_the_provider(visit: Visit, login: str) -> Page:
    """From our sign-in page to the provider, and through its own pages; where it ends."""
    page = visit.page
    await page.get_by_role("button", name=f"Continue with {PROVIDER}").click()
    async with visit.context.expect_page() as opened:
        await page.get_by_role("link", name=f"Sign in at {PROVIDER}").click()
    tab = await opened.value
    await tab.locator("[name=login]").fill(login)
    if NPM:
        await tab.locator("[name=password]").fill("any")
        await tab.get_by_role("button", name="Sign-in").click()
        await tab.get_by_role("button", name="Continue").click()
    else:
        await tab.locator("[name=login]").press("Enter")
    await tab.wait_for_url(f"{CALLBACK}?**")
    return tab


def heard(visit: Visit) -> list[Request]:
    """What all tabs of it ask for from now on."""
    found: list[Request] = []
    visit.context.on("request", lambda request: found.append(request))  # noqa: PLW0108 - Playwright marks it
    return found


def of_ours(found: list[Request]) -> Iterator[tuple[str, dict[str, list[str]], Request]]:
    """Path and query of each that went to our server."""
    for request in found:
        parts = urlsplit(request.url)
        if request.url.startswith(URL):
            yield parts.path, parse_qs(parts.query), request


async def test_somebody_signs_in_at_the_provider_and_is_here_who_they_are_there(
    visit: Visit, capsys: pytest.CaptureFixture[str]
):
    asked = heard(visit)
    page = await visit.open("/inbox", live=False)
    await expect(page).to_have_url(f"{URL}/sign-in?next=%2Finbox")
    tab = await at_the_provider(visit, "ada")
    await expect(tab.get_by_text("ada@example.org")).to_be_visible()
    code = await tab.locator("code").inner_text()
    assert await tab.evaluate("[document.cookie, localStorage.length, window.opener]") == ["", 0, None]
    await tab.screenshot(path=PICTURES / "sso-code-phone-light.png")
    await page.get_by_label("Code").fill("0000 0000")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await visit.problems("sso") == []
    await page.get_by_label("Code").fill(code)
    await page.get_by_role("button", name="Sign in").click()

    await expect(page.locator("#state")).to_have_attribute("data-state", "live")
    assert page.url == f"{URL}/inbox"
    await visit.open("/more")
    await expect(page.get_by_text("ada@example.org")).to_be_visible()
    assert [cookie["name"] for cookie in await visit.context.cookies(URL)] == ["__Host-autopilot"]
    assert_nothing_leaks(asked, capsys.readouterr().out, code)
    visit.assert_quiet()


def assert_nothing_leaks(asked: list[Request], log: str, code: str) -> None:
    """What the protocol has in an address (code and state of one answer, good once) is there alone, and in no log."""
    calls = list(of_ours(asked))
    back = [query for path, query, _ in calls if path == urlsplit(CALLBACK).path]
    assert [set(query) - {"iss"} for query in back] == [{"code", "state"}]
    others = [query for path, query, _ in calls if path != urlsplit(CALLBACK).path]
    assert {name for query in others for name in query} <= {"next", "worker", "after"}
    posted = [request.post_data or "" for _, _, request in calls]
    (verifier,) = {found for one in posted for found in re.findall(r"verifier=([0-9a-f]{64})", one)}
    addresses = " ".join([request.url for request in asked] + [request.headers.get("referer", "") for request in asked])
    digits = re.sub(r"\D", "", code)
    for secret in (verifier, digits, back[0]["code"][0], back[0]["state"][0]):
        assert secret not in log
    for secret in (verifier, digits):
        assert secret not in addresses
    assert not any(CALLBACK in request.headers.get("referer", "") for request in asked)


async def test_somebody_of_another_domain_is_told_so_and_how_to_go_on(visit: Visit):
    page = await visit.open("/sign-in", live=False)
    tab = await at_the_provider(visit, "eve")

    await expect(tab.get_by_role("heading", name="You are not signed in")).to_be_visible()
    await expect(tab.get_by_text("People of your address's domain do not sign in here this way")).to_be_visible()
    await expect(tab.get_by_text(f"sign out at {PROVIDER} first")).to_be_visible()
    await tab.screenshot(path=PICTURES / "sso-refused-phone-light.png")
    await page.get_by_role("link", name="Another way").click()
    await expect(page.get_by_role("button", name="Send me a code")).to_be_visible()
    assert await visit.context.cookies(URL) == []
    visit.assert_quiet()
