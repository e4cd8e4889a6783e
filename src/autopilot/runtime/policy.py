"""Whether something may be done: one question against all documents that bind a principal. Pure.

Everything must be allowed by every document that speaks of it: what one denies, no other lifts. What is closed by
itself (names that escape, full access, other lanes) is opened by the installation's document alone, and stays open only
as far as narrower documents let it. The brake (stop, interrupt) is never judged.
Source: docs/protocol.md, "Policy"; docs/guide/policy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any

from autopilot.runtime import policy_folders
from autopilot.runtime.policy_builtin import (
    ALWAYS,
    CONFIG_WRITE,
    NEVER,
    OPEN_LANES,
    OPEN_NETWORK_ACCESS,
    OPEN_SANDBOX_MODES,
    escapes,
)
from autopilot.runtime.policy_document import RULE, Document, Documents, Patterns
from autopilot.runtime.policy_question import UNKNOWN, Named, Question

WORDS = (
    *("method", "lane", "config", "folder", "model", "sandbox", "network", "approval_policy", "approval"),
    "budget_exhausted",
)
"""What a no can be about; `budget_exhausted` is said where spend is counted."""
DENIED = "policy_denied."
"""What every `reason_code` of a policy's no begins with."""
BUILTIN = "builtin"
"""Names the rules that hold without any document."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes; or no, with the rule that said so."""

    allowed: bool
    word: str = ""
    """What it was about: one of `WORDS`."""
    rule_id: str = ""
    """Where the rule stands in its document: `sandbox.allow`, `methods.deny[0]`."""
    document: str = BUILTIN
    """Whose rule it is: `builtin`, `installation`, `team`, `user`."""
    team_id: str | None = None
    """Which team's, of a team's rule."""
    version: int | None = None
    """Of the document; None for a built-in rule."""
    field: str | None = None
    """The param that names what is refused, where one does."""
    message: str = ""
    more: Mapping[str, Any] = field_of(default_factory=dict)
    """What else there is to tell of a no: of a budget, how far it is used up."""
    judged_by: Mapping[str, int | None] | None = None
    """The version in force of each document; None: no document was asked."""

    @property
    def reason_code(self) -> str:
        """`DENIED` and the word."""
        return f"{DENIED}{self.word}"

    def facts(self) -> dict[str, Any]:
        """What errors, receipts and events tell of a no."""
        return {
            "reason_code": self.reason_code,
            "rule_id": self.rule_id,
            "document": self.document,
            **({} if self.team_id is None else {"team_id": self.team_id}),
            "version": self.version,
            "field": None if self.field is None else f"request.params.{self.field}",
            **self.more,
        }


YES = Verdict(allowed=True)

Meets = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class _Section:
    """One section of the documents, and what a value of it is."""

    name: str
    word: str
    of: Callable[[Document], Patterns]
    meets: Meets
    might_meet: Meets
    """The same for a pattern that denies: also where it can't be told."""
    is_closed: Callable[[str], bool] = lambda _value: False
    """Whether a value needs the installation's word."""


def evaluate(documents: Documents, question: Question) -> Verdict:
    """Whether a request may be done; where several rules say no, the first of them."""
    if question.method in ALWAYS:
        return YES
    return next(_denials(documents, question), YES)


def may_answer(documents: Documents, who: str, kind: str) -> Verdict:
    """Whether `who` (a role, or `rule`) may answer an approval of this kind."""
    for document in documents.all():
        kinds = document.contents.answer.get(who, ())
        if who in document.contents.answer and kinds is not None and kind not in kinds:
            says = f"{kind} is not for {'rules' if who == RULE else f'the role {who}'} to answer"
            return _no("approval", f"approvals.answer.{who}", document, says)
    return YES


def _denials(documents: Documents, question: Question) -> Iterator[Verdict]:
    yield from _judged(documents, METHODS, Named(question.method))
    yield from _judged(documents, LANES, Named(question.lane))
    if question.sets_config:
        for denial in _judged(documents, METHODS, Named(CONFIG_WRITE, "config")):
            yield Verdict(
                allowed=False,
                word="config",
                rule_id=denial.rule_id,
                document=denial.document,
                team_id=denial.team_id,
                version=denial.version,
                field="config",
                message=f"params.config sets what {CONFIG_WRITE} sets: {denial.message}",
            )
    folders = _folders(question.home)
    yield from _all(documents, folders, question.folders, needed=question.works)
    yield from _all(documents, MODELS, question.models, needed=question.works)
    yield from _all(documents, SANDBOX, question.sandboxes, needed=question.begins)
    yield from _all(documents, NETWORK, question.networks, needed=False)
    yield from _all(documents, APPROVAL_POLICY, question.approval_policies, needed=question.begins)
    yield from _unattended(documents, question)


