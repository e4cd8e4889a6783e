"""What the model does: commands, changes of files, calls of tools, searches, images, other agents."""

from __future__ import annotations

import json
from dataclasses import dataclass

from autopilot.client.presenters import diffs, times, visible
from autopilot.client.presenters.commands import plain
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.client.presenters.outcomes import command_end, item_status
from autopilot.client.presenters.pictures import picture
from autopilot.client.presenters.terminal import Output, output
from autopilot.client.presenters.timeline.view import Context, View, framed
from autopilot.client.timeline_items import (
    CommandExecution,
    FileChange,
    Hook,
    Image,
    OtherItem,
    Pause,
    SubAgent,
    ToolCall,
    TurnDiff,
    WebSearch,
)

_PRETTY_CHARACTERS = 20_000
"""Longer JSON is shown as it came."""
_NAMED = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandView(View):
    """A command line, what it printed, how it ended."""

    prompt: str
    end: Label
    took: str
    folder: str
    typed: str
    """What the model typed into it."""
    output: Output | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesView(View):
    """Files that change, each with its diff."""

    title: str
    state: Label | None
    """None: done, as it should be."""
    files: diffs.Shown
    is_folded: bool = False
    """Whether all of it is folded under the title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallView(View):
    """A call of a tool, folded: what it was given and gave."""

    what: str
    tool: str
    state: Label | None
    """None: done, as it should be."""
    took: str
    given: Output | None
    gave: Output | None
    progress: str
    error: str


@dataclass(frozen=True, slots=True)
class Found:
    """A link to elsewhere; only words where `prose.may_link` says no."""

    url: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearchView(View):
    """A search, a page that was opened, and what was found."""

    verb: str
    about: str
    """What was looked for; empty where a page was opened."""
    page: Found | None
    also: tuple[str, ...]
    """Other words that were searched for."""
    tally: str
    """How many results there were."""
    findings: tuple[Found, ...]
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView(View):
    """An image that was looked at or made."""

    verb: str
    path: str
    size: str
    prompt: str
    picture: str
    """A `data:` URL; empty where it is not here."""
    alt: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView(View):
    """One line, and what is said below it."""

    what: str = ""
    """The kind of thing, set apart; empty where the text says it all."""
    subject: str = ""
    """A name of a program's."""
    text: str = ""
    state: Label | None = None
    took: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherView(View):
    """An item of a kind that nobody foresaw, folded under its name."""

    title: str
    content: Output | None


def command(item: CommandExecution, context: Context) -> CommandView:
    """A command line, what it printed, how it ended."""
    line = plain(item.command)
    end = command_end(item)
    return CommandView(
        frame=framed(item, f"Command {line[:_NAMED]}, {end.text}", context),
        emphasis="loud" if item.exit_code else "",
        prompt=visible.code(line[: context.caps.line_characters]),
        end=end,
        took=times.took(item.duration_ms),
        folder=visible.line(item.cwd or ""),
        typed=visible.line(item.typed),
        output=output(item.output, context.caps) if item.output else None,
    )


def file_change(item: FileChange, context: Context) -> ChangesView:
    """The files that change, each with its diff."""
    shown = diffs.shown([diffs.read(change) for change in item.changes], context.caps)
    title, state = diffs.files_changed(len(item.changes)), item_status(item.status)
    return ChangesView(
        frame=framed(item, f"{title}, {shown.counts}, {state.text}", context),
        title=title,
        state=_unless_done(state),
        files=shown,
    )


def turn_diff(item: TurnDiff, context: Context) -> ChangesView:
    """All that the turn changed, folded."""
    found = diffs.read_git(item.diff)
    shown = diffs.shown(found, context.caps, unfolded=0)
    return ChangesView(
        frame=framed(item, f"The turn's changes: {diffs.files_changed(len(found))}, {shown.counts}", context),
        title="All changes of this turn",
        state=None,
        files=shown,
        is_folded=True,
    )


