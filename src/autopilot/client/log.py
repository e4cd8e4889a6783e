"""The SDK's local log: one record an operation, each a flat JSON-able mapping, through standard logging.

Loggers `autopilot.client.*`; nothing is configured here unless an application asks (`to_file`). Every call and every
stream opening leaves its `x_request_id` (INFO); what failed leaves a WARNING with code, status and attempt. Values of
tokens, payloads and query strings never come here.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopilot.contract.errors import AutopilotError
from autopilot.contract.instants import instant
from autopilot.contract.redaction import redact

LOGGER = logging.getLogger("autopilot.client")
_ATTRIBUTE = "autopilot"
RECENT_LINES = 400
_LONGEST_VALUE = 300
"""Characters of a value that are kept in memory."""


def record(event: str, *, level: int = logging.INFO, logger: logging.Logger = LOGGER, **fields: Any) -> None:
    """Log `event` with its fields; None values are left out."""
    if logger.isEnabledFor(level):
        kept = {name: value for name, value in fields.items() if value is not None}
        logger.log(level, "%s %s", event, _words(kept), extra={_ATTRIBUTE: {"event": event, **kept}})


def failure(event: str, error: AutopilotError, **fields: Any) -> None:
    """Log that an operation failed, and how."""
    record(
        event,
        level=logging.WARNING,
        error=type(error).__name__,
        status=error.status,
        code=error.code,
        reason_code=error.reason_code,
        message_text=error.message,
        retry_after_seconds=error.retry_after_seconds,
        **fields,
    )


def fields_of(log_record: logging.LogRecord) -> dict[str, Any]:
    """The structured part of one of our records; empty for others."""
    found = getattr(log_record, _ATTRIBUTE, None)
    return dict(found) if isinstance(found, dict) else {}


class JsonFormatter(logging.Formatter):
    """One line of JSON a record: `ts` (RFC 3339 UTC), `level`, `logger`, `event`, and the record's fields."""

    # pyrefly: ignore[missing-override-decorator]  # typing.override is 3.12's
    def format(self, record: logging.LogRecord) -> str:
        """Render `record`."""
        fields = fields_of(record) or {"event": record.getMessage()}
        at = instant(datetime.fromtimestamp(record.created, UTC))
        line = {"ts": at, "level": record.levelname.lower(), "logger": record.name, **fields}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def to_file(path: Path, *, max_bytes: int = 1_000_000, backups: int = 2) -> logging.Handler:
    """Keep the SDK's log in a bounded file of the user's own (0600); returns the handler, for `removeHandler`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    return handler


class Recent(logging.Handler):
    """The last lines, in memory: for a person who looks why something does not work, or sends it to somebody.

    Each is a mapping as `JsonFormatter` renders it, without tracebacks. Beyond what is never logged, what looks like a
    credential is blanked, and long values are cut.
    """

    def __init__(self, lines: int = RECENT_LINES) -> None:
        super().__init__()
        self._lines: deque[dict[str, Any]] = deque(maxlen=lines)

    # pyrefly: ignore[missing-override-decorator]  # typing.override is 3.12's
    def emit(self, record: logging.LogRecord) -> None:
        """Keep `record`."""
        fields = fields_of(record)
        if fields:
            at = instant(datetime.fromtimestamp(record.created, UTC))
            kept = {name: _short(value) for name, value in fields.items()}
            self._lines.append(redact({"ts": at, "level": record.levelname.lower(), **kept}))

    def forget(self) -> None:
        """Keep none of them: whoever looks next may be somebody else."""
        self._lines.clear()

    @property
    def lines(self) -> tuple[dict[str, Any], ...]:
        """All of them, the oldest first."""
        return tuple(self._lines)

    @property
    def failures(self) -> tuple[dict[str, Any], ...]:
        """Those that tell of a failure, the latest first."""
        return tuple(line for line in reversed(self.lines) if line["level"] in ("warning", "error", "critical"))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep what is logged within it."""
        LOGGER.addHandler(self)
        if not LOGGER.isEnabledFor(logging.INFO):
            LOGGER.setLevel(logging.INFO)
        try:
            yield
        finally:
            LOGGER.removeHandler(self)


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _words(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())
