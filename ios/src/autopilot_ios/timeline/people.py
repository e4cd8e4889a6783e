"""How what people ask looks, and what is asked of them: requests, approvals, refusals, handshakes, the log itself."""

from __future__ import annotations

import flet as ft

from autopilot.client.presenters import approvals
from autopilot.client.presenters import evidence as told
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.timeline.people import (
    Answer,
    ApprovalView,
    HandshakeView,
    LifecycleView,
    PolicyDeniedView,
    Refusal,
    RequestView,
)
from autopilot_ios.look import blocks, palette
from autopilot_ios.timeline import diffs, frame, terminal
from autopilot_ios.timeline.frame import Controls, Place
from autopilot_ios.timeline.messages import to_elsewhere

DOTS = {"on": palette.GREEN, "off": palette.LINE, "ill": palette.ORANGE}


def request(view: RequestView, place: Place) -> ft.Control:
    """A request, who asked, and the steps of its receipt."""
    is_quiet = view.emphasis == "quiet"
    title = blocks.words(view.title, size=14, strong=True, color=palette.MUTED if is_quiet else palette.TEXT)
    by = [blocks.words(view.by, size=frame.TINY, color=palette.MUTED, lines=1)] if view.by else []
    state = [_said(view.state)] if view.state else []
    dots = ft.Row([ft.Container(width=6, height=6, border_radius=3, bgcolor=DOTS[dot]) for dot in view.dots], spacing=4)
    text = ft.Column([title, *by, *state], spacing=1, tight=True, expand=True)
    way = frame.fold(
        [text, dots, frame.moment(view.at, place)],
        lambda: _steps(view, place),
        place=place,
        name="way",
        spoken=view.frame.label,
    )
    below = [
        frame.words(view.words, size=14) if view.words else None,
        *(_refusal(view.refusal) if view.refusal else []),
        frame.words(view.error, size=14, color=palette.RED) if view.error else None,
        *frame.wholes(view, place),
    ]
    rest = frame.stack(below, gap=2)
    has_more = bool(rest.controls)
    if is_quiet:
        return ft.Container(frame.stack([way, rest if has_more else None], gap=0), padding=ft.Padding(4, 0, 4, 0))
    below_it = ft.Container(rest, padding=ft.Padding(0, 0, 0, 12)) if has_more else None
    return frame.card([way, below_it], edge=palette.ORANGE, gap=0, is_folded=True)


def _said(label: Label) -> ft.Control:
    """A state that may be a sentence."""
    return blocks.words(label.text, size=frame.TINY, color=palette.TONES[label.tone])


def approval(view: ApprovalView, place: Place) -> ft.Control:
    """A question of Codex with its evidence, and who answered what."""
    risk = frame.chip(view.risk) if view.risk else None
    title = blocks.words(view.title, size=17 if view.is_pending else 15, strong=True)
    evidence: Controls = []
    if view.is_pending:
        evidence = _evidence(view, place)
    elif not view.evidence.is_empty:
        name = "Evidence"
        fold = frame.fold(
            [frame.small(name)], lambda: _evidence(view, place), place=place, name="evidence", spoken=name
        )
        evidence = [fold]
    return frame.card(
        [
            frame.head(frame.small(view.what), risk, frame.moment(view.at, place)),
            title,
            _said(view.state) if view.state else None,
            *evidence,
            *_answering(view, place),
            *frame.wholes(view, place),
        ],
        edge=palette.ORANGE if view.is_pending else None,
    )


def policy_denied(view: PolicyDeniedView, place: Place) -> ft.Control:
    """A policy said no to an answer."""
    return frame.card(
        [
            frame.head(blocks.words(view.title, strong=True), frame.moment(view.at, place)),
            frame.small(view.by) if view.by else None,
            frame.words(view.about, size=14) if view.about else None,
            *_refusal(view.refusal),
        ],
        edge=palette.ORANGE,
    )


def handshake(view: HandshakeView, place: Place) -> ft.Control:
    """A handshake: sent, answered by which session, or never."""
    said = [
        view.by,
        f"{view.answered_by}, session {view.session}" if view.session else "",
        f"after {view.after}" if view.after else "",
    ]
    return frame.card(
        [
            frame.head(
                blocks.words(view.title, size=14, strong=True), frame.chip(view.state), frame.moment(view.at, place)
            ),
            *(frame.small(one) for one in said if one),
        ],
        gap=3,
    )


