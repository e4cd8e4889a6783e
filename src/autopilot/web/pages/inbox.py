"""The inbox: every question that waits for a person, over all machines, the gravest first; and each by its link.

An answer is posted here, whatever screen its card is on. What stands in its way is said beside the card's form, so that
nothing typed is lost; whoever was faster is named.
"""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client import answering
from autopilot.client.answering import Answer, Answered
from autopilot.client.everything import Entry
from autopilot.client.presenters import approvals
from autopilot.client.presenters import inbox as words
from autopilot.client.presenters.people import Names
from autopilot.contract import Approval
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import pairs_of
from autopilot.web.live import Put
from autopilot.web.parts.approval import INBOX, card, confirmation, put_card, said_id
from autopilot.web.parts.fields import PREFIX
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.notices import notice_of
from autopilot.web.problems import STEP_UP, UNAVAILABLE
from autopilot.web.visitors import Visitor

MOST = 100
"""Cards on one screen; more come when these are answered."""
CONFLICT, UNPROCESSABLE = 409, 422


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def show(_request: Request, visitor: Visitor) -> Screen:
        page = await visitor.client.approvals(state="pending", limit=MOST)
        return screen(page.approvals, await doors.names.of(visitor), more=page.next is not None)

    async def show_one(request: Request, visitor: Visitor) -> Screen:
        approval = await visitor.client.approval(request.path_params["approval_id"])
        actor = approval.decision.actor if approval.decision else None
        return one_screen(approval, await doors.names.of(visitor, [actor]))

    async def decide(request: Request, visitor: Visitor) -> Response:
        return await _decide(request, visitor, await doors.names.of(visitor))

    return [
        doors.page("/inbox", show),
        doors.page("/inbox/{approval_id}", show_one),
        doors.page("/inbox/{approval_id}/decide", decide, "POST"),
    ]


def puts(entry: Entry, names: Names) -> list[Put]:
    """What becomes of the card of an approval."""
    return [put_card(entry, names)] if isinstance(entry, Approval) else []


def screen(waiting: Sequence[Approval], names: Names, *, more: bool) -> Screen:
    """All that wait."""
    empty = f"{words.NOTHING}. {words.NOTHING_MEANS}"
    return Screen(
        "inbox",
        "Inbox",
        [
            bar("Inbox"),
            h.div(".questions", {"id": INBOX, "role": "region", "aria-label": "Questions", "data-empty": empty})[
                (card(one, names) for one in words.waiting(waiting))
            ],
            h.p(".hint")["There are more: they come when these are answered."] if more else None,
            h.p(".hint.keys")[
                h.kbd["j"], " ", h.kbd["k"], " next and previous · ", h.kbd["a"], " approve · ", h.kbd["d"], " decline"
            ],
        ],
        tab="/inbox",
    )


def one_screen(approval: Approval, names: Names) -> Screen:
    """One of them, also one that has ended: what a notification opens."""
    return Screen(
        "inbox-one",
        approval.title or "Question",
        [bar("Question", back="/inbox"), h.div(".questions")[card(approval, names)]],
        tab="/inbox",
    )


async def _decide(request: Request, visitor: Visitor, names: Names) -> Response:
    approval_id = request.path_params["approval_id"]
    pairs = await pairs_of(request)
    form = dict(pairs)
    approval = await visitor.client.approval(approval_id)
    option = approvals.option_of(approval, form.get("sure") or form.get("option", ""))
    if option is None:
        return _beside(approval_id, h.p(".problem", role="alert")[answering.NOT_OFFERED], status=CONFLICT)
    answer = Answer(option, _given(pairs), form.get("message", ""))
    asks_first = answering.first_ask(approval, answer) is not None or form.get("ask") == "1"
    if approval.state == "pending" and asks_first and "sure" not in form:
        return _beside(approval_id, confirmation(approval, option, loses_words=answer.loses_words))
    return _answered(await answering.send(visitor.client, approval, answer, names), names)


def _answered(told: Answered, names: Names) -> Response:
    """What becomes of the card, or what is said beside its form."""
    if told.error is not None:
        if told.error.reason_code == STEP_UP:
            raise told.error
        return _beside(told.approval.approval_id, notice_of(told.error), status=told.error.status)
    if told.faults:
        body = h.div(".problem", role="alert")[
            h.p[answering.DOES_NOT_FIT], h.ul[(h.li[fault] for fault in told.faults)]
        ]
        return _beside(told.approval.approval_id, body, status=UNPROCESSABLE)
    return html(card(told.approval, names, said=told.said or None), status=200 if told.is_taken else CONFLICT)


def _beside(approval_id: str, body: h.Node, *, status: int | None = 200) -> Response:
    """Said within the card, whose form stays as it is."""
    response = html(body, status=status or UNAVAILABLE)
    response.headers["hx-retarget"] = f"[id='{said_id(approval_id)}']"
    response.headers["hx-reswap"] = "innerHTML"
    return response


def _given(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.startswith(PREFIX):
            given.setdefault(name.removeprefix(PREFIX), []).append(value)
    return given
