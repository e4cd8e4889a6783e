"""Teams on the phone, over a real server: made, joined by what a mail says, changed by owners, left and ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.api.contract.world import Person, World
from tests.ios.phone import Phone
from tests.ios.test_places import at, keys, to
from tests.ios.test_proof_asked_for import held as long_signed_in
from tests.waiting import until

from autopilot.api.mail import InvitationMail

pytestmark = pytest.mark.slow


async def made(ada: Person, name: str = "crew") -> str:
    answer = await ada.post("/api/teams", {"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["team_id"]


async def mailed(world: World) -> InvitationMail:
    await world.api.app.state.api.postman.delivered()
    mail = world.api.post.mails[-1]
    assert isinstance(mail, InvitationMail)
    return mail


async def invited(ada: Person, team_id: str, email: str, role: str = "viewer") -> InvitationMail:
    answer = await ada.post(f"/api/teams/{team_id}/invitations", {"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return await mailed(ada.world)


async def joined(ada: Person, team_id: str, eve: Person, role: str = "viewer") -> None:
    mail = await invited(ada, team_id, eve.email, role)
    assert (await eve.post("/api/teams/accept", {"secret": mail.secret})).status_code == 200


async def opened(held: Phone, team_id: str) -> None:
    await until(lambda: held.has(f"team-{team_id}"), within_seconds=30)
    await held.tap(f"team-{team_id}")
    await held.waits_for("Leave this team")


async def test_without_a_team_it_says_what_one_is_for_and_makes_one(world: World, ada: Person, tmp_path: Path):
    async with at("teams", world, ada, tmp_path) as held:
        await held.waits_for("You are in no team yet.")
        await held.tap("make")
        await until(lambda: held.has("trouble"), within_seconds=30)
        await held.type("team-name", "crew")
        await held.tap("make")
        await held.waits_for(f"{ada.email} (you)")
        assert held.shows("crew")
        assert held.shows("You are owner here.")
        assert held.shows("No machine is shared with this team.")


async def test_an_owner_invites_changes_and_removes_somebody(world: World, ada: Person, eve: Person, tmp_path: Path):
    team_id = await made(ada)
    async with at("teams", world, ada, tmp_path) as held:
        await opened(held, team_id)
        await held.type("invite-email", "nobody@example.org")
        await held.tap("invite-as-viewer")
        await held.tap("invite")
        await held.waits_for("nobody@example.org is invited as viewer.")
        assert held.find("invite-email").value == ""
        await held.tap(keys(held, "invitation-")[0])
        await held.tap("sure-yes")
        await held.waits_for("The invitation of nobody@example.org is withdrawn.")
        await joined(ada, team_id, eve)
        await held.fire(held.page, "app_lifecycle_state_change", {"state": "pause"})
        await held.fire(held.page, "app_lifecycle_state_change", {"state": "resume"})
        await until(lambda: held.has(f"member-{eve.user_id}"), within_seconds=30)

        await held.tap(f"member-{eve.user_id}")
        await held.tap("role-operator")
        await held.waits_for(f"{eve.email} is operator now.")
        await held.tap(f"member-{eve.user_id}")
        await held.tap("remove")
        await held.tap("sure-yes")
        await held.waits_for(f"{eve.email} is in the team no more.")
        assert not held.has(f"member-{eve.user_id}")


async def test_who_is_invited_joins_by_the_link_and_changes_nothing_as_a_viewer(
    world: World, ada: Person, eve: Person, tmp_path: Path
):
    team_id = await made(ada)
    machine = await ada.machine()
    mine = (await machine.get("/machines")).json()["data"][0]["machine_id"]
    assert (await ada.post(f"/machines/{mine}/team", {"team_id": team_id})).status_code == 200
    mail = await invited(ada, team_id, eve.email)
    async with at("teams", world, eve, tmp_path) as held:
        await until(lambda: held.has("join"), within_seconds=30)
        await held.type("invitation", "not-this")
        await held.tap("join")
        await until(lambda: held.has("trouble"), within_seconds=30)
        assert held.find("invitation").value == "not-this"
        await held.type("invitation", f"https://autopilot.example/teams/join#{mail.secret}")
        await held.tap("join")
        await held.waits_for("You are viewer here.")
        await until(lambda: held.has(f"machine-{mine}"), within_seconds=30)
        assert not held.has("invite")
        assert not held.has("delete")
        await held.tap("leave")
        await held.tap("sure-yes")
        await held.waits_for("You are in no team yet.")


async def test_the_last_owner_stays_and_may_end_the_team(world: World, ada: Person, tmp_path: Path):
    team_id = await made(ada)
    async with at("teams", world, ada, tmp_path) as held:
        await opened(held, team_id)
        await held.tap("leave")
        await held.tap("sure-yes")
        await until(lambda: held.has("trouble"), within_seconds=30)
        await held.tap("delete")
        await held.tap("sure-no")
        assert (await ada.get(f"/api/teams/{team_id}")).status_code == 200
        await held.tap("delete")
        await held.tap("sure-yes")
        await held.waits_for("You are in no team yet.")
        assert (await ada.get(f"/api/teams/{team_id}")).status_code == 404


async def test_what_binds_and_what_was_used_are_those_of_the_team(world: World, ada: Person, tmp_path: Path):
    team_id = await made(ada)
    async with at("teams", world, ada, tmp_path) as held:
        await opened(held, team_id)
        await held.tap("team-policy")
        await until(lambda: held.has(f"whose-{team_id}"), within_seconds=30)
        await held.fire(held.page, "view_pop", {"route": "/policy"})
        await held.waits_for("Leave this team")
        await held.tap("team-spend")
        await held.waits_for("Where it went")


async def test_inviting_somebody_takes_a_proof_that_it_is_you(world: World, ada: Person, tmp_path: Path):
    team_id = await made(ada)
    async with long_signed_in(world, ada, tmp_path) as owner:
        await to(owner.phone, "teams")
        await opened(owner.phone, team_id)
        await owner.phone.type("invite-email", "somebody@example.org")
        owner.taps("invite")
        await owner.proves()
        await owner.phone.waits_for("somebody@example.org is invited as operator.")
