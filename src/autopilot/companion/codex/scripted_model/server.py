"""The scripted model's HTTP server: `POST …/responses` on loopback, one asyncio server, no framework.

Owns its listening socket and the gates. A gate is how a test stops a turn at a place it knows: the model streams half
of a message, `reached(name)` returns, and `open(name)` lets it go on. Over HTTP: `POST /gates/<name>`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from autopilot.companion.codex.scripted_model import conversation, story
from autopilot.companion.codex.scripted_model.conversation import Conversation, Step
from autopilot.companion.codex.scripted_model.response import Cut, Pause, response

MAX_BODY_BYTES = 64 * 1024 * 1024
KEEPALIVE_SECONDS = 1.0
END_SECONDS = 1.0
FINISHED: Step = {"say": "(the script is finished)"}


class ScriptedModel:
    """`async with ScriptedModel() as model: model.base_url`."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._reached: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.answered = 0
        """Model requests answered so far."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for gate in self._gates.values():
            gate.set()
        for writer in list(self._writers):
            writer.close()
        if self._serving:
            await asyncio.wait(self._serving, timeout=END_SECONDS)

    @property
    def base_url(self) -> str:
        """What Codex's `model_providers.*.base_url` must say."""
        return f"http://127.0.0.1:{self._port}/v1"

    async def reached(self, gate: str) -> None:
        """Wait until a response stands before `gate`."""
        await self._reached[gate].wait()

    def open(self, gate: str) -> None:
        """Let every response that stands, or will stand, before `gate` go on."""
        self._gates[gate].set()

    async def forever(self) -> None:
        """Serve until cancelled."""
        assert self._server is not None
        await self._server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            while request := await _read_request(reader):
                await self._answer(*request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, Cut):
            pass  # a client that leaves mid-stream, or a script that cuts, is part of the play
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if method == "POST" and path.startswith("/gates/"):
            self.open(path.removeprefix("/gates/"))
            await _write_json(writer, 200, {"open": path.removeprefix("/gates/")})
        elif method == "POST" and path.endswith("/responses"):
            await self._respond(json.loads(body), writer)
        else:
            await _write_json(writer, 404, {"error": {"message": "not here"}})

    async def _respond(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        talk = conversation.read(request)
        step = next_step(talk)
        self.answered += 1
        if "http" in step:
            error = step.get("body", {"error": {"message": "a scripted error"}})
            await _write_json(writer, step["http"], error, step.get("headers"))
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in response(talk.step, step, talk.tools):
            if isinstance(part, Pause):
                await self._pause(part, writer)
            else:
                await _write_chunk(writer, part)
        await _write_chunk(writer, b"")

    async def _pause(self, pause: Pause, writer: asyncio.StreamWriter) -> None:
        if pause.gate is None:
            await asyncio.sleep(pause.seconds)
            return
        self._reached[pause.gate].set()
        async for _ in _until(self._gates[pause.gate]):
            await _write_chunk(writer, b": waiting\n\n")  # also finds out whether the client has left


def next_step(talk: Conversation) -> Step:
    """The step to play: of the prompt's script, else of the demo's story."""
    scripted = talk.scripted
    if scripted is None:
        return story.step(talk)
    return scripted[talk.step] if talk.step < len(scripted) else FINISHED


async def _until(gate: asyncio.Event) -> AsyncIterator[None]:
    """Yield every `KEEPALIVE_SECONDS` until the gate is open."""
    while not gate.is_set():
        yield
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEPALIVE_SECONDS):
                await gate.wait()


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes] | None:
    """(method, path, body) of the next request on the connection; None at its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(headers.get("content-length") or 0)
    if length > MAX_BODY_BYTES:
        return None
    return method, path, await reader.readexactly(length)


async def _write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()


async def _write_json(
    writer: asyncio.StreamWriter, status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> None:
    data = json.dumps(body).encode()
    lines = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + data)
    await writer.drain()
