"""`autopilot send`, `request` and `interrupt`, repeated after an answer that left open what became of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.api.served import EchoRuntime, serving

from autopilot.cli import ask
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.main import run
from autopilot.cli.options import Options
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import insert_worker

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1)
STARTED = {"method": "turn/started", "params": {"threadId": "t", "turn": {"id": "u1"}}}
COMPLETED = {"method": "turn/completed", "params": {"threadId": "t", "turn": {"id": "u1"}}}


@dataclass
class Desk:
    """A server, a person at a terminal, and two machines of theirs."""

    runtime: Runtime
    owner: Claims
    first: Companion
    second: Companion
    options: Options

    async def asked(self, method: str) -> list[tuple[str, str]]:
        """Where requests of this method went, and by which id."""
        found = await self.runtime.pool.fetch(
            "select target_id, request_id from receipt where method = $1 order by created_at",
            method,
        )
        return [(record["target_id"], record["request_id"]) for record in found]


@pytest.fixture
async def desk(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with await build(SETTINGS, dsn=database) as runtime, serving(database, runtime) as api:
        minted = await api.mint("ada@example.org")
        monkeypatch.setenv("AUTOPILOT_TOKEN", minted.token)
        owner = Claims(user_id=minted.userId, scopes=frozenset({"administer"}), surface="cli")
        first, second = (Companion(runtime, name, minted.userId) for name in ("m1", "m2"))
        with capture_logs():  # the server would log where the command prints
            await first.register(name="laptop")
            yield Desk(runtime, owner, first, second, Options(url=api.url))


async def open_threads(desk: Desk, companion: Companion) -> None:
    """Carry out each `thread/start` that reaches the machine, as a companion does: each makes another worker."""
    number = 0
    async with companion.following(0) as entries:
        async for entry in entries:
            body = entry.get("body", {})
            if entry["kind"] == "request" and body.get("method") == "thread/start":
                number += 1
                await insert_worker(desk.runtime, f"{companion.machine_id}-{number}", desk.owner)
                made = {"worker_id": f"{companion.machine_id}-{number}"}
                await companion.report(body["request_id"], "completed", response=made)


async def test_words_for_a_new_thread_that_are_repeated_open_no_second_one(desk: Desk) -> None:
    async def say() -> int:
        return await ask.send("hello", new=True, request_id="r1", wait=0, options=desk.options)

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(open_threads(desk, desk.first))
        assert await say() == Exit.UNDECIDED
        await desk.second.register(name="another that was heard later")
        opening_there = tasks.create_task(open_threads(desk, desk.second))
        assert await say() == Exit.UNDECIDED
        opening.cancel()
        opening_there.cancel()

    assert await desk.asked("thread/start") == [("m1", "r1.thread")]
    assert await desk.asked("turn/start") == [("m1-1", "r1")]


async def test_what_has_not_ended_is_asked_again_where_it_was_asked(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await insert_worker(desk.runtime, "w", desk.owner)
    capsys.readouterr()

    assert await ask.send("hello", request_id="r1", wait=0, options=desk.options) == Exit.UNDECIDED
    assert "Ask again with --worker w --request-id r1" in capsys.readouterr().err
    assert await ask.request("model/list", machine="any", request_id="r2", wait=0, options=desk.options) == 10
    assert "Ask again with --machine m1 --request-id r2" in capsys.readouterr().err


async def test_an_interrupt_that_is_repeated_means_the_turn_that_it_meant(desk: Desk) -> None:
    await insert_worker(desk.runtime, "w", desk.owner)
    await desk.first.claim("w")
    await desk.first.append("w", "worker.event", "e1", **STARTED)
    assert await ask.interrupt("w", request_id="r1", wait=0, options=desk.options) == Exit.UNDECIDED
    await desk.first.append("w", "worker.event", "e2", **COMPLETED)

    assert await ask.interrupt("w", request_id="r1", wait=0, options=desk.options) == Exit.UNDECIDED
    with pytest.raises(CommandFailed, match="No turn is running"):
        await ask.interrupt("w", request_id="r2", wait=0, options=desk.options)
    assert await desk.asked("turn/interrupt") == [("w", "r1")]


async def test_where_nobody_knows_whether_it_was_recorded_the_way_to_repeat_it_is_said(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    runtime = EchoRuntime()
    runtime.answer = lost
    async with serving(database, runtime) as api:
        monkeypatch.setenv("AUTOPILOT_TOKEN", (await api.mint("ada@example.org")).token)
        with pytest.raises(CommandFailed, match="Nobody knows whether") as doubt:
            await ask.send("hello", worker="w", wait=0, options=Options(url=api.url))

    sent = {json.loads(call.body)["request"]["request_id"] for call in runtime.calls if call.method == "POST"}
    assert [doubt.value.fact("asked")] == list(sent)
    assert f"--worker w --request-id {doubt.value.fact('asked')}" in doubt.value.message
    assert doubt.value.exit_code == Exit.UNDECIDED


async def lost(request: RuntimeRequest) -> RuntimeResponse:
    """No worker is listed; and what became of a request is not known."""
    if request.method == "GET":
        return RuntimeResponse(200, {"content-type": "application/json"}, b'{"data":[],"next":null}')
    error: dict[str, Any] = {"code": "unavailable", "message": "the database is away"}
    error["details"] = [{"reason_code": "database_away", "outcome": "unknown"}]
    return RuntimeResponse(503, {"content-type": "application/json"}, json.dumps({"error": error}).encode())


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_who_says_nothing_starts_no_turn(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["send", text, "--url", "http://127.0.0.1:9", "--json"]) == Exit.USAGE
    assert "nothing to send" in json.loads(capsys.readouterr().err)["error"]["message"]


async def test_a_folder_that_is_named_from_here_is_sent_whole(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(open_threads(desk, desk.first))
        for number, folder in enumerate(["src", None, "/there", "C:\\there"]):
            await ask.send("hi", new=True, cwd=folder, request_id=f"r{number}", wait=0, options=desk.options)
        opening.cancel()

    sent = await desk.runtime.pool.fetch("select params from receipt where method = 'thread/start' order by created_at")
    assert [json.loads(record["params"])["cwd"] for record in sent] == [
        str(tmp_path / "src"),
        str(tmp_path),
        "/there",
        "C:\\there",
    ]
