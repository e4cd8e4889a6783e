"""Claims on the internal wire: three headers that go with every signed call. Pure. Source: docs/runtime-contract.md.

`x-oa-runtime-claims` holds everything, as ASCII JSON; `x-oa-user-id` or `x-oa-guest-scope` says the principal again,
for proxies and logs, and must agree with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autopilot.contract.port import Claims

CLAIMS_HEADER = "x-oa-runtime-claims"
USER_HEADER = "x-oa-user-id"
GUEST_HEADER = "x-oa-guest-scope"


def to_headers(claims: Claims) -> dict[str, str]:
    """The headers of a call that speaks for `claims`."""
    value: dict[str, Any] = {
        "user_id": claims.user_id,
        "guest_scope": claims.guest_scope,
        "device_id": claims.device_id,
        "session_id": claims.session_id,
        "machine_id": claims.machine_id,
        "scopes": sorted(claims.scopes),
        "roles": dict(sorted(claims.roles.items())),
        "surface": claims.surface,
        "step_up": claims.step_up,
    }
    if claims.memberships:
        value["memberships"] = dict(sorted(claims.memberships.items()))
    if claims.shown is not None:
        value["shown"], value["shown_by"] = list(claims.shown), claims.shown_by
    if claims.membership_no is not None:
        value["membership_no"] = claims.membership_no
    if claims.address is not None:
        value["address"] = claims.address
    headers = {CLAIMS_HEADER: json.dumps(value, separators=(",", ":"))}
    if claims.user_id is not None:
        headers[USER_HEADER] = str(claims.user_id)
    if claims.guest_scope is not None:
        headers[GUEST_HEADER] = json.dumps(claims.guest_scope)[1:-1]
    return headers


def from_headers(headers: Mapping[str, str]) -> Claims:
    """The claims of a call, from its headers (lower-case names).

    Raises:
        ValueError: missing, malformed, not exactly one principal, or the headers disagree.
    """
    try:
        value = json.loads(headers[CLAIMS_HEADER])
        claims = _claims(value)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError("the claims header is missing or malformed") from error
    if (claims.user_id is None) == (claims.guest_scope is None):
        raise ValueError("claims name exactly one principal")
    expected = to_headers(claims)
    if any(headers.get(name) != expected.get(name) for name in (USER_HEADER, GUEST_HEADER)):
        raise ValueError("claims and headers disagree")
    return claims


def _claims(value: dict[str, Any]) -> Claims:
    return Claims(
        user_id=_kind(value["user_id"], int),
        guest_scope=_kind(value["guest_scope"], str),
        device_id=_kind(value["device_id"], str),
        session_id=_kind(value["session_id"], str),
        machine_id=_kind(value["machine_id"], str),
        scopes=frozenset(str(scope) for scope in value["scopes"]),
        roles={str(team): str(role) for team, role in value["roles"].items()},
        memberships={str(team): _kind(number, int) for team, number in value.get("memberships", {}).items()},
        surface=str(value["surface"]),
        step_up=value["step_up"] is True,
        shown=_shown(value.get("shown")),
        shown_by=_kind(value.get("shown_by"), int),
        membership_no=_kind(value.get("membership_no"), int),
        address=_kind(value.get("address"), str),
    )


def _shown(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(worker_id, str) for worker_id in value):
        return tuple(value)
    raise TypeError("shown")


def _kind(value: Any, kind: type) -> Any:
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise TypeError(kind.__name__)
