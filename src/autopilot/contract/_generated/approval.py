# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Approvals: questions that Codex asks a person. Each is a durable object with exactly one answer."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.artifact import ArtifactRef
from autopilot.contract._generated.event import Actor
from autopilot.contract._generated.worker import MachineRef

__all__ = [
    "Approval",
    "ApprovalAnswer",
    "ApprovalChange",
    "ApprovalEffect",
    "ApprovalEnd",
    "ApprovalEvidence",
    "ApprovalFact",
    "ApprovalKind",
    "ApprovalOption",
    "ApprovalOutcome",
    "ApprovalQuestion",
    "ApprovalRequest",
    "ApprovalRisk",
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


class ApprovalEffect(StrEnum):
    """What an option amounts to."""

    ACCEPT = "accept"
    """Yes, this once."""
    ACCEPT_LASTING = "accept_lasting"
    """Yes, and to the like of it from now on."""
    DECLINE = "decline"
    """No; Codex goes on without it."""
    CANCEL = "cancel"
    """No, and the turn ends."""
    ANSWER = "answer"
    """The questions are answered."""


class ApprovalRisk(StrEnum):
    """How much a wrong yes could cost, as far as the question shows it."""

    LOW = "low"
    """It stays inside the sandbox and the work folder."""
    MEDIUM = "medium"
    """It changes something that can be seen and taken back."""
    HIGH = "high"
    """It leaves the sandbox, reaches the network, or destroys."""
    UNKNOWN = "unknown"
    """Nothing can be said."""


class ApprovalOutcome(StrEnum):
    """What became of the question in Codex."""

    ACCEPTED = "accepted"
    """It was allowed, or answered."""
    DECLINED = "declined"
    """It was refused."""
    CANCELLED = "cancelled"
    """The turn was ended over it."""
    UNKNOWN = "unknown"
    """Codex didn't say, and it can't be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFact:
    """One fact about the question, for people, in the order to show it in."""

    name: str
    """Its name for programs: `cwd`, `host`, `server`, …"""
    label: str
    """For people."""
    value: str
    """What it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalChange:
    """One file that would change."""

    path: str
    """The file."""
    kind: str
    """`add`, `delete` or `update`; shown as it is."""
    diff: str | None = None
    """A unified hunk of an update; the content of what is added or deleted. Cut where `truncated` says so."""
    move_path: str | None = None
    """Where an update moves the file to."""
    truncated: bool | None = None
    """Whether `diff` is not all of it."""
    artifact: ArtifactRef | None = None
    """What is all of it, where it is stored: an artifact of the worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOption:
    """One answer that can be chosen."""

    option_id: str
    """What a decision names."""
    label: str
    """For people."""
    description: str | None = None
    """What choosing it means."""
    effect: str | None = None
    """What it amounts to, whatever it is called. (`ApprovalEffect`)"""
    takes_content: bool | None = None
    """Whether `content` must come with it: answers to the questions, or the filled-in form."""
    takes_message: bool | None = None
    """Whether words for the model may come with it."""


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
    other: bool | None = None
    """True when free words may be given beside the options."""


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
    """The questions. The answers are `content`: `{"<question_id>": ["…"]}`."""
    command_line: str | None = None
    """The command as one line."""
    changes: tuple[ApprovalChange, ...] = ()
    """The files that would change, from the matching `item/started`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """What an executor says of a question: `approval` in the payload of `worker.approval.requested`."""

    approval_id: str
    """Made of worker, incarnation, Codex's id and item (contract/approval_ids.py): the same question, the same id."""
    incarnation: str
    """The app-server process that asks."""
    codex_request_id: Any
    """Codex's id of the question: a number or a string."""
    thread_id: str | None = None
    """The thread."""
    turn_id: str | None = None
    """The turn."""
    item_id: str | None = None
    """The item."""
    parent_thread_id: str | None = None
    """The thread on whose behalf a sub-agent asks."""
    kind: str
    """What is asked. (`ApprovalKind`)"""
    method: str
    """Codex's method."""
    title: str
    """The question in a few words."""
    facts: tuple[ApprovalFact, ...] = ()
    """Facts, in the order to show them in."""
    risk: str | None = None
    """How much a wrong yes could cost. (`ApprovalRisk`)"""
    evidence: ApprovalEvidence | None = None
    """What a person decides on."""
    options: tuple[ApprovalOption, ...] = ()
    """What can be chosen; empty where it can't be answered from here."""
    form: dict[str, Any] | None = None
    """JSON Schema of `content`, where a form is to be filled in."""
    url: str | None = None
    """The page to open."""
    answerable: bool
    """False where it can only be answered at the computer."""
    ttl_ms: int | None = None
    """How long it waits for an answer, in milliseconds; null: for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalEnd:
    """How a question ended, as its executor saw it: `approval` in the payload of `worker.approval.applied`,
    `superseded` and `closed`.
    """

    approval_id: str
    """Which one."""
    outcome: str | None = None
    """What became of it. (`ApprovalOutcome`)"""
    reason: str | None = None
    """Why it was closed: `turn_ended`, `turn_interrupted`, `codex_ended`, `worker_stopped`, `machine_replaced`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAnswer:
    """A decision on its way to the executor: the body of a feed entry of kind `decision`. Null when the approval has
    ended.
    """

    approval_id: str
    """Which approval."""
    worker_id: str
    """Its worker."""
    option_id: str
    """The option chosen."""
    content: dict[str, Any] | None = None
    """What was filled in, exactly as sent."""
    message: str | None = None
    """Words for the model, exactly as sent."""
    x_request_id: str | None = None
    """The request id of the call that decided."""
    traceparent: str | None = None
    """The trace of the call that decided."""
    decided_at: str
    """When it was recorded."""


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
    rule_id: str | None = None
    """The policy's rule that decided, where no person did: its place in the document, `approvals.rule[0]`."""
    document: str | None = None
    """Whose rule it was: `installation`, `team` or `user`."""
    version: int | None = None
    """The document's version."""
    team_id: str | None = None
    """The team whose rule it was, where it was a team's."""


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
    method: str | None = None
    """Codex's method."""
    title: str | None = None
    """The question in a few words."""
    facts: tuple[ApprovalFact, ...] = ()
    """Facts, in the order to show them in."""
    risk: str | None = None
    """How much a wrong yes could cost. (`ApprovalRisk`)"""
    form: dict[str, Any] | None = None
    """JSON Schema of `content`, where a form is to be filled in."""
    url: str | None = None
    """The page to open."""
    answerable: bool | None = None
    """False where it can only be answered at the computer."""
    parent_thread_id: str | None = None
    """The thread on whose behalf a sub-agent asks."""
    outcome: str | None = None
    """What became of it in Codex. (`ApprovalOutcome`)"""
    machine: MachineRef | None = None
    """The machine whose Codex asks."""
    machine_reachable: bool | None = None
    """Whether that machine is heard: false means that an answer waits until it returns."""
    seq: int | None = None
    """The event that asked."""
    delivered_at: str | None = None
    """When the executor was handed the answer."""
    role: str | None = None
    """What the asking principal may do with its worker: a `viewer` answers nothing. (`Role`)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideApproval:
    """Body of a decision."""

    option_id: str
    """The option chosen."""
    content: dict[str, Any] | None = None
    """What was filled in."""
    message: str | None = None
    """Words for the model."""
