"""What is recorded of a Codex: turns, questions of every kind and their answers, interrupts, deaths, comings back.

Each scenario is a client's session with a real Codex on the scripted model, told as that client; `make record-sessions`
writes down what both sides said. What Codex needs a model of its own for, or a terminal, is not here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from tests.companion.asking import UNTRUSTED
from tests.companion.installation import FULL_ACCESS
from tests.companion.kinds import KINDS, Kind
from tests.companion.launching import make_codex_home, make_launch, make_project
from tests.waiting import until

from autopilot.companion.codex import history, questions
from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.connection import Connection, open_connection
from autopilot.companion.codex.forms import Choice
from autopilot.companion.codex.messages import Message
from autopilot.companion.codex.process import AppServer
from autopilot.ops.clock import SystemClock
from autopilot.testing.model import ScriptedModel, script
from autopilot.testing.recording import RecordingProxy, Row, sanitised

PATIENCE_SECONDS = 30.0
PATCH = "*** Begin Patch\n*** Update File: hello.txt\n@@\n-hello\n+good morning\n*** End Patch\n"
TWICE = ({"shell": "echo one"}, {"shell": "echo one"}, {"say": "done"})

Fits = Callable[[Message], bool]


class Client:
    """One client of Codex, and all that it has heard."""

    def __init__(self) -> None:
        self.connection: Connection
        self._heard: asyncio.Queue[Message] = asyncio.Queue()

    async def take(self, message: Message) -> None:
        """The connection's sink."""
        self._heard.put_nowait(message)

    async def call(self, method: str, **params: Any) -> Any:
        return msgspec.json.decode(await self.connection.call(method, params))

    async def until(self, fits: Fits) -> Message:
        """The next message that fits; what came before it is past."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not fits(message := await self._heard.get()):
                pass
            return message

    async def answer(self, result: Any, *, fits: Fits = lambda _: True) -> None:
        """Answer the next question."""
        asked = await self.until(lambda message: bool(message.id) and fits(message))
        await self.connection.answer(asked.id, result)

    async def ends(self, turns: int = 1) -> None:
        for _ in range(turns):
            await self.until(said("turn/completed"))


@dataclass
class Stage:
    """Where a scenario plays."""

    server: AppServer
    proxy: RecordingProxy
    model: ScriptedModel
    project: Path

    @contextlib.asynccontextmanager
    async def client(self, *, unseen: bool = False) -> AsyncIterator[Client]:
        """A client that has introduced itself; ended at the end, whatever became of Codex.

        `unseen`: past the proxy, so that nothing of it is recorded.
        """
        made = Client()
        path = self.server.launch.socket if unseen else self.proxy.path
        made.connection = await open_connection(path, made.take, clock=SystemClock())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(made.connection.run())
            await made.connection.initialize("0")
            yield made
            await made.connection.close()

    async def thread(self, client: Client, **params: Any) -> str:
        return (await client.call("thread/start", cwd=str(self.project), **params))["thread"]["id"]

    async def kill(self) -> None:
        """Kill Codex, and start the next one."""
        assert self.server.record is not None
        os.killpg(self.server.record.pid, signal.SIGKILL)
        await self.server.stop()
        await self.server.ensure()
        self.proxy.processes += 1


def said(method: str, item: str | None = None) -> Fits:
    """A notification of this method, of an item of this type where one is named."""

    def fits(message: Message) -> bool:
        if message.method != method:
            return False
        return item is None or msgspec.json.decode(message.params)["item"]["type"] == item

    return fits


def words(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": script(*steps)}]


async def turn(client: Client, thread: str, *steps: dict[str, Any]) -> str:
    return (await client.call("turn/start", threadId=thread, input=words(*steps)))["turn"]["id"]


async def take_up(client: Client, thread: str) -> None:
    """What the companion asks of a thread that it hears of again."""
    await client.call("thread/resume", threadId=thread, excludeTurns=True)
    call = client.connection.call
    for one in [one async for one in history.turns(call, thread, newest_first=True)]:
        async for _ in history.items(call, thread, turn_id=one.turn_id):
            pass


async def a_turn(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        await turn(
            client,
            thread,
            {"reason": "I think", "say": "I will look", "shell": "cat hello.txt; echo oops >&2"},
            {"patch": PATCH},
            {"say": "done"},
        )
        await client.ends()


async def allowed(stage: Stage, kind: Kind) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **kind.thread)
        await turn(client, thread, kind.step(stage.project), {"say": "done"})
        await client.answer(kind.allows)
        await client.ends()


async def declined(stage: Stage, kind: Kind) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **kind.thread)
        await turn(client, thread, kind.step(stage.project), {"say": "then not"})
        asked = await client.until(lambda message: bool(message.id))
        method, params = str(asked.method), msgspec.json.decode(asked.params)
        await client.connection.answer(asked.id, questions.wire(method, params, Choice(kind.no, None)))
        await client.ends()


async def cancelled(stage: Stage) -> None:
    async with stage.client() as client:
        await turn(client, await stage.thread(client, **UNTRUSTED), *TWICE)
        await client.answer({"decision": "cancel"})
        await client.ends()


async def allowed_for_the_session(stage: Stage) -> None:
    async with stage.client() as client:
        await turn(client, await stage.thread(client, **UNTRUSTED), *TWICE)
        await client.answer({"decision": "acceptForSession"})
        await client.ends()


async def interrupted_words(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        turn_id = await turn(client, thread, {"say": "many words that nobody waits for", "gate": "words"})
        await stage.model.reached("words")
        await client.call("turn/interrupt", threadId=thread, turnId=turn_id)
        await client.ends()


async def interrupted_command(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        turn_id = await turn(client, thread, {"shell": "echo begun; exec sleep 600"}, {"say": "never"})
        await client.until(said("item/started", "commandExecution"))
        await client.call("turn/interrupt", threadId=thread, turnId=turn_id)
        await client.ends()


async def interrupted_question(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **UNTRUSTED)
        turn_id = await turn(client, thread, *TWICE)
        await client.until(lambda message: bool(message.id))
        await client.call("turn/interrupt", threadId=thread, turnId=turn_id)
        await client.ends()


async def steered(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        turn_id = await turn(client, thread, {"say": "first words", "gate": "words"}, {"say": "second"})
        await stage.model.reached("words")
        await client.call("turn/steer", threadId=thread, expectedTurnId=turn_id, input=words({"say": "otherwise"}))
        stage.model.open("words")
        await client.ends()


async def queued(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        await turn(client, thread, {"say": "first words", "gate": "words"})
        await stage.model.reached("words")
        waiting = {"clientUserMessageId": "queued", "input": words({"say": "second"})}
        await client.call("thread/queue/add", threadId=thread, **waiting)
        stage.model.open("words")
        await client.ends(2)


async def compacted_and_forked(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        await turn(client, thread, {"say": "words"})
        await client.ends()
        await client.call("thread/compact/start", threadId=thread)
        await client.ends()
        await client.call("thread/fork", threadId=thread)
        await client.until(said("thread/started"))


async def failing_model(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        await turn(client, thread, {"fail": {"code": "server_error", "message": "the model is away"}})
        await client.ends()


async def killed_in_words(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **FULL_ACCESS)
        await turn(client, thread, {"shell": "echo one"}, {"say": "many words to nobody", "gate": "words"})
        await stage.model.reached("words")
        await stage.kill()
    async with stage.client() as client:
        await take_up(client, thread)
        await turn(client, thread, {"say": "again"})
        await client.ends()


async def killed_in_a_question(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **UNTRUSTED)
        await turn(client, thread, *TWICE)
        await client.until(lambda message: bool(message.id))
        await stage.kill()
    async with stage.client() as client:
        await take_up(client, thread)


async def asked_again(stage: Stage) -> None:
    async with stage.client() as client:
        thread = await stage.thread(client, **UNTRUSTED)
        await turn(client, thread, {"shell": "echo one"}, {"say": "done"})
        await client.until(lambda message: bool(message.id))
    async with stage.client() as client:
        await take_up(client, thread)
        await client.answer({"decision": "accept"})
        await client.ends()


async def missed_the_end(stage: Stage) -> None:
    async with stage.client() as first:
        thread = await stage.thread(first, **FULL_ACCESS)
        await turn(first, thread, {"say": "words before", "gate": "words", "shell": "echo one"}, {"say": "after"})
        await stage.model.reached("words")
    stage.model.open("words")
    async with stage.client(unseen=True) as looking:

        async def ended() -> bool:
            return await history.running_turn(looking.connection.call, thread) is None

        await until(ended)
    async with stage.client() as client:
        await take_up(client, thread)


Scenario = Callable[[Stage], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {
    "a_turn": a_turn,
    **{f"{kind.name}_allowed": partial(allowed, kind=kind) for kind in KINDS},
    **{f"{kind.name}_declined": partial(declined, kind=kind) for kind in KINDS},
    "command_cancelled": cancelled,
    "command_allowed_for_the_session": allowed_for_the_session,
    "interrupted_words": interrupted_words,
    "interrupted_command": interrupted_command,
    "interrupted_question": interrupted_question,
    "steered": steered,
    "queued": queued,
    "compacted_and_forked": compacted_and_forked,
    "failing_model": failing_model,
    "killed_in_words": killed_in_words,
    "killed_in_a_question": killed_in_a_question,
    "asked_again": asked_again,
    "missed_the_end": missed_the_end,
}


async def record(program: CodexBinary, scenario: Scenario, root: Path) -> list[Row]:
    """Play one scenario in the empty folder `root`; the recording, sanitised."""
    async with ScriptedModel() as model:
        launch = make_launch(root, make_codex_home(root, model), program)
        server = AppServer(launch, SystemClock())
        proxy = RecordingProxy(root / "recorded.sock", launch.socket)
        await server.ensure()
        try:
            async with proxy.listening():
                await scenario(Stage(server, proxy, model, make_project(root)))
        finally:
            await server.stop()
    return sanitised(proxy.rows, _places(program, root), machine=platform.node())


def _places(program: CodexBinary, root: Path) -> dict[str, str]:
    """What names this machine -> what stands for it."""
    return {
        str(root / "codex-home"): "/home/dev/codex",
        str(root / "home"): "/home/dev",
        str(root): "/home/dev",
        str(Path(__file__).parents[2]): "/home/dev/autopilot",
        str(program.path.resolve().parent): "/usr/local/bin",
        str(program.path.parent): "/usr/local/bin",
        sys.executable: "/usr/bin/python3",
        sys.prefix: "/usr",
        str(Path.home()): "/home/dev",
    }
