"""What a timeline is made of: one frozen dataclass a kind of item, and their plain JSON form.

Knows nothing of events. Every text is bounded by whoever makes the item (`clip`, `tail`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

Status = Literal["open", "completed", "failed", "declined", "interrupted", "unfinished"]
"""
open         begun, and its turn runs
completed, failed, declined   as Codex said
interrupted  its turn was, or its worker stopped, before its end was heard
unfinished   its turn completed without it (a command in the background); the end may come yet
"""

OMITTED = "\n… {} characters omitted …\n"


def clip(text: str, limit: int) -> str:
    """`text`, or its head and tail with a note between them, in about `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return text[:half] + OMITTED.format(len(text) - 2 * half) + text[-half:]


def tail(text: str, limit: int) -> str:
    """The last `limit` characters: for previews, where the newest counts."""
    return text if len(text) <= limit else text[-limit:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What an item shows only a part of: an artifact of the worker (`client.read_artifact`)."""

    artifact_id: str
    path: str
    """Where in the event's payload the part is: a JSON Pointer."""
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What all kinds have."""

    kind: ClassVar[str] = "item"

    key: str
    """Unique in the timeline, and the same in every fold of the same log."""
    seq: int
    """The event that began it."""
    last_seq: int
    """The event that changed it last."""
    at: str
    """When the ledger recorded its beginning."""
    turn_id: str | None = None
    status: str = "completed"
    """One of Status; an unknown word of a later Codex is kept."""
    preview: bool = False
    """Its content comes from deltas, or is not whole yet; the truth may still come."""
    wholes: tuple[Whole, ...] = ()
    """What was too large for its event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage(Item):
    """What a person said."""

    kind = "userMessage"
    text: str = ""
    attachments: int = 0
    """Parts that are no text (images, mentions, …)."""
    client_id: str | None = None
    """`clientUserMessageId` of whoever sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMessage(Item):
    """What the model said."""

    kind = "agentMessage"
    text: str = ""
    phase: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning(Item):
    """What the model thought, as far as it is told."""

    kind = "reasoning"
    summary: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One step of a plan."""

    step: str
    status: str
    """`pending`, `inProgress`, `completed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Item):
    """A plan: as text (plan mode), or as steps of the running turn."""

    kind = "plan"
    text: str = ""
    steps: tuple[PlanStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandExecution(Item):
    """A command, and what it printed."""

    kind = "commandExecution"
    command: str = ""
    cwd: str | None = None
    output: str = ""
    """stdout and stderr as they came; while `preview`, the newest of it, and its first moments may be missing."""
    exit_code: int | None = None
    duration_ms: int | None = None
    process_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one file."""

    path: str
    action: str
    """`add`, `update` or `delete`."""
    diff: str
    """Unified hunks of an update; the whole content of a file that was added or deleted."""
    moved_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange(Item):
    """Edits of files."""

    kind = "fileChange"
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(Item):
    """A call of a tool that is no command: MCP, dynamic, another agent."""

    kind = "toolCall"
    type: str = ""
    """Codex's name for the kind of call."""
    server: str | None = None
    tool: str = ""
    arguments: str = ""
    """JSON text."""
    result: str = ""
    """JSON text; empty before the end."""
    error: str | None = None
    progress: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherItem(Item):
    """An item of Codex that has no kind of its own here, as it is."""

    kind = "other"
    type: str = ""
    text: str = ""
    """Its fields as JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(Item):
    """A turn begins here."""

    kind = "turnStarted"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded(Item):
    """A turn ends here; `status` says how."""

    kind = "turnEnded"
    error: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDiff(Item):
    """Everything a turn changed so far, as one diff in git's style; replaced by each newer one."""

    kind = "turnDiff"
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Counts of tokens."""

    total: int = 0
    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning_output: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Item):
    """What a turn used so far, and its thread in all; replaced by each newer one."""

    kind = "usage"
    turn: Tokens = Tokens()
    thread: Tokens = Tokens()
    context_window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Item):
    """An error that Codex reported."""

    kind = "error"
    message: str = ""
    reason: str | None = None
    """`codexErrorInfo`: a word, or JSON text."""
    will_retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Item):
    """Something worth a line: a warning, another model, a question that was refused."""

    kind = "notice"
    type: str = ""
    """The method that said it."""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Item):
    """A request and its receipt so far."""

    kind = "request"
    request_id: str = ""
    method: str = ""
    state: str = "accepted"
    """As the receipt: accepted, delivered, acknowledged, completed, failed, rejected, expired, cancelled, …."""
    error: str | None = None
    surface: str | None = None
    """Through what it was asked."""
    x_request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Item):
    """A question of Codex to a person, and what became of it so far."""

    kind = "approval"
    approval_id: str = ""
    what: str = ""
    """What is asked: `command`, `file_change`, …."""
    state: str = "pending"
    """As the approval: pending, decided, applied, superseded, expired, closed. (That it was delivered is no event.)"""
    title: str = ""
    command: str | None = None
    cwd: str | None = None
    reason: str | None = None
    """Why Codex asks."""
    answerable: bool = True
    labels: tuple[tuple[str, str], ...] = ()
    """The options: id and label."""
    option: str | None = None
    """The label of the option that was chosen; its id where the question is not known."""
    by: str | None = None
    """Through what it was answered: ios, web, cli, …."""
    message: str | None = None
    """The words that went with the answer."""
    outcome: str | None = None
    """What became of it in Codex: accepted, declined, cancelled, unknown."""
    closed_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(Item):
    """The worker's log was opened or closed."""

    kind = "lifecycle"
    event: str = ""
    """`started` or `stopped`."""
    reason: str | None = None
    verified: bool | None = None
    """Of a stop: whether the executor saw everything end."""


KINDS: dict[str, type[Item]] = {
    kind.kind: kind
    for kind in (
        *(UserMessage, AgentMessage, Reasoning, Plan, CommandExecution, FileChange, ToolCall, OtherItem),
        *(TurnStarted, TurnEnded, TurnDiff, Usage, Failure, Notice, Request, Asked, Lifecycle),
    )
}


def weight_of(value: Any) -> int:
    """Roughly how many characters an item holds, with what it costs to hold it."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, tuple):
        return sum(weight_of(part) for part in value)
    if isinstance(value, (Item, Change, PlanStep, Whole)):
        return 200 + sum(weight_of(getattr(value, field.name)) for field in fields(value))
    return 0


def item_to_json(item: Item) -> dict[str, Any]:
    """Its plain form, for a cache on disk."""
    return {"kind": item.kind, **{field.name: _plain(getattr(item, field.name)) for field in fields(item)}}


def item_from_json(value: dict[str, Any]) -> Item:
    """From its plain form.

    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    kind = KINDS[value["kind"]]
    known = {field.name for field in fields(kind)}
    return kind(**{name: _typed(name, part) for name, part in value.items() if name in known})


def json_text(value: Any) -> str:
    """A raw value as one line of JSON; empty for none."""
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, (PlanStep, Change, Tokens, Whole)):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _typed(name: str, value: Any) -> Any:
    match name:
        case "steps":
            return tuple(PlanStep(**step) for step in value)
        case "changes":
            return tuple(Change(**change) for change in value)
        case "wholes":
            return tuple(Whole(**whole) for whole in value)
        case "labels":
            return tuple((option_id, label) for option_id, label in value)
        case "turn" | "thread":
            return Tokens(**value)
        case _:
            return value


def joined(parts: Sequence[Any]) -> str:
    """The strings among `parts`, as paragraphs."""
    return "\n\n".join(part for part in parts if isinstance(part, str) and part)