def lifecycle(view: LifecycleView, place: Place) -> ft.Control:
    """The log was opened or closed; of a stop, what it ended and could not."""
    title = blocks.words(view.title, size=14, strong=True)
    state = frame.chip(view.state) if view.state else None
    found = [part for name, those in view.found for part in (frame.small(name), *(frame.mono(one) for one in those))]
    parts = [
        frame.head(title, state, frame.moment(view.at, place)),
        frame.small(view.by) if view.by else None,
        frame.words(view.words, size=14) if view.words else None,
        *found,
    ]
    if view.emphasis == "loud" or found:
        return frame.card(parts, edge=palette.ORANGE if view.emphasis == "loud" else None, gap=4)
    return ft.Container(frame.stack(parts, gap=2), padding=ft.Padding(4, 4, 4, 4))


def evidence_parts(about: told.Evidence) -> Controls:
    """What one decides on, but for files and the page, which need a place."""
    facts = [
        ft.Row(
            [frame.small(one.label), ft.Container(frame.mono(one.value), expand=True)],
            spacing=12,
            vertical_alignment=ft.CrossAxisAlignment.START,
        )
        for one in about.facts
    ]
    command = [terminal.boxed([_command(about.command)])] if about.command else []
    return [
        *command,
        *([frame.mono(f"in {about.folder}", color=palette.MUTED)] if about.folder else []),
        *([frame.words(about.reason)] if about.reason else []),
        *facts,
        *(_question(one) for one in about.questions),
    ]


def _evidence(view: ApprovalView, place: Place) -> Controls:
    about = view.evidence
    page = [to_elsewhere(about.page, about.page, key=f"{place.key}-page", place=place)] if about.page else []
    return [*evidence_parts(about), *diffs.files(about.files, view, place), *page]


def _command(text: str) -> ft.Control:
    shown = ft.Text(
        spans=[
            ft.TextSpan("$ ", ft.TextStyle(color=palette.CODE_PROMPT)),
            ft.TextSpan(text, ft.TextStyle(color=palette.CODE_TEXT)),
        ],
        style=palette.mono(13, palette.CODE_TEXT),
    )
    return ft.Container(shown, padding=terminal.INSET)


def _question(one: told.Question) -> ft.Control:
    return frame.stack(
        [
            blocks.words(one.header, size=14, strong=True) if one.header else None,
            frame.words(one.text),
            *(frame.small(f"·  {choice}") for choice in one.choices),
        ],
        gap=2,
    )


def _answering(view: ApprovalView, place: Place) -> Controls:
    if view.cannot:
        return [frame.small(view.cannot)]
    if view.is_pending and not place.look.may_answer:
        return [frame.small(approvals.OTHERS_ANSWER)]
    if view.is_pending:
        return [
            blocks.button(
                "Answer",
                key=f"{place.key}-answer",
                kind="primary",
                on_click=lambda: place.look.ways.answer(view.approval_id),
            )
        ]
    return _answer(view.answer, place) if view.answer else []


def _answer(answer: Answer, place: Place) -> Controls:
    said = frame.line(
        blocks.words(answer.option, size=14, strong=True),
        frame.small(answer.by) if answer.by else None,
        frame.moment(answer.at, place) if answer.at else None,
    )
    return [said, *([frame.words(answer.words, size=14)] if answer.words else [])]


def _refusal(refusal: Refusal) -> Controls:
    rule = [frame.mono(refusal.rule, color=palette.MUTED)] if refusal.rule else []
    return [frame.words(refusal.words, size=14), *rule]


def _steps(view: RequestView, place: Place) -> Controls:
    steps = [frame.head(frame.small(step.word), frame.moment(step.at, place)) for step in view.steps]
    copy = frame.link("Copy", key=f"{place.key}-copy-id", on_click=lambda: place.look.ways.copy(view.request_id))
    trace = (
        frame.link("Trace", key=f"{place.key}-trace", on_click=lambda: place.look.ways.trace(view.x_request_id))
        if view.x_request_id
        else None
    )
    return [*steps, frame.line(frame.mono(view.request_id, size=11, color=palette.MUTED), copy, trace)]
