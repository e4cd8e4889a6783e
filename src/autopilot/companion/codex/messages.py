"""Codex's JSON-RPC messages, read without touching what they carry.

Pure. `params` and `result` stay the raw text that Codex sent (`msgspec.Raw`): big integers, key order and number
formats survive. On Codex's wire there is no `"jsonrpc"` member (docs/guide/companion.md).
"""

from __future__ import annotations

from typing import Any

import msgspec

EMPTY = msgspec.Raw(b"{}")
ABSENT = msgspec.Raw(b"")
"""A member that is not there. (msgspec takes no `Raw | None`.)"""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A notification (`method`), a request of Codex (`method` and `id`), or an answer (`id`)."""

    method: str | None = None
    id: msgspec.Raw = ABSENT
    """Codex's request ids: integers from 0 for each process; our own: what we chose."""
    params: msgspec.Raw = EMPTY
    result: msgspec.Raw = ABSENT
    error: msgspec.Raw = ABSENT
    emittedAtMs: int | None = None  # noqa: N815  # the wire's name
    """When Codex emitted it, in milliseconds since the epoch."""

    @property
    def failed(self) -> bool:
        """Whether this answer says no; `"error": null` beside a result is none."""
        return bytes(self.error) not in {b"", b"null"}


class CodexError(Exception):
    """Codex, or the way to it, did not do what was asked.

    CodexError
    ├── CodexRefused      Codex answered with an error; `code` is nearly always -32600, the message tells more
    ├── CodexSilent       no answer in time: whether Codex acted is unknown
    ├── CodexGone         the connection ended before the answer: whether Codex acted is unknown
    │   └── CodexTooLarge it ended because Codex said more at once than we take: to this call, or to another
    ├── CodexAstray       Codex answered what leads nowhere: a page of a list whose next page was there before
    └── CodexUnavailable  Codex can't be found, started or spoken to
    """


class CodexRefused(CodexError):
    """Codex answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CodexSilent(CodexError):
    """No answer within the call's time."""


class CodexGone(CodexError):
    """The connection ended."""


class CodexTooLarge(CodexGone):
    """A frame of Codex's was too large for the connection."""


class CodexAstray(CodexError):
    """An answer that can't be followed."""


class CodexUnavailable(CodexError):
    """Not found, not started, or not to be spoken to."""


class _ErrorObject(msgspec.Struct, frozen=True):
    code: Any = 0
    message: Any = "an error without words"


_message = msgspec.json.Decoder(Message)
_error = msgspec.json.Decoder(_ErrorObject)


def decode(frame: bytes) -> Message:
    """One frame as a message.

    Raises:
        msgspec.DecodeError: it is no JSON-RPC message.
    """
    return _message.decode(frame)


def refusal(error: msgspec.Raw) -> CodexRefused:
    """The error that an answer carries, whatever its shape."""
    try:
        told = _error.decode(error)
    except msgspec.DecodeError:  # no object
        told = _ErrorObject(message=bytes(error).decode(errors="replace"))
    words = told.message if isinstance(told.message, str) else msgspec.json.encode(told.message).decode()
    return CodexRefused(told.code if isinstance(told.code, int) else 0, words)


def request(identity: int, method: str, params: Any) -> bytes:
    """The frame of a call; `params` may be `msgspec.Raw`. Always sent, `{}` where nothing is needed."""
    return msgspec.json.encode({"id": identity, "method": method, "params": {} if params is None else params})


def notification(method: str) -> bytes:
    """The frame of a notification."""
    return msgspec.json.encode({"method": method})


def answer(identity: msgspec.Raw, result: Any) -> bytes:
    """The frame that answers a request of Codex."""
    return msgspec.json.encode({"id": identity, "result": result})


def error_answer(identity: msgspec.Raw, code: int, message: str) -> bytes:
    """The frame that refuses a request of Codex."""
    return msgspec.json.encode({"id": identity, "error": {"code": code, "message": message}})
