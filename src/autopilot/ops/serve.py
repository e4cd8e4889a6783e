"""Serve an ASGI app with uvicorn, with limits, and an end that comes in time although streams never end.

Owns the listening socket, the limits on a request's head, and shutdown: `stopping` is set first, so that streams say
goodbye themselves; what is still open after GRACE_SECONDS is cancelled. Signals are not touched: the process owns them
(lifecycle.stop_on_signals). Never logs requests (access.py does).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, cast

import uvicorn
from starlette.types import ASGIApp, Scope
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from autopilot.contract.errors import HeadersTooLarge, InvalidRequest, Problem, RequestTimeout
from autopilot.ops.connections import Connection, Connections
from autopilot.ops.handshakes import Handshakes
from autopilot.ops.tls import Tls
from autopilot.ops.transport import GatheringTransport

WIRE = "autopilot.wire"
"""The ASGI extension that holds a request's Wire."""
WHOLE = "autopilot.response"
"""The message of a whole response: `status`, `headers` with its length, `body`. `ops.access` takes it."""
GRACE_SECONDS = 1
"""How long open responses may take to end by themselves at shutdown."""
MAX_HEAD_BYTES = 32 * 1024
"""Request line and headers together; more is 431."""
MAX_HEADERS = 100
HEAD_SECONDS = 15.0
"""How long a client may take to send a request's head; then 408. Also ends connections that never say anything."""
STALL_SECONDS = 120.0
"""How long a client may leave what is ready for it unread; then its connection is cut."""
LINGER_SECONDS = 2.0
"""How long a refused client may take to read why."""
KEEP_ALIVE_SECONDS = 75
"""Longer than the idle time of common proxies, so that they close first and no request meets a closing socket."""


def _answer_of(problem: Problem) -> bytes:
    body = json.dumps(problem.body()).encode()
    head = (
        f"HTTP/1.1 {problem.status} {problem.code}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\ncache-control: no-store\r\n"
        "x-content-type-options: nosniff\r\ncontent-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
        "referrer-policy: no-referrer\r\n\r\n"
    )
    return head.encode() + body


LATE_HEAD = _answer_of(RequestTimeout("No request arrived in time.", reason_code="head_timeout"))


