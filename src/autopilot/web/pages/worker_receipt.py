"""One receipt, whole: what was asked, by whom, each step with its time, and what was answered."""

from __future__ import annotations

from collections.abc import Iterator

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.presenters import receipts, rights, times
from autopilot.client.presenters.people import Names, who
from autopilot.contract import Receipt
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.parts.layout import BOOST, Screen, bar
from autopilot.web.parts.receipts import ENDS, json_block, receipt, receipt_path
from autopilot.web.visitors import Visitor, path_for

FIRST_LOOK_SECONDS, SLOWEST_LOOK_SECONDS = 1, 10
LOOKS = 600


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        worker_id = request.path_params["worker_id"]
        found = await visitor.client.receipt(worker_id, request.path_params["request_id"])
        watches = not rights.may_operate(await visitor.client.worker(worker_id))
        return _screen(found, await doors.names.of(visitor, [found.actor]), watches=watches)

    async def answer(request: Request, visitor: Visitor) -> Response:
        found = await visitor.client.receipt(request.path_params["worker_id"], request.path_params["request_id"])
        written = request.query_params.get("look", "0")
        look = int(written[:4]) if written.isascii() and written.isdigit() else 0
        return html(waiting(found, look + 1))

    return [
        doors.page("/w/{worker_id}/receipts/{request_id}/answer", answer),
        doors.page("/w/{worker_id}/receipts/{request_id}", show),
    ]


def waiting(one: Receipt, look: int = 0) -> h.Element:
    """The answer, or a place that asks for it again, less and less often, until there is one."""
    if one.state in ENDS:
        return h.div(".answer")[list(_answered(one)) or h.p(".muted")["There is nothing in the answer."]]
    if look >= LOOKS:
        return h.div(".answer")[h.p(".muted")["Not ended yet. ", h.a(href=receipt_path(one))["Its receipt"], "."]]
    seconds = min(SLOWEST_LOOK_SECONDS, FIRST_LOOK_SECONDS + look // 5)
    path = f"{receipt_path(one)}/answer?look={look}"
    swap = {"hx-get": path, "hx-trigger": f"load delay:{seconds}s", "hx-swap": "outerHTML", "hx-target": "this"}
    return h.div(".answer", {"aria-busy": "true", **swap})[h.p(".muted")["Waiting for the answer…"]]


def _screen(one: Receipt, names: Names, *, watches: bool) -> Screen:
    worker_id = one.worker_id or ""
    return Screen(
        "receipt",
        receipts.asked(one.method),
        [
            bar("Receipt", back=path_for(worker_id)),
            h.div(".page")[
                h.ul(".receipts", data_watches="yes" if watches else None)[receipt(one)],
                h.dl(".told")[(_fact(name, value) for name, value in _facts(one, names))],
                h.p[h.a({"href": f"/trace/{one.x_request_id}", **BOOST})["Every hop of it"]]
                if one.x_request_id
                else None,
                h.h2["What was asked"],
                json_block(one.params or {}, "Params"),
                h.h2["What came of it"],
                waiting(one),
            ],
        ],
        {"worker": worker_id},
        tab="/",
    )


def _facts(one: Receipt, names: Names) -> Iterator[tuple[str, h.Node]]:
    asker = who(one.actor, names)
    yield "Method", h.code[one.method]
    yield "Request", h.code[one.request_id]
    if asker is not None:
        yield "Asked by", asker.words
    if one.machine_id:
        yield "Machine", names.machines.get(one.machine_id) or one.machine_id
    steps = (
        ("Accepted", one.created_at),
        ("On the machine", one.delivered_at),
        ("With Codex", one.acknowledged_at),
        ("Ended", one.ended_at),
    )
    for name, at in steps:
        if at:
            yield name, [h.time(datetime=at), f" ({times.exact(at)})"]
    if one.expires_at and not one.delivered_at and one.state not in ENDS:
        yield "Expires", [h.time(".exact", datetime=one.expires_at), " unless a machine takes it before"]


def _fact(name: str, value: h.Node) -> list[h.Element]:
    return [h.dt[name], h.dd[value]]


def _answered(one: Receipt) -> Iterator[h.Element]:
    if one.error:
        yield json_block(one.error, "Error")
    if one.response is not None:
        yield json_block(one.response, "Response")
    for ref in one.artifacts:
        path = path_for(one.worker_id or "", "artifacts", ref.artifact_id)
        yield h.p[
            h.code[ref.path], " is left out: ", h.a(href=path, download=True)[f"all of it, {times.size(ref.bytes)}"]
        ]
