"""The screens of teams, over a real server: made, joined by a link, changed by owners, left and ended."""

from __future__ import annotations

import asyncio

from tests.web.browser import Browser

from autopilot.api.mail import InvitationMail


async def made(browser: Browser, name: str = "crew") -> str:
    """A team; the path of its screen. A browser that just signed in is stepped up."""
    answer = await browser.post("/teams", {"name": name})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def invited(owner: Browser, team: str, guest: Browser, role: str = "operator") -> InvitationMail:
    assert guest.person is not None
    answer = await owner.post(f"{team}/invite", {"email": guest.person.email, "role": role})
    assert answer.status_code == 303, answer.text
    async with asyncio.timeout(30):
        await owner.world.api.app.state.api.postman.delivered()
    mail = owner.world.api.post.mails[-1]
    assert isinstance(mail, InvitationMail)
    return mail


async def joined(owner: Browser, team: str, guest: Browser, role: str = "operator") -> None:
    mail = await invited(owner, team, guest, role)
    answer = await guest.post("/teams/accept", {"credential": mail.secret})
    assert answer.headers["location"] == team


async def test_without_a_team_it_says_what_one_is_for(ada: Browser) -> None:
    assert "You are in no team yet." in (await ada.get("/teams")).text


async def test_an_owner_sees_who_is_in_it_and_invites(ada: Browser, eve: Browser) -> None:
    assert ada.person is not None
    assert eve.person is not None
    team = await made(ada)
    mail = await invited(ada, team, eve)

    page = await ada.get(team)
    assert f"{ada.person.email} (you)" in page.text
    assert eve.person.email in page.text
    assert page.one("button", aria_label=f"Withdraw the invitation of {eve.person.email}")

    assert (await eve.post("/teams/accept", {"credential": mail.secret})).headers["location"] == team
    assert "crew" in (await eve.get("/teams")).one("ul", class_="menu").text
    assert not (await eve.get(team)).all("form", action=f"{team}/invite")


async def test_its_machines_are_those_that_are_shared_with_it(ada: Browser) -> None:
    assert ada.person is not None
    team, other = await made(ada), await made(ada, "others")
    assert "No machine is shared with this team." in (await ada.get(team)).text
    machine = await ada.person.machine()
    shared = await ada.person.post(f"/machines/{machine.worker_id}/team", {"team_id": team.rpartition("/")[2]})
    assert shared.status_code == 200, shared.text

    assert "laptop" in (await ada.get(team)).one("main").text
    assert "No machine is shared with this team." in (await ada.get(other)).text


async def test_a_withdrawn_invitation_lets_nobody_in(ada: Browser, eve: Browser) -> None:
    team = await made(ada)
    mail = await invited(ada, team, eve)
    field = (await ada.get(team)).one("input", name="invitation_id").attributes["value"] or ""
    assert (await ada.post(f"{team}/withdraw", {"invitation_id": field})).status_code == 303
    refused = await eve.post("/teams/accept", {"credential": mail.secret})
    assert (refused.status_code, refused.headers["hx-retarget"]) == (404, "#notices")


async def test_a_role_is_changed_and_a_membership_ended_by_an_owner_alone(ada: Browser, eve: Browser) -> None:
    assert eve.person is not None
    team = await made(ada)
    await joined(ada, team, eve)
    changes = {"user_id": str(eve.person.user_id), "role": "viewer"}
    assert (await eve.post(f"{team}/role", {**changes, "role": "owner"})).status_code == 403

    assert (await ada.post(f"{team}/role", changes)).status_code == 303
    assert "You are viewer here." in (await eve.get(team)).text
    assert (await ada.post(f"{team}/remove", changes)).status_code == 303
    await eve.get(team, status=404)
    assert (await ada.post(f"{team}/remove", {"user_id": "nobody"})).status_code == 422


async def test_who_is_not_in_a_team_sees_nothing_of_it(ada: Browser, eve: Browser) -> None:
    team = await made(ada)
    assert "crew" not in (await eve.get(team, status=404)).text


async def test_the_last_owner_deletes_a_team_and_can_t_leave_it(ada: Browser) -> None:
    team = await made(ada)
    assert (await ada.post(f"{team}/leave")).status_code == 409
    assert (await ada.post(f"{team}/delete")).headers["location"] == "/teams"
    await ada.get(team, status=404)


async def test_a_member_leaves(ada: Browser, eve: Browser) -> None:
    team = await made(ada)
    await joined(ada, team, eve)
    assert (await eve.post(f"{team}/leave")).headers["location"] == "/teams"
    await eve.get(team, status=404)


async def test_the_link_of_an_invitation_has_its_secret_where_no_server_sees_it(ada: Browser) -> None:
    mail = InvitationMail("eve@example.org", "crew", "viewer", "s3cret", 7, "https://autopilot.example/")
    assert "https://autopilot.example/teams/join#s3cret\n" in mail.text
    assert "/teams/join" not in InvitationMail("eve@example.org", "crew", "viewer", "s3cret", 7, None).text
    form = (await ada.get("/teams/join")).one("form", action="/teams/accept")
    assert form.one("input", name="credential")
    assert "data-link-form" in form.attributes


async def test_who_is_not_signed_in_is_told_to_do_that_first(ada: Browser) -> None:
    ada.http.cookies.clear()
    page = await ada.get("/teams/join")
    assert "Sign in with the address that was invited" in page.text
    assert page.one("a", href="/sign-in?next=%2Fteams%2Fjoin")
    assert not page.all("form")
