"""A method-and-path table. Owns matching, 404 and 405; knows nothing of workers or machines.

Patterns are relative to `/internal/v1/codex` and name their variable segments: `/workers/{worker_id}/events`.
Segments are matched percent-encoded and handed over decoded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import msgspec

from autopilot.contract.errors import InvalidRequest, MethodNotAllowed, NotFound, Problem, Unprocessable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse

Match = Mapping[str, str]
Endpoint = Callable[[RuntimeRequest, Match], Awaitable[RuntimeResponse]]

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path pattern."""

    method: str
    pattern: str
    endpoint: Endpoint


class _Node:
    """One segment of the path tree."""

    __slots__ = ("children", "endpoints", "name", "variable")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.name = ""
        self.endpoints: dict[str, Endpoint] = {}


class Router:
    """Finds the endpoint of a request."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._root = _Node()
        for route in routes:
            self.add(route)

    def add(self, route: Route) -> None:
        """Register a route; a second one of the same method and pattern is a programming error."""
        node = self._root
        for segment in route.pattern.strip("/").split("/"):
            if segment.startswith("{"):
                node.variable = node.variable or _Node()
                node = node.variable
                node.name = segment.strip("{}")
            else:
                node = node.children.setdefault(segment, _Node())
        if route.method in node.endpoints:
            raise ValueError(f"{route.method} {route.pattern} is registered twice")
        node.endpoints[route.method] = route.endpoint

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        """The endpoint and the decoded variable segments.

        Raises:
            NotFound: no route has this path.
            MethodNotAllowed: the path has routes, none with this method.
        """
        node = self._root
        match: dict[str, str] = {}
        for segment in path.strip("/").split("/"):
            fixed = node.children.get(segment)
            if fixed is None and node.variable is not None and segment:
                node = node.variable
                match[node.name] = unquote(segment, errors="replace")
            elif fixed is not None:
                node = fixed
            else:
                raise NotFound("no such route", reason_code="no_such_route")
        if not node.endpoints:
            raise NotFound("no such route", reason_code="no_such_route")
        endpoint = node.endpoints.get(method)
        if endpoint is None:
            allowed = sorted(node.endpoints)
            raise MethodNotAllowed(f"{method} is not for this route", reason_code="method", allowed=allowed)
        return endpoint, match


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> RuntimeResponse:
    """A response whose body is `value` as JSON."""
    return RuntimeResponse(status, {"content-type": JSON, **(headers or {})}, msgspec.json.encode(value))


def data_response(status: int, value: object) -> RuntimeResponse:
    """`{"data": value}`, the envelope of every success; `msgspec.Raw` parts pass through as they are."""
    return json_response(status, {"data": value})


def problem_response(problem: Problem) -> RuntimeResponse:
    """A refusal in the contract's form."""
    headers = {}
    if problem.retry_after_seconds is not None:
        headers["retry-after"] = str(max(1, round(problem.retry_after_seconds)))
    return json_response(problem.status or 500, problem.body(), headers)


def query_of(request: RuntimeRequest) -> dict[str, str]:
    """The query's parameters; one that is given twice with different values is refused.

    Raises:
        InvalidRequest: a parameter has two values.
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        if found.setdefault(name, value) != value:
            raise InvalidRequest(f"{name} is given twice", reason_code="repeated_parameter", field=name)
    return found


def integer_of(query: Mapping[str, str], name: str, *, low: int, high: int, default: int | None) -> int | None:
    """An integer parameter within `low..high`.

    Raises:
        Unprocessable: not an integer, or out of range.
    """
    text = query.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19 and low <= int(text) <= high):  # noqa: PLR2004 - digits of a bigint
        raise Unprocessable(f"{name} must be an integer from {low} to {high}", reason_code="out_of_range", field=name)
    return int(text)
