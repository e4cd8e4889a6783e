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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopilot.contract.errors import AutopilotError
from autopilot.contract.instants import instant

LOGGER = logging.getLogger("autopilot.client")
_ATTRIBUTE = "autopilot"


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


def _words(fields: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())
