"""Paint a timeline into a terminal, line after line: what was painted stays, what grows is continued.

Pure but for the console it prints to. A text that streams in is printed as it comes; when the item ends, only what was
not shown yet is added, because the end is the truth and deltas are previews (docs/protocol.md, "Events").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from autopilot.cli.printable import printable
from autopilot.client.presenters.times import size
from autopilot.client.timeline_items import (
    AgentMessage,
    Change,
    CommandExecution,
    Failure,
    FileChange,
    Item,
    Notice,
    OtherItem,
    Plan,
    Reasoning,
    ToolCall,
    TurnEnded,
    TurnStarted,
    Usage,
    UserMessage,
)
from autopilot.client.timeline_records import Asked, Lifecycle, Request
from autopilot.ops.program import autopilot

LONGEST_LINES = 40
"""Of a command's output, a diff or a result that comes at once; `--full` shows all."""
MOST_WHOLES = 3
"""Named of one item."""
STEP_MARKS = {"completed": "[x]", "inProgress": "[>]", "pending": "[ ]"}
QUIET_REQUESTS = frozenset({"delivered", "acknowledged", "completed"})
BAD_ENDS = frozenset({"failed", "interrupted", "declined", "unfinished"})


class Painter:
    """Prints items as they come and change."""

    def __init__(self, console: Console, *, full: bool = False, worker_id: str | None = None) -> None:
        """`worker_id`: whose timeline it is, for commands that name it."""
        self._console = console
        self._worker = worker_id
        self._full = full
        self._shown: dict[str, str] = {}  # key -> text printed so far, of items that stream
        self._done: dict[str, Any] = {}  # key -> what was printed of it last, of items printed at once
        self._line_of: str | None = None  # the item whose line is not ended yet
        self._usage: dict[str | None, Usage] = {}

    def paint(self, items: Iterable[Item]) -> None:
        """Print what is new in `items`."""
        for item in items:
            draw = _DRAWS.get(type(item))
            if draw is not None:
                draw(self, item)

    def end_line(self) -> None:
        """Make sure that the next words begin a line."""
        if self._line_of is not None:
            self._console.print()
            self._line_of = None

    # How each kind is drawn.

    def _user(self, item: UserMessage) -> None:
        if self._once(item, item.text):
            self._heading("you", "bold cyan")
            more = f"  (+{item.attachments} attachments)" if item.attachments else ""
            self._console.print(clean(item.text + more))

    def _agent(self, item: AgentMessage) -> None:
        self._stream(item, "codex", "bold green", item.text, "")

    def _reasoning(self, item: Reasoning) -> None:
        if item.summary:
            self._stream(item, "thinking", "dim", item.summary, "dim italic")

    def _command(self, item: CommandExecution) -> None:
        if item.key not in self._shown:
            self._forget_old()
            self._heading(f"$ {item.command}", "bold yellow")
            self._shown[item.key] = ""
        if item.preview:
            self._continue(item.key, item.output, "dim")
        elif item.key not in self._done:
            self._done[item.key] = True
            self._finish_output(item)
            self.end_line()
            self._wholes(item)
            self._console.print(clean(_command_end(item), style="red" if item.exit_code else "dim"))

    def _finish_output(self, item: CommandExecution) -> None:
        """Print of the whole output what was not shown: its rest, or, when the preview missed its beginning, that."""
        shown, whole = self._shown[item.key], item.output
        if whole.startswith(shown):
            self._print(item.key, self._shortened(whole[len(shown) :]), "dim")
        elif shown and whole.endswith(shown):
            self.end_line()
            self._console.print(clean("(before that it had printed:)", style="dim italic"))
            self._print(item.key, self._shortened(whole[: -len(shown)]), "dim")
        else:
            self.end_line()
            self._console.print(clean("(the whole output:)", style="dim italic"))
            self._print(item.key, self._shortened(whole), "dim")

    def _files(self, item: FileChange) -> None:
        if item.preview or not self._once(item, item.status):
            return
        for change in item.changes:
            self._heading(f"{change.action or 'change'} {change.path}" + _moved(change), "bold magenta")
            self._console.print(diff_text(change.diff, change.action, full=self._full))
        self._wholes(item)
        if item.status in BAD_ENDS:
            self._console.print(clean(f"(the change is {item.status})", style="red"))

    def _wholes(self, item: Item) -> None:
        """Say where the whole of what is shown in part is."""
        for whole in item.wholes[:MOST_WHOLES]:
            command = f"{autopilot('artifact')} {self._worker or 'WORKER'} {whole.artifact_id}"
            self._console.print(clean(f"(whole: {size(whole.bytes)}: {command})", style="dim italic"))
        if len(item.wholes) > MOST_WHOLES:
            self._console.print(clean(f"(and {len(item.wholes) - MOST_WHOLES} more)", style="dim italic"))

    def _plan(self, item: Plan) -> None:
        if item.steps and self._once(item, item.steps):
            self._heading("plan", "bold blue")
            for step in item.steps:
                style = "bold" if step.status == "inProgress" else "dim" if step.status == "completed" else ""
                self._console.print(clean(f"{STEP_MARKS.get(step.status, '[?]')} {step.step}", style=style))
        elif not item.steps:
            self._stream(item, "plan", "bold blue", item.text, "")

    def _tool(self, item: ToolCall) -> None:
        if item.preview or not self._once(item, item.status):
            return
        name = ".".join(part for part in (item.server, item.tool) if part)
        self._heading(f"{name or item.type}({item.arguments})", "bold yellow")
        if item.error:
            self._console.print(clean(item.error, style="red"))
        elif item.result:
            self._console.print(clean(self._shortened(item.result), style="dim"))
        self._wholes(item)

    def _other(self, item: OtherItem) -> None:
        if not item.preview and self._once(item, item.status):
            self._heading(item.type, "dim")
            self._console.print(clean(self._shortened(item.text), style="dim"))

    def _turn_started(self, item: TurnStarted) -> None:
        if self._once(item, True):
            self.end_line()
            self._console.rule(clean(f"turn, {item.at[11:19]} UTC"), style="dim", align="left")

    def _turn_ended(self, item: TurnEnded) -> None:
        if not self._once(item, item.status):
            return
        self.end_line()
        took = f" after {item.duration_ms / 1000:.1f} s" if item.duration_ms is not None else ""
        words = f"turn {item.status}{took}{_tokens(self._usage.pop(item.turn_id, None))}"
        self._console.print(clean(words, style="red" if item.status in BAD_ENDS else "dim"))
        if item.error:
            self._console.print(clean(item.error, style="red"))

    def _keep_usage(self, item: Usage) -> None:
        self._usage = {item.turn_id: item}

    def _failure(self, item: Failure) -> None:
        if self._once(item, item.message):
            self._heading("error", "bold red")
            retry = " (Codex tries again)" if item.will_retry else ""
            self._console.print(clean(item.message + retry, style="red"))

    def _notice(self, item: Notice) -> None:
        if item.text and self._once(item, item.text):
            self.end_line()
            self._console.print(clean(f"note: {item.text}", style="yellow"))

    def _request(self, item: Request) -> None:
        if item.state in QUIET_REQUESTS or not self._once(item, item.state):
            return
        self.end_line()
        by = f" through {item.surface}" if item.surface else ""
        words = f"asked{by}: {item.method}" if item.state == "accepted" else f"{item.method} is {item.state}"
        error = f": {item.error}" if item.error else ""
        self._console.print(clean(words + error, style="dim" if item.state == "accepted" else "yellow"))

    def _asked(self, item: Asked) -> None:
        if not self._once(item, item.state):
            return
        if item.state == "pending":
            self._heading(f"Codex asks: {item.title}", "bold yellow")
            for label, text in (("", item.command), ("in ", item.cwd), ("because: ", item.reason)):
                if text:
                    self._console.print(clean(f"  {label}{text}"))
            short = item.approval_id[:SHORT_ID]
            how = f"{autopilot(f'approve {short}')}, or deny" if item.answerable else "only at the computer"
            self._console.print(clean(f"  ({how})", style="dim"))
        else:
            self.end_line()
            self._console.print(
                clean(f"{item.title or item.approval_id[:SHORT_ID]}: {_answered(item)}", style="yellow")
            )

    def _lifecycle(self, item: Lifecycle) -> None:
        if self._once(item, item.event):
            self.end_line()
            reason = f" ({item.reason})" if item.reason else ""
            unverified = ", not verified by the companion" if item.verified is False else ""
            self._console.print(
                clean(f"the log was {_LIFE.get(item.event, item.event)}{reason}{unverified}", style="dim")
            )

    # What they share.

    def _once(self, item: Item, what: Any) -> bool:
        """Whether `what` of this item was not printed yet."""
        if self._done.get(item.key) == what:
            return False
        self._forget_old()
        self._done[item.key] = what
        return True

    def _forget_old(self) -> None:
        """Keep the memory of what was printed bounded; old items don't change any more."""
        for memory in (self._done, self._shown):
            while len(memory) > REMEMBERED_ITEMS:
                del memory[next(iter(memory))]

    def _heading(self, words: str, style: str) -> None:
        self.end_line()
        self._console.print(clean(words, style=style))

    def _stream(self, item: Item, heading: str, heading_style: str, text: str, style: str) -> None:
        if item.key not in self._shown:
            if not text:
                return
            self._forget_old()
            self._heading(heading, heading_style)
            self._shown[item.key] = ""
        elif not item.preview and not text.startswith(self._shown[item.key]):
            self._heading(f"{heading}, in full", heading_style)
            self._shown[item.key] = ""
        self._continue(item.key, text, style)
        if not item.preview and self._line_of == item.key:
            self.end_line()

    def _continue(self, key: str, text: str, style: str) -> None:
        """Print what `text` has more than was shown; a preview that no longer begins alike is waited out."""
        shown = self._shown[key]
        if len(text) > len(shown) and text.startswith(shown):
            self._print(key, text[len(shown) :], style)
            self._shown[key] = text

    def _print(self, key: str, text: str, style: str) -> None:
        if not text:
            return
        if self._line_of not in (None, key):
            self.end_line()
        self._console.print(clean(text, style=style), end="")
        self._line_of = None if text.endswith("\n") else key

    def _shortened(self, text: str) -> str:
        return shortened(text, full=self._full)


