"""What a timeline is made of: one frozen dataclass a kind of item. These are Codex's; ours are in timeline_records.py.

Knows nothing of events. Every text is bounded by whoever makes the item (`clip`, `tail`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from autopilot.contract import Actor

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
class Attachment:
    """What came with a message and is no text."""

    type: str
    """Codex's word: `image`, `localImage`, `audio`, `localAudio`, `skill`, `mention`, …."""
    name: str = ""
    """Its name, path or address; of content that is in the message itself, its media type."""
    data: str = ""
    """A `data:` URL, where the content itself is there and small."""
    characters: int = 0
    """Of the `data:` URL, also where it is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage(Item):
    """What a person said."""

    kind = "userMessage"
    text: str = ""
    attachments: int = 0
    """Parts that are no text (images, mentions, …)."""
    parts: tuple[Attachment, ...] = ()
    """The first of them."""
    client_id: str | None = None
    """`clientUserMessageId` of whoever sent it: of a request, its id."""
    actor: Actor | None = None
    """Who asked, where the log says it; None: at the computer, or before this timeline begins."""


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
    source: str | None = None
    """Who runs it, in Codex's words: `agent`, `userShell`, …."""
    typed: str = ""
    """What the model typed into it while it ran."""


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
class Finding:
    """One result of a search."""

    title: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearch(Item):
    """The model looks something up."""

    kind = "webSearch"
    query: str = ""
    action: str | None = None
    """Codex's word: `search`, `openPage`, `findInPage`, …."""
    queries: tuple[str, ...] = ()
    """All that it searched for, where it was more than one."""
    url: str | None = None
    """The page it opened."""
    pattern: str | None = None
    """What it looked for in that page."""
    findings: tuple[Finding, ...] = ()
    found: int = 0
    """How many results there were in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Item):
    """An image that the model looked at or made."""

    kind = "image"
    made: bool = False
    """Made by the model; else looked at."""
    path: str | None = None
    """Where it lies on the machine."""
    prompt: str | None = None
    """What was asked for, as it was understood."""
    data: str = ""
    """Its content in base64, where that is there and small."""
    characters: int = 0
    """Of the base64, also where it is not kept."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction(Item):
    """The thread's context was compacted here."""

    kind = "compaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Item):
    """A review of changes begins or ends."""

    kind = "review"
    entered: bool = True
    text: str = ""
    """What is reviewed; at the end, what the review says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoReview(Item):
    """A model judges instead of a person whether something may be done."""

    kind = "autoReview"
    action: str = ""
    """What is judged."""
    verdict: str = ""
    """`inProgress`, `approved`, `denied`, `aborted`, …, as Codex says it."""
    risk: str | None = None
    rationale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAgent(Item):
    """Another agent that works for this thread."""

    kind = "subAgent"
    activity: str = ""
    """`started`, `interacted`, `interrupted`, `completed`."""
    path: str = ""
    thread_id: str = ""
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook(Item):
    """A hook of the user's ran, or spoke to the model."""

    kind = "hook"
    event: str = ""
    """On what it ran; empty where it only spoke."""
    text: str = ""
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Item):
    """The model waits."""

    kind = "pause"
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


def json_text(value: Any) -> str:
    """A raw value as one line of JSON; empty for none."""
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def joined(parts: Sequence[Any]) -> str:
    """The strings among `parts`, as paragraphs."""
    return "\n\n".join(part for part in parts if isinstance(part, str) and part)
