"""The emergency stop: two taps from anywhere. What it would stop, why, and then each session's answer as it comes."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.everything import Entry
from autopilot.client.presenters import standing
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.receipts import receipt_state
from autopilot.contract import Receipt, StopAllWorker, WorkerSummary
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.live import Put
from autopilot.web.visitors import Visitor

MOST = 200
OPEN = ("running", "starting", "stopping")
METHOD = "worker/stop"
REASON_CHARACTERS = 255


def routes(doors: Doors) -> list[Route]:
    """Where it is."""
    return [doors.page("/stop-all", _ask), doors.page("/stop-all", _stop, "POST")]


def puts(entry: Entry, _names: Names) -> list[Put]:
    """How far a stop has come, where somebody looks."""
    if not isinstance(entry, Receipt) or entry.method != METHOD or entry.worker_id is None:
        return []
    return [Put(_state_id(entry.worker_id), _state(entry.worker_id, _ended(entry)))]


async def _ask(_request: Request, visitor: Visitor) -> Response:
    workers = await _open_ones(visitor)
    machines = {standing.machine(worker) for worker in workers} - {""}
    if not workers:
        return html([h.h2["Emergency stop"], h.p["Nothing is open that you could stop."], _close()])
    sessions = "1 session" if len(workers) == 1 else f"{len(workers)} sessions"
    where = f" on {' and '.join(sorted(machines))}" if 0 < len(machines) <= 2 else f" on {len(machines)} machines"  # noqa: PLR2004 - two names are still a sentence
    busy = sum(standing.activity(worker)[0] == "running" for worker in workers)
    form = {"hx-post": "/stop-all", "hx-target": "#dialog", "hx-swap": "innerHTML", "hx-disabled-elt": "find .danger"}
    return html(
        [
            h.h2["Stop everything?"],
            h.p[
                f"{sessions}{where}, {busy} of them working. Each turn is interrupted, and every process that its "
                "commands started is ended, on all machines at once."
            ],
            h.form(form)[
                h.label(for_="stop-reason")["Why (optional, for the record)"],
                h.input(
                    "#stop-reason",
                    type="text",
                    name="reason",
                    maxlength=str(REASON_CHARACTERS),
                    autocomplete="off",
                    dir="auto",
                ),
                h.label(".force", for_="stop-force")[
                    h.input("#stop-force", type="checkbox", name="force", value="1"),
                    h.span[
                        "Force",
                        h.small[
                            "Closes every session at once, without waiting for its machine. Nobody has then looked "
                            "whether something still runs there; machines learn of it when they are back."
                        ],
                    ],
                ],
                h.div(".buttons")[
                    h.button(type="button", data_close=True)["Cancel"],
                    h.button(".primary.danger", type="submit", autofocus=True)["Stop everything"],
                ],
            ],
        ]
    )


async def _stop(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    titles = {worker.worker_id: standing.title(worker) for worker in await _open_ones(visitor)}
    reason = form.get("reason", "").strip()[:REASON_CHARACTERS] or None
    done = await visitor.client.stop_all(reason=reason, force=form.get("force") == "1")
    return html(
        [
            h.h2["Stopping"] if done.stopping else h.h2["Stopped"],
            h.p[_sum(done.stopped, done.stopping, sum(one.status is None for one in done.workers))],
            h.ul(".stops", aria_label="Sessions")[
                (
                    h.li[
                        h.b(dir="auto")[titles.get(one.worker_id, "Session")],
                        _state(one.worker_id, _began(one)),
                    ]
                    for one in done.workers
                )
            ],
            _close("Done"),
        ]
    )


async def _open_ones(visitor: Visitor) -> list[WorkerSummary]:
    """Those that a stop would reach."""
    found: list[WorkerSummary] = []
    for status in OPEN:
        page = await visitor.client.list_workers(status=status, limit=MOST)
        found += [worker for worker in page.workers if worker.role in {None, "owner", "operator"}]
    return found


def _sum(stopped: int, stopping: int, failed: int) -> str:
    parts = [
        f"{stopping} asked to stop" if stopping else "",
        f"{stopped} stopped" if stopped else "",
        f"{failed} could not be asked" if failed else "",
    ]
    return (", ".join(part for part in parts if part) or "Nothing was open") + "."


def _began(one: StopAllWorker) -> Label:
    if one.error is not None:
        return Label(f"Could not be asked: {one.error.message}", "bad")
    if one.machine_unreachable:
        return Label("Its machine is away: first of all when it is back", "warn")
    return Label("Stopped", "good") if one.status == "stopped" else Label("Asked", "busy")


def _ended(receipt: Receipt) -> Label:
    """What its machine says."""
    said = receipt.response if isinstance(receipt.response, dict) else {}
    if receipt.state != "completed":
        return receipt_state(receipt)
    if said.get("verified") is True:
        ended = len(said.get("processes") or ())
        return Label(f"Stopped, and looked after{f': {ended} processes ended' if ended else ''}", "good")
    return Label("Stopped; nobody could look whether something still runs", "warn")


def _state_id(worker_id: str) -> str:
    return f"stop-{worker_id}"


def _state(worker_id: str, label: Label) -> h.Element:
    return h.span(f".tone-{label.tone}", id=_state_id(worker_id), role="status")[label.text]


def _close(word: str = "Close") -> h.Element:
    return h.div(".buttons")[h.button(type="button", data_close=True)[word]]