REMEMBERED_ITEMS = 2000
SHORT_ID = 11
"""Characters of an approval's id that tell it from others well enough to be typed."""
_LIFE = {"started": "opened", "stopped": "closed"}
_DRAWS: dict[type[Item], Callable[[Painter, Any], None]] = {
    UserMessage: Painter._user,  # noqa: SLF001  the table of its own methods
    AgentMessage: Painter._agent,  # noqa: SLF001
    Reasoning: Painter._reasoning,  # noqa: SLF001
    CommandExecution: Painter._command,  # noqa: SLF001
    FileChange: Painter._files,  # noqa: SLF001
    Plan: Painter._plan,  # noqa: SLF001
    ToolCall: Painter._tool,  # noqa: SLF001
    OtherItem: Painter._other,  # noqa: SLF001
    TurnStarted: Painter._turn_started,  # noqa: SLF001
    TurnEnded: Painter._turn_ended,  # noqa: SLF001
    Usage: Painter._keep_usage,  # noqa: SLF001
    Failure: Painter._failure,  # noqa: SLF001
    Notice: Painter._notice,  # noqa: SLF001
    Request: Painter._request,  # noqa: SLF001
    Asked: Painter._asked,  # noqa: SLF001
    Lifecycle: Painter._lifecycle,  # noqa: SLF001
}


