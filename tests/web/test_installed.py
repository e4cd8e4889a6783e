"""What browsers need to install the app, and to find a newer one of it."""

from __future__ import annotations

import httpx2
from tests.api.contract.world import World
from tests.web.browser import Browser, parsed


async def test_the_manifest_names_pictures_that_are_there(world: World):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        manifest = (await http.get("/manifest.webmanifest")).json()
        assert (manifest["display"], manifest["start_url"]) == ("standalone", "/")
        assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}
        for icon in manifest["icons"]:
            picture = await http.get(icon["src"])
            assert picture.headers["content-type"] == "image/png"
            assert picture.headers["cache-control"].endswith("immutable")


async def test_every_file_that_a_page_names_is_there(world: World):
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        page = parsed((await http.get("/sign-in")).text)
        named = [link.attributes["href"] for link in page.all("link")] + [
            script.attributes["src"] for script in page.all("script")
        ]
        assert len(named) > 20
        for path in named:
            assert path
            assert (await http.get(path)).status_code == 200, path


async def test_the_service_worker_is_asked_for_again_and_knows_its_version(world: World, ada: Browser):
    answer = await ada.http.get("/sw.js")
    assert answer.headers["cache-control"] == "no-cache"
    page = await ada.get("/")
    assert f'const VERSION = "{page.one("body").attributes["data-version"]}"' in answer.text
    async with httpx2.AsyncClient(base_url=world.api.url, trust_env=False) as http:
        assert (await http.get("/sw.js")).text == answer.text  # nobody's session is in it


async def test_a_screen_says_whose_it_is_and_what_is_nobodys_does_not(ada: Browser, eve: Browser):
    one, other = await ada.http.get("/"), await eve.http.get("/")
    assert one.headers["x-autopilot-user"] != other.headers["x-autopilot-user"]
    assert "x-autopilot-user" not in (await ada.http.get("/sign-in")).headers
    assert "x-autopilot-user" not in (await ada.http.get("/offline")).headers
