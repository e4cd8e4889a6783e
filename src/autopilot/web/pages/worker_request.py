"""Writing a request by hand: any method that a companion does, its params as JSON, looked through before it is sent.

What is wrong is said while one writes (`/request/check`) and again before anything is sent; what only this page doesn't
know is told and sent. The receipt comes back at once and moves; its answer is loaded when there is one. What was asked
lately is kept by the browser (static/js/52-request.js); what that means for what is shown is said here.
"""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.calls import new_id
from autopilot.client.drafts import RECENT
from autopilot.client.methods import METHODS, Param
from autopilot.client.presenters import requesting, rights, standing
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.pages.worker_receipt import waiting
from autopilot.web.parts.blocks import posts, proof
from autopilot.web.parts.composer import fresh
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.receipts import receipt, receipt_path
from autopilot.web.problems import is_partial
from autopilot.web.visitors import Visitor, path_for

UNPROCESSABLE = 422


def routes(doors: Doors) -> list[Route]:
    """Where it is."""
    return [
        doors.page("/w/{worker_id}/request", _show),
        doors.page("/w/{worker_id}/request", _send, "POST"),
        doors.page("/w/{worker_id}/request/help", _help, "POST"),
        doors.page("/w/{worker_id}/request/check", _check, "POST"),
    ]


async def _show(request: Request, visitor: Visitor) -> Screen:
    worker = await visitor.client.worker(request.path_params["worker_id"])
    asked = request.query_params.get("method", requesting.FIRST)
    method = asked if asked in METHODS else requesting.FIRST
    path = path_for(worker.worker_id, "request")
    title, head = (
        f"{requesting.TITLE} · {standing.title(worker)}",
        bar(requesting.TITLE, back=path_for(worker.worker_id)),
    )
    if not rights.may_operate(worker):
        told = h.div(".page")[h.p(".muted")[rights.WATCH_WORKER]]
        return Screen("request", title, [head, told], {"worker": worker.worker_id}, tab="/")
    return Screen(
        "request",
        title,
        [
            head,
            h.div(".page")[
                h.p(".muted")["To ", h.bdi[standing.title(worker)], ", as Codex's app-server takes it."],
                h.form(
                    "#request",
                    posts(path),
                    {"hx-target": "#answers", "hx-swap": "afterbegin", "data-most": str(RECENT)},
                )[
                    proof(visitor.csrf),
                    fresh("request-id"),
                    h.label(for_="request-method")["Method"],
                    h.select(
                        "#request-method",
                        {
                            "name": "method",
                            "hx-post": f"{path}/help",
                            "hx-target": "#request-help",
                            "hx-swap": "innerHTML",
                        },
                    )[_options(method)],
                    h.div("#request-help")[_helped(method, "")],
                    h.label(for_="request-params")[requesting.PARAMS],
                    h.textarea(
                        "#request-params",
                        {
                            "name": "params",
                            "rows": "8",
                            "dir": "ltr",
                            "spellcheck": "false",
                            "autocapitalize": "off",
                            "autocomplete": "off",
                            "aria-describedby": "request-problems",
                            "hx-post": f"{path}/check",
                            "hx-trigger": "input changed delay:300ms, changed",
                            "hx-target": "#request-problems",
                            "hx-swap": "innerHTML",
                            "hx-sync": "this:replace",
                        },
                    )[requesting.example(method)],
                    h.div("#request-problems", role="status"),
                    h.div(".buttons")[h.button(".primary", type="submit")["Send"]],
                ],
                h.section({"aria-label": "Answers"})[h.ul("#answers.receipts", {"aria-live": "polite"})],
                h.section("#recent", {"aria-labelledby": "recent-title", "hidden": True})[
                    h.h2("#recent-title")["Recent in this browser"], h.ul
                ],
            ],
        ],
        {"worker": worker.worker_id},
        tab="/",
    )


async def _help(request: Request, _visitor: Visitor) -> Response:
    form = await form_of(request)
    method = form.get("method", "")
    return html(_helped(method, form.get("params", "")) if method in METHODS else None)


async def _check(request: Request, _visitor: Visitor) -> Response:
    form = await form_of(request)
    draft = _read(form)
    return html([_problems(draft), h.p(".muted", dir="auto")[draft.note] if draft.note else None])


async def _send(request: Request, visitor: Visitor) -> Response:
    worker_id, form = request.path_params["worker_id"], await form_of(request)
    draft = _read(form)
    if not draft.can_send:
        answer = html(_problems(draft), status=UNPROCESSABLE)
        answer.headers["hx-retarget"], answer.headers["hx-reswap"] = "#request-problems", "innerHTML"
        return answer
    request_id = form.get("request_id") or new_id("request")
    await visitor.client.request(worker_id, draft.method, draft.params, request_id=request_id, wait_ms=0)
    told = await visitor.client.receipt(worker_id, request_id)
    if not is_partial(request):
        return RedirectResponse(receipt_path(told), status_code=303)
    return html(
        [h.li(".answered")[h.ul(".receipts")[receipt(told)], waiting(told)], fresh("request-id", in_its_place=True)]
    )


def _options(chosen: str) -> list[h.Element]:
    return [
        h.optgroup(label=name)[
            (h.option(value=one, selected=one == chosen)[f"{one} · {requesting.words(one)}"] for one in found)
        ]
        for name, found in requesting.groups()
    ]


def _helped(method: str, params: str) -> h.Element:
    """What it takes; for the browser, what is to stand in the field, and whether a person wrote that."""
    known, title = METHODS[method], requesting.params_title(method)
    kept = {"data-params": requesting.begun(method, params), "data-written": requesting.is_written(params)}
    return h.div(kept)[
        h.p[known.words],
        h.details(".params")[h.summary[title], h.ul[(_param(param) for param in known.params)]]
        if known.params
        else h.p(".muted")[title],
    ]


def _param(param: Param) -> h.Element:
    types = " or ".join(param.types)
    return h.li[
        h.code[param.name],
        h.small[types],
        h.strong["required"] if param.is_required else None,
        h.span[param.words] if param.words else None,
    ]


def _read(form: dict[str, str]) -> requesting.Draft:
    return requesting.read(form.get("method", ""), form.get("params", ""))


def _problems(draft: requesting.Draft) -> h.Node:
    return h.ul(".problems")[(h.li(dir="auto")[one] for one in draft.problems)] if draft.problems else None
