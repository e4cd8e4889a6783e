"""How what the model does looks: commands, changes of files, calls of tools, searches, images, other agents."""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters.terminal import Output
from autopilot.client.presenters.timeline.doings import (
    ChangesView,
    CommandView,
    ImageView,
    LineView,
    OtherView,
    ToolCallView,
    WebSearchView,
)
from autopilot.client.presenters.timeline.view import View
from autopilot.web.timeline import diffs, markdown, terminal
from autopilot.web.timeline.frame import chip, folder, left_out, mono, wholes, words
from autopilot.web.timeline.look import Look
from autopilot.web.timeline.messages import picture


def command(view: CommandView, look: Look) -> h.Node:
    """A command line, what it printed, how it ended."""
    return [
        h.header[
            h.pre(".prompt", tabindex="0", dir="ltr")[h.code[view.prompt]],
            h.div(".end")[chip(view.end), h.span(".took")[view.took]],
        ],
        folder(view.folder),
        h.p(".typed")["typed ", mono(view.typed)] if view.typed else None,
        terminal.output(view.output, look.whole(view.last_seq)),
        wholes(view, look),
    ]


def changes(view: ChangesView, look: Look) -> h.Node:
    """The files that change, each with its diff."""
    files = diffs.files(view.files, look.whole(view.last_seq))
    if view.is_folded:
        folded = h.details(".all")[h.summary[h.b[view.title], diffs.counts(view.files)], files]
        return [folded, wholes(view, look)]
    head = h.header[h.b[view.title], diffs.counts(view.files), chip(view.state) if view.state else None]
    return [head, files, wholes(view, look)]


def tool_call(view: ToolCallView, look: Look) -> h.Node:
    """A call of a tool: what it was given and gave, folded."""
    return [
        h.details[
            h.summary[
                h.span(".what")[view.what],
                mono(view.tool),
                chip(view.state) if view.state else None,
                h.span(".took")[view.took],
            ],
            _part("Given", view.given, view, look),
            _part("Gave", view.gave, view, look),
            wholes(view, look),
        ],
        h.p(".progress", dir="auto")[view.progress] if view.progress else None,
        words(view.error),
    ]


def web_search(view: WebSearchView, look: Look) -> h.Node:
    """A search, a page that was opened, and what was found."""
    page = markdown.link(view.page.url, view.page.words) if view.page else None
    return [
        h.p(".line")[h.span(".what")[view.verb], " ", mono(view.about) if view.about or page is None else page],
        h.p(".line")[page] if view.about and page else None,
        [h.p(".line.also")[mono(one)] for one in view.also],
        h.details[
            h.summary[view.tally],
            h.ul[(h.li[markdown.link(one.url, one.words)] for one in view.findings)],
            left_out(view.more, None),
        ]
        if view.findings
        else None,
        wholes(view, look),
    ]


def image(view: ImageView, look: Look) -> h.Node:
    """An image that was looked at or made."""
    return [
        h.p(".line")[
            h.span(".what")[view.verb], " ", mono(view.path) if view.path else None, h.span(".took")[view.size]
        ],
        words(view.prompt),
        picture(view.picture, view.alt),
        words(view.error),
        wholes(view, look),
    ]


def line(view: LineView, look: Look) -> h.Node:
    """One line, and what is said below it."""
    pieces = [
        h.span(".what")[view.what] if view.what else None,
        mono(view.subject) if view.subject else None,
        view.text or None,
        chip(view.state) if view.state else None,
        h.span(".took")[view.took] if view.took else None,
    ]
    spaced = [[" ", piece] if number else piece for number, piece in enumerate(filter(None, pieces))]
    return [h.p(".line", dir="auto")[spaced], words(view.words), wholes(view, look)]


def other(view: OtherView, look: Look) -> h.Node:
    """An item of a kind that nobody foresaw, as it is."""
    content = _part("", view.content, view, look)
    return h.details[h.summary[h.span(".what")[view.title]], content, wholes(view, look)]


def _part(title: str, shown: Output | None, view: View, look: Look) -> h.Node:
    if shown is None:
        return None
    return [h.p(".part")[title] if title else None, terminal.output(shown, look.whole(view.last_seq))]
