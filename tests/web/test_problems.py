"""The page of what could not be done."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from tests.web.browser import Element, parsed

from autopilot.contract.errors import Unavailable
from autopilot.web import problems
from autopilot.web.assets import Assets


@pytest.fixture(scope="module")
def assets() -> Assets:
    return Assets()


def told(assets: Assets, method: str) -> Element:
    scope = {"type": "http", "scheme": "http", "server": ("autopilot.test", 80), "headers": []}
    request = Request({**scope, "method": method, "path": "/audit", "query_string": b"surface=web&after=7"})
    answer = problems.answer(request, Unavailable("not now", reason_code="database"), assets)
    assert answer.status_code == 503
    return parsed(bytes(answer.body).decode())


def test_trying_again_is_for_the_very_same(assets: Assets):
    assert told(assets, "GET").one("a", class_="primary").attributes["href"] == "/audit?surface=web&after=7"


def test_the_address_of_a_form_is_no_place_to_go_to(assets: Assets):
    page = told(assets, "POST")
    assert [one.attributes["href"] for one in page.all("a")] == ["/"]
