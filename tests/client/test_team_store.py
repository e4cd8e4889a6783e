"""Teams, as screens have them: over the real API, with mail that is really sent."""

from __future__ import annotations

import pytest

from autopilot.api.mail import InvitationMail
from autopilot.client import MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.client.presenters import teams
from autopilot.client.team_store import TeamsStore, TeamStore
from autopilot.contract import Machine, Owner, Team, TeamMember

EVE = "eve@example.com"
NOW = "2026-11-22T10:00:00Z"


def test_an_invitation_is_taken_out_of_whatever_was_pasted():
    assert teams.secret_of(" abc \n") == "abc"
    assert teams.secret_of("https://autopilot.example/teams/join#abc") == "abc"
    assert teams.secret_of("") == ""


def test_only_machines_that_are_shared_with_a_team_are_its_own():
    shared, others, mine = (
        Machine(machine_id=name, name=name, owner=owner)
        for name, owner in (("a", Owner(team_id="t")), ("b", Owner(team_id="u")), ("c", Owner(user_id=1)))
    )

    assert teams.machines_of(Team(team_id="t", name="crew", role="viewer", created_at=NOW), [shared, others, mine]) == [
        shared
    ]


def test_roles_and_people_that_nobody_foresaw_are_shown_as_they_are():
    assert (
        teams.own_role(Team(team_id="t", name="crew", role="night_watch", created_at=NOW))
        == "You are night watch here."
    )
    assert teams.member_name(TeamMember(user_id=7, email=None, role="viewer", since=NOW)) == "User 7"


async def _eve(installation) -> RuntimeCodexClient:
    session = await installation.stack.enter_async_context(Session(installation.url, MemoryTokenStore()))
    await session.request_code(EVE)
    await installation.app.state.api.postman.delivered()
    await session.verify(installation.post.mails[-1].code, email=EVE)
    return await installation.client(session)


async def _invitation(installation) -> str:
    await installation.app.state.api.postman.delivered()
    mail = installation.post.mails[-1]
    assert isinstance(mail, InvitationMail)
    return mail.secret


@pytest.mark.slow
async def test_a_team_is_made_joined_changed_left_and_ended(installation):
    mine = TeamsStore(await installation.client())
    await mine.look()
    assert mine.view.asked.value == []
    assert await mine.create("  crew ")
    assert [one.name for one in mine.view.asked.value or ()] == ["crew"]
    assert mine.entered is not None
    team = TeamStore(await installation.client(), mine.entered)
    await team.look()

    assert await team.invite(f" {EVE} ", "viewer")
    assert team.view.said == teams.has_invited(team.view.asked.value.invitations[0])
    eves = TeamsStore(await _eve(installation))
    assert await team.invite(EVE, "viewer")
    assert await eves.join(f"https://autopilot.example/teams/join#{await _invitation(installation)}")
    assert eves.entered == mine.entered
    await team.look()
    (eve,) = (one for one in team.view.asked.value.members if one.email == EVE)
    assert team.view.asked.value.invitations == ()

    assert await team.set_role(eve, "operator")
    assert team.view.said.text == f"{EVE} is operator now."
    assert await team.remove(eve)
    assert [one.email for one in team.view.asked.value.members] == ["ada@example.com"]
    assert not await team.remove(eve)
    assert team.view.error.status == 404
    assert not await team.leave()
    assert team.view.error.reason_code == "last_owner"
    assert await team.delete()
    assert team.view.asked.error is None, "a team that is no more is not asked for"
    await mine.look()
    assert mine.view.asked.value == []


@pytest.mark.slow
async def test_an_invitation_is_withdrawn_and_nobody_can_accept_it(installation):
    mine = TeamsStore(await installation.client())
    assert await mine.create("crew")
    team = TeamStore(await installation.client(), mine.entered)
    assert await team.invite(EVE, "viewer")
    assert await team.withdraw(team.view.asked.value.invitations[0])
    assert team.view.asked.value.invitations == ()
    eves = TeamsStore(await _eve(installation))
    assert not await eves.join("no-such-secret")
    assert eves.view.error.status == 404
    assert eves.entered is None