class LimitedHttp(HttpToolsProtocol):
    """uvicorn's fast parser, which by itself takes a head of any size and waits for it forever."""

    _head_bytes = 0
    _in_head = False
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _refused = False
    _is_late = False
    _answered: RequestResponseCycle | None = None
    """The request that is being answered: `cycle` is the last that came, and waits where the client doesn't."""

    def __init__(
        self, *args: Any, connections: Connections, until_now: Connection | None = None, **kwargs: Any
    ) -> None:
        """`until_now`: what has this connection's place among the others."""
        super().__init__(*args, **kwargs)
        self._among = connections
        self._until_now = until_now

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # pyrefly: ignore[bad-argument-type] - it is a Transport, as uvicorn says
        self._gathering = GatheringTransport(transport, self.loop)
        super().connection_made(self._gathering)
        if self._among.enter(self, self.client, until_now=self._until_now):
            self._expect_head()
        else:
            self.make_room()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_stall_timer()
        self._among.leave(self)
        self._leave_unheard()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._in_head:  # the parser gathers an unfinished header in memory, and says nothing of it until it ends
            self._count(len(data))
        elif self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()  # line ends before a request: they stopped the timer of an idle connection

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._gathering.direct = None
        self._stop_stall_timer()
        self._stall_timer = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    @override
    def resume_writing(self) -> None:
        self._stop_stall_timer()
        super().resume_writing()

    @override
    def on_response_complete(self) -> None:
        self._gathering.direct = None
        self._answered = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self.cycle.response_complete:  # no other was asked for in the meantime
            self._among.waits(self)

    def make_room(self) -> None:
        """Close at once, for others."""
        self._refused = True
        self._stop_timer()
        self.transport.abort()

    @override
    def on_message_begin(self) -> None:
        self._head_bytes, self._in_head = 0, True
        super().on_message_begin()
        if self._head_timer is None:
            self._expect_head()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: it came past every check of the head
        if len(self.headers) >= MAX_HEADERS:
            self._refuse(HeadersTooLarge(f"Over {MAX_HEADERS} headers.", reason_code="too_many", limit=MAX_HEADERS))
        super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        if self._refused:
            return
        self._in_head = False
        self._stop_timer()
        if ambiguity := self._ambiguity():
            self._refuse(InvalidRequest(ambiguity, reason_code="malformed_http"))
            return
        self._count(len(self.url) + sum(map(len, chain.from_iterable(self.headers))) + 4 * len(self.headers))
        if not self._refused:
            self._among.asks(self)
            super().on_headers_complete()
            self._answered = self._answered or self.cycle
            if self.cycle is not None:
                extensions: dict[str, Any] = {WIRE: Wire(self.cycle, self._gathering)}
                self.scope["extensions"] = extensions

    @override
    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(InvalidRequest(msg, reason_code="malformed_http"))

    def _ambiguity(self) -> str | None:
        """What a proxy before us may have read in another way; the parser itself refuses the rest.

        The URL of another server (absolute-form, CONNECT) has a host beside `Host`; HTTP/0.9 has no headers; framing of
        a body that is not plainly `chunked`, or comes with HTTP/1.0, ends in another place for others.
        """
        version = self.parser.get_http_version()
        if not self.url.startswith(b"/"):
            return "The request's target is no path."
        if version not in {"1.1", "1.0"}:
            return "The request is of no version that is spoken here."
        for name, value in self.headers:
            if name == b"transfer-encoding" and (value.lower() != b"chunked" or version == "1.0"):
                return "The request's Transfer-Encoding is not plainly chunked."
        return None

    def _count(self, size: int) -> None:
        self._head_bytes = size if not self._in_head else self._head_bytes + size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(
                HeadersTooLarge(
                    f"The request's head is over {MAX_HEAD_BYTES} bytes.", reason_code="too_large", limit=MAX_HEAD_BYTES
                )
            )

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer, self._is_late = None, True
        self._among.end_in_turn(self._end_late)

    def _end_late(self) -> None:
        if not self._is_late:  # it came all the same, or the connection is gone
            return
        if self._in_head:
            self._refuse_with(LATE_HEAD)
        else:  # nothing was begun: there is nothing to answer
            self.transport.close()

    def _stop_timer(self) -> None:
        self._is_late = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _leave_unheard(self) -> None:
        """Tell the response under way that nobody listens any more; uvicorn tells only that of the last request."""
        self._gathering.direct = None
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _refuse(self, problem: Problem) -> None:
        if not self._refused:
            self._refuse_with(_answer_of(problem))

    def _refuse_with(self, answer: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._stop_timer()
        self._leave_unheard()
        self.transport.write(answer)
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        # What the client still sends is read and dropped: closing at once would reset the connection, answer included.
        self.transport.write_eof()
        self._head_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)


