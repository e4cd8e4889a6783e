"""The screens "More" and "Settings"."""

from __future__ import annotations

from tests.web.browser import Browser

from autopilot.cli.main import COMMANDS
from autopilot.web.pages.settings import MANAGING


async def test_more_says_who_one_is_and_leads_to_every_other_screen(ada: Browser) -> None:
    assert ada.person is not None
    page = await ada.get("/more")
    assert ada.person.email in page.one("div", class_="who").text
    paths = {link.attributes["href"] for link in page.one("ul", class_="menu").all("a")}
    assert paths == {"/machines", "/audit", "/policy", "/teams", "/devices", "/settings"}


async def test_signing_out_there_ends_the_session(ada: Browser) -> None:
    form = (await ada.get("/more")).one("form", action="/sign-out")
    proof = form.one("input", name="csrf").attributes["value"]
    answer = await ada.http.post("/sign-out", data={"csrf": proof or ""})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await ada.http.get("/more")).headers["location"].startswith("/sign-in")


async def test_the_pages_of_nobody_have_the_theme_that_this_browser_chose(ada: Browser) -> None:
    await ada.post("/settings/looks", {"theme": "dark", "times": "relative"})
    await ada.post("/sign-out")
    for path in ("/sign-in", "/pair", "/guest", "/teams/join"):
        assert (await ada.get(path)).one("html").attributes["data-theme"] == "dark", path


async def test_a_theme_is_in_the_page_before_any_script_runs(ada: Browser) -> None:
    assert "data-theme" not in (await ada.get("/settings")).one("html").attributes
    answer = await ada.post("/settings/looks", {"theme": "dark", "times": "exact"})
    assert answer.status_code == 303

    page = await ada.get("/settings")

    html = page.one("html").attributes
    assert (html["data-theme"], html["data-times"]) == ("dark", "exact")
    assert page.one("meta", name="color-scheme").attributes["content"] == "dark"
    assert "checked" in page.one("input", name="theme", value="dark").attributes
    await ada.post("/settings/looks", {"theme": "system", "times": "relative"})
    assert "data-theme" not in (await ada.get("/")).one("html").attributes


async def test_what_a_cookie_can_t_mean_is_passed_over(ada: Browser) -> None:
    ada.http.cookies.set("autopilot-looks", "<script>.never")
    assert "data-theme" not in (await ada.get("/settings")).one("html").attributes


async def test_it_says_what_this_installation_is(ada: Browser) -> None:
    page = await ada.get("/settings")
    assert "Ready: the server, its runtime and its database answer" in page.text
    assert page.one("a", href="/api/docs").text
    assert "1.0.0" in page.text


async def test_what_no_browser_may_is_told_with_commands_that_there_are(ada: Browser) -> None:
    page = await ada.get("/settings")
    lines = [one.one("pre").text for one in page.one(id="manage").all("div", class_="command")]
    known = {name for commands in COMMANDS.values() for name in commands}
    assert len(lines) == len(MANAGING)
    for line in lines:
        for part in line.split("autopilot ")[1:]:
            words = part.split()
            assert words[0] in known or " ".join(words[:2]) in known, part
