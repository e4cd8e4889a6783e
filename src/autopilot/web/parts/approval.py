"""A question of Codex as a card: what to decide on, and the answers there are; of an ended one, what became of it.

The same card is on the inbox, on a worker's screen, and behind a notification. Its form posts to `/inbox/{id}/decide`,
whose answer takes the card's place; what stands in the way is put beside what was typed, which stays. Everything in it
that Codex wrote is text.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import htpy as h

from autopilot.client import has_approval_ended
from autopilot.client.form_content import fields_of
from autopilot.client.presenters import approvals
from autopilot.client.presenters.cuts import SHORT
from autopilot.client.presenters.evidence import evidence
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.times import parsed
from autopilot.contract import Approval, ApprovalOption
from autopilot.web.live import Put
from autopilot.web.parts.blocks import posts
from autopilot.web.parts.fields import field_element
from autopilot.web.parts.layout import BOOST
from autopilot.web.timeline import diffs
from autopilot.web.visitors import path_for

INBOX = "inbox-cards"
"""The element on the inbox that cards are put into."""


def card_id(approval_id: str) -> str:
    """The id of its element."""
    return f"ap-{approval_id}"


def asks_id(worker_id: str) -> str:
    """The id of the element on a worker's screen that its questions are put into."""
    return f"asks-{worker_id}"


def path_of(approval_id: str, rest: str = "") -> str:
    """Where it is; a notification opens this."""
    return f"/inbox/{quote(approval_id, safe='')}{rest}"


def put_card(approval: Approval, names: Names) -> Put:
    """As the stream brings it: a pending one where there is room for it, another one in its place only, and short."""
    is_pending = approval.state == "pending"
    into = f"{INBOX} {asks_id(approval.worker_id)}" if is_pending else None
    return Put(card_id(approval.approval_id), card(approval, names, is_short=not is_pending), into=into)


def card(approval: Approval, names: Names, *, said: str | None = None, is_short: bool = False) -> h.Element:
    """The card; `said`: what came in between somebody's answer and this; `is_short`: without the changes of files."""
    element_id = card_id(approval.approval_id)
    is_open = approvals.can_answer(approval, names)
    return h.article(
        f".approval.card.{_css(approval.risk)}",
        {
            "id": element_id,
            "data-at": _order(approval),
            "data-ended": "yes" if has_approval_ended(approval) else None,
            "aria-labelledby": f"{element_id}-title",
            "tabindex": "-1",
        },
    )[
        _head(approval, element_id),
        _evidence(approval, is_short=is_short),
        h.p(".said.problem", role="alert")[said] if said else None,
        _form(approval, element_id) if is_open else None,
        None if is_open else _state(approval, names),
    ]


def confirmation(approval: Approval, option: ApprovalOption, *, loses_words: bool) -> h.Node:
    """Between the first tap and the second."""
    element_id = card_id(approval.approval_id)
    said = approvals.confirmation(approval, option, loses_words=loses_words)
    return h.div(".confirm", role="alertdialog", aria_labelledby=f"{element_id}-sure")[
        h.p(id=f"{element_id}-sure")[h.b[said.question], " ", said.means],
        h.div(".buttons")[
            h.button(type="button", data_clears=f"{element_id}-said")[said.no],
            h.button(".primary.danger", type="submit", name="sure", value=option.option_id, autofocus=True)[said.yes],
        ],
    ]


def said_id(approval_id: str) -> str:
    """The id of the place for what stands in an answer's way."""
    return f"{card_id(approval_id)}-said"


def _css(risk: str | None) -> str:
    return risk if risk in approvals.RISKS else "unknown"


def _order(approval: Approval) -> str:
    """The gravest first, then the oldest: a number to sort by."""
    asked = parsed(approval.requested_at)
    return str(approvals.risk_order(approval.risk) * 10**14 + (int(asked.timestamp() * 1000) if asked else 0))


