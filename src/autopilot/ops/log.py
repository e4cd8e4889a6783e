"""Structured logs: one event a line, with what is bound to the request, redacted before it is written.

Processes call `configure` once; libraries only log. The standard library's loggers (uvicorn, asyncpg, ours in `db` and
`client`) come out in the same form. Every line of a request carries its `x_request_id` and `traceparent`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from autopilot.contract.redaction import may_hold_secret

Redact = Callable[[Any], Any]
"""A JSON-like value in, the same without secrets out (autopilot.contract.redaction)."""


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
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _bind(bound),
        structlog.processors.format_exc_info,
    ]
    last: list[Processor] = [structlog.processors.JSONRenderer(_to_json(redact))]
    if is_console:
        last = [*([_redacting(redact)] if redact else []), structlog.dev.ConsoleRenderer()]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _name_of, _of_the_sdk, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for noisy in ("uvicorn.access", "httpx2", "httpcore2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # requests are logged once, by ops.access
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # tests configure more than once
    )


def get_logger(name: str = "autopilot") -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("event.appended", count=3)`; the event is a constant, facts are keywords."""
    return structlog.stdlib.get_logger(name)


@contextlib.contextmanager
def correlated(*, x_request_id: str | None = None, traceparent: str | None = None, **more: str) -> Iterator[None]:
    """Give every line logged within, also by tasks started within, these names."""
    named = {"x_request_id": x_request_id, "traceparent": traceparent, **more}
    with structlog.contextvars.bound_contextvars(**{key: value for key, value in named.items() if value is not None}):
        yield


def current_request_id() -> str | None:
    """The `x_request_id` bound here, for calls onwards."""
    return structlog.contextvars.get_contextvars().get("x_request_id")


def current_traceparent() -> str | None:
    """The `traceparent` bound here."""
    return structlog.contextvars.get_contextvars().get("traceparent")


def _to_json(redact: Redact | None) -> Callable[..., str]:
    """How a line is written: redacted where its text may hold a secret, which few do."""

    def to_json(event: EventDict, **_: Any) -> str:
        line = msgspec.json.encode(event, enc_hook=str)
        if redact is not None and may_hold_secret(line):
            line = msgspec.json.encode(redact(msgspec.json.decode(line)))
        return line.decode()

    return to_json


def _bind(bound: dict[str, str]) -> Processor:
    def bind(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**bound, **event}

    return bind


def _redacting(redact: Redact) -> Processor:
    def without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return redact(dict(event))

    return without_secrets


def _name_of(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    return {**event, "logger": record.name} if record is not None else event


def _of_the_sdk(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The SDK logs through the standard library alone: its event and fields come as one mapping, `autopilot`."""
    fields = event.pop("autopilot", None)
    return {**event, **fields} if isinstance(fields, dict) else event