class Wire:
    """What an app may know and do past ASGI, for one request: whether its body is there, and pieces of its response."""

    __slots__ = ("_cycle", "_is_head", "_transport", "bytes_written")

    _latest: ClassVar[tuple[bytes, bytes]] = b"", b""
    """A body and its chunk: many readers are given the very same body one after the other."""

    def __init__(self, cycle: RequestResponseCycle, transport: GatheringTransport) -> None:
        self._cycle = weakref.ref(cycle)  # which has this in its scope: each request would be garbage to be looked for
        self._transport = transport
        self._is_head = cycle.scope["method"] == "HEAD"
        self.bytes_written = 0

    def has_whole_body(self) -> bool:
        """Whether the next `receive` returns all of the body at once, without waiting (all that was not received)."""
        cycle = self._cycle()
        return cycle is not None and not cycle.more_body

    def respond(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write a whole response at once, past uvicorn's `send`, which looks at each header with two expressions.

        `headers` have the content-length. False where it is not that simple: nothing was done then.
        """
        cycle = self._cycle()
        if (
            cycle is None
            or cycle.response_started
            or cycle.disconnected
            or cycle.flow.write_paused
            or not cycle.keep_alive
        ):
            return False
        lines = [b"%b: %b\r\n" % header for header in (*cycle.default_headers, *headers)]
        head = b"".join([STATUS_LINE[status], *lines, b"\r\n"])
        if self._is_head or head.count(b"\n") != len(lines) + 2:
            return False
        self._transport.write_at_once(head + body)
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        cycle.on_response()
        return True

    def write(self, body: bytes) -> bool:
        """Write a piece of a chunked response past its task, for streams with many readers (relay in api.http.stream).

        Called between two sends of the response's own task, never during one: a piece is a whole HTTP chunk. Nothing
        is written where the response is not under way, or its reader is slow, or gone.
        """
        transport = self._transport
        if transport.direct is not self and not self._may_write():
            return False
        if body is not Wire._latest[0]:
            Wire._latest = body, b"%x\r\n%b\r\n" % (len(body), body)
        transport.write_at_once(Wire._latest[1])
        self.bytes_written += len(body)
        return True

    def _may_write(self) -> bool:
        """Look at all of the response; it is not looked at again before `LimitedHttp` says that something happened.

        Of a thousand readers who are written to in turn, each object that is looked at has left the caches.
        """
        cycle = self._cycle()
        if cycle is None or self._is_head or cycle.flow.write_paused or cycle.disconnected:
            return False
        if cycle.response_complete or not cycle.chunked_encoding:
            return False
        self._transport.direct = self
        return True


def wire_of(scope: Scope) -> Wire | None:
    """The request's Wire, where our server serves it."""
    return scope.get("extensions", {}).get(WIRE)


class Server(uvicorn.Server):
    """One listening app. `stopping` is set when the end begins: long responses watch it and finish."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        uds: Path | None = None,
        stopping: asyncio.Event | None = None,
        connections: Connections | None = None,
        tls: Tls | None = None,
        **options: Any,
    ) -> None:
        """`uds`: a unix socket instead of an address. `stopping`: an event the app already has. Others: uvicorn's.

        `connections`: whose limits hold. `tls`: the certificate to serve with.
        """
        limits = Connections() if connections is None else connections
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            uds=None if uds is None else str(uds),
            # pyrefly: ignore[bad-argument-type] - it is called as the class is
            http=functools.partial(LimitedHttp, connections=limits),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            backlog=2048,
            **options,
        )
        super().__init__(config)
        self.stopping = stopping or asyncio.Event()
        self._scheme = "http" if tls is None else "https"
        self._handshakes = None if tls is None else Handshakes(tls.context, limits, self._inside)
        self._tasks: asyncio.TaskGroup | None = None
        self._secure: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port that was bound, once started."""
        return (self._secure or self.servers[0].sockets)[0].getsockname()[1]

    @property
    def url(self) -> str:
        """Where it answers, once started over TCP."""
        host = str(self.config.host)
        return f"{self._scheme}://[{host}]:{self.port}" if ":" in host else f"{self._scheme}://{host}:{self.port}"

    def stop(self) -> None:
        """Begin the end; `serve` returns within GRACE_SECONDS and a little."""
        self.should_exit = True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Serve while the body runs, entered once connections are taken; it ends in order however the body ends.

        Raises:
            OSError: the address can't be bound.
        """
        sockets = None
        if self._handshakes is not None:
            sockets = [_bound(str(self.config.host), self.config.port)]
        elif self.config.uds is None:
            _bound(str(self.config.host), self.config.port).close()  # uvicorn would end the process
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self.serve(sockets))
            try:
                while not self.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
                    await asyncio.sleep(0.005)
                yield self
            finally:
                self.stop()
                await asyncio.wait(
                    {serving}
                )  # the group would cancel it when the body failed: uvicorn then closes nothing

    @override
    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """`sockets`: what to listen on; with TLS they must be given."""
        if self._handshakes is None:
            await super().serve(sockets)
            return
        async with asyncio.TaskGroup() as self._tasks:
            await super().serve(sockets)

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._handshakes is None:
            await super().startup(sockets)
            return
        assert sockets is not None
        assert self._tasks is not None
        await super().startup([])  # uvicorn accepts nothing itself
        self._secure = sockets
        for sock in sockets:
            sock.listen(self.config.backlog)
        self._handshakes.take_from(sockets, self._tasks)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping.set()
        if self._handshakes is not None:
            self._handshakes.end()
        await super().shutdown(sockets)

    def _inside(self, until_now: Connection) -> asyncio.Protocol:
        """What speaks HTTP on a connection with TLS, as uvicorn would make it."""
        speaks = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return speaks(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, until_now=until_now
        )

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


def _bound(host: str, port: int) -> socket.socket:
    """A socket at this address.

    Raises:
        OSError: the address can't be bound.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
