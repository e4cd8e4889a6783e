"""How what people ask, and what is asked of them, looks: requests, approvals, refusals, handshakes, the log itself."""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters.evidence import Evidence, Question
from autopilot.client.presenters.receipts import Dot
from autopilot.client.presenters.timeline.people import (
    Answer,
    ApprovalView,
    HandshakeView,
    LifecycleView,
    Passed,
    PolicyDeniedView,
    Refusal,
    RequestView,
)
from autopilot.web.timeline import diffs, markdown, terminal
from autopilot.web.timeline.frame import by, chip, folder, left_out, moment, mono, words
from autopilot.web.timeline.look import Look

_DOTS: dict[Dot, str] = {"on": "on", "off": "", "ill": "ill"}


def request(view: RequestView, look: Look) -> h.Node:
    """A request, who asked, and the steps of its receipt."""
    traced = view.x_request_id and look.worker_id
    return [
        h.header[h.b[view.title], chip(view.state) if view.state else None, by(view.by), moment(view.at)],
        words(view.words),
        _refusal(view.refusal) if view.refusal else words(view.error),
        h.details(".way")[
            h.summary[
                h.span(".dots", aria_hidden="true")[[h.i(class_=_DOTS[dot])[""] for dot in view.dots]],
                h.span(".sr")["Steps"],
            ],
            h.ol(".passed")[(_step(step) for step in view.steps)],
            h.p(".ids")[mono(view.request_id), h.a(href=look.trace(view.x_request_id))["Trace"] if traced else None],
        ],
    ]


def approval(view: ApprovalView, look: Look) -> h.Node:
    """A question of Codex with its evidence, and who answered what."""
    about = view.evidence
    return [
        h.header[
            h.span(".what")[view.what],
            chip(view.risk) if view.risk else None,
            chip(view.state) if view.state else None,
            moment(view.at),
        ],
        h.p(".title", dir="auto")[view.title],
        _evidence(about)
        if view.is_pending
        else None
        if about.is_empty
        else h.details[h.summary["Evidence"], _evidence(about)],
        left_out(view.cannot, None),
        h.p(".answer-here")[h.a(".button", href=look.approval(view.approval_id))["Answer"]]
        if view.is_pending and not view.cannot
        else None,
        _answer(view.answer) if view.answer else None,
    ]


def policy_denied(view: PolicyDeniedView, _look: Look) -> h.Node:
    """A policy said no to an answer."""
    return [
        h.header[h.b[view.title], by(view.by), moment(view.at)],
        h.p(".line")[view.about] if view.about else None,
        _refusal(view.refusal),
    ]


def handshake(view: HandshakeView, _look: Look) -> h.Node:
    """A handshake; while it waits both of its states: the style sheet's clock puts the second in place of the first."""
    state: h.Node = chip(view.state)
    if view.later:
        state = [h.span(".in-time")[chip(view.state)], h.span(".too-late")[chip(view.later)]]
    return [
        h.header[h.b[view.title], state, by(view.by), moment(view.at)],
        h.p(".line")[
            by(view.answered_by), " session ", mono(view.session), f", after {view.after}" if view.after else None
        ]
        if view.session
        else None,
    ]


def lifecycle(view: LifecycleView, _look: Look) -> h.Node:
    """The log was opened or closed; of a stop, what it ended and could not."""
    return [
        h.header[h.b[view.title], chip(view.state) if view.state else None, by(view.by), moment(view.at)],
        words(view.words),
        [h.div(".found")[h.p(".part")[name], h.ul[(h.li[mono(one)] for one in those)]] for name, those in view.found],
    ]


def _step(step: Passed) -> h.Element:
    return h.li[h.span[step.word], moment(step.at)]


def _refusal(refusal: Refusal) -> h.Element:
    return h.div(".denial")[words(refusal.words), h.p(".rule")[refusal.rule] if refusal.rule else None]


def _evidence(about: Evidence) -> list[h.Node]:
    facts = about.facts
    return [
        terminal.block(about.command) if about.command else None,
        folder(about.folder),
        words(about.reason),
        h.dl(".facts")[((h.dt[one.label], h.dd[mono(one.value)]) for one in facts)] if facts else None,
        diffs.files(about.files),
        h.ol(".questions")[(_question(one) for one in about.questions)] if about.questions else None,
        h.p(".line")[markdown.link(about.page, about.page)] if about.page else None,
    ]


def _question(one: Question) -> h.Element:
    return h.li[
        h.b(dir="auto")[one.header] if one.header else None,
        words(one.text),
        h.ul[(h.li(dir="auto")[choice] for choice in one.choices)] if one.choices else None,
    ]


def _answer(answer: Answer) -> h.Element:
    return h.div(".answer")[
        h.p[h.b(dir="auto")[answer.option], " ", by(answer.by), moment(answer.at)], words(answer.words)
    ]
