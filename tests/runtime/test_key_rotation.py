"""Replacing keys while requests wait and clients repeat themselves (SECURITY.md, "Replacing a key")."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from autopilot.api.forward import SignedHttpPort
from autopilot.contract.port import RuntimeRequest
from autopilot.ops.clock import SystemClock
from autopilot.ops.serve import Server
from autopilot.ops.signature import SigningKey
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.http import app as http_app
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.machines import Companion, ask, leased
from autopilot.testing.runtime import OWNER, call, insert_worker

OLD = RuntimeSettings(digest_key=b"old", delivery_key=b"o" * 32, seal_key=b"s" * 32)
NEW = RuntimeSettings(digest_key=b"new", delivery_key=b"n" * 32, seal_key=b"s" * 32)
ROTATED = msgspec.structs.replace(NEW, older_digest_keys=(b"old",), older_delivery_keys=(b"o" * 32,))

EVENT = {"event_type": "worker.event", "event_id": "e", "payload": {"text": "once"}}
OTHER = {**EVENT, "payload": {"text": "another"}}
OLD_KEY, NEW_KEY = SigningKey("old", b"the key before"), SigningKey("new", b"the key now")


@asynccontextmanager
async def runtime_with(settings: RuntimeSettings, dsn: str) -> AsyncIterator[Runtime]:
    async with await build(settings, dsn=dsn) as runtime:
        yield runtime


async def test_what_was_sealed_before_reaches_its_machine(database):
    async with runtime_with(OLD, database) as runtime:
        await leased(runtime)
        await ask(runtime, "turn/start", "r1", {"input": [{"text": "password=hunter2"}]})

    async with runtime_with(ROTATED, database) as runtime:
        (entry,) = await Companion(runtime).feed()

    assert entry["body"]["params"] == {"input": [{"text": "password=hunter2"}]}


async def test_an_event_repeated_after_the_rotation_is_the_same_event(database):
    async with runtime_with(OLD, database) as runtime:
        await insert_worker(runtime, "w")
        first = await call(runtime, "POST", "/workers/w/events", {"event": EVENT})

    async with runtime_with(ROTATED, database) as runtime:
        again = await call(runtime, "POST", "/workers/w/events", {"event": EVENT})
        other = await call(runtime, "POST", "/workers/w/events", {"event": OTHER})

    assert (again.status, again.data["seq"], again.data["duplicate"]) == (202, first.data["seq"], True)
    assert (other.status, other.reason) == (409, "different_content")


async def test_what_is_recorded_after_the_rotation_needs_the_new_key_alone(database):
    async with runtime_with(ROTATED, database) as runtime:
        await insert_worker(runtime, "w")
        await call(runtime, "POST", "/workers/w/events", {"event": EVENT})

    async with runtime_with(NEW, database) as runtime:
        again = await call(runtime, "POST", "/workers/w/events", {"event": EVENT})

    assert again.data["duplicate"]


async def test_a_request_repeated_after_the_rotation_has_the_same_receipt(database):
    async with runtime_with(OLD, database) as runtime:
        await leased(runtime)
        first = await ask(runtime, "turn/start", "r1", {"input": []})

    async with runtime_with(ROTATED, database) as runtime:
        again = await ask(runtime, "turn/start", "r1", {"input": []})
        other = await ask(runtime, "turn/start", "r1", {"input": ["x"]})

    assert (again.status, again.data["accepted_seq"]) == (202, first.data["accepted_seq"])
    assert (other.status, other.reason) == (409, "different_content")


async def test_once_the_previous_digest_key_is_removed_old_repeats_look_different(database):
    async with runtime_with(OLD, database) as runtime:
        await insert_worker(runtime, "w")
        await call(runtime, "POST", "/workers/w/events", {"event": EVENT})

    async with runtime_with(NEW, database) as runtime:
        again = await call(runtime, "POST", "/workers/w/events", {"event": EVENT})

    assert (again.status, again.reason) == (409, "different_content")


@pytest.mark.parametrize(("valid", "status"), [([NEW_KEY, OLD_KEY], 200), ([NEW_KEY], 401)])
async def test_an_api_that_still_signs_with_the_previous_key_is_let_in_until_it_is_removed(runtime, valid, status):
    stopping, clock = asyncio.Event(), SystemClock()
    app = http_app.build(runtime, keys={key.key_id: key.secret for key in valid}, clock=clock, stopping=stopping)
    async with asyncio.timeout(30), Server(app, stopping=stopping).running() as server:
        port = SignedHttpPort(server.url, OLD_KEY, clock)
        answer = await port.call(RuntimeRequest(OWNER, "GET", "/machines"))
        await port.aclose()

    assert answer.status == status
