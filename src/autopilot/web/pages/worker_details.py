"""All that is known of a worker: ids, place, lease, the four facts of health, spend, its events raw, its artifacts.

Events are shown as the API says them, in pages, the newest first; a large one in part, with a way to all of it.
Artifacts are streamed through the browser's own session, as files that nothing here interprets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing

import htpy as h
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from autopilot.client.presenters import details, standing, times
from autopilot.client.presenters.details import Fact, Layer
from autopilot.client.presenters.people import Names
from autopilot.contract import Artifact, Envelope
from autopilot.contract.errors import InvalidRequest, NotFound
from autopilot.web.answers import HEADERS, html
from autopilot.web.doors import Doors
from autopilot.web.parts.copying import copy_button
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor, path_for

EVENTS, ARTIFACTS = 30, 50


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        return await _screen(visitor, request.path_params["worker_id"], await doors.names.of(visitor))

    async def artifact(request: Request, _visitor: Visitor) -> Response:
        own = doors.visitors.visitor(request)  # the other one's connections are closed before the answer begins
        return await _artifact(own, request.path_params["worker_id"], request.path_params["artifact_id"])

    return [
        doors.page("/w/{worker_id}/details", show),
        doors.page("/w/{worker_id}/events", _events),
        doors.page("/w/{worker_id}/events/{seq:int}", _event),
        doors.page("/w/{worker_id}/artifacts", _artifacts),
        doors.page("/w/{worker_id}/artifacts/{artifact_id}", artifact),
    ]


async def _screen(visitor: Visitor, worker_id: str, names: Names) -> Screen:
    worker = await visitor.client.worker(worker_id)
    return Screen(
        "details",
        f"Details · {standing.title(worker)}",
        [
            bar(h.span(dir="auto")[standing.title(worker)], back=path_for(worker_id)),
            h.div(".page")[
                _section("About", _facts(details.about(worker, names))),
                _section("Health", h.div(".layers")[map(_layer, details.health(worker))]),
                _section("Names", _facts(details.identity(worker))),
                _section("Lease", _facts(details.lease(worker, names))),
                _section("Spend", _facts(details.spend(worker))) if worker.spend else None,
                _section("Artifacts", _later(path_for(worker_id, "artifacts"))),
                _section("Events", _later(path_for(worker_id, "events"))),
            ],
        ],
        {"worker": worker_id},
        tab="/",
    )


def _section(title: str, *content: h.Node) -> h.Element:
    name = f"of-{title.lower()}"
    return h.section(".card", aria_labelledby=name)[h.h2(id=name)[title], content]


def _later(path: str) -> h.Element:
    """What is loaded when one comes to see it."""
    swap = {"hx-get": path, "hx-trigger": "intersect once", "hx-swap": "outerHTML", "hx-target": "this"}
    return h.p(".muted", {"aria-busy": "true", **swap})["Loading…"]


def _facts(facts: Iterable[Fact]) -> h.Element:
    return h.dl(".told")[([h.dt[fact.name], h.dd[_value(fact)]] for fact in facts)]


def _value(fact: Fact) -> h.Node:
    if fact.kind == "id":
        return h.span(".copied")[h.code[fact.value], copy_button()]
    if fact.kind == "moment":
        return h.time(datetime=fact.value, title=times.exact(fact.value))
    return h.span(title=fact.exact)[fact.value] if fact.exact else fact.value


def _layer(layer: Layer) -> h.Element:
    tone = layer.state.tone
    return h.div(class_=f"layer {tone}")[
        h.b[h.i(class_=f"dot {tone}", aria_hidden="true"), layer.name],
        h.span[layer.state.text],
        h.small["as of ", h.time(datetime=layer.as_of)] if layer.as_of else None,
        (h.small(dir="auto")[f"{fact.name}: ", _value(fact)] for fact in layer.details),
    ]


# Events.


async def _events(request: Request, visitor: Visitor) -> Response:
    worker_id, written = request.path_params["worker_id"], request.query_params.get("before")
    if written is not None and not (written.isascii() and written.isdigit()):
        raise InvalidRequest("This is no place in a log.", reason_code="invalid_seq")
    before = int(written[:18]) if written else None
    latest = (await visitor.client.worker(worker_id)).latest_seq + 1 if before is None else before
    events = await visitor.client.events(worker_id, before=latest, limit=EVENTS) if latest > 1 else []
    if not events:
        return html(h.p(".muted")["No events yet." if before is None else "That is all."])
    rows = [_row(worker_id, event) for event in reversed(events)]
    more = f"{path_for(worker_id, 'events')}?before={events[0].seq}"
    return html([h.div(".events")[rows], _more(more, "Older events") if events[0].seq > 1 else None])


def _more(path: str, label: str) -> h.Element:
    swap = {"hx-get": path, "hx-target": "closest p", "hx-swap": "outerHTML"}
    return h.p[h.button({"type": "button", **swap})[label]]


def _row(worker_id: str, event: Envelope) -> h.Element:
    text = details.event_text(event)
    is_cut = len(text) > details.SHOWN_CHARACTERS
    path = path_for(worker_id, "events", str(event.seq))
    return h.details(".event")[
        h.summary[
            h.code[str(event.seq)],
            h.bdi[details.event_title(event)],
            h.time(datetime=event.occurredAt),
        ],
        h.div[
            h.pre(".json", {"tabindex": "0", "aria-label": f"Event {event.seq}", "dir": "ltr"})[
                text[: details.SHOWN_CHARACTERS]
            ],
            h.p[f"{len(text) - details.SHOWN_CHARACTERS} characters more: ", h.a(href=path)["all of it"], "."]
            if is_cut
            else None,
            copy_button("Copy this event"),
        ],
    ]


async def _event(request: Request, visitor: Visitor) -> Response:
    """One event, whole, as text."""
    worker_id, seq = request.path_params["worker_id"], request.path_params["seq"]
    events = await visitor.client.events(worker_id, before=min(seq, 2**53) + 1, limit=1)
    if not events or events[0].seq != seq:
        raise NotFound("There is no such event in this worker's log.", reason_code="no_such_event")
    return PlainTextResponse(details.event_text(events[0]), headers=HEADERS)


# Artifacts.


async def _artifacts(request: Request, visitor: Visitor) -> Response:
    worker_id, before = request.path_params["worker_id"], request.query_params.get("before")
    page = await visitor.client.artifacts(worker_id, limit=ARTIFACTS, before=before or None)
    if not page.artifacts:
        return html(h.p(".muted")["None: nothing was too large for the log." if not before else "That is all."])
    more = f"{path_for(worker_id, 'artifacts')}?before={page.next}"
    return html([_files(worker_id, page.artifacts), _more(more, "Older artifacts") if page.next else None])


def _files(worker_id: str, artifacts: Sequence[Artifact]) -> h.Element:
    return h.ul(".files")[(_file(worker_id, artifact) for artifact in artifacts)]


def _file(worker_id: str, artifact: Artifact) -> h.Element:
    notes = details.artifact_notes(artifact)
    name = f"{times.size(artifact.bytes)} of event {artifact.seq}"
    path = path_for(worker_id, "artifacts", artifact.artifact_id)
    return h.li[
        h.a(href=path, download=True)[name] if artifact.state == "stored" else h.span[name],
        h.small[artifact.media_type, " · ", h.time(datetime=artifact.announced_at)],
        h.small[h.code[artifact.path]],
        h.small(".notes")[notes] if notes else None,
    ]


async def _artifact(visitor: Visitor, worker_id: str, artifact_id: str) -> Response:
    """A file, as it comes.

    Raises:
        AutopilotError: it can't be had.
    """
    chunks = visitor.client.read_artifact(worker_id, artifact_id)
    try:
        first = await anext(chunks, b"")
    except BaseException:
        await visitor.client.aclose()
        raise

    async def whole() -> AsyncIterator[bytes]:
        async with visitor.client, aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    headers = HEADERS | {
        "content-disposition": f'attachment; filename="{artifact_id}.txt"',
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(whole(), media_type="text/plain; charset=utf-8", headers=headers)
