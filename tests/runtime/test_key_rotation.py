"""Replacing keys while requests wait and clients repeat themselves (SECURITY.md, "Replacing a key")."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from autopilot.api.forward import SignedHttpPort
from autopilot.cli.home import Home
from autopilot.cli.key_rotation import PURPOSES, SETTLE_SECONDS, KeyFiles
from autopilot.cli.keys import Keys, KeySettings
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.ops.clock import SystemClock
from autopilot.ops.serve import Server
from autopilot.ops.signature import SigningKey
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.http import app as http_app
from autopilot.runtime.seal import Sealer
from autopilot.runtime.seal_verify import Verifier
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.clock import FakeClock
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


async def test_once_the_previous_digest_key_is_removed_old_repeats_look_different_where_a_digest_is_all_that_is_kept(
    database,
):
    redacted = {**EVENT, "event_id": "r", "payload": {"password": "once"}}
    async with runtime_with(OLD, database) as runtime:
        await insert_worker(runtime, "w")
        await call(runtime, "POST", "/workers/w/events", {"events": [EVENT, redacted]})

    async with runtime_with(NEW, database) as runtime:
        again = await call(runtime, "POST", "/workers/w/events", {"event": EVENT})
        unknown = await call(runtime, "POST", "/workers/w/events", {"event": redacted})

    assert again.data["duplicate"] is True
    assert (unknown.status, unknown.reason) == (409, "different_content")


@pytest.mark.parametrize(("valid", "status"), [([NEW_KEY, OLD_KEY], 200), ([NEW_KEY], 401)])
async def test_an_api_that_still_signs_with_the_previous_key_is_let_in_until_it_is_removed(runtime, valid, status):
    stopping, clock = asyncio.Event(), SystemClock()
    app = http_app.build(runtime, keys={key.key_id: key.secret for key in valid}, clock=clock, stopping=stopping)
    async with asyncio.timeout(30), Server(app, stopping=stopping).running() as server:
        port = SignedHttpPort(server.url, OLD_KEY, clock)
        answer = await port.call(RuntimeRequest(OWNER, "GET", "/machines"))
        await port.aclose()

    assert answer.status == status


class Turning(FakeClock):
    """While a rotation waits, the load goes on: so many more calls are answered."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load

    async def sleep(self, seconds: float) -> None:
        assert seconds == SETTLE_SECONDS
        await self._load.more(10)


class Load:
    """Clients that go on calling through the API's hop, and what they were answered."""

    def __init__(self, port: SignedHttpPort) -> None:
        self._port = port
        self.statuses: list[int] = []
        self.written: list[str] = []
        self._answered = asyncio.Condition()
        self.ended = False

    async def run(self, name: str) -> None:
        number = 0
        while not self.ended:
            number += 1
            event_id = f"{name}-{number}"
            event = {"event_type": "worker.event", "event_id": event_id, "payload": {"n": number}}
            answers = [await self._append(event), await self._append(event)]  # as after a lost answer
            async with self._answered:
                self.statuses += [answer.status for answer in answers]
                self.written.append(event_id)
                self._answered.notify_all()

    async def _append(self, event: dict[str, Any]) -> RuntimeResponse:
        body = msgspec.json.encode({"event": event})
        headers = {"content-type": "application/json"}
        return await self._port.call(RuntimeRequest(OWNER, "POST", "/workers/log/events", "", headers, body))

    async def more(self, calls: int) -> None:
        """Return once so many more are answered."""
        wanted = len(self.statuses) + calls
        async with self._answered:
            await self._answered.wait_for(lambda: len(self.statuses) >= wanted)


async def test_every_key_is_replaced_under_load_and_nothing_is_refused_lost_or_unprovable(database, tmp_path):
    home = Home(tmp_path).make()
    keys = Keys(KeySettings(home=home.path), home)
    _ = keys.codes, keys.vapid  # made at an API's start
    settings = msgspec.structs.replace(OLD, keys_now=keys.runtime_now)
    stopping, clock = asyncio.Event(), SystemClock()
    async with asyncio.timeout(60), runtime_with(settings, database) as runtime:
        app = http_app.build(runtime, keys=keys.verifying_now, clock=clock, stopping=stopping)
        async with Server(app, stopping=stopping).running() as server:
            port = SignedHttpPort(server.url, keys.signing_now, clock)
            await leased(runtime)
            await insert_worker(runtime, "log")
            load = Load(port)
            async with asyncio.TaskGroup() as group:
                for name in ("a", "b"):
                    group.create_task(load.run(name))
                for number, purpose in enumerate(PURPOSES):
                    await ask(runtime, "turn/start", f"r{number}", {"input": [{"text": f"password=exact{number}"}]})
                    await load.more(6)
                    await KeyFiles(home.secrets, purpose, keys.settings).rotate(Turning(load))
                    await load.more(6)
                load.ended = True
            entries = await Companion(runtime).feed()
            sealer = Sealer(runtime.pool, lambda: settings.keys.seal, clock)
            await sealer.seal_all()
            async with runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
                report = await Verifier(conn, keys.seal_public).verify()
                stored = await conn.fetchval(
                    "select count(*) from event join worker using (worker_no) where worker_id = 'log'"
                )
            await port.aclose()

    assert set(load.statuses) == {202}
    assert stored == len(load.written)
    asked = [entry["body"]["params"]["input"][0]["text"] for entry in entries if entry["kind"] == "request"]
    assert asked == [f"password=exact{number}" for number in range(len(PURPOSES))]
    assert report.whole


async def test_seals_of_before_and_after_a_rotation_verify_together(database, tmp_path):
    home = Home(tmp_path).make()
    keys = Keys(KeySettings(home=home.path), home)
    settings = msgspec.structs.replace(OLD, keys_now=keys.runtime_now)
    async with asyncio.timeout(60), runtime_with(settings, database) as runtime:
        sealer = Sealer(runtime.pool, lambda: settings.keys.seal, SystemClock())
        await insert_worker(runtime, "w")
        await call(runtime, "POST", "/workers/w/events", {"event": EVENT})
        await sealed(runtime, sealer)
        await KeyFiles(home.secrets, "seal", keys.settings).rotate(SystemClock())
        await call(runtime, "POST", "/workers/w/events", {"event": {**EVENT, "event_id": "after"}})
        await sealed(runtime, sealer)
        async with runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            report = await Verifier(conn, keys.seal_public).verify()
            signers = await conn.fetchval("select count(distinct key_id) from seal")

    assert report.whole
    assert report.unsealed == []
    assert signers == 2


async def sealed(runtime: Runtime, sealer: Sealer) -> None:
    """Seal what there is; the runtime's own sealer may have the turn meanwhile."""
    while await runtime.pool.fetchval(
        """select coalesce(sum(latest_seq), 0) > coalesce((select sum(to_seq - from_seq + 1) from seal
               where source = 'worker'), 0) from worker_head"""
    ):
        await sealer.seal_all()
