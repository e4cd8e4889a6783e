# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Policies: what may be done at all, evaluated in the runtime for every lane alike."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.event import Actor

__all__ = [
    "ApprovalVerdict",
    "Policies",
    "Policy",
    "PolicyAnswerer",
    "PolicyAnswering",
    "PolicyApprovalRule",
    "PolicyBudget",
    "PolicyChange",
    "PolicyDecision",
    "PolicyDenial",
    "PolicyDocument",
    "PolicyEffect",
    "PolicyFormat",
    "PolicyRule",
    "PolicySection",
    "PolicySubject",
    "PolicyVerdict",
    "SetPolicy",
    "TestApproval",
    "TestPolicy",
]


class PolicyEffect(StrEnum):
    """What a rule says."""

    ALLOW = "allow"
    """Go on."""
    DENY = "deny"
    """Refuse; `worker.policy.denied` records it."""
    ASK = "ask"
    """Ask a person first."""


class PolicySubject(StrEnum):
    """Whom a policy document is about."""

    INSTALLATION = "installation"
    """Everybody."""
    USER = "user"
    """The caller alone."""
    TEAM = "team"
    """Whoever asks for something on the machines that a team shares."""


class PolicyFormat(StrEnum):
    """How a policy document is written."""

    TOML = "toml"
    """TOML."""
    JSON = "json"
    """JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One rule: the first that matches decides."""

    rule_id: str
    """Which one."""
    effect: str
    """What it says. (`PolicyEffect`)"""
    methods: tuple[str, ...] = ()
    """The request methods it is about; empty: all."""
    machine_ids: tuple[str, ...] = ()
    """The machines it is about; empty: all."""
    backend_kinds: tuple[str, ...] = ()
    """The kinds of place it is about; empty: all. (`BackendKind`)"""
    surfaces: tuple[str, ...] = ()
    """The surfaces it is about; empty: all. (`Surface`)"""
    reason: str | None = None
    """Why, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named, ordered list of rules."""

    policy_id: str
    """Which one."""
    name: str
    """What people call it."""
    version: int
    """Raised by every change."""
    rules: tuple[PolicyRule, ...] = ()
    """Its rules, in order."""
    updated_at: str | None = None
    """When it last changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDenial:
    """A refusal by policy: the payload of `worker.policy.denied`, and the first detail of the 403."""

    reason_code: str
    """`policy_denied.` and a word: `policy_denied.budget_exhausted`."""
    rule_id: str | None = None
    """The rule that said no, if it was one."""
    method: str | None = None
    """What was refused."""
    request_id: str | None = None
    """The request it came with."""
    document: str | None = None
    """Whose rule it was: `builtin`, `installation`, `team` or `user`."""
    version: int | None = None
    """The document's version; null for a built-in rule."""
    field: str | None = None
    """The param that names what was refused."""
    message: str | None = None
    """For people."""
    team_id: str | None = None
    """The team whose document it was, where it was a team's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """One version of a policy document."""

    subject: str
    """Whom it is about. (`PolicySubject`)"""
    version: int
    """Raised by every change; the latest is in force."""
    format: str
    """How it is written. (`PolicyFormat`)"""
    text: str
    """As it was written."""
    actor: Actor | None = None
    """Who wrote it."""
    created_at: str
    """When."""
    team_id: str | None = None
    """The team, of a team's document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """That a document was changed: which version, when, by whom. The text is the version's own (`PolicyDocument`)."""

    subject: str
    """Whom the document is about. (`PolicySubject`)"""
    version: int
    """The version that came of it."""
    format: str
    """How it is written. (`PolicyFormat`)"""
    bytes: int
    """How long its text is."""
    actor: Actor | None = None
    """Who wrote it, and on which device."""
    x_request_id: str | None = None
    """The request id of the call."""
    created_at: str
    """When."""
    in_force: bool
    """Whether it is in force: the latest is."""
    team_id: str | None = None
    """The team, of a team's document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySection:
    """What one document says of one thing."""

    name: str
    """Of what: `methods`, `folders`, `models`, `sandbox`, `network`, `approval_policy`, `lanes`."""
    document: str
    """Whose rule: `builtin`, `installation`, `team` or `user`."""
    version: int | None = None
    """Its version; null for the built-in rules."""
    limited: bool
    """Whether only what `allow` lists is allowed."""
    allow: tuple[str, ...] = ()
    """What is allowed, where `limited`."""
    deny: tuple[str, ...] = ()
    """What is denied."""
    team_id: str | None = None
    """The team whose rule it is, where it is a team's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAnswering:
    """What one document says of who may answer questions of Codex."""

    document: str
    """Whose document says so: `installation`, `team` or `user`."""
    version: int
    """Its version."""
    who: str
    """Who: `owner`, `operator`, `viewer`, or `rule`."""
    limited: bool
    """Whether they may answer only the kinds that `kinds` lists."""
    kinds: tuple[str, ...] = ()
    """What they may answer, where `limited`. (`ApprovalKind`)"""
    team_id: str | None = None
    """The team whose document it is, where it is a team's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyApprovalRule:
    """A rule of a document that decides questions of Codex without a person."""

    document: str
    """Whose document says so: `installation`, `team` or `user`."""
    version: int
    """Its version."""
    rule_id: str
    """Where it stands there: `approvals.rule[0]`."""
    name: str
    """What the document calls it."""
    kind: str
    """The kind of question that it decides. (`ApprovalKind`)"""
    decision: str
    """`accept`, `decline` or `cancel`."""
    command: tuple[str, ...] = ()
    """The first words of the command, exactly; empty: any."""
    folders: tuple[str, ...] = ()
    """The folders in which it must all be; empty: anywhere."""
    team_id: str | None = None
    """The team whose document it is, where it is a team's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBudget:
    """A budget of a document. What is left of it is told by `GET /budgets`."""

    document: str
    """Whose document says so: `installation`, `team` or `user`."""
    version: int
    """Its version."""
    name: str
    """What the document calls it."""
    per: str
    """Who has the amount for itself: `user`, `worker`, `machine`, `model` or `team`."""
    period: str
    """`day`, `week`, `month` or `ever`; of UTC."""
    tokens: int
    """The most."""
    warn_at: float | None = None
    """The share of `tokens` that is worth a warning; null: no warning."""
    on_exhausted: str
    """`refuse`: no new turns; `interrupt`: running ones end, too."""
    team_id: str | None = None
    """The team whose document it is, where it is a team's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What binds the caller; asked for with a team, what binds the caller's own on the machines of that team."""

    documents: tuple[PolicyDocument, ...] = ()
    """The documents in force, the widest first."""
    effective: tuple[PolicySection, ...] = ()
    """All that is said; everything must be allowed by every line about it."""
    answering: tuple[PolicyAnswering, ...] = ()
    """What is said of who may answer which questions of Codex; every line about somebody must let them."""
    rules: tuple[PolicyApprovalRule, ...] = ()
    """The rules that decide questions without a person, as they stand in their documents. In each the first that fits
    counts; a no stands before a yes.
    """
    budgets: tuple[PolicyBudget, ...] = ()
    """How many tokens may be spent; every budget must leave something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPolicy:
    """A new version of a document."""

    subject: str
    """Whom it is about. (`PolicySubject`)"""
    format: str
    """How it is written. (`PolicyFormat`)"""
    text: str
    """The document."""
    expected_version: int
    """The version that is in force now; 0 where there is none."""
    team_id: str | None = None
    """The team, where the subject is one; else absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPolicy:
    """A question to try."""

    method: str
    """The request's method."""
    params: dict[str, Any] | None = None
    """Its params."""
    worker_id: str | None = None
    """The worker it would go to."""
    instead: SetPolicy | None = None
    """A text to try in place of the document it would replace."""
    team_id: str | None = None
    """The team whose machine it would go to; with `worker_id`, the worker's, which need not be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVerdict:
    """What policies say to a question."""

    allowed: bool
    """Whether it would be done."""
    denial: PolicyDenial | None = None
    """Why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestApproval:
    """A question of Codex to try: would a rule decide it, and who may answer it?"""

    kind: str
    """What is asked. (`ApprovalKind`)"""
    command_line: str | None = None
    """The command as one line, of kinds of commands."""
    cwd: str | None = None
    """The folder it would run in."""
    paths: tuple[str, ...] = ()
    """The files that would change, of kinds of files."""
    params: dict[str, Any] | None = None
    """What Codex says besides: a yes by rule goes with nothing that asks for more."""
    worker_id: str | None = None
    """The worker it would come from; its machine's home folder is what `~` means."""
    instead: SetPolicy | None = None
    """A text to try in place of the document it would replace."""
    team_id: str | None = None
    """The team whose machine it would come from; with `worker_id`, the worker's, which need not be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAnswerer:
    """Whether somebody may answer."""

    who: str
    """Who: `owner`, `operator`, `viewer`, or `rule`."""
    allowed: bool
    """Whether they may."""
    denial: PolicyDenial | None = None
    """Why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDecision:
    """What a rule decides."""

    decision: str
    """`accept`, `decline` or `cancel`."""
    name: str
    """What the document calls the rule."""
    rule_id: str
    """Where it stands there: `approvals.rule[0]`."""
    document: str
    """Whose document it is: `installation`, `team` or `user`."""
    version: int
    """The document's version; 0 for a text that is being tried."""
    team_id: str | None = None
    """The team whose document it is, where it is a team's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalVerdict:
    """What policies say to a question of Codex."""

    decision: PolicyDecision | None = None
    """The rule that decides it; null: it waits for a person."""
    answerers: tuple[PolicyAnswerer, ...] = ()
    """Who may answer it."""
