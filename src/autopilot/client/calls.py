"""What every group of calls shares: the base path, percent-encoded ids, answers as messages, fresh ids."""

from __future__ import annotations

import uuid
from typing import Any, TypeVar
from urllib.parse import quote

from autopilot.client.http import Http, Reply
from autopilot.contract import decode
from autopilot.contract.errors import UnknownError

BASE = "/api/runtime/codex"

M = TypeVar("M")


def new_id(prefix: str) -> str:
    """A fresh id that says what it is of."""
    return f"{prefix}_{uuid.uuid4().hex}"


def path_of(*parts: str) -> str:
    """A path below the API's base; every part percent-encoded whole."""
    return "/".join([BASE, *(quote(part, safe="") for part in parts)])


def one(kind: type[M], reply: Reply) -> M:
    """The message under `data`.

    Raises:
        UnknownError: the answer is no such message.
    """
    return as_message(kind, reply.data, reply.request_id)


def many(kind: type[M], reply: Reply) -> list[M]:
    """The messages under `data`.

    Raises:
        UnknownError: the answer is no list of them.
    """
    if not isinstance(reply.data, list):
        raise _malformed("no list", reply.request_id)
    return [as_message(kind, item, reply.request_id) for item in reply.data]


def as_message(kind: type[M], value: Any, request_id: str | None = None) -> M:
    """A decoded JSON value as a message.

    Raises:
        UnknownError: it is none.
    """
    try:
        return decode(kind, value)
    except ValueError as error:
        raise _malformed(str(error), request_id) from error


def _malformed(problem: str, request_id: str | None) -> UnknownError:
    return UnknownError(f"the answer is malformed: {problem}", request_id=request_id, reason_code="malformed_answer")


class Calls:
    """A group of calls over one `Http`."""

    def __init__(self, http: Http) -> None:
        self._http = http