def _all(documents: Documents, section: _Section, named: tuple[Named, ...], *, needed: bool) -> Iterator[Verdict]:
    """Denials of these values; and of nothing named where a document has a list and something is needed."""
    for one in named:
        yield from _judged(documents, section, one)
    if needed and not named:
        for document in documents.all():
            if section.of(document).allow is not None:
                listed = ", ".join(section.of(document).allow or ()) or "none"
                yield _no(section.word, f"{section.name}.allow", document, f"name a {section.word}: {listed}")


def _judged(documents: Documents, section: _Section, named: Named) -> Iterator[Verdict]:
    value = named.value
    for document in documents.all():
        patterns = section.of(document)
        if value is None:
            if patterns.allow is not None or patterns.deny:
                rule = f"{section.name}.{'deny' if patterns.allow is None else 'allow'}"
                yield _no(section.word, rule, document, f"it can't be told which {section.word} this is", named)
            continue
        for index, pattern in enumerate(patterns.deny):
            if section.might_meet(value, pattern):
                yield _no(section.word, f"{section.name}.deny[{index}]", document, f"{value} is denied", named)
        if patterns.allow is not None and not _listed(section, value, patterns.allow):
            yield _no(section.word, f"{section.name}.allow", document, f"{value} is not in the list", named)
    if value is not None and not named.follows and section.is_closed(value):
        opened = None if documents.installation is None else section.of(documents.installation).allow
        if opened is None or not _listed(section, value, opened):
            message = f"{value} is closed unless the installation's policy names it"
            yield Verdict(
                allowed=False,
                word=section.word,
                rule_id=f"{section.name}.closed",
                field=named.field,
                message=message,
            )


def _listed(section: _Section, value: str, allow: tuple[str, ...]) -> bool:
    """Whether an allow-list has the value; what is closed must be there by its own name."""
    if section.is_closed(value):
        return value in allow
    return any(section.meets(value, pattern) for pattern in allow)


def _unattended(documents: Documents, question: Question) -> Iterator[Verdict]:
    """Nobody asked, and nothing held back: only where the installation's document lists `never` itself."""
    asks = {named.value for named in question.approval_policies}
    modes = {named.value for named in question.sandboxes}
    unheld = any(mode not in OPEN_SANDBOX_MODES for mode in modes)
    nobody_asked = NEVER in asks
    if not (nobody_asked and (unheld or not modes)) and not (unheld and not asks):
        return
    installation = documents.installation
    if installation is None or NEVER not in (installation.contents.approval_policy.allow or ()):
        message = (
            "never asking goes with a sandbox that is named and holds something back"
            if nobody_asked
            else "full access goes with an approval policy that is named, and asks"
        )
        yield Verdict(
            allowed=False,
            word="approval_policy",
            rule_id="approval_policy.unattended",
            field="approvalPolicy",
            message=message,
        )


def _no(word: str, rule_id: str, document: Document, says: str, named: Named | None = None) -> Verdict:
    return Verdict(
        allowed=False,
        word=word,
        rule_id=rule_id,
        document=document.subject.kind,
        team_id=document.subject.team_id,
        version=document.version,
        field=None if named is None else named.field,
        message=f"{says} ({document.subject.kind} policy, version {document.version}, {rule_id})",
    )


def _begins_with(value: str, pattern: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def _is(value: str, pattern: str) -> bool:
    return value == pattern


def _folders(home: str | None) -> _Section:
    def meets(folder: str, pattern: str) -> bool:
        parts = policy_folders.parts_of(folder, home)
        return parts is not None and policy_folders.meets(parts, pattern, home)

    def might_meet(folder: str, pattern: str) -> bool:
        parts = policy_folders.parts_of(folder, home)
        return parts is None or policy_folders.might_meet(parts, pattern, home)

    return _Section("folders", "folder", lambda document: document.contents.folders, meets, might_meet)


METHODS = _Section("methods", "method", lambda document: document.contents.methods, _begins_with, _begins_with, escapes)
LANES = _Section(
    "lanes", "lane", lambda document: document.contents.lanes, _is, _is, lambda lane: lane not in OPEN_LANES
)
MODELS = _Section("models", "model", lambda document: document.contents.models, _begins_with, _begins_with)
SANDBOX = _Section(
    "sandbox",
    "sandbox",
    lambda document: document.contents.sandbox,
    _is,
    _is,
    lambda mode: mode not in OPEN_SANDBOX_MODES,
)
NETWORK = _Section(
    "network",
    "network",
    lambda document: document.contents.network,
    _is,
    _is,
    lambda access: access not in OPEN_NETWORK_ACCESS,
)
APPROVAL_POLICY = _Section(
    "approval_policy",
    "approval_policy",
    lambda document: document.contents.approval_policy,
    _is,
    _is,
    lambda policy: policy == UNKNOWN,
)
