"""The policy editor, over a real runtime: read, checked, tried, put in force, compared and taken back."""

from __future__ import annotations

from tests.web.browser import Browser, Element, parsed
from tests.web.test_teams_page import joined, made

from autopilot.web.parts import copying

DENIES = "[methods]\ndeny = ['review/start']\n"
RULE = "[[approvals.rule]]\nname = 'look'\nkind = 'command'\ncommand = ['git', 'status']\ndecision = 'accept'\n"


async def did(browser: Browser, do: str, text: str, *, status: int = 200, **more: str) -> Element:
    """A draft, and what became of it."""
    answer = await browser.post("/policy", {"do": do, "text": text, "format": "toml", **more})
    assert answer.status_code == status, answer.text
    return parsed(answer.text)


async def saved(browser: Browser, text: str, version: int = 0, **more: str) -> None:
    fields = {"do": "save", "text": text, "format": "toml", "expected_version": str(version), **more}
    answer = await browser.post("/policy", fields)
    assert answer.status_code == 303, answer.text


async def test_it_says_what_holds_without_any_document(ada: Browser) -> None:
    page = await ada.get("/policy")
    assert "Autopilot itself" in page.one(aria_label="What may be asked for").text
    assert "Nothing is in force: the built-in rules hold." in page.text
    assert "This document was never set." in page.text


async def test_a_sound_draft_is_put_in_force_and_told(ada: Browser, eve: Browser) -> None:
    assert "It can be put in force." in (await did(ada, "check", DENIES)).text
    assert "never set" in (await ada.get("/policy")).text
    await saved(ada, DENIES + RULE)

    page = await ada.get("/policy")

    assert page.one("textarea", name="text").text == " ".join((DENIES + RULE).split())
    assert "review/start" in page.one(aria_label="What may be asked for").text
    assert "git status" in page.one(aria_label="Decided by rule").text
    history = page.one("ul", class_="deeds").text
    assert "Version 1" in history
    assert "You" in history
    assert "review/start" not in (await eve.get("/policy")).one(aria_label="What may be asked for").text


async def test_faults_are_told_with_their_lines_and_the_text_stays(ada: Browser) -> None:
    for do in ("check", "save"):
        page = await did(ada, do, "[methods]\ndenies = ['x']\n", status=422)
        told = page.one("div", class_="faults")
        assert "Line 2" in told.text
        assert "2 | denies = ['x']" in told.text
        assert "denies" in page.one("textarea", name="text").text


async def test_a_request_is_tried_against_the_draft_before_it_is_in_force(ada: Browser) -> None:
    refused = await did(ada, "try", DENIES, method="review/start", params="{}")
    assert "Refused" in refused.one("div", class_="verdict").text
    assert "the draft" in refused.one("div", class_="verdict").text
    assert refused.one("input", name="method").attributes["value"] == "review/start"
    allowed = await did(ada, "try", DENIES, method="turn/start", params='{"model": "gpt-5"}')
    assert "Allowed" in allowed.one("div", class_="verdict").text
    broken = await did(ada, "try", DENIES, status=422, method="turn/start", params="[1]")
    assert "Params are a JSON object" in broken.one("div", class_="faults").text


async def test_a_question_is_tried_against_the_draft(ada: Browser) -> None:
    by_rule = await did(ada, "ask", RULE, kind="command", command="git status --short", cwd="/srv")
    assert "Accepted by rule" in by_rule.one("div", class_="verdict").text
    waits = await did(ada, "ask", RULE, kind="file_change", paths="/srv/a\n/srv/b\n")
    assert "Waits for a person" in waits.one("div", class_="verdict").text


async def test_whoever_was_faster_is_not_overwritten_and_nothing_typed_is_lost(ada: Browser) -> None:
    await saved(ada, DENIES)
    page = await did(ada, "save", RULE, status=409, expected_version="0")
    told = page.one("div", class_="faults")
    assert "Somebody else changed this document meanwhile" in told.text
    assert "+[[approvals.rule]]" in told.one("pre").text
    assert "look" in page.one("textarea", name="text").text
    assert page.one("input", name="expected_version").attributes["value"] == "1"


async def test_a_version_shows_what_it_changed_and_one_can_go_back_to_it(ada: Browser) -> None:
    await saved(ada, DENIES)
    await saved(ada, RULE, version=1)

    page = await ada.get("/policy?version=1")
    assert "+deny = ['review/start']" in page.one("pre", aria_label="What it changed").text
    assert "-[[approvals.rule]]" in page.one("pre", aria_label="What going back would change").text
    form = page.one("form", action="/policy")
    fields = {field.attributes["name"] or "": field.attributes["value"] or "" for field in form.all("input")}
    assert (await ada.post("/policy", fields)).status_code == 303

    now = await ada.get("/policy")
    assert "Version 3" in now.text
    assert "review/start" in now.one("textarea", name="text").text
    await ada.get("/policy?version=9", status=404)


async def test_a_team_s_policy_is_its_owners_to_set_and_its_members_to_read(ada: Browser, eve: Browser) -> None:
    path = await made(ada)
    await joined(ada, path, eve, "viewer")
    team = path.rpartition("/")[2]
    await saved(ada, DENIES, team=team, subject="team")

    page = await eve.get(f"/policy?team={team}")

    assert "Only an owner of the team sets it." in page.text
    assert "readonly" in page.one("textarea", name="text").attributes
    assert not page.all("button", value="save")
    refused = await eve.post("/policy", {"do": "save", "text": "", "subject": "team", "team": team})
    assert refused.status_code == 403
    tried = await did(eve, "try", DENIES, team=team, subject="team", method="review/start", params="{}")
    assert "Refused" in tried.one("div", class_="verdict").text


async def test_the_installation_s_is_read_only_here(ada: Browser) -> None:
    page = await ada.get("/policy?subject=installation")
    assert "It is set on the machine of the installation, not in a browser" in page.text
    assert page.one("div", class_="command").one("pre").text == copying.SET_POLICY
    assert "readonly" in page.one("textarea", name="text").attributes
    refused = await ada.post("/policy", {"do": "save", "text": "", "subject": "installation"})
    assert refused.status_code == 403
