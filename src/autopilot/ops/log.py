"""Structured logs: one event a line, with what is bound to the request, redacted before it is written.

Processes call `configure` once; libraries only log. Our own loggers write their line straight to the stream; the
standard library's (uvicorn, asyncpg, ours in `db` and `client`) come out in the same form. Every line of a request
carries its `x_request_id` and `traceparent`. A line that can't be written never breaks what it tells of.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from autopilot.ops.sieve import may_hold_secret

Redact = Callable[[Any], Any]
"""A JSON-like value in, the same without secrets out (autopilot.contract.redaction)."""
Render = Callable[[WrappedLogger, str, EventDict], str]
"""An event as the line that is written."""

_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ORDERS_AND_LINES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that move a cursor or turn text around."""
_OF_LINES = frozenset({"exception", "stack"})
"""What is meant to be several lines."""

_names: ContextVar[Mapping[str, str]] = ContextVar("autopilot_log_names", default={})  # noqa: B039 - never changed
"""What `correlated` gives to every line."""


def configure(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["auto", "console", "json"] = "auto",
    redact: Redact | None = None,
    stream: TextIO | None = None,
    **bound: str,
) -> None:
    """Set the process's logs up. `bound` (such as `process="runtime"`) goes into every line. May be repeated."""
    stream = stream or sys.stderr
    is_console = form == "console" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_logger_name,
        _correlate,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _bind(bound),
        structlog.processors.format_exc_info,
    ]
    render = _to_console(redact) if is_console else _to_json(redact)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _of_the_sdk, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for noisy in ("uvicorn.access", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # requests are logged once, by ops.access
    structlog.configure(
        processors=[_complete(bound)],
        logger_factory=functools.partial(Lines, handler, render),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,  # tests configure more than once
    )


class Lines:
    """Where our own loggers end: an event becomes a line of the stream, beside the lines of the standard library's."""

    __slots__ = ("_handler", "_render", "name")

    def __init__(self, handler: logging.StreamHandler[TextIO], render: Render, name: str = "autopilot") -> None:
        self._handler = handler
        self._render = render
        self.name = name

    def write(self, /, **event: Any) -> None:
        """Write one line. What fails is the standard library's to report, which never raises."""
        handler = self._handler
        handler.acquire()
        try:
            handler.stream.write(self._render(self, "", event) + "\n")
            handler.stream.flush()
        except Exception:
            logging.getLogger("autopilot.log").exception("log.line_lost", extra={"lost": event["event"]})
        finally:
            handler.release()

    debug = info = warning = error = critical = write


def get_logger(name: str = "autopilot") -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("event.appended", count=3)`; the event is a constant, facts are keywords."""
    return structlog.stdlib.get_logger(name)


class correlated:  # noqa: N801 - used like the context managers of contextlib, at a third of their cost
    """Give every line logged within, also by tasks started within, these names."""

    __slots__ = ("_named", "_token")

    def __init__(self, *, x_request_id: str | None = None, traceparent: str | None = None, **more: str) -> None:
        if x_request_id is not None:
            more["x_request_id"] = x_request_id
        if traceparent is not None:
            more["traceparent"] = traceparent
        self._named = more

    def __enter__(self) -> None:
        self._token = _names.set({**_names.get(), **self._named})

    def __exit__(self, *_raised: object) -> None:
        _names.reset(self._token)


def current_request_id() -> str | None:
    """The `x_request_id` bound here, for calls onwards."""
    return _names.get().get("x_request_id")


def current_traceparent() -> str | None:
    """The `traceparent` bound here."""
    return _names.get().get("traceparent")


def _to_json(redact: Redact | None) -> Render:
    """How a line is written: redacted where its text may hold a secret, which few do."""

    def to_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        line = msgspec.json.encode(event, enc_hook=str)
        if redact is not None and may_hold_secret(line):
            line = msgspec.json.encode(redact(msgspec.json.decode(line)))
        return line.decode()

    return to_json


def _to_console(redact: Redact | None) -> Render:
    render = structlog.dev.ConsoleRenderer()

    def to_console(logger: WrappedLogger, method: str, event: EventDict) -> str:
        said = redact(dict(event)) if redact else event
        return render(logger, method, {name: _printable(name, value) for name, value in said.items()})

    return to_console


def _printable(name: str, value: Any) -> Any:
    """What a terminal shows and never obeys: in a path, say, anybody may write the orders that clear its screen."""
    if not isinstance(value, str):
        return value
    orders = _ORDERS if name in _OF_LINES else _ORDERS_AND_LINES
    return orders.sub(lambda found: repr(found[0])[1:-1], value)


def _correlate(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, value in _names.get().items():
        event.setdefault(name, value)
    return event


def _complete(bound: dict[str, str]) -> Processor:
    """What the standard library's lines go through step by step, for our own at once: steps are half of the cost."""

    def complete(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        line = {**_names.get(), **bound, **event, "logger": logger.name, "level": method}
        line["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        return structlog.processors.format_exc_info(logger, method, line) if "exc_info" in line else line

    return complete


def _bind(bound: dict[str, str]) -> Processor:
    def bind(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**bound, **event}

    return bind


def _of_the_sdk(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The SDK logs through the standard library alone: its event and fields come as one mapping, `autopilot`."""
    fields = event.pop("autopilot", None)
    return {**event, **fields} if isinstance(fields, dict) else event