def _head(approval: Approval, element_id: str) -> h.Element:
    risk = approvals.risk(approval.risk)
    machine = approval.machine.name or approval.machine.machine_id if approval.machine else None
    return h.header[
        h.p(".meta")[
            h.span(f".pill.tone-{risk.tone}", title=approvals.risk_means(approval.risk))[risk.text],
            h.time(datetime=approval.requested_at),
            h.span(dir="auto")[machine] if machine else None,
        ],
        h.h2(id=f"{element_id}-title", dir="auto")[approvals.headline(approval)],
        h.p(".meta", BOOST)[
            h.a(href=path_for(approval.worker_id))["Open the session"],
            h.a(href=path_of(approval.approval_id), title="A link to this question")["Link"],
            "Asked by a sub-agent" if approval.parent_thread_id else None,
        ],
    ]


def _evidence(approval: Approval, *, is_short: bool) -> h.Node:
    about = evidence(approval, SHORT, with_files=not is_short)
    return [
        h.p(".reason", dir="auto")[about.reason] if about.reason else None,
        h.pre(".command", tabindex="0", aria_label="Command", dir="ltr")[h.code[about.command]]
        if about.command
        else None,
        h.p(".cwd")["in ", h.code(dir="ltr")[about.folder]] if about.folder else None,
        h.dl(".facts")[([h.dt[fact.label], h.dd(dir="auto")[fact.value]] for fact in about.facts)]
        if about.facts
        else None,
        h.div(".diffs")[diffs.files(about.files)] if about.files.files else None,
        _page(about.page, may_open=about.may_open) if about.page else None,
    ]


def _page(url: str, *, may_open: bool) -> h.Element:
    """A page that a tool server names: shown whole, opened apart, and only where it is one."""
    if not may_open:
        return h.p[h.code(dir="ltr")[url]]
    return h.p(".open-page")[
        h.a(".button", href=url, target="_blank", rel="noopener noreferrer")["Open the page"],
        h.code(dir="ltr")[url],
    ]


def _form(approval: Approval, element_id: str) -> h.Element:
    fields = fields_of(approval)
    takes_words = any(option.takes_message for option in approval.options)
    return h.form(
        {
            **posts(path_of(approval.approval_id, "/decide")),
            "hx-target": f"[id='{element_id}']",
            "hx-swap": "outerHTML",
            "hx-disabled-elt": "find .answers button",
            "data-draft": element_id,
        }
    )[
        _away(approval),
        [field_element(field, element_id) for field in fields],
        _words(element_id) if takes_words else None,
        h.div(".answers")[_buttons(approval.options)],
        h.div(id=said_id(approval.approval_id), aria_live="polite"),
        _expiry(approval),
    ]


def _away(approval: Approval) -> h.Node:
    if approval.machine_reachable is not False:
        return None
    return h.p(".warning")[approvals.MACHINE_AWAY]


def _words(element_id: str) -> h.Element:
    return h.details(".words-for-codex")[
        h.summary[approvals.DECLINE_WITH_WORDS],
        h.label(for_=f"{element_id}-words")[approvals.WORDS_LABEL],
        h.textarea(id=f"{element_id}-words", name="message", rows="2", dir="auto"),
    ]


def _buttons(options: Sequence[ApprovalOption]) -> h.Node:
    """The plain yes and no in sight; what goes further is one fold away."""
    offered = approvals.answers(options)
    return [
        [_button(option) for option in offered.first],
        h.details(".more")[h.summary[approvals.MORE_ANSWERS], [_button(option) for option in offered.more]]
        if offered.more
        else None,
    ]


def _button(option: ApprovalOption) -> h.Element:
    return h.button(
        class_=approvals.weight_of(option),
        type="submit",
        name="option",
        value=option.option_id,
        formnovalidate=not option.takes_content,
        data_effect=option.effect,
        title=option.description,
    )[h.span(dir="auto")[option.label], h.small(dir="auto")[option.description] if option.description else None]


def _expiry(approval: Approval) -> h.Node:
    return h.p(".expiry")[approvals.EXPIRES, " ", h.time(datetime=approval.expires_at)] if approval.expires_at else None


def _state(approval: Approval, names: Names) -> h.Node:
    label = approvals.became(approvals.course(approval), names)
    message = approval.decision.message if approval.decision else None
    return h.div(f".outcome.tone-{label.tone}", role="status")[
        h.p[label.text, " ", h.time(datetime=approval.ended_at) if approval.ended_at else None],
        h.p(".message", dir="auto")[f"“{message}”"] if message else None,
    ]
