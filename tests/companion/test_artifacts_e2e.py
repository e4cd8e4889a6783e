"""What Codex says and is too large for an event: real Codex, the real ledger, a companion that is killed in between."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.companion.installation import PATIENCE_SECONDS, Installation, assert_sound, installed, item, method
from tests.waiting import until

from autopilot.client import RuntimeCodexClient
from autopilot.companion.codex import connection
from autopilot.companion.codex.messages import Message
from autopilot.companion.codex.process import Launch
from autopilot.companion.recorder import Recorder
from autopilot.contract import Artifact, Envelope
from autopilot.contract.errors import NotFound
from autopilot.contract.port import RuntimePort, RuntimeRequest, RuntimeResponse
from autopilot.testing.model import ScriptedModel

pytestmark = pytest.mark.e2e

NUMBERS = 700_000
"""`seq` prints 4.8 MB of them."""
KEPT_BY_CODEX = 512 * 1024
"""Of head and of tail of what a command prints; it says how many bytes are between them."""
PATCH_LINES = "".join(f"line {n:05d} of a long file\n" for n in range(9000))
PATCH = "*** Begin Patch\n*** Add File: long.txt\n" + "".join(f"+{line}\n" for line in PATCH_LINES.splitlines())


class Held:
    """A runtime that takes no artifacts until it is told to."""

    def __init__(self, runtime: RuntimePort) -> None:
        self._runtime = runtime
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self.passes = 0
        """So many calls are done, and their answers lost, before any is held."""

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        """See RuntimePort."""
        if request.method != "POST" or not request.path.endswith("/artifacts") or self.open.is_set():
            return await self._runtime.call(request)
        if self.passes:
            self.passes -= 1
            await self._runtime.call(request)
        self.asked.set()
        await self.open.wait()
        return await self._runtime.call(request)

    async def aclose(self) -> None:
        """See RuntimePort."""
        await self._runtime.aclose()


async def content(client: RuntimeCodexClient, worker_id: str, artifact_id: str, **asked: int) -> bytes:
    async with contextlib.aclosing(client.read_artifact(worker_id, artifact_id, **asked)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def stored(installation: Installation, worker_id: str, count: int) -> list[Artifact]:
    """The worker's artifacts, once so many are stored."""

    async def all_stored() -> list[Artifact]:
        found = list((await installation.owner.artifacts(worker_id)).artifacts)
        return found if len(found) == count and all(one.state == "stored" for one in found) else []

    return await until(all_stored)


def completed(log: list[Envelope], kind: str) -> Envelope:
    (found,) = [event for event in log if item(kind)(event)]
    return found


async def test_a_long_output_and_a_long_diff_are_in_the_event_in_part_and_beside_it_whole(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Message] = []
    take = Recorder.take

    async def heard(self: Recorder, message: Message) -> None:
        said.append(message)
        await take(self, message)

    monkeypatch.setattr(Recorder, "take", heard)
    async with installation.companion():
        worker = await installation.start_thread()
        await installation.turn(
            worker, {"shell": f"seq 1 {NUMBERS}"}, {"patch": PATCH + "*** End Patch\n"}, {"say": "."}
        )
        log = await installation.log_until(worker, method("turn/completed"))
        kept = {one.artifact_id: one for one in await stored(installation, worker, 4)}

    assert_sound(log)
    command = completed(log, "commandExecution")
    (ref,) = command.payload["artifacts"]
    output = command.payload["params"]["item"]["aggregatedOutput"]
    whole = await content(installation.owner, worker, ref["artifact_id"])
    printed = "".join(f"{n}\n" for n in range(1, NUMBERS + 1)).encode()
    assert ref["path"] == "/params/item/aggregatedOutput"
    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (ref["bytes"], ref["sha256"])
    assert output.encode()[: ref["head_bytes"]] == whole[: ref["head_bytes"]] == printed[: ref["head_bytes"]]
    assert output.encode()[-ref["tail_bytes"] :] == printed[-ref["tail_bytes"] :]
    assert len(output) < 40_000
    assert ref["artifact_id"] in output
    # Codex itself keeps no more than head and tail, and says so in the text: that text is the artifact.
    assert whole[:KEPT_BY_CODEX] == printed[:KEPT_BY_CODEX]
    assert whole[-KEPT_BY_CODEX:] == printed[-KEPT_BY_CODEX:]
    between = whole[KEPT_BY_CODEX:-KEPT_BY_CODEX].decode()
    assert f"{len(printed) - 2 * KEPT_BY_CODEX} bytes omitted" in between
    (ended,) = [one for one in map(_ended_item, said) if one.get("type") == "commandExecution"]
    assert whole.decode() == ended["aggregatedOutput"]
    part = await content(installation.owner, worker, ref["artifact_id"], first=500_000, last=600_000)
    assert part == whole[500_000:600_001]

    change = completed(log, "fileChange")
    (ref,) = [one for one in change.payload["artifacts"] if one["path"].startswith("/params/item/changes/")]
    assert (await content(installation.owner, worker, ref["artifact_id"])).decode() == PATCH_LINES
    (diff,) = [one for one in log if method("turn/diff/updated")(one)][-1].payload["artifacts"]
    patch = await content(installation.owner, worker, diff["artifact_id"])
    assert b"+line 00000" in patch
    assert b"+line 08999" in patch
    assert all(one.bytes == one.stored_bytes and not one.redacted and not one.truncated for one in kept.values())


