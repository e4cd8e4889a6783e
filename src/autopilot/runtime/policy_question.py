"""What a request asks for, in the words of policies: method, lane, folders, model, sandbox, network, approvals. Pure.

Reads Codex's params by the names Codex gives them, and nothing else of them. What can't be told stays unknown, and is
judged as such (policy.py): a value in a form that nobody knows is never taken for a harmless one.
Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autopilot.runtime.policy_builtin import APPROVAL_POLICIES, AUTO_REVIEW, DESKTOP, ENABLED, PROFILE, RESTRICTED

_SANDBOX_TYPES = {
    "readOnly": "read-only",
    "workspaceWrite": "workspace-write",
    "dangerFullAccess": "danger-full-access",
    "externalSandbox": "external-sandbox",
}
_PROFILES = {
    ":read-only": "read-only",
    ":workspace": "workspace-write",
    ":danger-full-access": "danger-full-access",
}
_PROFILE_PARAMS = ("permissions", "permissionProfile")
"""The params that name a permission profile: of threads and turns, and of `command/exec`."""
_NETWORK_ACCESS: dict[bool | str, str] = {
    False: RESTRICTED,
    True: ENABLED,
    "restricted": RESTRICTED,
    "enabled": ENABLED,
}
UNKNOWN = "unknown"
"""A value in a form that nobody here knows: closed, and no document can name it."""

_BEGINS = frozenset({"thread/start"})
"""Begins something of which nothing is known but what the request says."""
_WORKS = frozenset(
    {
        "thread/start",
        "thread/resume",
        "thread/fork",
        "thread/compact/start",
        "thread/inject_items",
        "thread/prepareApprovedPlan",
        "thread/queue/add",
        "thread/queue/start",
        "thread/queue/update",
        "thread/realtime/start",
        "thread/sample",
        "thread/settings/update",
        "turn/settings/update",
        "turn/start",
        "turn/steer",
        "review/start",
    }
)
"""Makes Codex work, where it stands and with the model it has, unless the request says otherwise."""
_FILTERS = frozenset({"thread/list"})
"""Their `cwd` narrows a list, and names no place to work in."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of where a request goes."""

    lane: str = DESKTOP
    cwd: str | None = None
    """The worker's folder."""
    model: str | None = None
    """The worker's model."""
    home: str | None = None
    """The machine's home folder."""


@dataclass(frozen=True, slots=True)
class Named:
    """One value, and the param that names it; the worker's own where that is None."""

    value: str | None
    """None: a value that can't be told."""
    field: str | None = None
    follows: bool = False
    """Whether it follows from another value, which is judged for itself: what opened that one opened this one too."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request, ready to be judged."""

    method: str
    lane: str = DESKTOP
    home: str | None = None
    begins: bool = False
    """Whether what it doesn't name is chosen by the machine's own settings, which nobody here knows."""
    works: bool = False
    folders: tuple[Named, ...] = ()
    models: tuple[Named, ...] = ()
    sandboxes: tuple[Named, ...] = ()
    networks: tuple[Named, ...] = ()
    approval_policies: tuple[Named, ...] = ()
    sets_config: bool = field(default=False)
    """Whether it brings settings of Codex's configuration along."""


def of_request(method: str, params: Mapping[str, Any], place: Place | None = None) -> Question:
    """What this request asks for there."""
    place = place or Place()
    works = method in _WORKS
    folders = () if method in _FILTERS else tuple(_folders(params))
    models = tuple(_models(params))
    if works and method not in _BEGINS:
        folders = folders or (Named(place.cwd),)
        models = models or (Named(place.model),)
    return Question(
        method=method,
        lane=place.lane,
        home=place.home,
        begins=method in _BEGINS,
        works=works,
        folders=folders,
        models=models,
        sandboxes=tuple(_sandboxes(params)),
        networks=tuple(_networks(params)),
        approval_policies=tuple(_approval_policies(params)),
        sets_config=bool(params.get("config")),
    )


def _folders(params: Mapping[str, Any]) -> Iterator[Named]:
    yield from _texts(params.get("cwd"), "cwd")
    yield from _texts(params.get("runtimeWorkspaceRoots"), "runtimeWorkspaceRoots")
    policy = params.get("sandboxPolicy")
    if isinstance(policy, dict):
        yield from _texts(policy.get("writableRoots"), "sandboxPolicy.writableRoots")
    environments = params.get("environments")
    for index, environment in enumerate(environments if isinstance(environments, list) else []):
        if isinstance(environment, dict):
            for name in ("cwd", "runtimeWorkspaceRoots"):
                yield from _texts(environment.get(name), f"environments[{index}].{name}")


def _models(params: Mapping[str, Any]) -> Iterator[Named]:
    yield from _texts(params.get("model"), "model")
    mode = params.get("collaborationMode")
    settings = mode.get("settings") if isinstance(mode, dict) else None
    if isinstance(settings, dict):
        yield from _texts(settings.get("model"), "collaborationMode.settings.model")


def _sandboxes(params: Mapping[str, Any]) -> Iterator[Named]:
    yield from _texts(params.get("sandbox"), "sandbox")
    policy = params.get("sandboxPolicy")
    if policy is not None:
        kind = policy.get("type") if isinstance(policy, dict) else None
        yield Named(_SANDBOX_TYPES.get(kind, UNKNOWN) if isinstance(kind, str) else UNKNOWN, "sandboxPolicy")
    for name in _PROFILE_PARAMS:
        profile = params.get(name)
        if isinstance(profile, str):
            yield Named(_PROFILES.get(profile, f"{PROFILE}{profile}"), name)
        elif profile is not None:
            yield Named(UNKNOWN, name)


def _networks(params: Mapping[str, Any]) -> Iterator[Named]:
    """Whether the sandbox that is asked for lets what runs in it reach the network."""
    policy = params.get("sandboxPolicy")
    if isinstance(policy, dict):
        access = policy.get("networkAccess")
        if access is not None:
            named = _NETWORK_ACCESS.get(access, UNKNOWN) if isinstance(access, (bool, str)) else UNKNOWN
            yield Named(named, "sandboxPolicy.networkAccess")
    for mode in _sandboxes(params):
        if mode.value == "danger-full-access":
            yield Named(ENABLED, mode.field, follows=True)
        elif mode.value not in ("read-only", "workspace-write", "external-sandbox"):
            yield Named(None, mode.field, follows=True)


def _approval_policies(params: Mapping[str, Any]) -> Iterator[Named]:
    policy = params.get("approvalPolicy")
    if isinstance(policy, str):
        yield Named(policy if policy in APPROVAL_POLICIES else UNKNOWN, "approvalPolicy")
    elif policy is not None:
        is_granular = isinstance(policy, dict) and set(policy) == {"granular"}
        yield Named("granular" if is_granular else UNKNOWN, "approvalPolicy")
    reviewer = params.get("approvalsReviewer")
    if reviewer is not None and reviewer != "user":
        yield Named(AUTO_REVIEW, "approvalsReviewer")


def _texts(value: Any, name: str) -> Iterator[Named]:
    """The texts of a param; one that is no text can't be told."""
    if value is None:
        return
    for one in value if isinstance(value, list) else [value]:
        yield Named(one if isinstance(one, str) else None, name)
