"""Threads of a machine that are no workers yet: listed by its Codex, and taken up on request."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.presenters import machines as words
from autopilot.client.presenters.receipts import state_of
from autopilot.contract import RequestOutcome, WorkerSummary
from autopilot.contract.errors import NotFound
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.pages.machines import PATH, TAB, machine_of, path_of
from autopilot.web.parts.blocks import records
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor, path_for

MOST = 50
KNOWN = 200
WAIT_MS = 20_000
WORDS = 160


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [
        doors.page(PATH + "/{machine_id}/threads", _show),
        doors.page(PATH + "/{machine_id}/threads/list", _list),
        doors.page(PATH + "/{machine_id}/threads/adopt", _adopt, "POST"),
    ]


async def _show(request: Request, visitor: Visitor) -> Screen:
    machine = await machine_of(visitor, request.path_params["machine_id"])
    load = {"hx-get": path_of(machine.machine_id, "/threads/list"), "hx-trigger": "load", "hx-swap": "outerHTML"}
    body = h.section(".block", load, hx_target="this", hx_select="unset", role="status")[
        h.p(".about")[f"Asking Codex on {words.name_of(machine)}…"]
    ]
    return Screen(
        "threads", "Older threads", [bar("Older threads", back=path_of(machine.machine_id)), records(body)], tab=TAB
    )


async def _list(request: Request, visitor: Visitor) -> Response:
    machine_id = request.path_params["machine_id"]
    params = {"limit": MOST, "sortKey": "updated_at"}
    answer = await visitor.client.machine_request(machine_id, "thread/list", params, wait_ms=WAIT_MS)
    threads = _threads(answer)
    if threads is None:
        return html(h.section(".block", role="alert")[h.p[_why(answer)], _again(machine_id)])
    if not threads:
        return html(h.section(".block")[h.p(".about")["Its Codex knows no thread that ever had a turn."]])
    known = {worker.worker_id.rpartition(":")[2]: worker.worker_id for worker in await _known(visitor)}
    return html(
        h.section(".block")[
            h.p(".about")["Taking one up makes it a session here, with its history. Nothing runs by that."],
            h.ul(".lines")[(_row(machine_id, thread, known) for thread in threads)],
        ]
    )


async def _known(visitor: Visitor) -> Sequence[WorkerSummary]:
    return (await visitor.client.list_workers(limit=KNOWN)).workers


async def _adopt(request: Request, visitor: Visitor) -> Response:
    machine_id, form = request.path_params["machine_id"], await form_of(request)
    answer = await visitor.client.machine_request(
        machine_id,
        "thread/resume",
        {"threadId": form.get("thread_id", "")},
        request_id=form.get("request_id") or None,
        wait_ms=WAIT_MS,
    )
    worker_id = _worker_of(answer)
    if worker_id is None:
        return html(h.span(".problem", role="alert")[_why(answer)])
    response = html(h.span["It is here. ", h.a(href=path_for(worker_id))["Open it"]])
    if await _is_there(visitor, worker_id):
        response.headers["hx-redirect"] = path_for(worker_id)
    return response


async def _is_there(visitor: Visitor, worker_id: str) -> bool:
    """Whether its log is open: its machine answers before it is."""
    try:
        await visitor.client.worker(worker_id)
    except NotFound:
        return False
    return True


def _row(machine_id: str, thread: dict[str, Any], known: dict[str, str]) -> h.Element:
    thread_id = str(thread.get("id"))
    title = str(thread.get("name") or thread.get("preview") or "Without words")[:WORDS]
    worker_id = known.get(thread_id)
    form = {
        "hx-post": path_of(machine_id, "/threads/adopt"),
        "hx-target": "find .said",
        "hx-swap": "innerHTML",
        "hx-select": "unset",
        "hx-disabled-elt": "find button",
    }
    return h.li[
        h.div[h.b(dir="auto")[title], h.small[h.code(dir="ltr")[str(thread.get("cwd") or "")]]],
        h.a(".button", href=path_for(worker_id))["Open"]
        if worker_id
        else h.form(form)[
            h.input(type="hidden", name="thread_id", value=thread_id),
            h.input(type="hidden", name="request_id", value=f"adopt-{uuid.uuid4()}"),
            h.button(type="submit")["Take it up"],
            h.span(".said", aria_live="polite"),
        ],
    ]


def _again(machine_id: str) -> h.Element:
    return h.a(".button", href=path_of(machine_id, "/threads"))["Ask again"]


def _threads(answer: RequestOutcome) -> list[dict[str, Any]] | None:
    """Those that Codex named; None where it did not answer."""
    data = answer.response.get("data") if answer.ok and isinstance(answer.response, dict) else None
    return [one for one in data if isinstance(one, dict) and one.get("id")] if isinstance(data, list) else None


def _worker_of(answer: RequestOutcome) -> str | None:
    if answer.worker_id:
        return answer.worker_id
    said = answer.response.get("worker_id") if answer.ok and isinstance(answer.response, dict) else None
    return said if isinstance(said, str) else None


def _why(answer: RequestOutcome) -> str:
    """What became of it instead."""
    message = (answer.error or {}).get("message")
    label = state_of(answer.state, machine_unreachable=answer.machine_unreachable is True)
    return f"{label.text}: {message}" if isinstance(message, str) and message else f"{label.text}."
