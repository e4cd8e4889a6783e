"""Machines: what is known of each, whose it is, what runs there; sharing it with a team, and signing it out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.client.presenters import machines as words
from autopilot.client.presenters import rights, standing
from autopilot.client.presenters.people import Names
from autopilot.contract import Machine, Team, WorkerSummary
from autopilot.contract.errors import NotFound
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.parts.blocks import empty, facts, posting, records, section, when
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.sure import sure
from autopilot.web.visitors import Visitor, path_for

PATH = "/machines"
TAB = "/more"
WORKERS = 200
SHOWN = 6
MAY_SHARE = frozenset({"owner", "operator"})


def routes(doors: Doors) -> list[Route]:
    """Its paths."""

    async def show(_request: Request, visitor: Visitor) -> Screen:
        found = await visitor.client.machines()
        workers = await _workers(visitor) if found else {}
        names = await doors.names.of(visitor)
        return _screen(found, workers, names, doors.clock.now())

    async def show_one(request: Request, visitor: Visitor) -> Screen:
        return await _one(request.path_params["machine_id"], visitor, doors)

    async def share(request: Request, visitor: Visitor) -> Screen:
        machine_id = request.path_params["machine_id"]
        team_id = (await form_of(request)).get("team_id", "")
        if team_id:
            await visitor.client.share_machine(machine_id, team_id)
        else:
            await visitor.client.unshare_machine(machine_id)
        return await _one(machine_id, visitor, doors)

    async def revoke(request: Request, visitor: Visitor) -> Screen:
        machine_id = request.path_params["machine_id"]
        devices = [one for one in await visitor.client.devices() if one.machine_id == machine_id]
        for device in devices:
            await visitor.client.revoke_device(device.device_id)
        return await _one(machine_id, visitor, doors, signed_out=len(devices))

    return [
        doors.page(PATH, show),
        doors.page(PATH + "/{machine_id}", show_one),
        doors.page(PATH + "/{machine_id}/team", share, "POST"),
        doors.page(PATH + "/{machine_id}/revoke", revoke, "POST"),
    ]


def path_of(machine_id: str, rest: str = "") -> str:
    """Where one is."""
    return f"{PATH}/{quote(machine_id, safe='')}{rest}"


async def machine_of(visitor: Visitor, machine_id: str) -> Machine:
    """One of those that somebody may see.

    Raises:
        NotFound: it is none of them.
    """
    found = next((one for one in await visitor.client.machines() if one.machine_id == machine_id), None)
    if found is None:
        raise NotFound(
            "There is no such machine, or it is not shared with you any more.", reason_code="no_such_machine"
        )
    return found


async def _workers(visitor: Visitor) -> dict[str, list[WorkerSummary]]:
    """By machine, the latest first."""
    page = await visitor.client.list_workers(limit=WORKERS)
    found: dict[str, list[WorkerSummary]] = {}
    for worker in page.workers:
        if worker.machine is not None:
            found.setdefault(worker.machine.machine_id, []).append(worker)
    return found


def _screen(
    machines: Sequence[Machine], workers: dict[str, list[WorkerSummary]], names: Names, now: datetime
) -> Screen:
    add = h.a(".button", href="/devices/pair?kind=machine")["Add a machine"]
    heard_first = sorted(machines, key=lambda one: (not words.is_heard(one, now), words.name_of(one).lower()))
    cards = [_card(machine, workers.get(machine.machine_id, []), names, now) for machine in heard_first]
    nothing = h.section(".block")[
        empty("machines", "No machine yet. A machine runs Codex with a companion of Autopilot beside it."), add
    ]
    return Screen(
        "machines", "Machines", [bar("Machines", back=TAB), records(cards or nothing, add if cards else None)], tab=TAB
    )


def _card(machine: Machine, workers: Sequence[WorkerSummary], names: Names, now: datetime) -> h.Element:
    open_ones = [worker for worker in workers if standing.is_open(worker)]
    return h.section(".block.place")[
        _head(machine, now, href=path_of(machine.machine_id)),
        h.p(".about")[" · ".join([words.codex(machine), words.whose(machine, names)])],
        _warnings(machine),
        _list(open_ones[:SHOWN]) if open_ones else h.p(".about")["No open session."],
        h.div(".buttons")[
            _begin(machine) if rights.may_operate(machine) else None,
            h.a(".button", href=path_of(machine.machine_id))["Details"],
        ],
    ]


def _begin(machine: Machine) -> h.Element:
    return h.a(".button", href=f"/new?machine={quote(machine.machine_id, safe='')}")["New session"]


def _head(machine: Machine, now: datetime, *, href: str | None = None) -> h.Element:
    label = words.presence(machine, now)
    name = words.name_of(machine)
    return h.header[
        h.h2(dir="auto")[h.a(href=href)[name] if href else name], h.span(f".pill.tone-{label.tone}")[label.text]
    ]


def _warnings(machine: Machine) -> h.Node:
    return [
        h.p(".warning")[fact.label, [", since ", when(fact.moment)] if fact.moment else None, "."]
        for fact in words.warnings(machine)
    ]


def _list(workers: Sequence[WorkerSummary]) -> h.Element:
    return h.ul(".lines")[
        (
            h.li[
                h.a(".row-link", href=path_for(worker.worker_id))[
                    h.div[h.b(dir="auto")[standing.title(worker)], h.small(dir="auto")[standing.last_words(worker)]]
                ],
                h.em(class_=f"pill {standing.activity(worker)[0]}")[standing.activity(worker)[1].text],
            ]
            for worker in workers
        )
    ]


async def _one(machine_id: str, visitor: Visitor, doors: Doors, *, signed_out: int | None = None) -> Screen:
    machine = await machine_of(visitor, machine_id)
    names, now = await doors.names.of(visitor), doors.clock.now()
    workers = (await visitor.client.list_workers(machine_id=machine_id, limit=WORKERS)).workers
    mine = words.is_mine(machine, names)
    teams = await visitor.client.teams() if mine else []
    said = None
    if signed_out is not None:
        said = "It is signed out, and carries out nothing more." if signed_out else "It was signed out already."
    body = records(
        h.p(".warning", role="status")[said] if said else None,
        h.section(".block.place")[_head(machine, now), _warnings(machine), _facts(machine, names)],
        section(
            "Sessions",
            _list(workers) if workers else h.p(".about")["None here yet."],
            h.div(".buttons")[_begin(machine), h.a(".button", href=path_of(machine_id, "/threads"))["Older threads"]]
            if rights.may_operate(machine)
            else h.p(".about")[rights.WATCH_MACHINE],
        ),
        _told(machine),
        _sharing(machine, teams, names, visitor.csrf) if mine else None,
        _leaving(machine, visitor.csrf) if mine else None,
    )
    name = words.name_of(machine)
    return Screen("machine", name, [bar(h.span(dir="auto")[name], back=PATH), body], tab=TAB)


def _facts(machine: Machine, names: Names) -> h.Element:
    return facts([(fact.label, _fact(fact)) for fact in words.facts(machine, names)])


def _fact(fact: words.Fact) -> h.Node:
    if fact.moment is not None:
        return when(fact.moment)
    return h.code(dir="ltr")[fact.value] if fact.is_code else fact.value


def _told(machine: Machine) -> h.Node:
    told = words.told(machine)
    if not told:
        return None
    return section(
        "What its Codex said",
        h.ul(".lines")[
            (h.li[h.div[h.b[name], h.small(dir="auto")[said]], when(moment)] for name, said, moment in told)
        ],
    )


def _sharing(machine: Machine, teams: Sequence[Team], names: Names, csrf: str) -> h.Element:
    current = machine.owner.team_id if machine.owner else None
    path = path_of(machine.machine_id, "/team")
    if current is not None:
        name = names.teams.get(current) or "a team"
        return section(
            "Team",
            h.p[f"Shared with {name}: its members see what runs here, and operators ask for things."],
            sure(
                "Take it out of the team",
                "Members lose sight of its sessions within two seconds; what they asked for and nobody began ends.",
                path,
                csrf,
                button="Take it out",
            ),
        )
    choices = [team for team in teams if team.role in MAY_SHARE]
    if not choices:
        return section("Team", h.p(".about")["In no team. Make one under Teams to share this machine."])
    form = posting(
        path,
        csrf,
        h.div(".inline")[
            h.div[
                h.label(for_="team")["Share with"],
                h.select("#team", name="team_id")[(h.option(value=team.team_id)[team.name] for team in choices)],
            ],
            h.button(".primary", type="submit")["Share"],
        ],
    )
    return section(
        "Team",
        form,
        about="Members of the team see all sessions of this machine, now and later; operators and owners steer them.",
    )


def _leaving(machine: Machine, csrf: str) -> h.Element:
    return section(
        "Sign it out",
        sure(
            "Sign this machine out",
            "Its companion can do nothing more here until it is paired again. What Codex does there goes on, unseen.",
            path_of(machine.machine_id, "/revoke"),
            csrf,
            button="Sign it out",
        ),
    )
