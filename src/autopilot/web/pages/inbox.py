"""The inbox: every question that waits for a person, over all machines, the gravest first; and each by its link.

An answer is posted here, whatever screen its card is on. What stands in its way is said beside the card's form, so that
nothing typed is lost; whoever was faster is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.everything import Entry
from autopilot.client.form_content import content_of
from autopilot.client.presenters import approvals
from autopilot.client.presenters.people import Names
from autopilot.contract import Approval
from autopilot.contract.errors import AutopilotError, Conflict, Forbidden, InvalidRequest
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import pairs_of
from autopilot.web.live import Put
from autopilot.web.parts.approval import INBOX, card, confirmation, put_card, said_id
from autopilot.web.parts.fields import PREFIX
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.problems import notice_of, sentence_of
from autopilot.web.visitors import Visitor

MOST = 100
"""Cards on one screen; more come when these are answered."""
FASTER = frozenset({"answered_differently", "approval_ended"})
ELSEWHERE = "answer_at_the_computer"


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def show(_request: Request, visitor: Visitor) -> Screen:
        page = await visitor.client.approvals(state="pending", limit=MOST)
        return screen(page.approvals, await doors.names.of(visitor), more=page.next is not None)

    async def show_one(request: Request, visitor: Visitor) -> Screen:
        approval = await visitor.client.approval(request.path_params["approval_id"])
        return one_screen(approval, await doors.names.of(visitor))

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
    cards = sorted(waiting, key=lambda one: (approvals.risk_order(one.risk), one.requested_at))
    empty = "Nothing waits for you. When Codex asks something, it is here and on your other devices at once."
    return Screen(
        "inbox",
        "Inbox",
        [
            bar("Inbox"),
            h.div(".questions", {"id": INBOX, "role": "region", "aria-label": "Questions", "data-empty": empty})[
                (card(one, names) for one in cards)
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
        return _beside(approval_id, h.p(".problem", role="alert")["This answer is no longer offered."], status=409)
    message = form.get("message", "").strip() or None
    loses_words = message is not None and not option.takes_message
    asks_first = approvals.needs_second_tap(approval, option) or loses_words or form.get("ask") == "1"
    if approval.state == "pending" and asks_first and "sure" not in form:
        return _beside(approval_id, confirmation(approval, option, loses_words=loses_words))
    content = content_of(approval, _given(pairs)) if option.takes_content else None
    try:
        decided = await visitor.client.decide(
            approval_id, option.option_id, content=content, message=message if option.takes_message else None
        )
    except AutopilotError as error:
        return await _not_taken(visitor, approval, error, names)
    return html(card(decided, names))


async def _not_taken(visitor: Visitor, approval: Approval, error: AutopilotError, names: Names) -> Response:
    """What a person is told whose answer was not taken."""
    if isinstance(error, Conflict) and error.reason_code in FASTER | {ELSEWHERE}:
        now = await visitor.client.approval(approval.approval_id)
        said = approvals.faster(approvals.course(now), names) if error.reason_code != ELSEWHERE else None
        return html(card(now, names, said=said or sentence_of(error)), status=409)
    if isinstance(error, Forbidden) and error.reason_code == "step_up_required":
        raise error
    if error.status == InvalidRequest.by_status[422].status:
        faults = [_fault(detail) for detail in error.details if detail.get("field")]
        body = h.div(".problem", role="alert")[
            h.p["This does not fit what is asked:"] if faults else h.p[sentence_of(error)],
            h.ul[(h.li[fault] for fault in faults)] if faults else None,
        ]
        return _beside(approval.approval_id, body, status=422)
    return _beside(approval.approval_id, notice_of(error), status=error.status or 503)


def _fault(detail: Mapping[str, object]) -> str:
    field = str(detail.get("field", "")).removeprefix("content.")
    return f"{field}: {detail.get('message') or 'does not fit'}"


def _beside(approval_id: str, body: h.Node, *, status: int = 200) -> Response:
    """Said within the card, whose form stays as it is."""
    response = html(body, status=status)
    response.headers["hx-retarget"] = f"[id='{said_id(approval_id)}']"
    response.headers["hx-reswap"] = "innerHTML"
    return response


def _given(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.startswith(PREFIX):
            given.setdefault(name.removeprefix(PREFIX), []).append(value)
    return given
