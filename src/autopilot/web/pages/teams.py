"""Teams: who is in them, who is invited, which machines they share; making, leaving and ending one.

Only an owner of a team sees its forms; the API refuses the rest whoever sends them. The secret of an invitation comes
in the fragment of a link, which a script puts into the form (static/js/44-link.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.presenters import teams
from autopilot.client.presenters.people import Names
from autopilot.client.tokens import SignInAgain
from autopilot.contract import Invitation, Machine, Team, TeamMember
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.looks import Looks
from autopilot.web.pages.more import PATH as BACK
from autopilot.web.parts.blocks import empty, menu, plain_form, posting, records, section, when
from autopilot.web.parts.layout import Screen, bar, bare_page
from autopilot.web.problems import sign_in_path
from autopilot.web.visitors import Visitor

PATH = "/teams"
JOIN = "/teams/join"


def routes(doors: Doors) -> list[Route]:
    """Its paths."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        team = await visitor.client.team(request.path_params["team_id"])
        machines = teams.machines_of(team, await visitor.client.machines())
        return _team_screen(team, machines, await doors.names.of(visitor), visitor)

    async def join(request: Request) -> Response:
        return await _join(request, doors)

    return [
        doors.page(PATH, show_all),
        doors.page(PATH, create, "POST"),
        doors.open(JOIN, join),
        doors.page(f"{PATH}/accept", accept, "POST"),
        doors.page(f"{PATH}/{{team_id}}", show),
        doors.page(f"{PATH}/{{team_id}}/invite", invite, "POST"),
        doors.page(f"{PATH}/{{team_id}}/withdraw", withdraw, "POST"),
        doors.page(f"{PATH}/{{team_id}}/role", set_role, "POST"),
        doors.page(f"{PATH}/{{team_id}}/remove", remove, "POST"),
        doors.page(f"{PATH}/{{team_id}}/leave", leave, "POST"),
        doors.page(f"{PATH}/{{team_id}}/delete", delete, "POST"),
    ]


async def show_all(_request: Request, visitor: Visitor) -> Screen:
    """The teams that one is in."""
    found = await visitor.client.teams()
    rows = [(path_of(one.team_id), "workers", one.name, teams.role_words(one.role)) for one in found]
    nothing = empty("teams", teams.NONE_YET)
    body = [
        bar("Teams", back=BACK),
        records(menu(rows) if rows else section("No team", nothing), _create_form(visitor), _accept_form(visitor)),
    ]
    return Screen("teams", "Teams", body, tab=BACK)


# What is done.


async def create(request: Request, visitor: Visitor) -> Response:
    """Make a team."""
    made = await visitor.client.create_team((await form_of(request)).get("name", "").strip())
    return _to(made.team_id)


async def accept(request: Request, visitor: Visitor) -> Response:
    """Join the team of an invitation."""
    written = (await form_of(request)).get("credential", "")
    joined = await visitor.client.accept_invitation(teams.secret_of(written))
    return _to(joined.team_id)


async def invite(request: Request, visitor: Visitor) -> Response:
    """Mail an invitation."""
    form, team_id = await form_of(request), request.path_params["team_id"]
    await visitor.client.invite(team_id, form.get("email", "").strip(), form.get("role", ""))
    return _to(team_id)


async def withdraw(request: Request, visitor: Visitor) -> Response:
    """Let nobody accept an invitation any more."""
    team_id = request.path_params["team_id"]
    await visitor.client.withdraw_invitation(team_id, (await form_of(request)).get("invitation_id", ""))
    return _to(team_id)


async def set_role(request: Request, visitor: Visitor) -> Response:
    """Give a member another role."""
    form, team_id = await form_of(request), request.path_params["team_id"]
    await visitor.client.set_role(team_id, _user(form), form.get("role", ""))
    return _to(team_id)


async def remove(request: Request, visitor: Visitor) -> Response:
    """End somebody's membership."""
    team_id = request.path_params["team_id"]
    await visitor.client.remove_member(team_id, _user(await form_of(request)))
    return _to(team_id)


async def leave(request: Request, visitor: Visitor) -> Response:
    """End one's own."""
    await visitor.client.leave_team(request.path_params["team_id"])
    return RedirectResponse(PATH, status_code=303)


async def delete(request: Request, visitor: Visitor) -> Response:
    """End the team."""
    await visitor.client.delete_team(request.path_params["team_id"])
    return RedirectResponse(PATH, status_code=303)


def path_of(team_id: str, *rest: str) -> str:
    """The path of a team's screen."""
    return "/".join([PATH, quote(team_id, safe=""), *rest])


def _to(team_id: str) -> Response:
    return RedirectResponse(path_of(team_id), status_code=303)


def _user(form: dict[str, str]) -> int:
    written = form.get("user_id", "")
    return int(written) if written.isascii() and written.isdigit() else 0


# How it looks.


def _team_screen(team: Team, machines: Sequence[Machine], names: Names, visitor: Visitor) -> Screen:
    is_owner = team.role == teams.OWNER
    body = [
        bar(h.span(dir="auto")[team.name], back=PATH),
        records(
            section(
                "Members",
                h.ul(".people")[(_member(team, one, names, visitor, is_owner=is_owner) for one in team.members)],
                about=teams.own_role(team),
            ),
            _invitations(team, visitor) if is_owner else None,
            _machines(machines),
            section(
                "Policy and spend",
                menu(
                    [
                        (
                            f"/policy?team={quote(team.team_id, safe='')}",
                            "policy",
                            "Policy",
                            "What binds on its machines",
                        ),
                        ("/spend?by=team", "spend", "Spend", "What was used for it"),
                    ]
                ),
            ),
            _endings(team, visitor, is_owner=is_owner),
        ),
    ]
    return Screen("team", team.name, body, tab=BACK)


