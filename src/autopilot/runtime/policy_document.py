"""What a policy document says, once it was read: plain values, of which everything may be absent.

A section that is absent says nothing, and the built-in rules stand (policy_builtin.py). Pure: policy_reading.py makes
these of a text, policy.py judges by them, budgets are judged where spend is counted.
Source: docs/guide/policy.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autopilot.contract import ApprovalKind

INSTALLATION = "installation"
TEAM = "team"
USER = "user"

OWNER, OPERATOR, VIEWER, RULE = "owner", "operator", "viewer", "rule"
ANSWERERS = (OWNER, OPERATOR, VIEWER, RULE)
"""Who may answer an approval: people by role, and the rules of documents."""

KINDS = tuple(kind.value for kind in ApprovalKind if kind is not ApprovalKind.UNSUPPORTED)
"""Kinds of approvals that a document can name; a kind that nobody knows is in no list, and no rule decides it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a document is about."""

    kind: str
    """`installation`, `team` or `user`."""
    id: str = ""
    """The team's id; the user's, or the guest's scope; empty for the installation."""

    @property
    def team_id(self) -> str | None:
        """The team, of a team's document."""
        return self.id if self.kind == TEAM else None

    def named(self) -> dict[str, str]:
        """How what is told of a rule says whose it is: `document`, and `team_id` where it is a team's."""
        return {"document": self.kind} if self.team_id is None else {"document": self.kind, "team_id": self.team_id}


@dataclass(frozen=True, slots=True)
class Patterns:
    """What may be named: anything in `allow` that is not in `deny`."""

    allow: tuple[str, ...] | None = None
    """None: the document does not say; empty: nothing."""
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """An approval that is decided without a person."""

    name: str
    kind: str
    decision: str
    """The effect of the option it chooses: `accept`, `decline` or `cancel`."""
    command: tuple[str, ...] = ()
    """The first words of the command, exactly; empty: any."""
    folders: tuple[str, ...] = ()
    """Where it would happen: patterns of which every folder must meet one; empty: anywhere."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens may be spent. Counted and judged in spend; here only said."""

    name: str
    per: str
    """`user`, `worker`, `machine`, `model` or `team`: each has the whole amount for itself."""
    period: str
    """`day`, `week` (from Monday), `month` or `ever`; in UTC."""
    tokens: int
    """The most, at least 1."""
    warn_at: float | None = None
    """The share of `tokens`, over 0 and at most 1, that is worth a warning; None: no warning."""
    on_exhausted: str = "refuse"
    """`refuse`: no new turns; `interrupt`: running turns end too."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What one text says."""

    methods: Patterns = Patterns()
    folders: Patterns = Patterns()
    models: Patterns = Patterns()
    sandbox: Patterns = Patterns()
    network: Patterns = Patterns()
    approval_policy: Patterns = Patterns()
    lanes: Patterns = Patterns()
    answer: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """Who may answer -> which kinds, None for all of them; who is absent here is not spoken of."""
    rules: tuple[Rule, ...] = ()
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A text in force."""

    subject: Subject
    version: int
    """1 and up; each change is the next. 0 stands for a text that is only being tried."""
    contents: Contents


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents that bind what one principal owns, the widest first. No document: the built-in rules alone."""

    installation: Document | None = None
    user: Document | None = None
    team: Document | None = None
    team_id: str | None = None
    """The team that shares it, whether or not it has a document; None: none does."""

    def versions(self) -> dict[str, int | None]:
        """The version of each that is in force; None: there is none. A team's is under `team:` and its id."""
        pairs = [(INSTALLATION, self.installation), (USER, self.user)]
        if self.team_id is not None:
            pairs.insert(1, (f"{TEAM}:{self.team_id}", self.team))
        return {name: None if one is None else one.version for name, one in pairs}

    def all(self) -> tuple[Document, ...]:
        """Those there are, the widest first."""
        return tuple(one for one in (self.installation, self.team, self.user) if one is not None)
