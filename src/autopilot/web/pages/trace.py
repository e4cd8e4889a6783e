"""Every hop of one request, in the order of time: by its request id or an `x-request-id`.

What the ledger knows is shown; what only the logs of processes say is on their machines, and that is said.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.presenters import audit, people
from autopilot.client.presenters.audit import Step
from autopilot.client.presenters.people import Names
from autopilot.contract import Trace
from autopilot.contract.errors import NotFound
from autopilot.web.doors import Doors
from autopilot.web.pages.audit import PATH as BACK
from autopilot.web.parts.blocks import empty, records, section, when
from autopilot.web.parts.layout import BOOST, Screen, bar
from autopilot.web.visitors import Visitor, path_for

PATH = "/trace"
TAB = "/more"
NOT_FOUND = 404


def routes(doors: Doors) -> list[Route]:
    """Its paths."""

    async def ask(request: Request, _visitor: Visitor) -> Response | Screen:
        name = request.query_params.get("id", "").strip()
        worker_id = request.query_params.get("worker", "").strip()
        return RedirectResponse(_path(name, worker_id), status_code=303) if name else _screen(_form("", ""))

    async def show(request: Request, visitor: Visitor) -> Screen:
        name, worker_id = request.path_params["name"], request.query_params.get("worker", "").strip()
        try:
            trace = await visitor.client.trace(name, worker_id=worker_id or None)
        except NotFound:
            return _screen(_form(name, worker_id), _missing(name, worker_id), status=NOT_FOUND)
        return _screen(
            _form(name, worker_id), _found(trace, await doors.names.of(visitor, [hop.actor for hop in trace.hops]))
        )

    return [doors.page(PATH, ask), doors.page(f"{PATH}/{{name:path}}", show)]


def _path(name: str, worker_id: str) -> str:
    query = f"?{urlencode({'worker': worker_id})}" if worker_id else ""
    return f"{PATH}/{quote(name, safe='')}{query}"


def _screen(*sections: h.Node, status: int = 200) -> Screen:
    return Screen("trace", "Trace", [bar("Trace", back=BACK), records(*sections)], tab=TAB, status=status)


def _form(name: str, worker_id: str) -> h.Element:
    attributes = {"action": PATH, "method": "get", "role": "search", "aria-label": "Trace", **BOOST}
    return h.form(".block.search", attributes)[
        h.label(for_="trace-id")["Request id, or x-request-id"],
        h.div(".row")[
            h.input("#trace-id", type="search", name="id", value=name, required=True, maxlength="200", dir="ltr"),
            h.button(".primary", type="submit")["Trace"],
        ],
        h.details(open=bool(worker_id))[
            h.summary["Look further back in one worker"],
            h.label["Worker id", h.input(type="text", name="worker", value=worker_id, maxlength="160", dir="ltr")],
        ],
    ]


def _missing(name: str, worker_id: str) -> h.Element:
    further = "" if worker_id else " Naming its worker looks further back in that log."
    return section(
        "Not found",
        empty("search", "Nothing that you may see has the name ", h.code(dir="ltr")[name], "."),
        about=f"Looked through: receipts, answers, the audit, and the newest events of the latest workers.{further}",
    )


def _found(trace: Trace, names: Names) -> h.Element:
    return section(
        "Every hop",
        h.ol(".hops")[(_hop(step, names) for step in audit.steps(trace))],
        h.p(".warning")["There is more than was looked through."] if trace.cut_off else None,
        h.p(".about")[
            "Only what the ledger holds is seen here. The logs of server and companion are on their machines: ",
            h.code["autopilot trace ID"],
            " reads them there.",
        ],
        about=[
            "Known as ",
            [[", " if index else None, h.code(dir="ltr")[name]] for index, name in enumerate(trace.ids)],
        ],
    )


def _hop(step: Step, names: Names) -> h.Element:
    hop = step.hop
    who = people.who(hop.actor, names)
    machine = names.machines.get(hop.machine_id or "") or hop.machine_id
    said = [who.words if who else None, machine if not who or machine != who.name else None, hop.detail]
    return h.li(class_=f"from-{hop.source}")[
        h.div(".head")[h.b(dir="auto")[step.words], h.em(".pill")[step.source], h.span(".after")[step.after]],
        h.small(dir="auto")[" · ".join(part for part in said if part)],
        h.small[
            when(hop.at, exact=True),
            [" · ", h.a(href=path_for(hop.worker_id))["worker"]] if hop.worker_id else None,
            f" · event {hop.seq}" if hop.seq else None,
            [" · ", h.a(href=f"/inbox/{quote(hop.approval_id, safe='')}")["question"]] if hop.approval_id else None,
        ],
    ]
