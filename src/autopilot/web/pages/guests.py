"""Guests: somebody without an account who may read single sessions for a while, by a link that lets in once."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.client import guest_store
from autopilot.client.presenters import guests as words
from autopilot.client.presenters import standing
from autopilot.contract import Guest, InvitedGuest, WorkerSummary
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of, pairs_of
from autopilot.web.parts.blocks import posting, records, section, when
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.sure import sure
from autopilot.web.visitors import Visitor, origin_of

PATH = "/devices/guests"
TAB = "/more"


def routes(doors: Doors) -> list[Route]:
    """Their paths."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        return await _screen(visitor, chosen=request.query_params.get("worker"))

    return [
        doors.page(PATH, show),
        doors.page(PATH, _invite, "POST"),
        doors.page(PATH + "/{guest_id}/revoke", _revoke, "POST"),
    ]


async def _invite(request: Request, visitor: Visitor) -> Screen:
    form = await form_of(request)
    worker_ids = [value for name, value in await pairs_of(request) if name == "worker"]
    seconds = form.get("expires_in", "")
    made = await visitor.client.invite_guest(
        form.get("name", "").strip(), worker_ids, expires_in_seconds=int(seconds) if seconds.isdigit() else None
    )
    link = made.link or f"{origin_of(request)}/guest#{made.secret}"
    return await _screen(visitor, made=made, link=link)


async def _revoke(request: Request, visitor: Visitor) -> Screen:
    await visitor.client.revoke_guest(request.path_params["guest_id"])
    return await _screen(visitor)


async def _screen(
    visitor: Visitor, *, made: InvitedGuest | None = None, link: str = "", chosen: str | None = None
) -> Screen:
    guests = await visitor.client.guests()
    page = await visitor.client.list_workers(limit=guest_store.MOST_WORKERS)
    workers = words.showable(page.workers)
    body = records(
        _link(made, link) if made else None,
        section(
            "Now",
            h.ul(".lines")[(_row(guest, workers, visitor.csrf) for guest in guests)]
            if guests
            else h.p(".about")[words.NOBODY],
        ),
        _inviting(workers, chosen, visitor.csrf),
    )
    return Screen("guests", "Guests", [bar("Guests", back="/devices"), body], tab=TAB)


def _link(made: InvitedGuest, link: str) -> h.Element:
    return section(
        f"The link for {made.guest.name}",
        h.p(".about")[words.LINK],
        h.input("#guest-link", type="text", value=link, readonly=True, aria_label="Link", dir="ltr"),
        h.div(".buttons")[h.button(".primary", type="button", data_copy="guest-link")["Copy the link"]],
    )


def _row(guest: Guest, workers: Sequence[WorkerSummary], csrf: str) -> h.Element:
    return h.li[
        h.div[
            h.b(dir="auto")[guest.name],
            h.small(dir="auto")[words.shown(guest, workers)],
            h.small["Came ", when(guest.entered_at)] if guest.entered_at else h.small["Has not come yet"],
            h.small["Until ", when(guest.expires_at, exact=True)],
        ],
        sure(
            "End",
            words.ENDING,
            f"{PATH}/{quote(guest.guest_id, safe='')}/revoke",
            csrf,
            button=f"End {guest.name}",
        ),
    ]


def _inviting(workers: Sequence[WorkerSummary], chosen: str | None, csrf: str) -> h.Element:
    if not workers:
        return section("Invite", h.p(".about")[words.NOTHING_TO_SHOW])
    form = posting(
        PATH,
        csrf,
        h.label(for_="guest-name")["Who is it for?"],
        h.input(
            "#guest-name",
            type="text",
            name="name",
            required=True,
            maxlength=str(words.LONGEST_NAME),
            autocomplete="off",
            dir="auto",
        ),
        h.fieldset(".options")[
            h.legend["What may they read?"],
            (
                h.label(".option")[
                    h.input(type="checkbox", name="worker", value=worker.worker_id, checked=worker.worker_id == chosen),
                    h.span[h.b(dir="auto")[standing.title(worker)], h.small(dir="auto")[standing.last_words(worker)]],
                ]
                for worker in workers[: words.MOST_OFFERED]
            ),
        ],
        h.label(for_="guest-time")["For how long?"],
        h.select("#guest-time", name="expires_in")[
            (h.option(value=str(value), selected=value == words.FIRST_TIME)[label] for value, label in words.TIMES)
        ],
        h.div(".buttons")[h.button(".primary", type="submit")["Make a link"]],
    )
    return section("Invite", form, about=words.MEANS)
