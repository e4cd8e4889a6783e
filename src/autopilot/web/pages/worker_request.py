"""Writing a request by hand: any method that a companion does, its params as JSON, looked through before it is sent.

What is wrong is said while one writes (`/request/check`) and again before anything is sent; what only this page doesn't
know is told and sent. The receipt comes back at once and moves; its answer is loaded when there is one. What was asked
lately is kept by the browser (static/js/52-request.js).
"""

from __future__ import annotations

import json
from typing import Any

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client import methods
from autopilot.client.calls import new_id
from autopilot.client.methods import METHODS, Param
from autopilot.client.presenters import receipts, standing
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.pages.worker_receipt import waiting
from autopilot.web.parts.composer import fresh
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.receipts import receipt, receipt_path
from autopilot.web.problems import is_partial
from autopilot.web.visitors import Visitor, path_for

FIRST = "turn/start"
UNPROCESSABLE = 422
GROUPS = (
    ("The session", ("turn/", "review/", "thread/")),
    ("New workers", ("thread/start", "thread/resume", "thread/fork")),
    ("Its machine", ("account/", "mcpServerStatus/", "model/", "permissionProfile/", "skills/", "thread/l")),
)
"""Methods by what their names begin with; the last group that fits has them."""


def routes(doors: Doors) -> list[Route]:
    """Where it is."""
    return [
        doors.page("/w/{worker_id}/request", _show),
        doors.page("/w/{worker_id}/request", _send, "POST"),
        doors.page("/w/{worker_id}/request/help", _help),
        doors.page("/w/{worker_id}/request/check", _check, "POST"),
    ]


async def _show(request: Request, visitor: Visitor) -> Screen:
    worker = await visitor.client.worker(request.path_params["worker_id"])
    asked = request.query_params.get("method", FIRST)
    method = asked if asked in METHODS else FIRST
    path = path_for(worker.worker_id, "request")
    return Screen(
        "request",
        f"Send a request · {standing.title(worker)}",
        [
            bar("Send a request", back=path_for(worker.worker_id)),
            h.div(".page")[
                h.p(".muted")["To ", h.bdi[standing.title(worker)], ", as Codex's app-server takes it."],
                h.form("#request", {"hx-post": path, "hx-target": "#answers", "hx-swap": "afterbegin"})[
                    fresh("request-id"),
                    h.label(for_="request-method")["Method"],
                    h.select(
                        "#request-method",
                        {
                            "name": "method",
                            "hx-get": f"{path}/help",
                            "hx-target": "#request-help",
                            "hx-swap": "innerHTML",
                        },
                    )[_options(method)],
                    h.div("#request-help")[_helped(method)],
                    h.label(for_="request-params")["Params (JSON)"],
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
                    )[example(method)],
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
    method = request.query_params.get("method", "")
    return html(_helped(method) if method in METHODS else None)


async def _check(request: Request, _visitor: Visitor) -> Response:
    form = await form_of(request)
    params, found = read(form)
    return html([_problems(found), _notes(form.get("method", ""), params)])


async def _send(request: Request, visitor: Visitor) -> Response:
    worker_id, form = request.path_params["worker_id"], await form_of(request)
    params, found = read(form)
    if found or params is None:
        answer = html(_problems(found), status=UNPROCESSABLE)
        answer.headers["hx-retarget"], answer.headers["hx-reswap"] = "#request-problems", "innerHTML"
        return answer
    request_id = form.get("request_id") or new_id("request")
    await visitor.client.request(worker_id, form["method"], params, request_id=request_id, wait_ms=0)
    told = await visitor.client.receipt(worker_id, request_id)
    if not is_partial(request):
        return RedirectResponse(receipt_path(told), status_code=303)
    return html(
        [h.li(".answered")[h.ul(".receipts")[receipt(told)], waiting(told)], fresh("request-id", in_its_place=True)]
    )


def read(form: dict[str, str]) -> tuple[dict[str, Any] | None, list[str]]:
    """The params in a form, and what is wrong with them: sentences."""
    method, text = form.get("method", ""), form.get("params", "").strip() or "{}"
    try:
        params = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return None, [f"This is not JSON: {error.msg.lower()}, in line {error.lineno}, column {error.colno}."]
    except (ValueError, RecursionError):
        return None, ["This is not JSON: a number that is none, or too deep."]
    if not isinstance(params, dict):
        return None, ["Params are a JSON object: { … }."]
    return params, list(methods.problems(method, params))


def example(method: str) -> str:
    """What one begins with."""
    return json.dumps(METHODS[method].example, indent=2)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _options(chosen: str) -> list[h.Element]:
    groups: dict[str, list[str]] = {name: [] for name, _ in GROUPS}
    for method in METHODS:
        groups[[name for name, begins in GROUPS if method.startswith(begins)][-1]].append(method)
    return [
        h.optgroup(label=name)[(h.option(value=one, selected=one == chosen)[f"{one} · {_words(one)}"] for one in found)]
        for name, found in groups.items()
    ]


def _words(method: str) -> str:
    words = receipts.asked(method)
    return words if words != method else METHODS[method].words.rstrip(".")


def _helped(method: str) -> h.Element:
    known = METHODS[method]
    return h.div({"data-method": method, "data-example": example(method)})[
        h.p[known.words],
        h.details(".params")[
            h.summary[f"Params ({len(known.params)})"],
            h.ul[(_param(param) for param in known.params)],
        ]
        if known.params
        else h.p(".muted")["It takes no params."],
    ]


def _param(param: Param) -> h.Element:
    types = " or ".join(param.types)
    return h.li[
        h.code[param.name],
        h.small[types],
        h.strong["required"] if param.is_required else None,
        h.span[param.words] if param.words else None,
    ]


def _problems(found: list[str]) -> h.Node:
    return h.ul(".problems")[(h.li(dir="auto")[one] for one in found)] if found else None


def _notes(method: str, params: dict[str, Any] | None) -> h.Node:
    names = methods.unknown(method, params or {}) if method in METHODS else []
    if not names:
        return None
    return h.p(".muted")["Not in the recorded schema, and sent as it is: ", h.bdi[", ".join(names)], "."]
