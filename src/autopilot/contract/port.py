"""The door between the API and the runtime: one call, bytes through, whatever lies between.

The API authenticates and says *who* asks (`Claims`); the runtime decides *whether* and does it. The port has two
implementations: a plain method call within one process, and signed HTTP (`/internal/v1/codex/...`) between two.
Bodies pass through as bytes, so that what the ledger encoded once is never encoded again.
Source: docs/runtime-contract.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Claims:
    """Who asks, as the API established it from a token; never taken from a body."""

    user_id: int | None = None
    """Exactly one of `user_id` and `guest_scope` is set."""
    guest_scope: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    machine_id: str | None = None
    """The machine an `execute` token is bound to."""
    scopes: frozenset[str] = frozenset()
    """Of `observe`, `administer`, `execute`, `admin`; `administer` includes `observe`."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Team id -> `owner`, `operator` or `viewer`."""
    memberships: Mapping[str, int] = field(default_factory=dict)
    """Team id -> the number of the membership through which that role is held."""
    surface: str = "sdk"
    """`ios`, `web`, `cli`, `sdk`, `companion` or `runtime`."""
    step_up: bool = False
    shown: tuple[str, ...] | None = None
    """The workers that a guest was shown; None: who asks is no guest."""
    shown_by: int | None = None
    """Whose workers these are."""
    membership_no: int | None = None
    """The membership that this very call is about, just looked up; None: about none."""
    address: str | None = None
    """Where this very call comes from, for the audit; None: nobody said."""


@dataclass(frozen=True, slots=True)
class RuntimeRequest:
    """One call of the internal contract."""

    claims: Claims
    method: str
    path: str
    """Percent-encoded, relative to `/internal/v1/codex`: `/workers/desktopw%3A1/stream`."""
    query: str = ""
    """Raw query string without the question mark."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names; those that mean something to the runtime: `x-request-id`, `traceparent`, `tracestate`,
    `last-event-id`, `content-type`."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class RuntimeResponse:
    """Its answer. A stream's `body` is an async iterator of byte chunks, which the caller must exhaust or `aclose`."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]


DirectWrite = Callable[[bytes], bool]
"""Takes whole frames for one reader at once; False where it is slow or gone, and nothing was taken."""


@runtime_checkable
class DirectStream(Protocol):
    """A streamed body of this process that can spare its reader's task a wake-up for each frame."""

    def write_to(self, write: DirectWrite) -> None:
        """From now on, while `__anext__` waits, frames may be given to `write` instead of being returned."""
        ...


class RuntimePort(Protocol):
    """What the API knows of the runtime."""

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        """Do one call. Refusals are responses in the contract's form, not exceptions.

        Raises:
            autopilot.contract.errors.Unavailable: the runtime can't be reached.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
