"""Threads of a machine that are no workers yet: listed by its Codex, and taken up on request."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client import threads
from autopilot.client.presenters import machines as words
from autopilot.client.threads import OlderThread
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.pages.machines import PATH, TAB, machine_of, path_of
from autopilot.web.parts.blocks import posts, records
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor, path_for


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
    found = await threads.older_threads(visitor.client, machine_id)
    if isinstance(found, str):
        return html(h.section(".block", role="alert")[h.p[found], _again(machine_id)])
    if not found:
        return html(h.section(".block")[h.p(".about")[threads.NONE]])
    return html(
        h.section(".block")[h.p(".about")[threads.MEANS], h.ul(".lines")[(_row(machine_id, one) for one in found)]]
    )


async def _adopt(request: Request, visitor: Visitor) -> Response:
    machine_id, form = request.path_params["machine_id"], await form_of(request)
    request_id = form.get("request_id") or threads.new_request_id()
    adopted = await threads.adopt(visitor.client, machine_id, form.get("thread_id", ""), request_id)
    if adopted.worker_id is None:
        return html(h.span(".problem", role="alert")[adopted.label.text])
    path = path_for(adopted.worker_id)
    response = html(h.span[f"{adopted.label.text} ", h.a(href=path)["Open it"]])
    if adopted.is_open:
        response.headers["hx-redirect"] = path
    return response


def _row(machine_id: str, thread: OlderThread) -> h.Element:
    form = {
        **posts(path_of(machine_id, "/threads/adopt")),
        "hx-target": "find .said",
        "hx-swap": "innerHTML",
        "hx-select": "unset",
        "hx-disabled-elt": "find button",
    }
    return h.li[
        h.div[h.b(dir="auto")[thread.title], h.small[h.code(dir="ltr")[thread.folder]]],
        h.a(".button", href=path_for(thread.worker_id))["Open"]
        if thread.worker_id
        else h.form(form)[
            h.input(type="hidden", name="thread_id", value=thread.thread_id),
            h.input(type="hidden", name="request_id", value=threads.new_request_id()),
            h.button(type="submit")["Take it up"],
            h.span(".said", aria_live="polite"),
        ],
    ]


def _again(machine_id: str) -> h.Element:
    return h.a(".button", href=path_of(machine_id, "/threads"))["Ask again"]
