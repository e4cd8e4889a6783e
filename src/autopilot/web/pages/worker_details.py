"""All that is known of a worker: ids, place, lease, the four facts of health, spend, its events raw, its artifacts.

Events are shown as the API says them, in pages, the newest first; a large one in part, with a way to all of it.
Artifacts are streamed through the browser's own session, as files that nothing here interprets.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing

import htpy as h
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from autopilot.client.presenters import outcomes, standing, times
from autopilot.client.presenters.labels import sentence, spelled
from autopilot.client.presenters.people import Names
from autopilot.contract import Artifact, Envelope, HealthFact, WorkerSnapshot, encode
from autopilot.contract.errors import InvalidRequest, NotFound
from autopilot.web.answers import HEADERS, html
from autopilot.web.doors import Doors
from autopilot.web.parts.copying import copy_button
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor, path_for

EVENTS, ARTIFACTS = 30, 50
SHOWN_CHARACTERS = 12_000
"""Of one event."""
LAYERS = (("api", "API"), ("machine", "Companion"), ("codex", "Codex"), ("data", "Log"))
ARTIFACT_STATES = {"pending": "Not all here yet", "pruned": "Let go of, by age", "lost": "Nobody can bring it"}


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
                _section("About", _facts(_about(worker, names))),
                _section("Health", h.div(".layers")[(_layer(worker, *layer) for layer in LAYERS)]),
                _section("Names", _facts(_ids(worker))),
                _section("Lease", _facts(_lease(worker, names))),
                _section("Spend", _facts(_spend(worker))) if worker.spend else None,
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


def _facts(facts: Iterator[tuple[str, h.Node]]) -> h.Element:
    return h.dl(".told")[([h.dt[name], h.dd[value]] for name, value in facts if value)]


def _copied(value: str | None) -> h.Node:
    if not value:
        return None
    return h.span(".copied")[h.code[value], copy_button()]


def _about(worker: WorkerSnapshot, names: Names) -> Iterator[tuple[str, h.Node]]:
    yield "Status", standing.activity(worker)[1].text
    yield "Folder", _copied(worker.cwd.value if worker.cwd else None)
    yield "Machine", standing.machine(worker)
    yield "Runs in", standing.backend(worker)
    yield "Executed", sentence(worker.execution_mode) if worker.execution_mode != "desktop" else None
    yield "Model", worker.model.value if worker.model else None
    yield "Your role", sentence(worker.role) if worker.role else None
    yield "Shared by", standing.whose(worker, names)
    yield "Opened", _moment(worker.started_at)
    yield "Closed", _moment(worker.stopped_at)
    yield "Last change", _moment(worker.updated_at)
    yield "Events", str(worker.latest_seq)


def _ids(worker: WorkerSnapshot) -> Iterator[tuple[str, h.Node]]:
    metadata = worker.metadata or {}
    yield "Worker", _copied(worker.worker_id)
    yield "Thread", _copied(str(metadata["thread_id"])) if metadata.get("thread_id") else None
    yield "Machine", _copied(worker.machine.machine_id if worker.machine else None)
    yield "Workspace", _copied(worker.workspace_ref)
    yield "Codex home", _copied(worker.codex_home_ref)
    yield "Made by", worker.adapter


def _lease(worker: WorkerSnapshot, names: Names) -> Iterator[tuple[str, h.Node]]:
    lease = worker.lease
    yield "State", sentence(spelled(lease.state))
    yield "Held by", names.machines.get(lease.machine_id or "") or lease.machine_id
    yield "Generation", str(lease.generation) if lease.generation is not None else None
    yield "Until", _moment(lease.expires_at) if lease.state == "held" else None
    yield "Heartbeat", sentence(spelled(worker.heartbeat_state))
    yield "Last heartbeat", _moment(worker.last_heartbeat_at)


def _spend(worker: WorkerSnapshot) -> Iterator[tuple[str, h.Node]]:
    spend = worker.spend
    if spend is None:
        return
    counts = (
        ("Tokens", spend.total_tokens),
        ("Read", spend.input_tokens),
        ("of these cached", spend.cached_input_tokens),
        ("Written", spend.output_tokens),
        ("of these reasoning", spend.reasoning_output_tokens),
    )
    for name, count in counts:
        yield name, h.span(title=f"{count:,}")[outcomes.tokens(count)]


def _layer(worker: WorkerSnapshot, name: str, label: str) -> h.Element:
    fact: HealthFact = getattr(worker.health, name)
    tone = "good" if fact.state == "ok" else "quiet" if fact.state == "unknown" or name == "data" else "warn"
    detail = [
        (spelled(key), value) for key, value in (fact.detail or {}).items() if value is not None and key != "age_ms"
    ]
    return h.div(class_=f"layer {tone}")[
        h.b[h.i(class_=f"dot {tone}", aria_hidden="true"), label],
        h.span["OK" if fact.state == "ok" else sentence(spelled(fact.state))],
        h.small["as of ", h.time(datetime=fact.as_of)] if fact.as_of else None,
        (h.small(dir="auto")[f"{key}: ", _value(str(value))] for key, value in detail),
    ]


def _value(value: str) -> h.Node:
    """A moment as one, all else as it is."""
    return h.time(datetime=value) if times.parsed(value) and "T" in value else value


def _moment(at: str | None) -> h.Node:
    return h.time(datetime=at, title=times.exact(at)) if at else None


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
    method = event.payload.get("method")
    text = json.dumps(encode(event), indent=2, ensure_ascii=False)
    is_cut = len(text) > SHOWN_CHARACTERS
    path = path_for(worker_id, "events", str(event.seq))
    return h.details(".event")[
        h.summary[
            h.code[str(event.seq)],
            h.bdi[method if isinstance(method, str) and method else event.eventType],
            h.time(datetime=event.occurredAt),
        ],
        h.div[
            h.pre(".json", {"tabindex": "0", "aria-label": f"Event {event.seq}", "dir": "ltr"})[
                text[:SHOWN_CHARACTERS]
            ],
            h.p[f"{len(text) - SHOWN_CHARACTERS} characters more: ", h.a(href=path)["all of it"], "."]
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
    return PlainTextResponse(json.dumps(encode(events[0]), indent=2, ensure_ascii=False), headers=HEADERS)


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
    notes = [
        ARTIFACT_STATES.get(artifact.state, ""),
        "a credential was taken out" if artifact.redacted else "",
        "cut: there was no more room" if artifact.truncated else "",
    ]
    name = f"{times.size(artifact.bytes)} of event {artifact.seq}"
    path = path_for(worker_id, "artifacts", artifact.artifact_id)
    return h.li[
        h.a(href=path, download=True)[name] if artifact.state == "stored" else h.span[name],
        h.small[artifact.media_type, " · ", h.time(datetime=artifact.announced_at)],
        h.small[h.code[artifact.path]],
        h.small(".notes")[", ".join(filter(None, notes))] if any(notes) else None,
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
