"""The list of workers, newest activity first: a screen on a phone, the pane beside the screen where there is room.

The first page comes with the frame, changes by the stream, older ones when one scrolls. What is typed into the search
is looked for by the browser in the rows that it has, at once, and then by the API in all workers (`/rows?q=`); scripts
put the two together (static/js/40-list.js). A list that can't be had says so, and leaves the screen beside it alone.
"""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.everything import Entry
from autopilot.client.presenters import errors, standing
from autopilot.client.presenters.people import Names
from autopilot.client.tokens import SignInAgain
from autopilot.client.workers import WorkerPage
from autopilot.contract import WorkerSummary
from autopilot.contract.errors import AutopilotError, Forbidden, Unauthorized
from autopilot.contract.worker_search import MOST_CHARACTERS
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.live import Put
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import Screen
from autopilot.web.parts.rows import put_row, row
from autopilot.web.visitors import Visitor

FIRST = 50
MORE = 100
SHORTCUTS = (
    ("j, k or arrows", "Next and previous worker"),
    ("Enter", "Open it"),
    ("/", "Search"),
    ("c", "Write a message"),
    ("Ctrl or ⌘ + Enter", "Send it"),
    ("r", "Resync"),
    ("Esc", "Clear the search, close a dialog"),
    ("?", "This list"),
)


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def more(request: Request, visitor: Visitor) -> Response:
        asked = request.query_params
        page = await visitor.client.list_workers(
            search=asked.get("q"),
            machine_id=asked.get("machine") or None,
            backend=asked.get("backend") or None,
            limit=MORE,
            before=asked.get("before") or None,
            **standing.wanted(asked.get("state")),
        )
        return html(_rows(page, await doors.names.of(visitor), None))

    return [doors.page("/", _show), doors.page("/rows", more)]


def puts(entry: Entry, names: Names) -> list[Put]:
    """The row of a worker that is another."""
    return [put_row(entry, names)] if isinstance(entry, WorkerSummary) else []


async def _show(_request: Request, _visitor: Visitor) -> Screen:
    return screen()


async def pane(visitor: Visitor, names: Names, current: str | None) -> h.Node:
    """What the list holds at first; what changes comes by the stream."""
    try:
        page = await visitor.client.list_workers(limit=FIRST)
        machines = await _machines(visitor)
    except (SignInAgain, Unauthorized):
        raise
    except AutopilotError as error:
        return [_head(), _failed(error)]
    return listing(page, machines, names, current)


async def _machines(visitor: Visitor) -> list[tuple[str, str]]:
    """Those that the list can be had of, by id and name; a guest is told of none but in the rows."""
    try:
        found = await visitor.client.machines()
    except Forbidden:
        return []
    return sorted(((one.machine_id, one.name or one.machine_id) for one in found), key=lambda named: named[1].lower())


def listing(page: WorkerPage, machines: list[tuple[str, str]], names: Names, current: str | None) -> h.Node:
    """The list."""
    return [
        _head(),
        _search(machines),
        _rows(page, names, current),
        h.div("#rows-none", hidden=True)[
            h.p["No worker fits."], h.button("#rows-all", type="button")["Show all workers"]
        ],
        h.div("#rows-empty")[
            icon("workers"),
            h.h2["No workers yet"],
            h.p["Start a session, or run Codex on a machine that is paired: it shows up here by itself."],
            h.a(".button.primary", href="/new")["New session"],
        ],
        h.p("#rows-more", role="status")[
            h.span(".loading", hidden=True)["Loading more workers…"],
            h.span(".seeking", hidden=True)["Searching all workers…"],
            h.span(".failed", hidden=True)["More workers could not be loaded. ", h.button(type="button")["Try again"]],
            h.span(".unsought", hidden=True)[
                "Not all workers could be searched. ", h.button(type="button")["Search again"]
            ],
        ],
        h.p("#rows-found.sr", role="status", aria_live="polite"),
        _shortcuts(),
    ]


def screen() -> Screen:
    """Beside the list, nothing is chosen."""
    return Screen("workers", "", h.div(".nothing")[icon("workers"), h.p["Choose a worker"]], tab="/")


def _head() -> h.Element:
    return h.h1[h.a(href="/")["Workers"]]


def _failed(error: AutopilotError) -> h.Element:
    told = errors.trouble(error, reading=True)
    return h.div("#rows-failed", role="alert")[
        h.h2["The list could not be loaded"],
        h.p[told.sentence, " ", told.hint],
        h.button(".primary", {"type": "button", "data-resync": True})["Try again"],
    ]


def _rows(page: WorkerPage, names: Names, current: str | None) -> h.Element:
    """A page of rows; `data-next` is where the following one begins."""
    return h.ul("#rows", {"data-next": page.next, "aria-label": "Workers"})[
        (row(worker, names, current=worker.worker_id == current) for worker in page.workers)
    ]


def _search(machines: list[tuple[str, str]]) -> h.Element:
    states = {name: label.text for name, label in (standing.ACTIVITIES | standing.STATUSES).items()}
    return h.search("#find")[
        h.div(".field")[
            icon("search"),
            h.input(
                "#find-words",
                type="search",
                placeholder="Search",
                aria_label="Search workers",
                autocomplete="off",
                maxlength=str(MOST_CHARACTERS),
            ),
        ],
        h.details(".filters")[
            h.summary(aria_label="Filters", title="Filters")[icon("settings"), h.b("#find-count", hidden=True)],
            h.div[
                _choice("state", "Status", list(states.items())),
                _choice("machine", "Machine", machines),
                _choice("backend", "Backend", list(standing.BACKENDS.items())),
            ],
        ],
    ]


def _choice(name: str, label: str, options: list[tuple[str, str]]) -> list[h.Element]:
    return [
        h.label(for_=f"find-{name}")[label],
        h.select(f"#find-{name}", {"data-filter": name})[
            h.option(value="")["Any"], (h.option(value=value)[words] for value, words in options)
        ],
    ]


def _shortcuts() -> h.Element:
    return h.template("#shortcuts")[
        h.h2["Keyboard shortcuts"],
        h.dl(".keys")[((h.dt[h.kbd[keys]], h.dd[words]) for keys, words in SHORTCUTS)],
        h.div(".buttons")[h.button(".primary", {"type": "button", "data-close": True})["Close"]],
    ]
