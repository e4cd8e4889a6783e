"""One keep-alive HTTP/1.1 connection with next to no cost of its own, so that a bench measures the server."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class Wire:
    """Requests go out one after the other; answers must have a Content-Length."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.head = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    async def send(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send one request, return status and body."""
        self.writer.write(
            b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s"
            % (method.encode(), path.encode(), len(body), self.head, body)
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        length = 0
        for line in head.split(b"\r\n")[1:]:
            if line[:15].lower() == b"content-length:":
                length = int(line[15:])
        return status, await self.reader.readexactly(length)

    async def expect(self, status: int | tuple[int, ...], method: str, path: str, body: bytes = b"") -> bytes:
        """As `send`, but any other status ends the bench with what the server said."""
        got, answer = await self.send(method, path, body)
        if got not in (status if isinstance(status, tuple) else (status,)):
            raise RuntimeError(f"{method} {path} answered {got}: {answer[:400]!r}")
        return answer