def tool_call(item: ToolCall, context: Context) -> ToolCallView:
    """A call of a tool: what it was given and gave."""
    name = ".".join(part for part in (item.server, item.tool) if part) or item.type
    state = item_status("failed" if item.error else item.status)
    return ToolCallView(
        frame=framed(item, f"Tool {name[:_NAMED]}, {state.text}", context),
        what="Agents" if item.type == "collabAgentToolCall" else "Tool",
        tool=visible.line(name),
        state=_unless_done(state),
        took=times.took(item.duration_ms),
        given=_json(item.arguments, context),
        gave=_json(item.result, context),
        progress=visible.line(item.progress) if item.progress and item.preview else "",
        error=visible.words(item.error or ""),
    )


def web_search(item: WebSearch, context: Context) -> WebSearchView:
    """A search, a page that was opened, and what was found."""
    url = item.url or ""
    page = Found(url, visible.line(url or "a page")) if url or item.action == "openPage" else None
    verb, about = "Searched the web for", item.query
    if item.action == "openPage":
        verb, about = "Opened", ""
    elif item.action == "findInPage":
        verb, about = "Looked in a page for", item.pattern or item.query
    findings = item.findings[: context.caps.entries]
    more = item.found - len(findings)
    return WebSearchView(
        frame=framed(item, f"{verb} {item.pattern or item.query or url}", context),
        verb=verb,
        about=visible.line(about),
        page=page if item.action in ("openPage", "findInPage") else None,
        also=tuple(visible.line(one) for one in item.queries if one != item.query)[: context.caps.entries],
        tally="1 result" if item.found == 1 else f"{item.found:,} results",
        findings=tuple(Found(one.url, visible.line(one.title or one.url)) for one in findings),
        more=f"{more} more" if more > 0 else "",
    )


def image(item: Image, context: Context) -> ImageView:
    """An image that was looked at or made."""
    verb = "Made an image" if item.made else "Looked at an image"
    return ImageView(
        frame=framed(item, f"{verb} {item.path or ''}", context),
        verb=verb,
        path=visible.line(item.path or ""),
        size=times.size(item.characters * 3 // 4) if item.characters else "",
        prompt=visible.words(item.prompt or ""),
        picture=picture(item.data),
        alt=visible.line(item.prompt or item.path or verb),
        error=sentence(spelled(item.error)) if item.error else "",
    )


def sub_agent(item: SubAgent, context: Context) -> LineView:
    """Another agent begins, or ends."""
    name, did = item.path or item.thread_id, spelled(item.activity)
    return LineView(
        frame=framed(item, f"Agent {name} {did}", context), what="Agent", subject=visible.line(name), text=did
    )


def hook(item: Hook, context: Context) -> LineView:
    """A hook ran, or spoke to the model."""
    title, state = spelled(item.event), item_status(item.status)
    return LineView(
        frame=framed(item, f"Hook {title}, {state.text}".replace(" ,", ","), context),
        what="Hook",
        text=title,
        state=state if state.tone not in ("good", "quiet") else None,
        took=times.took(item.duration_ms),
        words=visible.words(item.text),
    )


def pause(item: Pause, context: Context) -> LineView:
    """The model waits."""
    said = f"Waited {times.took(item.duration_ms)}".strip()
    return LineView(frame=framed(item, said, context), text=said)


def other(item: OtherItem, context: Context) -> OtherView:
    """An item of a kind that nobody foresaw, as it is."""
    title = sentence(spelled(item.type)) or "Something of Codex"
    return OtherView(frame=framed(item, title, context), title=title, content=_json(item.text, context))


def _unless_done(state: Label) -> Label | None:
    return None if state.tone == "good" else state


def _json(text: str, context: Context) -> Output | None:
    return output(_pretty(text), context.caps) if text else None


def _pretty(text: str) -> str:
    """JSON on several lines; what is none, and what a tool gave as text, as it is."""
    if len(text) > _PRETTY_CHARACTERS:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    content = value.get("content") if isinstance(value, dict) else value
    if isinstance(content, list) and content and all(isinstance(one, dict) for one in content):
        said = [one["text"] for one in content if isinstance(one.get("text"), str)]
        if len(said) == len(content):
            return "\n".join(said)
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return text
