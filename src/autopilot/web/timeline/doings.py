"""What the model does: commands, changes of files, calls of tools, searches, images, other agents."""

from __future__ import annotations

import json

import htpy as h

from autopilot.client.presenters import diffs as read_diffs
from autopilot.client.presenters import times, visible
from autopilot.client.presenters.commands import plain
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.client.presenters.outcomes import command_end, item_status
from autopilot.client.presenters.terminal import output
from autopilot.client.timeline_items import (
    CommandExecution,
    FileChange,
    Hook,
    Image,
    Item,
    OtherItem,
    Pause,
    SubAgent,
    ToolCall,
    TurnDiff,
    WebSearch,
)
from autopilot.web.timeline import diffs, markdown, terminal
from autopilot.web.timeline.frame import article, chip, mono, wholes, words
from autopilot.web.timeline.look import Look
from autopilot.web.timeline.messages import picture

_PRETTY_CHARACTERS = 20_000
"""Longer JSON is shown as it came."""
_NAMED = 120


def command(item: CommandExecution, look: Look) -> h.Element:
    """A command line, what it printed, how it ended."""
    line = plain(item.command)
    return article(
        item,
        f"Command {line[:_NAMED]}, {command_end(item).text}",
        h.header[
            h.pre(".prompt", tabindex="0", dir="ltr")[h.code[visible.code(line[: look.caps.line_characters])]],
            h.div(".end")[chip(command_end(item)), h.span(".took")[times.took(item.duration_ms)]],
        ],
        h.p(".cwd")["in ", mono(item.cwd)] if item.cwd else None,
        h.p(".typed")["typed ", mono(item.typed)] if item.typed else None,
        terminal.output(output(item.output, look.caps), look.whole(item.last_seq)) if item.output else None,
        wholes(item, look),
        also="loud" if item.exit_code else "",
    )


def file_change(item: FileChange, look: Look) -> h.Element:
    """The files that change, each with its diff."""
    shown = read_diffs.shown([read_diffs.read(change) for change in item.changes], look.caps)
    title = read_diffs.files_changed(len(item.changes))
    return article(
        item,
        f"{title}, {shown.counts}, {item_status(item.status).text}",
        h.header[h.b[title], diffs.counts(shown), _unless_done(item.status)],
        diffs.files(shown, look.whole(item.last_seq)),
        wholes(item, look),
    )


def turn_diff(item: TurnDiff, look: Look) -> h.Element:
    """All that the turn changed, folded."""
    found = read_diffs.read_git(item.diff)
    shown = read_diffs.shown(found, look.caps, unfolded=0)
    return article(
        item,
        f"The turn's changes: {read_diffs.files_changed(len(found))}, {shown.counts}",
        h.details(".all")[
            h.summary[h.b["All changes of this turn"], diffs.counts(shown)],
            diffs.files(shown, look.whole(item.last_seq)),
        ],
        wholes(item, look),
    )


def tool_call(item: ToolCall, look: Look) -> h.Element:
    """A call of a tool: what it was given and gave, folded."""
    name = ".".join(part for part in (item.server, item.tool) if part) or item.type
    status = item_status("failed" if item.error else item.status)
    return article(
        item,
        f"Tool {name[:_NAMED]}, {status.text}",
        h.details[
            h.summary[
                h.span(".what")["Agents" if item.type == "collabAgentToolCall" else "Tool"],
                mono(name),
                chip(status) if status.tone != "good" else None,
                h.span(".took")[times.took(item.duration_ms)],
            ],
            _json("Given", item.arguments, item, look),
            _json("Gave", item.result, item, look),
            wholes(item, look),
        ],
        h.p(".progress", dir="auto")[visible.line(item.progress)] if item.progress and item.preview else None,
        words(item.error) if item.error else None,
    )


def web_search(item: WebSearch, look: Look) -> h.Element:
    """A search, a page that was opened, and what was found."""
    if item.action == "openPage":
        verb, about = "Opened", markdown.link(item.url or "", item.url or "a page")
    elif item.action == "findInPage":
        verb, about = "Looked in a page for", mono(item.pattern or item.query)
    else:
        verb, about = "Searched the web for", mono(item.query)
    also = [query for query in item.queries if query != item.query][: look.caps.entries]
    findings = item.findings[: look.caps.entries]
    more = item.found - len(findings)
    return article(
        item,
        f"{verb} {item.pattern or item.query or item.url or ''}",
        h.p(".line")[h.span(".what")[verb], " ", about],
        h.p(".line")[markdown.link(item.url, item.url)] if item.url and item.action == "findInPage" else None,
        [h.p(".line.also")[mono(query)] for query in also],
        h.details[
            h.summary["1 result" if item.found == 1 else f"{item.found:,} results"],
            h.ul[(h.li[markdown.link(one.url, one.title or one.url)] for one in findings)],
            h.p(".left-out")[f"{more} more"] if more > 0 else None,
        ]
        if findings
        else None,
        wholes(item, look),
    )


def image(item: Image, look: Look) -> h.Element:
    """An image that was looked at or made."""
    verb = "Made an image" if item.made else "Looked at an image"
    size = times.size(item.characters * 3 // 4) if item.characters else ""
    return article(
        item,
        f"{verb} {item.path or ''}",
        h.p(".line")[h.span(".what")[verb], " ", mono(item.path) if item.path else None, h.span(".took")[size]],
        words(item.prompt) if item.prompt else None,
        picture(item.data, item.prompt or item.path or verb),
        words(sentence(spelled(item.error))) if item.error else None,
        wholes(item, look),
    )


def sub_agent(item: SubAgent, look: Look) -> h.Element:
    """Another agent begins, or ends."""
    name = item.path or item.thread_id
    return article(
        item,
        f"Agent {name} {item.activity}",
        h.p(".line")[h.span(".what")["Agent"], " ", mono(name), " ", visible.line(spelled(item.activity))],
        wholes(item, look),
    )


def hook(item: Hook, look: Look) -> h.Element:
    """A hook ran, or spoke to the model."""
    title = spelled(item.event)
    status = item_status(item.status)
    return article(
        item,
        f"Hook {title}, {status.text}".replace(" ,", ","),
        h.p(".line")[
            h.span(".what")["Hook"],
            " ",
            visible.line(title),
            " ",
            chip(status) if status.tone not in ("good", "quiet") else None,
            h.span(".took")[times.took(item.duration_ms)],
        ],
        words(item.text) if item.text else None,
        wholes(item, look),
    )


def pause(item: Pause, _look: Look) -> h.Element:
    """The model waits."""
    said = f"Waited {times.took(item.duration_ms)}".strip()
    return article(item, said, h.p(".line")[said])


def other(item: OtherItem, look: Look) -> h.Element:
    """An item of a kind that nobody foresaw, as it is."""
    title = sentence(spelled(item.type)) or "Something of Codex"
    return article(
        item,
        title,
        h.details[
            h.summary[h.span(".what")[visible.line(title)]], _json("", item.text, item, look), wholes(item, look)
        ],
    )


def _unless_done(status: str) -> h.Node:
    label: Label = item_status(status)
    return None if label.tone == "good" else chip(label)


def _json(title: str, text: str, item: Item, look: Look) -> h.Node:
    if not text:
        return None
    return [
        h.p(".part")[title] if title else None,
        terminal.output(output(_pretty(text), look.caps), look.whole(item.last_seq)),
    ]


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
