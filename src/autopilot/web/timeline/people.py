"""What people ask, and what is asked of them: requests, approvals, refusals by policy, handshakes, the log itself."""

from __future__ import annotations

from datetime import datetime

import htpy as h

from autopilot.client.presenters import approvals, handshakes, receipts, visible
from autopilot.client.presenters.evidence import Evidence, Question, evidence
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import who
from autopilot.client.presenters.policies import denial_words, rule_words
from autopilot.client.timeline_records import (
    Asked,
    Denial,
    Handshake,
    Lifecycle,
    PolicyDenied,
    ReceiptStep,
    Request,
)
from autopilot.contract import Actor
from autopilot.web.timeline import diffs, markdown, terminal
from autopilot.web.timeline.frame import article, chip, moment, mono, words
from autopilot.web.timeline.look import Look

_REPEATED_IN_A_MESSAGE = frozenset({"turn/start", "turn/steer"})
"""What these say is the next message of the timeline."""


def request(item: Request, look: Look) -> h.Element:
    """A request, who asked, and the steps of its receipt."""
    state = receipts.state_of(item.state)
    title = receipts.asked(item.method)
    quiet = item.state in receipts.WAY
    return article(
        item,
        f"Request {title}, {state.text}",
        h.header[
            h.b[visible.line(title)],
            None if item.state == "completed" else chip(state),
            by(item.actor, look),
            moment(item.at),
        ],
        words(item.words) if item.words and not (quiet and item.method in _REPEATED_IN_A_MESSAGE) else None,
        _denial(item.denial) if item.denial else words(item.error) if item.error else None,
        h.details(".way")[
            h.summary[h.span(".dots", aria_hidden="true")[_dots(item)], h.span(".sr")["Steps"]],
            h.ol(".passed")[(_step(step) for step in item.steps)],
            h.p(".ids")[mono(item.request_id), _trace(item, look)],
        ],
        also="quiet" if quiet else "loud",
    )


def approval(item: Asked, look: Look) -> h.Element:
    """A question of Codex with its evidence, and who answered what."""
    course = approvals.course(item)
    state, title = approvals.in_short(course), approvals.title(item)
    about = evidence(item, look.caps)
    return article(
        item,
        f"Approval: {title}, {state.text}",
        h.header[
            h.span(".what")[visible.line(approvals.kind_of(item.what))],
            chip(approvals.risk(item.risk)) if item.risk and course.is_pending else None,
            None if course.is_pending else chip(state),
            moment(item.at),
        ],
        h.p(".title", dir="auto")[visible.prose(title[:600])],
        _evidence(about)
        if course.is_pending
        else None
        if about.is_empty
        else h.details[h.summary["Evidence"], _evidence(about)],
        _answer(item, look),
        also="pending" if course.is_pending else "ended",
    )


def policy_denied(item: PolicyDenied, look: Look) -> h.Element:
    """A policy said no to an answer."""
    return article(
        item,
        "Refused by policy",
        h.header[h.b["Refused by policy"], by(item.actor, look), moment(item.at)],
        h.p(".line")[visible.line(f"An answer: {approvals.kind_of(item.what)}")] if item.what else None,
        _denial(item.denial),
        also="loud",
    )


def handshake(item: Handshake, look: Look, now: datetime | None = None) -> h.Element:
    """A handshake: sent, answered by which session, or never."""
    state = handshakes.state_of(item, now)
    took = handshakes.answered_after(item)
    waiting = state is handshakes.WAITING
    return article(
        item,
        f"Handshake, {state.text}",
        h.header[h.b["Handshake"], _waiting() if waiting else chip(state), by(item.actor, look), moment(item.at)],
        h.p(".line")[
            by(item.answered_by, look),
            " session ",
            mono(item.session_id),
            f", after {took}" if took else None,
        ]
        if item.answered_by is not None and item.session_id
        else None,
        also="waiting" if waiting else "",
    )


