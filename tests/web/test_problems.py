"""The page of what could not be done."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from tests.web.browser import Element, parsed

from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import Forbidden, Unavailable
from autopilot.web import problems
from autopilot.web.assets import Assets


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets()


def asked(method: str, **headers: str) -> Request:
    scope = {"type": "http", "scheme": "http", "server": ("autopilot.test", 80), "path": "/audit"}
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({**scope, "method": method, "query_string": b"surface=web&after=7", "headers": sent})


def told(assets: Assets, method: str) -> Element:
    answer = problems.answer(asked(method), Unavailable("not now", reason_code="database"), assets)
    assert answer.status_code == 503
    return parsed(bytes(answer.body).decode())


def test_trying_again_is_for_the_very_same(assets: Assets):
    assert told(assets, "GET").one("a", class_="primary").attributes["href"] == "/audit?surface=web&after=7"


def test_the_address_of_a_form_is_no_place_to_go_to(assets: Assets):
    page = told(assets, "POST")
    assert [one.attributes["href"] for one in page.all("a")] == ["/"]


def test_a_page_that_is_to_be_asked_for_later_says_when(assets: Assets):
    later = Unavailable("not now", reason_code="database", retry_after_seconds=2.5)
    assert problems.answer(asked("GET"), later, assets).headers["retry-after"] == "3"


@pytest.mark.parametrize(
    ("here", "leads"),
    [("http://autopilot.test/audit?after=7", "/sign-in?next=%2Faudit%3Fafter%3D7"), ("http://[", "/sign-in")],
)
def test_a_piece_that_takes_a_sign_in_leads_back_to_the_page_it_is_of(assets: Assets, here: str, leads: str):
    again = SignInAgain("over", reason_code="session_over")
    answer = problems.answer(asked("GET", hx_request="true", hx_current_url=here), again, assets)
    assert answer.headers["hx-redirect"] == leads


def test_what_is_told_beside_a_screen_leaves_its_address(assets: Assets):
    refused = problems.answer(asked("POST", hx_request="true"), Unavailable("no", reason_code="database"), assets)
    unproved = Forbidden("prove it", reason_code=problems.STEP_UP)
    proof = problems.answer(asked("POST", hx_request="true"), unproved, assets)
    assert [one.headers["hx-push-url"] for one in (refused, proof)] == ["false", "false"]