def _member(team: Team, one: TeamMember, names: Names, visitor: Visitor, *, is_owner: bool) -> h.Element:
    name = teams.member_name(one)
    return h.li[
        h.div(".head")[
            h.span(".avatar.small", aria_hidden="true")[name[:1].upper()],
            h.div[
                h.b(dir="auto")[name, " (you)" if one.user_id == names.me else ""],
                h.small[f"{teams.role_words(one.role)}, since ", when(one.since)],
            ],
        ],
        _change(team, one, name, visitor) if is_owner else None,
    ]


def _change(team: Team, one: TeamMember, name: str, visitor: Visitor) -> h.Element:
    who = h.input(type="hidden", name="user_id", value=str(one.user_id))
    return h.details[
        h.summary(aria_label=f"Change {name}")["Change"],
        posting(
            path_of(team.team_id, "role"),
            visitor.csrf,
            who,
            h.div(".row")[h.label["Role", _roles(one.role)], h.button(type="submit")["Give this role"]],
        ),
        posting(
            path_of(team.team_id, "remove"),
            visitor.csrf,
            who,
            h.button(".danger", type="submit", aria_label=f"Remove {name} from the team")["Remove from the team"],
        ),
    ]


def _roles(chosen: str) -> h.Element:
    return h.select(name="role")[
        (h.option(value=role, selected=role == chosen)[words] for role, (words, _) in teams.ROLES.items())
    ]


def _invitations(team: Team, visitor: Visitor) -> h.Element:
    return section(
        "Invitations",
        h.ul(".people")[(_invited(team, one, visitor) for one in team.invitations)] if team.invitations else None,
        posting(
            path_of(team.team_id, "invite"),
            visitor.csrf,
            h.div(".row")[
                h.label["E-mail", h.input(type="email", name="email", required=True, autocomplete="off")],
                h.label["Role", _roles(teams.FIRST_ROLE)],
                h.button(".primary", type="submit")["Invite"],
            ],
        ),
        about=teams.INVITING,
    )


def _invited(team: Team, one: Invitation, visitor: Visitor) -> h.Element:
    return h.li[
        h.div(".head")[
            h.div[
                h.b(dir="auto")[one.email],
                h.small[f"As {teams.role_words(one.role).lower()}, until ", when(one.expires_at, exact=True)],
            ],
            posting(
                path_of(team.team_id, "withdraw"),
                visitor.csrf,
                h.input(type="hidden", name="invitation_id", value=one.invitation_id),
                h.button(type="submit", aria_label=f"Withdraw the invitation of {one.email}")["Withdraw"],
                class_="aside",
            ),
        ]
    ]


def _machines(machines: Sequence[Machine]) -> h.Element:
    if not machines:
        return section("Machines", h.p(".about")[teams.NO_MACHINE], h.a(".button", href="/machines")["Machines"])
    rows = [("/machines", "machines", one.name or one.machine_id, one.platform or "") for one in machines]
    return section("Machines", menu(rows))


def _endings(team: Team, visitor: Visitor, *, is_owner: bool) -> h.Element:
    return section(
        "Leave or delete",
        h.details[
            h.summary["Leave this team"],
            h.p(".about")[teams.LEAVING],
            posting(
                path_of(team.team_id, "leave"), visitor.csrf, h.button(".danger", type="submit")["Leave the team now"]
            ),
        ],
        h.details[
            h.summary["Delete this team"],
            h.p(".about")[teams.DELETING],
            posting(
                path_of(team.team_id, "delete"),
                visitor.csrf,
                h.button(".danger", type="submit")[f"Delete {team.name} now"],
            ),
        ]
        if is_owner
        else None,
    )


def _create_form(visitor: Visitor) -> h.Element:
    return section(
        "New team",
        posting(
            PATH,
            visitor.csrf,
            h.div(".row")[
                h.label["Name", h.input(type="text", name="name", required=True, maxlength="100", autocomplete="off")],
                h.button(".primary", type="submit")["Make it"],
            ],
        ),
    )


def _accept_form(visitor: Visitor) -> h.Element:
    return section(
        "Invited?",
        posting(
            f"{PATH}/accept",
            visitor.csrf,
            h.div(".row")[_secret(), h.button(type="submit")["Join"]],
        ),
        about=teams.INVITED,
    )


def _secret() -> h.Element:
    return h.label[
        "Invitation",
        h.input(type="text", name="credential", required=True, maxlength="100", autocomplete="off", data_secret=True),
    ]


async def _join(request: Request, doors: Doors) -> Response:
    """The page of a link in a mail; who is not signed in is told to do that first."""
    looks = Looks.of(request)
    try:
        visitor = doors.visitors.visitor(request)
    except SignInAgain:
        first = [
            h.h1["An invitation"],
            h.p(data_without_link=True)[
                "Sign in with the address that was invited, then open the link in the mail again."
            ],
            h.p(data_link_later=True, hidden=True)["Sign in with the address that was invited: then you can join."],
            h.p[h.a(".button.primary", href=sign_in_path(JOIN))["Sign in"]],
        ]
        return html(bare_page("Invitation", doors.assets, first, looks=looks))
    async with visitor.client:
        button = h.button(".primary", type="submit")["Join the team"]
        form = plain_form(f"{PATH}/accept", visitor.csrf, _secret(), button, data_link_form="")
        body = [
            h.h1["An invitation"],
            h.p["You are invited to a team that shares machines."],
            form,
            h.p[h.a(href=PATH)["Not now"]],
        ]
        return html(bare_page("Invitation", doors.assets, body, looks=looks))