def lifecycle(item: Lifecycle, look: Look) -> h.Element:
    """The log was opened or closed; of a stop, what it ended and could not."""
    stopped = item.event == "stopped"
    title = "Stopped" if stopped else {"reattach": "Opened again"}.get(item.reason or "", "Session begins")
    unsure = stopped and item.verified is False
    lists = (("Ended", item.processes), ("Still running", item.still_running), ("Not looked at", item.unverified))
    return article(
        item,
        title,
        h.header[
            h.b[title],
            chip(Label("Not verified", "warn")) if unsure else None,
            by(item.actor, look) if stopped else None,
            moment(item.at),
        ],
        words(item.reason) if stopped and item.reason else None,
        [_list(name, found) for name, found in lists if found],
        also="loud" if unsure else "",
    )


def by(actor: Actor | None, look: Look) -> h.Node:
    """Who it was, on which device."""
    one = who(actor, look.names)
    return None if one is None else h.bdi(".by")[visible.line(one.words)]


def _waiting() -> h.Node:
    """Both states: the second takes the place of the first when the time is over, by the style sheet's clock."""
    return [
        h.span(".in-time")[chip(handshakes.WAITING)],
        h.span(".too-late")[chip(handshakes.NEVER)],
    ]


def _list(name: str, found: tuple[str, ...]) -> h.Element:
    return h.div(".found")[h.p(".part")[name], h.ul[(h.li[mono(one)] for one in found)]]


def _dots(item: Request) -> list[h.Element]:
    """One dot a step of the way: those that were come to are full."""
    come_to = {step.state for step in item.steps} | {item.state}
    furthest = max((number for number, state in enumerate(receipts.WAY) if state in come_to), default=-1)
    dots = [h.i(class_="on" if number <= furthest else "")[""] for number in range(len(receipts.WAY))]
    return dots if item.state in receipts.WAY else [*dots[:-1], h.i(class_="ill")[""]]


def _step(step: ReceiptStep) -> h.Element:
    return h.li[h.span[visible.line(receipts.step(step.state))], moment(step.at)]


def _trace(item: Request, look: Look) -> h.Node:
    if not (item.x_request_id and look.worker_id):
        return None
    return h.a(href=look.trace(item.x_request_id))["Trace"]


def _denial(denial: Denial) -> h.Element:
    rule = rule_words(denial)
    return h.div(".denial")[
        words(denial_words(denial)),
        h.p(".rule")[visible.line(rule)] if rule else None,
    ]


def _evidence(about: Evidence) -> list[h.Node]:
    facts = about.facts
    return [
        terminal.block(about.command) if about.command else None,
        h.p(".cwd")["in ", mono(about.folder)] if about.folder else None,
        words(about.reason) if about.reason else None,
        h.dl(".facts")[((h.dt[one.label], h.dd[mono(one.value, 600)]) for one in facts)] if facts else None,
        list(diffs.files(about.files)) or None,
        h.ol(".questions")[(_question(one) for one in about.questions)] if about.questions else None,
        h.p(".line")[markdown.link(about.page, about.page)] if about.page else None,
    ]


def _question(one: Question) -> h.Element:
    return h.li[
        h.b(dir="auto")[one.header] if one.header else None,
        words(one.text),
        h.ul[(h.li(dir="auto")[choice] for choice in one.choices)] if one.choices else None,
    ]


def _answer(item: Asked, look: Look) -> h.Node:
    if item.state == "pending":
        if not item.answerable:
            return h.p(".left-out")[approvals.AT_THE_COMPUTER]
        return h.p(".answer-here")[h.a(".button", href=look.approval(item.approval_id))["Answer"]]
    if item.option is None:
        return None
    by_whom = approvals.answered_by(approvals.course(item), look.names)
    return h.div(".answer")[
        h.p[
            h.b(dir="auto")[visible.line(item.option)],
            " ",
            h.bdi(".by")[visible.line(by_whom)] if by_whom else None,
            moment(item.decided_at),
        ],
        words(item.message) if item.message else None,
    ]
