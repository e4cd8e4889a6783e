"""The public worker and machine paths, and the internal ones they map to. Pure.

The table is the whole surface: what is not in it is 404, another method on it 405. Matching looks at the path as it was
sent (percent-encoded), segment by segment, so that an id with an encoded slash stays one segment. Source:
docs/protocol.md.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from autopilot.contract.errors import MethodNotAllowed, NotFound, Unprocessable

BASE = "/api/runtime/codex"

TABLE: tuple[tuple[str, str, str | None], ...] = (
    # methods, public path under BASE, internal path where it is another
    ("GET POST", "/workers", None),
    ("GET", "/workers/{worker_id}", "/workers/{worker_id}/snapshot"),
    ("GET", "/workers/{worker_id}/stream", None),
    ("GET POST", "/workers/{worker_id}/events", None),
    ("POST", "/workers/{worker_id}/requests", None),
    ("GET", "/workers/{worker_id}/requests/{request_id}", None),
    ("POST", "/workers/{worker_id}/requests/{request_id}/cancel", None),
    ("POST", "/workers/{worker_id}/stop", None),
    ("GET POST", "/workers/{worker_id}/artifacts", None),
    ("GET", "/workers/{worker_id}/artifacts/{artifact_id}", None),
    ("POST", "/workers/{worker_id}/lease", None),
    ("POST", "/workers/{worker_id}/lease/release", None),
    ("GET POST", "/machines", None),
    ("POST", "/machines/{machine_id}/team", None),
    ("POST", "/machines/{machine_id}/heartbeat", None),
    ("GET", "/machines/{machine_id}/feed", None),
    ("POST", "/machines/{machine_id}/feed/ack", None),
    ("POST", "/machines/{machine_id}/requests", None),
    ("GET", "/machines/{machine_id}/requests/{request_id}", None),
    ("POST", "/machines/{machine_id}/requests/{request_id}/cancel", None),
    ("POST", "/machines/{machine_id}/receipts", None),
    ("GET", "/approvals", None),
    ("GET", "/approvals/{approval_id}", None),
    ("POST", "/approvals/{approval_id}/decision", None),
    ("GET POST", "/policies", None),
    ("GET", "/policies/history", None),
    ("GET", "/policies/version", None),
    ("POST", "/policies/test", None),
    ("GET POST", "/prices", None),
    ("POST", "/policies/test/approval", None),
    ("GET", "/spend", None),
    ("GET", "/budgets", None),
    ("GET", "/audit", None),
    ("GET", "/trace/{request_id}", None),
    ("GET", "/stream", None),
    ("POST", "/stop-all", None),
)


MACHINE_TEAM = "/machines/{machine_id}/team"
"""The one path whose calls go on with the membership that they are about (sharing.py)."""


EVERYTHING = "/stream"
"""The one stream that the API has frames of its own for (recovery_watch.py)."""
WAITING = frozenset({"/workers/{worker_id}/requests", "/machines/{machine_id}/requests"})
"""Whose answers may take a minute: they are given to nobody whose session ended meanwhile."""


@dataclass(frozen=True, slots=True)
class Match:
    """A path of the table."""

    path: str
    """As the table has it, for metrics: `/workers/{worker_id}/stream`; never holds an id."""
    internal: str
    """Percent-encoded as it was sent, relative to `/internal/v1/codex`."""


@dataclass(slots=True)
class _Node:
    """One segment of the table's paths."""

    fixed: dict[str, _Node] = field(default_factory=dict)
    name: str | None = None  # of the id that may stand here
    any: _Node | None = None
    template: str | None = None
    internal: str = ""
    methods: tuple[str, ...] = ()


def _build() -> _Node:
    root = _Node()
    for methods, template, internal in TABLE:
        node = root
        for segment in template.split("/")[1:]:
            if segment.startswith("{"):
                node.name = segment[1:-1]
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.fixed.setdefault(segment, _Node())
        node.template, node.internal, node.methods = template, internal or template, tuple(methods.split())
    return root


_ROOT = _build()


@functools.lru_cache(maxsize=512)
def match(method: str, path: str) -> Match:
    """Find `path` (relative to BASE, percent-encoded) in the table.

    Raises:
        NotFound: no such path.
        MethodNotAllowed: the path has other methods.
        Unprocessable: an id that no path can hold: `.` or `..`.
    """
    node = _ROOT
    ids: dict[str, str] = {}
    for segment in path.split("/")[1:]:
        following = node.fixed.get(segment)
        if following is None and node.any is not None and node.name is not None and segment:
            _check_dots(node.name, segment)
            ids[node.name] = segment
            following = node.any
        if following is None:
            raise NotFound("no such path", reason_code="no_such_route")
        node = following
    if node.template is None:
        raise NotFound("no such path", reason_code="no_such_route")
    if method not in node.methods:
        raise MethodNotAllowed(
            f"{method} is not a method of this path", reason_code="method", allowed=list(node.methods)
        )
    return Match(node.template, node.internal.format_map(ids))


def _check_dots(name: str, segment: str) -> None:
    if unquote_to_bytes(segment) in {b".", b".."}:
        raise Unprocessable("a path can't hold this id", reason_code="dot_segment", field=name)
