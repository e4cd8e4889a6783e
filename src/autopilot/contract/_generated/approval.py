# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Approvals: questions that Codex asks a person. Each is a durable object with exactly one answer."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.event import Actor

__all__ = [
    "Approval",
    "ApprovalEvidence",
    "ApprovalKind",
    "ApprovalOption",
    "ApprovalQuestion",
    "ApprovalState",
    "DecideApproval",
    "Decision",
]


class ApprovalKind(StrEnum):
    """What is asked."""

    COMMAND = "command"
    """May this command run?"""
    FILE_CHANGE = "file_change"
    """May these files change?"""
    PERMISSIONS = "permissions"
    """May Codex do more than its sandbox allows?"""
    USER_INPUT = "user_input"
    """Questions to a person."""
    MCP_FORM = "mcp_form"
    """A tool server asks for a form to be filled in."""
    MCP_URL = "mcp_url"
    """A tool server asks a person to open a page."""
    MCP_TOOL_CALL = "mcp_tool_call"
    """May this tool of a tool server be called?"""
    DYNAMIC_TOOL = "dynamic_tool"
    """A client's own tool is called."""
    LEGACY_COMMAND = "legacy_command"
    """May this command run? As older Codex versions ask."""
    LEGACY_PATCH = "legacy_patch"
    """May this patch be applied? As older Codex versions ask."""
    UNSUPPORTED = "unsupported"
    """A question this version does not know."""


class ApprovalState(StrEnum):
    """How far an approval has come. The last four are ends."""

    PENDING = "pending"
    """Nobody answered yet."""
    DECIDED = "decided"
    """A person answered; the answer has not reached the companion."""
    DELIVERED = "delivered"
    """The companion has the answer."""
    APPLIED = "applied"
    """Codex took the answer."""
    SUPERSEDED = "superseded"
    """It was answered elsewhere."""
    EXPIRED = "expired"
    """Nobody answered in time."""
    CLOSED = "closed"
    """The question is moot; `closed_reason` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOption:
    """One answer that can be chosen."""

    option_id: str
    """What a decision names."""
    label: str
    """For people."""
    description: str | None = None
    """What choosing it means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalQuestion:
    """One question of an approval that asks several."""

    question_id: str
    """Which one."""
    header: str | None = None
    """A few words above it."""
    text: str
    """The question."""
    options: tuple[ApprovalOption, ...] = ()
    """What can be chosen; empty: free words."""
    secret: bool | None = None
    """True when the answer is a secret and is shown to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalEvidence:
    """What a person decides on."""

    command: tuple[str, ...] = ()
    """The command, word by word."""
    cwd: str | None = None
    """The folder it would run in."""
    diff: str | None = None
    """The diff, from the matching `item/started`."""
    reason: str | None = None
    """Why Codex asks."""
    questions: tuple[ApprovalQuestion, ...] = ()
    """The questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's answer."""

    option_id: str
    """The option chosen."""
    content: dict[str, Any] | None = None
    """What was filled in."""
    message: str | None = None
    """Words for the model."""
    actor: Actor | None = None
    """Who decided, on which device."""
    decided_at: str | None = None
    """When it was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One question that Codex asks a person."""

    approval_id: str
    """Which one."""
    worker_id: str
    """The worker whose Codex asks."""
    incarnation: str
    """The app-server process that asks: Codex's own ids restart in each."""
    codex_request_id: Any
    """Codex's id of the question: a number or a string."""
    thread_id: str | None = None
    """The thread."""
    turn_id: str | None = None
    """The turn."""
    item_id: str | None = None
    """The item."""
    kind: str
    """What is asked. (`ApprovalKind`)"""
    state: str
    """How far it has come. (`ApprovalState`)"""
    params: dict[str, Any] | None = None
    """Codex's own words, redacted."""
    evidence: ApprovalEvidence | None = None
    """What a person decides on."""
    options: tuple[ApprovalOption, ...] = ()
    """What can be chosen."""
    decision: Decision | None = None
    """The answer."""
    closed_reason: str | None = None
    """Why it was closed."""
    requested_at: str
    """When it was asked."""
    expires_at: str | None = None
    """When it expires; null: never."""
    ended_at: str | None = None
    """When it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideApproval:
    """Body of a decision."""

    option_id: str
    """The option chosen."""
    content: dict[str, Any] | None = None
    """What was filled in."""
    message: str | None = None
    """Words for the model."""
