"""An approval in words: what is asked, what can be answered, what became of it. Pure: an approval in, styled text out.

Everything that Codex or a model wrote goes through `printable`: a command can't move the cursor of whoever judges it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.text import Text

from autopilot.cli.paint import SHORT_ID, diff_text, printable
from autopilot.client import has_approval_ended
from autopilot.client.presenters.times import ago, size
from autopilot.contract import Approval, ApprovalChange, ApprovalQuestion
from autopilot.ops.program import autopilot

RISK_STYLE = {"low": "green", "medium": "yellow", "high": "bold red"}
_ENDS = {
    "applied": "Codex took the answer",
    "superseded": "answered elsewhere",
    "expired": "nobody answered in time",
}


def card(approval: Approval, *, full: bool = False, now: datetime | None = None) -> Text:
    """All that a person needs to decide, on some lines."""
    text = Text()
    for line in _lines(approval, full=full, now=now or datetime.now(UTC)):
        text.append_text(line).append("\n")
    text.rstrip()
    return text


def line(approval: Approval) -> Text:
    """What became of it, on one line."""
    return _text(f"{short(approval)}  {approval.title or approval.kind}: {state_words(approval)}")


def short(approval: Approval) -> str:
    """As much of its id as is worth typing."""
    return approval.approval_id[:SHORT_ID]


def state_words(approval: Approval) -> str:
    """How far it has come, and by whom."""
    decision = approval.decision
    label = "" if decision is None else label_of(approval, decision.option_id)
    through = decision.actor.surface if decision and decision.actor else None
    by = (f" through {through}" if through else "") + (
        f" by rule {decision.rule_id}" if decision and decision.rule_id else ""
    )
    outcome = f" ({approval.outcome})" if approval.outcome else ""
    if approval.state in {"decided", "delivered"}:
        return f"answered{by}: {label}" + ("" if approval.state == "delivered" else ", on its way")
    if approval.state == "closed":
        return f"asked no more ({approval.closed_reason or 'closed'})"
    answered = f": {label}{by}" if approval.state == "applied" and label else ""
    return _ENDS.get(approval.state, approval.state) + outcome + answered


def label_of(approval: Approval, option_id: str) -> str:
    """What an option is called."""
    return next((option.label for option in approval.options if option.option_id == option_id), option_id)


def _lines(approval: Approval, *, full: bool, now: datetime) -> Iterator[Text]:
    where = approval.machine.name or approval.machine.machine_id if approval.machine else approval.worker_id
    away = " (away: an answer waits)" if approval.machine_reachable is False else ""
    heading = _text(f"{short(approval)}  ", "bold")
    yield heading.append_text(_text(approval.title or approval.method or approval.kind, "bold yellow"))
    yield _text(
        f"  {approval.kind.replace('_', ' ')}, asked {ago(approval.requested_at, now)}, on {where}{away}", "dim"
    )
    if approval.risk:
        yield _text("  risk: ").append_text(_text(approval.risk, RISK_STYLE.get(approval.risk, "")))
    yield from _evidence(approval, full=full)
    told = {approval.evidence.cwd, approval.evidence.reason} if approval.evidence else set()
    for fact in (fact for fact in approval.facts if fact.value not in told):
        yield _text(f"  {fact.label}: {fact.value}")
    if approval.url:
        yield _text(f"  open: {approval.url}")
    if approval.state == "pending":
        yield from _choices(approval, now)
    else:
        yield _text(f"  {state_words(approval)}", "dim" if has_approval_ended(approval) else "yellow")


def _evidence(approval: Approval, *, full: bool) -> Iterator[Text]:
    evidence = approval.evidence
    if evidence is None:
        return
    command = evidence.command_line or " ".join(evidence.command)
    if command:
        yield _text(f"  $ {command}", "bold")
    if evidence.cwd:
        yield _text(f"  in {evidence.cwd}")
    if evidence.reason:
        yield _text(f"  because: {evidence.reason}")
    for change in evidence.changes:
        moved = f" -> {change.move_path}" if change.move_path else ""
        yield _text(f"  {change.kind} {change.path}{moved}", "bold magenta")
        yield diff_text(change.diff or "", change.kind, full=full)
        if change.truncated:
            yield _text(f"  ({_rest(approval.worker_id, change)})", "dim")
    if evidence.diff and not evidence.changes:
        yield diff_text(evidence.diff, "update", full=full)
    for question in evidence.questions:
        yield from _question(question)


def _rest(worker_id: str, change: ApprovalChange) -> str:
    if change.artifact is None:
        return "the rest of it is left out"
    command = f"{autopilot('artifact')} {worker_id} {change.artifact.artifact_id}"
    return f"whole: {size(change.artifact.bytes)}: {command}"


def _question(question: ApprovalQuestion) -> Iterator[Text]:
    secret = " (a secret)" if question.secret else ""
    yield _text(f"  {question.question_id}: {question.text}{secret}", "bold")
    for option in question.options:
        about = f": {option.description}" if option.description else ""
        yield _text(f"    - {option.label}{about}")
    if question.other and question.options:
        yield _text("    - or words of your own", "dim")


def _choices(approval: Approval, now: datetime) -> Iterator[Text]:
    if not approval.answerable:
        yield _text("  only to be answered at the computer", "dim")
    width = max((len(option.option_id) for option in approval.options), default=0)
    for option in approval.options:
        yield _text(f"  {option.option_id:<{width}}  ", "cyan").append_text(_text(option.label))
    if approval.expires_at:
        left = (datetime.fromisoformat(approval.expires_at) - now).total_seconds()
        yield _text(f"  expires in {_span(left)}", "dim")


def _span(seconds: float) -> str:
    for unit, unit_seconds in (("h", 3600), ("min", 60)):
        if seconds >= unit_seconds:
            return f"{int(seconds // unit_seconds)} {unit}"
    return f"{max(0, int(seconds))} s"


def _text(words: str, style: str = "") -> Text:
    return Text(printable(words), style=style)
