"""`autopilot artifacts` and `autopilot artifact`, against a real server; what `watch` says of them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from structlog.testing import capture_logs
from tests.api.served import serving

from autopilot.cli.artifacts import artifact, artifacts
from autopilot.cli.ask import request
from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import Options
from autopilot.cli.paint import Painter
from autopilot.client.timeline import Timeline
from autopilot.client.timeline_form import item_from_json, item_to_json
from autopilot.client.timeline_items import CommandExecution, Whole
from autopilot.contract import Envelope
from autopilot.contract.errors import NotFound
from autopilot.contract.port import Claims
from autopilot.runtime.app import build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import insert_worker

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1)
TEXT = "".join(f"{n:06d} línea\n" for n in range(20_000))
RAW = TEXT.encode()
SHA256 = hashlib.sha256(RAW).hexdigest()
ID = SHA256[:32]
REF = {"artifact_id": ID, "path": "/params/item/aggregatedOutput", "bytes": len(RAW), "sha256": SHA256}
REF |= {"media_type": "text/plain", "head_bytes": 0, "tail_bytes": 0}
ENDED = {"type": "commandExecution", "id": "i", "command": "make", "aggregatedOutput": "…", "status": "completed"}
PAYLOAD = {
    "source": "autopilot-desktop",
    "method": "item/completed",
    "params": {"threadId": "t", "turnId": "u", "item": ENDED},
    "artifacts": [REF],
}


@pytest.fixture
async def options(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Options, Companion]]:
    """Somebody's worker `w`, whose log refers to an artifact; what commands are given, and the machine."""
    async with (
        AsyncExitStack() as stack,
        await build(SETTINGS, dsn=database) as runtime,
        serving(database, runtime) as api,
    ):
        stack.enter_context(capture_logs())  # the server would log where the command prints
        person = await api.mint("ada@example.org")
        companion = Companion(runtime, user_id=person.userId)
        await insert_worker(runtime, "w", Claims(user_id=person.userId))
        await companion.register()
        await companion.claim("w")
        assert (await companion.append("w", "worker.event", "e", **PAYLOAD)).status == 202
        monkeypatch.setenv("AUTOPILOT_TOKEN", person.token)
        monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
        yield Options(url=api.url), companion


async def store(companion: Companion) -> None:
    part = {"artifact_id": ID, "offset": 0, "text": TEXT}
    answer = await companion.post("/workers/w/artifacts", {"artifacts": [part], "generation": 1})
    assert answer.data[0]["state"] == "stored"


async def test_an_artifact_is_listed_printed_in_ranges_and_written_to_a_file(
    options: tuple[Options, Companion], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    given, companion = options
    with pytest.raises(NotFound) as pending:
        await artifact("w", ID, options=given)
    assert pending.value.reason_code == "artifact_pending"
    await store(companion)
    capfdbinary.readouterr()

    await artifacts("w", options=given)
    assert ID.encode() in capfdbinary.readouterr().out
    await artifact("w", ID[:6], options=given)
    assert capfdbinary.readouterr().out == RAW
    await artifact("w", ID, range_="100-199", options=given)
    assert capfdbinary.readouterr().out == RAW[100:200]
    await artifact("w", ID, range_="-50", options=given)
    assert capfdbinary.readouterr().out == RAW[-50:]
    file = tmp_path / "made.txt"
    await artifact("w", ID, output=file, options=given)
    assert file.read_bytes() == RAW
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".made")]  # noqa: PTH208 - a test
    capfdbinary.readouterr()
    await artifact("w", ID, range_="0-9", options=Options(url=given.url, json=True))
    assert json.loads(capfdbinary.readouterr().out.splitlines()[-1]) == {
        "artifact_id": ID,
        "bytes": 10,
        "text": TEXT[:9],
    }