def _ended_item(message: Message) -> dict[str, object]:
    params = msgspec.json.decode(message.params) if message.method == "item/completed" else {}
    return params.get("item", {})


@pytest.mark.parametrize("taken", [0, 1])
async def test_killed_between_an_event_and_its_artifact_both_are_there_exactly_once_afterwards(  # noqa: PLR0917 - parts
    database: str, tmp_path: Path, launch: Launch, model: ScriptedModel, project: Path, taken: int
) -> None:
    held: list[Held] = []

    def between(runtime: RuntimePort) -> RuntimePort:
        held.append(Held(runtime))
        held[0].passes = taken
        return held[0]

    async with installed(database, tmp_path, launch, model, project, between=between) as installation:
        process = await installation.start_process()
        worker = await installation.start_thread()
        await installation.turn(worker, {"shell": f"seq 1 {NUMBERS}"}, {"say": "done"})
        log = await installation.log_until(worker, method("turn/completed"))
        (ref,) = completed(log, "commandExecution").payload["artifacts"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await held[0].asked.wait()
        await process.kill()

        with pytest.raises(NotFound) as pending:
            await content(installation.owner, worker, ref["artifact_id"])
        assert pending.value.reason_code == "artifact_pending"
        assert (pending.value.fact("received_bytes") > 0) is bool(taken)
        held[0].open.set()
        await installation.start_process()
        (kept,) = await stored(installation, worker, 1)

        whole = await content(installation.owner, worker, ref["artifact_id"])
        log = await installation.whole_log(worker)

    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (ref["bytes"], ref["sha256"])
    assert kept.stored_sha256 == ref["sha256"]
    assert_sound(log)
    assert sum(item("commandExecution")(event) for event in log) == 1


WORDS = "".join(f"{n:06d} a word of a long answer\n" for n in range(22_000))


async def test_an_answer_too_large_for_a_receipt_is_in_it_in_part_and_beside_it_whole(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        said = [f"{n}: {WORDS}" for n in range(7)]
        for words in said:
            await installation.turn(worker, {"say": words, "chunk": len(words)})
            await installation.log_until(worker, method("turn/completed"))
        params = {"threadId": worker.removeprefix("desktopw:"), "includeTurns": True}

        async def at_rest() -> dict[str, Any] | None:
            """What Codex reads back; it says that a turn is over a moment before it keeps it as over."""
            read = msgspec.json.decode(await companion.codex.call("thread/read", params))
            return read if all(turn["status"] == "completed" for turn in read["thread"]["turns"]) else None

        codex_says = await until(at_rest)
        asked = await installation.owner.request(worker, "thread/read", params, wait_ms=30_000)
        whole = await installation.owner.whole_response(asked)
        log = await installation.whole_log(worker)

    assert len(msgspec.json.encode(codex_says)) > 4 * 1024 * 1024
    assert (asked.state, asked.ok) == ("completed", True)
    assert len(msgspec.json.encode(asked.response)) < 1024 * 1024
    assert whole["thread"]["turns"] == codex_says["thread"]["turns"]
    assert whole["thread"]["preview"] == codex_says["thread"]["preview"]
    assert {ref.path.partition("/turns/")[0] for ref in asked.artifacts} == {
        "/response/thread",
        "/response/thread/preview",
    }
    receipt = await installation.owner.receipt(worker, asked.request_id)
    assert (receipt.response, receipt.artifacts) == (asked.response, asked.artifacts)
    (ended,) = [event for event in log if event.eventType == "worker.response" and "artifacts" in event.payload]
    assert [one["path"] for one in ended.payload["artifacts"]] == [one.path for one in asked.artifacts]
    assert_sound(log)


async def test_an_answer_that_the_connection_can_not_take_fails_in_words_and_the_companion_goes_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_FRAME_BYTES", 2 * 1024 * 1024)
    async with installation.companion():
        worker = await installation.start_thread()
        for _ in range(4):
            await installation.turn(worker, {"say": WORDS, "chunk": len(WORDS)})
            await installation.log_until(worker, method("turn/completed"))
        params = {"threadId": worker.removeprefix("desktopw:"), "includeTurns": True}
        asked = await installation.owner.request(worker, "thread/read", params, wait_ms=60_000)
        smaller = await installation.owner.request(worker, "thread/items/list", {"limit": 1}, wait_ms=30_000)
        turn = await installation.turn(worker, {"say": "still here"})

    assert asked.error is not None
    assert (asked.state, asked.error["code"]) == ("failed", "response_too_large")
    assert "limit" in asked.error["message"]
    assert smaller.state == turn.state == "completed"
