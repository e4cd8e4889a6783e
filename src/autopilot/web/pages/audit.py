"""Who did what, and what was refused: the audit, searched, paged and taken along; one's own acts, or an admin's view.

`GET /audit` with what is searched for in the address, so that a search can be kept and shared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.audit import AuditPage
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import audit, people
from autopilot.client.presenters.people import Names
from autopilot.contract import AuditLine, encode
from autopilot.contract.errors import Unprocessable
from autopilot.web.doors import Doors
from autopilot.web.pages.more import PATH as BACK
from autopilot.web.parts.blocks import empty, records, section, when
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import BOOST, Screen, bar
from autopilot.web.visitors import Visitor

PATH = "/audit"
PAGE = 50
EXPORTED_AT_ONCE = 500
MOST_EXPORTED = 5000
FIELDS = ("text", "action", "surface", "outcome", "device_id", "x_request_id", "from", "to")
OUTCOMES = {"done": "Done", "refused": "Refused"}


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for, as the address says it; what is empty is not asked."""

    said: Mapping[str, str] = field(default_factory=dict)
    before: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Search:
        """What the address says."""
        said = {name: query[name].strip() for name in FIELDS if query.get(name, "").strip()}
        return cls(said, query.get("before") or None)

    def arguments(self) -> dict[str, Any]:
        """For the call.

        Raises:
            Unprocessable: a day that is none.
        """
        asked: dict[str, Any] = {name: value for name, value in self.said.items() if name not in {"from", "to"}}
        if "from" in self.said:
            asked["since"] = _day(self.said["from"])
        if "to" in self.said:
            asked["until"] = _day(self.said["to"]) + timedelta(days=1)
        return asked

    def path(self, at: str = PATH, **more: str) -> str:
        """Its address."""
        query = urlencode({**self.said, **more})
        return f"{at}?{query}" if query else at


def routes(doors: Doors) -> list[Route]:
    """Its paths."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        search = Search.of(request.query_params)
        page = await visitor.client.audit(**search.arguments(), limit=PAGE, before=search.before)
        return screen(search, page, await doors.names.of(visitor, [line.actor for line in page.lines]))

    return [doors.page(PATH, show), doors.page(f"{PATH}/export", export)]


def screen(search: Search, page: AuditPage, names: Names) -> Screen:
    """The screen."""
    body = [
        bar(
            "Audit",
            back=BACK,
            actions=h.a(".button", href="/trace", aria_label="Trace a request", **BOOST)[icon("link")],
        ),
        records(_form(search, names), _found(search, page, names)),
    ]
    return Screen("audit", "Audit", body, tab=BACK)


async def export(request: Request, visitor: Visitor) -> Response:
    """What was found, a JSON object a line, the latest first; so many at most."""
    search = Search.of(request.query_params)
    lines = await _lines(visitor.client, search)
    content = "".join(json.dumps(encode(line), ensure_ascii=False) + "\n" for line in lines)
    headers = {
        "content-disposition": f'attachment; filename="audit-{datetime.now(UTC):%Y-%m-%d}.jsonl"',
        "cache-control": "private, no-store",
    }
    return Response(content, media_type="application/x-ndjson", headers=headers)


async def _lines(client: RuntimeCodexClient, search: Search) -> list[AuditLine]:
    lines: list[AuditLine] = []
    before = search.before
    while len(lines) < MOST_EXPORTED:
        page = await client.audit(**search.arguments(), limit=EXPORTED_AT_ONCE, before=before)
        lines += page.lines
        before = page.next
        if before is None:
            break
    return lines


def _form(search: Search, names: Names) -> h.Element:
    said = search.said
    narrowed = any(name in said for name in FIELDS[1:])
    return h.form(".block.search", {"action": PATH, "method": "get", "role": "search", "aria-label": "Audit", **BOOST})[
        h.div(".row")[
            h.label[
                h.span(".unseen")["Text"],
                h.input(
                    type="search",
                    name="text",
                    value=said.get("text", ""),
                    placeholder="Search: an act, an address, a machine, …",
                    maxlength="200",
                ),
            ],
            h.button(".primary", type="submit")["Search"],
        ],
        h.details(open=narrowed)[
            h.summary["Narrow it"],
            h.div(".grid")[
                _select("What", "action", audit.ACTIONS, said),
                _select("Outcome", "outcome", OUTCOMES, said),
                _select("From", "surface", people.SURFACES, said),
                _select("Device", "device_id", names.devices, said),
                _field("Request id", "x_request_id", said, "text"),
                _field("First day", "from", said, "date"),
                _field("Last day", "to", said, "date"),
            ],
            h.div(".buttons")[h.a(".button", href=PATH)["Clear"], h.button(type="submit")["Apply"]],
        ],
    ]


def _select(label: str, name: str, options: Mapping[str, str], said: Mapping[str, str]) -> h.Element:
    chosen = said.get(name, "")
    known = dict(options) if not chosen or chosen in options else {**options, chosen: chosen}
    return h.label[
        label,
        h.select(name=name)[
            h.option(value="")["Any"],
            (
                h.option(value=value, selected=value == chosen)[words or value]
                for value, words in sorted(known.items(), key=lambda one: one[1].casefold())
            ),
        ],
    ]


def _field(label: str, name: str, said: Mapping[str, str], kind: str) -> h.Element:
    return h.label[label, h.input(type=kind, name=name, value=said.get(name, ""), maxlength="200")]


def _found(search: Search, page: AuditPage, names: Names) -> h.Element:
    rows = [_line(line, names) for line in page.lines]
    return section(
        "What was done",
        h.ul(".deeds")[rows] if rows else _nothing(search, page),
        h.div(".buttons")[
            h.a(".button", href=search.path(f"{PATH}/export"), hx_boost="false")["Export"] if rows else None,
            h.a(".button.primary", href=search.path(before=page.next))["Earlier"] if page.next else None,
        ],
        about=[
            "Yours, and what was done in your name. ",
            h.a(href="/settings#manage")["Everybody's"],
            " is read on the machine of the installation.",
        ],
    )


def _nothing(search: Search, page: AuditPage) -> h.Element:
    if page.next is not None:
        return empty("search", "Nothing in the latest lines. There are earlier ones.")
    return empty("audit", "Nothing that fits." if search.said else "Nothing was done yet.")


def _line(line: AuditLine, names: Names) -> h.Element:
    who = people.who(line.actor, names)
    outcome = audit.outcome(line)
    subject = audit.subject_words(line.subject, names)
    facts = [("Subject", line.subject), ("From", line.address), ("Session", line.session_id), ("Act", line.action)]
    facts += [(name, str(value)) for name, value in line.detail.items()]
    seal = f"sealed, number {line.seal}" if line.seal else "not sealed yet"
    return h.li[
        h.div(".head")[
            h.b[audit.line_words(line)],
            h.em(class_=f"pill {outcome.tone}")[outcome.text] if line.outcome != "done" else None,
            when(line.at),
        ],
        h.small(dir="auto")[" · ".join(part for part in (who.words if who else "", subject) if part)],
        h.details[
            h.summary["Details"],
            h.dl(".facts")[
                (h.div[h.dt[name], h.dd(dir="auto")[value]] for name, value in facts if value),
                h.div[h.dt["Seal"], h.dd[seal]],
                h.div[
                    h.dt["Request id"],
                    h.dd[h.a(href=f"/trace/{quote(line.x_request_id, safe='')}")[line.x_request_id]],
                ]
                if line.x_request_id
                else None,
            ],
        ],
    ]


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Unprocessable("This is no day: write it as 2026-11-23.", reason_code="invalid_value") from None