def shortened(text: str, *, full: bool) -> str:
    """The text, or where it is long its first and last lines with a note between them."""
    lines = text.splitlines(keepends=True)
    if full or len(lines) <= LONGEST_LINES:
        return text
    half = LONGEST_LINES // 2
    left_out = f"… {len(lines) - 2 * half} lines are left out; --full shows them\n"
    return "".join((*lines[:half], left_out, *lines[-half:]))


def diff_text(diff: str, action: str, *, full: bool) -> Text:
    """A diff in colours; `action` says of a whole content whether it is added or deleted."""
    text = Text()
    for line in printable(shortened(diff, full=full)).splitlines():
        text.append(line + "\n", style=_diff_style(line, action))
    text.rstrip()
    return text


def clean(text: str, style: str = "") -> Text:
    """`text` for the console, without what could move the cursor or change the terminal."""
    return Text(printable(text), style=style)


def _diff_style(line: str, action: str) -> str:
    if action == "add":
        return "green"
    if action == "delete":
        return "red"
    if line.startswith("@@"):
        return "cyan"
    return {"+": "green", "-": "red"}.get(line[:1], "dim")


def _answered(item: Asked) -> str:
    by = f" through {item.by}" if item.by else ""
    outcome = f" ({item.outcome})" if item.outcome else ""
    match item.state:
        case "decided":
            return f"answered{by}: {item.option}"
        case "applied":
            return f"Codex took the answer{outcome}"
        case "superseded":
            return f"answered elsewhere{outcome}"
        case "expired":
            return "nobody answered in time"
        case _:
            return f"asked no more ({item.closed_reason or item.state})"


def _moved(change: Change) -> str:
    return f" -> {change.moved_to}" if change.moved_to else ""


def _command_end(item: CommandExecution) -> str:
    took = f" after {item.duration_ms / 1000:.1f} s" if item.duration_ms is not None else ""
    if item.exit_code is None:
        return f"({item.status}{took})"
    return f"(exit code {item.exit_code}{took})"


def _tokens(usage: Usage | None) -> str:
    if usage is None or not usage.turn.total:
        return ""
    window = f", {100 * usage.thread.total // usage.context_window} % of the context" if usage.context_window else ""
    return f", {usage.turn.total:,} tokens ({usage.turn.output:,} out){window}"
