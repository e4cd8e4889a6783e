"""What crosses a process boundary: messages, sets of strings, error codes, the runtime's port. Pure standard library.

Every message of `proto/autopilot/v1` is here as a frozen dataclass with the wire's own names, and every enum as a
`StrEnum`; both are loaded when first used. `decode` and `encode` go between them and plain JSON values. Fields are
annotated `str` where the values known today (a set named in the docstring) may grow: show unknown ones as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autopilot.contract import _generated
from autopilot.contract._generated import VERSION
from autopilot.contract.codec import DecodeError, Json, JsonObject, decode, encode

if TYPE_CHECKING:
    from autopilot.contract._generated import *  # noqa: F403  the names, for readers of types; loaded lazily below

__all__ = ["VERSION", "DecodeError", "Json", "JsonObject", "decode", "encode", *_generated.MODULES]  # noqa: PLE0604  all are strings


def __getattr__(name: str) -> Any:
    if name not in _generated.MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_generated, name)
    globals()[name] = value
    return value
