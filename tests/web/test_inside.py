"""Calls of the API from inside: a body that broke off is told from one that ended."""

from __future__ import annotations

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from autopilot.web.inside import BASE_URL, Inside, Outside

OUTSIDE = Outside(client=None, forwarded_for=None, traceparent=None, scheme="http", server=None)
START = {"type": "http.response.start", "status": 200, "headers": []}


def calling(*messages: dict[str, object], fails: bool = False) -> httpx2.AsyncClient:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)
        if fails:
            raise RuntimeError("the database is gone")

    return httpx2.AsyncClient(transport=Inside(app, OUTSIDE), base_url=BASE_URL)


def body(text: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": text, "more_body": more}


async def test_a_whole_body_is_read_to_its_end():
    async with calling(START, body(b"on", more=True), body(b"e", more=False)) as http:
        assert (await http.get("/")).content == b"one"


@pytest.mark.parametrize("fails", [True, False])
async def test_a_body_that_breaks_off_is_an_error_for_its_reader(*, fails: bool):
    async with calling(START, body(b"on", more=True), fails=fails) as http, http.stream("GET", "/") as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"on"
        with pytest.raises(httpx2.RemoteProtocolError):
            await anext(pieces)


async def test_an_app_that_fails_after_all_was_said_spoils_nothing():
    async with calling(START, body(b"all", more=False), fails=True) as http:
        assert (await http.get("/")).content == b"all"


async def test_an_app_without_an_answer_is_an_error():
    async with calling() as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.get("/")