async def test_what_arrived_of_one_that_is_not_whole_is_printed_when_asked_for(
    options: tuple[Options, Companion], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    given, companion = options
    part = {"artifact_id": ID, "offset": 0, "text": TEXT[:100_000]}
    answer = await companion.post("/workers/w/artifacts", {"artifacts": [part], "generation": 1})
    assert answer.data[0]["state"] == "pending"
    await companion.release("w")
    await companion.runtime.pool.execute("update artifact set state = 'lost', lost_reason = 'overdue'")
    with pytest.raises(NotFound) as lost:
        await artifact("w", ID, options=given)
    assert lost.value.reason_code == "artifact_lost"
    capfdbinary.readouterr()

    await artifact("w", ID, incomplete=True, options=given)
    assert capfdbinary.readouterr().out == RAW[: answer.data[0]["next_offset"]]
    await artifacts("w", options=given)
    assert b" arrived)" in capfdbinary.readouterr().out


@pytest.mark.parametrize(("range_", "named"), [("x", ID), ("9-3", ID), ("-0", ID), ("0-", "ffff")])
async def test_what_makes_no_sense_is_said(
    options: tuple[Options, Companion], range_: str, named: str, tmp_path: Path
) -> None:
    given, _ = options

    with pytest.raises(CommandFailed) as failed:
        await artifact("w", named, range_=range_, output=tmp_path / "file", options=given)

    assert failed.value.exit_code == (Exit.NOT_FOUND if named != ID else Exit.USAGE)
    assert not (tmp_path / "file").exists()


async def test_what_is_no_file_is_written_to_and_never_replaced(
    options: tuple[Options, Companion], tmp_path: Path
) -> None:
    given, companion = options
    await store(companion)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(asyncio.to_thread(pipe.read_bytes))
        await artifact("w", ID, output=pipe, options=given)

    assert reading.result() == RAW
    assert pipe.is_fifo()


def test_a_timeline_says_where_the_whole_of_an_item_is_and_keeps_it() -> None:
    timeline = Timeline()
    envelope = Envelope(
        workerId="w", seq=1, eventType="worker.event", payload=PAYLOAD, occurredAt="2026-11-22T07:16:00Z", eventId="e"
    )
    (item,) = timeline.apply(envelope)
    printed = io.StringIO()

    Painter(Console(file=printed, width=200), worker_id="w").paint([item])

    assert isinstance(item, CommandExecution)
    assert item.wholes == (Whole(artifact_id=ID, path=REF["path"], bytes=len(RAW)),)
    assert item_from_json(json.loads(json.dumps(item_to_json(item)))) == item
    assert f"artifact w {ID})" in printed.getvalue()
    assert "(whole: 280.0 kB: " in printed.getvalue()


async def test_an_answer_that_was_too_large_is_printed_in_part_or_whole_once_it_has_come(
    options: tuple[Options, Companion], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    given, companion = options
    ask = partial(request, "thread/read", worker="w", request_id="r", wait=0.001, options=given)
    assert await ask() == Exit.UNDECIDED
    ref = {**REF, "path": "/response/thread/turns/0/text"}
    response = {"thread": {"turns": [{"text": "…"}]}}
    ended = {"source": "autopilot-desktop", "request_id": "r", "method": "thread/read", "ok": True}
    told = await companion.append("w", "worker.response", "response:r", **ended, response=response, artifacts=[ref])
    assert told.status == 202
    capfdbinary.readouterr()

    assert await ask() == Exit.OK
    printed = capfdbinary.readouterr()
    assert json.loads(printed.out) == response
    assert b"1 parts were too large" in printed.err
    asked, _ = await asyncio.gather(ask(whole=True), store(companion))
    assert asked == Exit.OK
    assert json.loads(capfdbinary.readouterr().out)["thread"]["turns"][0]["text"] == TEXT


async def test_what_anybody_else_calls_an_artifact_is_none_of_a_receipt_s(options: tuple[Options, Companion]) -> None:
    given, companion = options
    await request("thread/read", worker="w", request_id="r", wait=0.001, options=given)

    await companion.append("w", "worker.response", "response:r", request_id="r", ok=True, response={}, artifacts=[REF])

    async with connected(given) as client:
        receipt = await client.receipt("w", "r")
    assert (receipt.state, receipt.artifacts) == ("completed", ())
