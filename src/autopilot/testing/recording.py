"""Write down what a client and a Codex app-server say to each other, in a form that names nobody.

Owns the rows of a recording, one for each message, in the order in which they came by:
`{"conn": 1, "dir": "c2s"|"s2c", "msg": {…}}`, and `{"conn": 1, "dir": "opened", "codex": 1}` at the start of each
connection, where `codex` counts the processes behind it. Never changes, delays or answers a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed

MAX_FRAME_BYTES = 64 * 1024 * 1024
EPOCH = 1_795_000_000
"""When everything recorded happened, in seconds."""
TIMES = frozenset({"createdAt", "updatedAt", "startedAt", "completedAt", "recencyAt", "addedAt"})
IDS = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b(?:call|msg|resp|rs|fc|ctc)_\w*[0-9a-f]{8,}\b"
)
ROLLOUT = re.compile(r"\d{4}/\d\d/\d\d/rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d")
HOST = re.compile(r"(https?://)(?!127\.0\.0\.1|localhost)[\w.-]+")
PORT = re.compile(r"(127\.0\.0\.1|localhost):\d+")

Row = dict[str, Any]


class RecordingProxy:
    """Listens at `path` while it is entered; `rows` is what came by."""

    def __init__(self, path: Path, codex: Path) -> None:
        """`codex`: the app-server's own socket."""
        self.path = path
        self.rows: list[Row] = []
        self.processes = 1
        """Which process is behind `codex` now; whoever replaces it counts on."""
        self._codex = codex
        self._numbers = itertools.count(1)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take connections until the end."""
        async with unix_serve(self._pass_on, str(self.path), compression=None, max_size=MAX_FRAME_BYTES):
            yield

    async def _pass_on(self, client: ServerConnection) -> None:
        number = next(self._numbers)
        self.rows.append({"conn": number, "dir": "opened", "codex": self.processes})
        async with (
            unix_connect(
                str(self._codex), "ws://localhost/", compression=None, ping_interval=None, max_size=MAX_FRAME_BYTES
            ) as codex,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._one_way(client, codex, number, "c2s"))
            tasks.create_task(self._one_way(codex, client, number, "s2c"))

    async def _one_way(
        self,
        source: ClientConnection | ServerConnection,
        target: ClientConnection | ServerConnection,
        number: int,
        direction: str,
    ) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in source:
                self.rows.append({"conn": number, "dir": direction, "msg": json.loads(frame)})
                await target.send(frame)
        await target.close()


def sanitised(rows: Iterable[Row], places: Mapping[str, str], *, machine: str) -> list[Row]:
    """The same session of nobody's: ids counted by their first appearance, one time for everything, `places` renamed.

    `places`: a text of this machine, such as a folder -> what stands for it; longer ones are replaced first.
    `machine`: the machine's own name, which counts only where it is the whole of a text.
    """
    cleaner = _Cleaner(places, machine)
    return [cleaner.row(number, row) for number, row in enumerate(rows)]


class _Cleaner:
    def __init__(self, places: Mapping[str, str], machine: str) -> None:
        self._machine = machine
        self._places = sorted(places.items(), key=lambda place: -len(place[0]))
        self._ids: dict[str, str] = {}
        self._processes: dict[str, str] = {}

    def row(self, number: int, row: Row) -> Row:
        cleaned = self._value("", row)
        if "emittedAtMs" in cleaned.get("msg", {}):
            cleaned["msg"]["emittedAtMs"] = EPOCH * 1000 + number
        return cleaned

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._text(name): self._value(name, one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._value(key, one) for one in value]
        if isinstance(value, str):
            return self._process(value) if key == "processId" else self._text(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        return self._number(key, value)

    def _number(self, key: str, value: float) -> float:
        if key in {"durationMs", "timeToFirstTokenMs"}:
            return 1
        if key.endswith("AtMs"):
            return EPOCH * 1000
        return EPOCH if key in TIMES else value

    def _process(self, value: str) -> str:
        return self._processes.setdefault(value, str(1000 + len(self._processes)))

    def _text(self, value: str) -> str:
        if value == self._machine:
            return "machine"
        for text, name in self._places:
            value = value.replace(text, name)
        value = HOST.sub(r"\1example.com", value)
        value = PORT.sub(r"\1:8080", value)
        value = ROLLOUT.sub("2026/11/18/rollout-2026-11-18T11-06-40", value)
        return IDS.sub(lambda found: self._id(found[0]), value)

    def _id(self, known: str) -> str:
        if known not in self._ids:
            number = len(self._ids) + 1
            prefix = known.partition("_")[0]
            named = f"{prefix}_{number:012x}" if "_" in known else f"00000000-0000-7000-8000-{number:012x}"
            self._ids[known] = named
        return self._ids[known]
