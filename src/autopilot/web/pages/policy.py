"""Policies: what they come to, a document with its draft, trials of the draft before it is in force, its history.

`GET /policy?subject=user|team|installation&team=ID`; with `version` the screen of one version. What is typed comes back
with whatever became of it. Who may set which document is the API's to say: where it is known that one may not, the text
can only be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import policy_lines
from autopilot.client.presenters.people import Names
from autopilot.contract import Me, Policies, PolicyChange, PolicyDocument, SetPolicy, Team
from autopilot.contract.errors import Conflict, Unprocessable
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.pages.more import PATH as BACK
from autopilot.web.pages.policy_draft import Draft, editor, tried
from autopilot.web.parts.blocks import choices, posting, records, section
from autopilot.web.parts.copying import SET_POLICY, command
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.policy import difference, summary, version_row
from autopilot.web.visitors import Visitor

PATH = "/policy"
SUBJECTS = ("user", "team", "installation")
AT_THE_MACHINE = "In a terminal on the machine of the installation:"
SHOWN = 20
ANSWERED_BACK = 422


@dataclass(frozen=True, slots=True)
class About:
    """Whose document."""

    subject: str = "user"
    team_id: str | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> About:
        """What the address, or a form, says."""
        team_id = query.get("team") or None
        subject = query.get("subject") or ("team" if team_id else "user")
        return cls(subject if subject in SUBJECTS else "user", team_id if subject == "team" else None)

    def path(self, **more: Any) -> str:
        """Its address."""
        query = {"subject": self.subject, **({"team": self.team_id} if self.team_id else {}), **more}
        return f"{PATH}?{urlencode(query)}"


def routes(doors: Doors) -> list[Route]:
    """Its paths."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        about, names = About.of(request.query_params), await doors.names.of(visitor)
        written = request.query_params.get("version", "")
        if written.isascii() and written.isdigit():
            return await _version_screen(visitor, about, int(written[:15]), names)
        return await _screen(visitor, about, names)

    async def take(request: Request, visitor: Visitor) -> Response | Screen:
        return await _take(await form_of(request), visitor, await doors.names.of(visitor))

    return [doors.page(PATH, show), doors.page(PATH, take, "POST")]


async def _take(form: Mapping[str, str], visitor: Visitor, names: Names) -> Response | Screen:
    """A draft: checked, tried, or put in force."""
    about, draft = About.of(form), Draft.of(form)
    policy = SetPolicy(
        subject=about.subject,
        team_id=about.team_id,
        format=draft.format,
        text=draft.text,
        expected_version=draft.expected_version,
    )
    if form.get("do") == "save":
        try:
            await visitor.client.set_policy(policy)
        except (Unprocessable, Conflict) as error:
            return await _screen(
                visitor, about, names, replace(draft, error=error), status=error.status or ANSWERED_BACK
            )
        return RedirectResponse(about.path(), status_code=303)
    draft = await tried(visitor.client, form, draft, policy)
    return await _screen(visitor, about, names, draft, status=ANSWERED_BACK if draft.error else 200)


async def _screen(
    visitor: Visitor, about: About, names: Names, draft: Draft | None = None, *, status: int = 200
) -> Screen:
    client = visitor.client
    found = await client.policies(about.team_id)
    teams = await client.teams()
    history = await client.policy_history(about.subject, team_id=about.team_id, limit=SHOWN)
    document = _own(found, about)
    may_set, why = _may_set(about, await client.me(), teams)
    draft = draft or Draft.of_document(document)
    if isinstance(draft.error, Conflict):
        draft = replace(draft, expected_version=document.version if document else 0)
    fields = {"subject": about.subject, **({"team": about.team_id} if about.team_id else {})}
    body = [
        bar("Policy", back=BACK),
        records(
            _subjects(about, teams),
            section("What holds", summary(found), about=_together(about)),
            editor(PATH, visitor.csrf, fields, draft, document, why=None if may_set else why),
            section("How it is set", command(SET_POLICY), about=AT_THE_MACHINE)
            if about.subject == "installation" and not may_set
            else None,
            _history(about, history, names),
        ),
    ]
    return Screen("policy", "Policy", body, tab=BACK, status=status)


def _own(found: Policies, about: About) -> PolicyDocument | None:
    return next((one for one in found.documents if one.subject == about.subject), None)


def _may_set(about: About, me: Me, teams: list[Team]) -> tuple[bool, str]:
    """Whether a form is of use, and why not; the API decides all the same."""
    if about.subject == "installation":
        return (
            "admin" in me.scopes,
            "It is set on the machine of the installation, not in a browser.",
        )
    if about.subject == "team":
        role = next((team.role for team in teams if team.team_id == about.team_id), None)
        return role == "owner", "Only an owner of the team sets it."
    return "administer" in me.scopes, "This sign-in may only look."


def _subjects(about: About, teams: list[Team]) -> h.Element:
    others = [(About("team", team.team_id), team.name) for team in teams]
    every = [(About(), "Yours"), *others, (About("installation"), "Installation")]
    return choices("Whose policy", ((one.path(), name, one == about) for one, name in every))


def _together(about: About) -> str:
    if about.subject == "team":
        return policy_lines.TOGETHER_IN_A_TEAM
    return policy_lines.TOGETHER


def _history(about: About, history: list[PolicyChange], names: Names) -> h.Element:
    if not history:
        return section("History", about="This document was never set.")
    rows = [version_row(one, about.path(version=one.version), names) for one in history]
    return section("History", h.ul(".deeds")[rows])


async def _version_screen(visitor: Visitor, about: About, version: int, names: Names) -> Screen:
    """One version: what it changed, what is different now, and the way back to it."""
    client = visitor.client
    one = await client.policy_version(version, about.subject, team_id=about.team_id)
    before = await _text_of(client, about, version - 1)
    document = _own(await client.policies(about.team_id), about)
    may_set, why = _may_set(about, await client.me(), await client.teams())
    change = next(
        iter(await client.policy_history(about.subject, team_id=about.team_id, before=version + 1, limit=1)), None
    )
    in_force = document is None or document.version == version
    body = [
        bar(f"Version {version}", back=about.path()),
        records(
            section("This version", h.ul(".deeds")[version_row(change, about.path(version=version), names)])
            if change
            else None,
            section("What it changed", difference(before, one.text, label="What it changed")),
            None
            if document is None or in_force
            else section(
                "Against what is in force",
                difference(document.text, one.text, label="What going back would change"),
                _go_back(about, one, document, visitor) if may_set else h.p(".about")[why],
            ),
            section(
                "As it was written", h.pre(".code", tabindex="0", aria_label="The document", dir="ltr")[one.text or " "]
            ),
        ),
    ]
    return Screen("policy", f"Policy, version {version}", body, tab=BACK)


def _go_back(about: About, one: PolicyDocument, document: PolicyDocument, visitor: Visitor) -> h.Element:
    said = {
        "subject": about.subject,
        "team": about.team_id or "",
        "format": one.format,
        "text": one.text,
        "expected_version": str(document.version),
        "do": "save",
    }
    return posting(
        PATH,
        visitor.csrf,
        (h.input(type="hidden", name=name, value=value) for name, value in said.items()),
        h.button(".primary", type="submit")[f"Go back to version {one.version}"],
        h.p(".about")["It becomes a new version; none is lost."],
    )


async def _text_of(client: RuntimeCodexClient, about: About, version: int) -> str:
    if version < 1:
        return ""
    return (await client.policy_version(version, about.subject, team_id=about.team_id)).text
