"""The web app in Chromium: the first visit, a slow link, an event's way to a pixel, a long session, a tab's memory.

.venv/bin/python bench/web.py
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
from playwright.async_api import Browser, Page, async_playwright

import lab
import procfs
from autopilot.testing.slow_link import SlowLink
from figures import record

OWNER = "owner@localhost"
BASE = "/api/runtime/codex/workers"
PHONE = {"width": 390, "height": 844}
EVENTS = 200
ITEMS = 5000
SCROLL_SECONDS, FURTHER_SECONDS = 3, 9
TABS = 200
ROUND_TRIP_SECONDS, BYTES_PER_SECOND = 0.3, 1.6e6 / 8

WATCH = """() => {
    window.seen = {};
    new MutationObserver((changes) => {
        for (const change of changes) for (const one of change.addedNodes) {
            const found = /mark-(\\d+)/.exec(one.textContent ?? "");
            const number = found?.[1];
            if (number) requestAnimationFrame(() => { seen[number] = performance.timeOrigin + performance.now(); });
        }
    }).observe(document.getElementById("timeline"), {childList: true, subtree: true});
}"""
SCROLL = """async ({seconds, within}) => {
    const box = document.getElementById("timeline"), frame = 1000 / 60;
    const oldest = () => Number(box.querySelector("article").dataset.seq), first = oldest();
    let frames = 0, dropped = 0, worst = 0, last = await new Promise(requestAnimationFrame);
    const began = last, until = last + seconds * 1000;
    while (last < until) {
        box.scrollTop -= 60;
        if (within && box.scrollTop < 1000) box.scrollTop = box.scrollHeight;
        const now = await new Promise(requestAnimationFrame), took = now - last;
        dropped += Math.max(0, Math.round(took / frame) - 1);
        worst = Math.max(worst, took);
        last = now;
        frames += 1;
    }
    const passed = {longest_frame_ms: worst, older: first - oldest()};
    return {frames_per_second: frames * 1000 / (last - began), dropped_frames: dropped, ...passed};
}"""


def message(number: int, text: str) -> dict[str, Any]:
    """Codex has said something."""
    item = {"type": "agentMessage", "id": f"m{number}", "text": text}
    payload = {"method": "item/completed", "params": {"threadId": "t", "turnId": "turn", "item": item}}
    return {"event_type": "worker.event", "event_id": f"m{number}", "payload": payload}


async def beaten(stream: AsyncIterator[str]) -> None:
    """Until a tab's stream has beaten: one that has ended costs next to nothing, and is no open tab."""
    async for piece in stream:
        if "event: beat" in piece:
            return
    raise AssertionError("a tab's stream has ended")


class Bench:
    """A server with one person, who has a browser."""

    def __init__(self, at: lab.Lab, http: httpx2.AsyncClient, browser: Browser) -> None:
        self.at, self.http, self.browser = at, http, browser
        self.cookie = ""

    async def sign_in(self) -> None:
        """By the code that the server prints."""
        async with httpx2.AsyncClient(base_url=self.http.base_url, trust_env=False) as http:
            await http.post("/sign-in/email", data={"email": OWNER})
            log = self.at.home / "server.log"
            while not (codes := re.findall(r"(\d{4}) (\d{4})", log.read_text())):
                await asyncio.sleep(0.05)
            answer = await http.post("/sign-in/code", data={"email": OWNER, "code": "".join(codes[-1])})
            assert answer.status_code == 303, answer.text
            self.cookie = http.cookies["autopilot"]

    async def worker(self, name: str, events: int) -> str:
        """A worker with so many messages."""
        await self.http.post(BASE, json={"worker_id": name})
        for first in range(0, events, 250):
            said = [message(number, f"Message **{number}** of a long session.") for number in range(first, first + 250)]
            answer = await self.http.post(f"{BASE}/{name}/events", json={"events": said[: events - first]})
            assert answer.status_code == 202, answer.text
        return f"/w/{name}"

    @asynccontextmanager
    async def page(self, url: str) -> AsyncIterator[Page]:
        """A phone that is signed in, with nothing kept."""
        context = await self.browser.new_context(viewport=PHONE)
        await context.add_cookies([{"name": "autopilot", "value": self.cookie, "url": url}])
        yield await context.new_page()
        await context.close()

    async def first_visit(self, path: str) -> dict[str, Any]:
        """What a first visit brings over the wire, until the screen is live."""
        async with self.page(self.url) as page:
            wire = await page.context.new_cdp_session(page)
            sizes: list[float] = []
            await wire.send("Network.enable")
            wire.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
            await page.goto(self.url + path)
            await page.locator("#state[data-state=live]").wait_for()
            return {"kilobytes": round(sum(sizes) / 1000, 1), "files": len(sizes)}

    async def over_a_slow_link(self, path: str) -> dict[str, Any]:
        """Until the first words of the screen are painted, with nothing kept."""
        async with SlowLink(
            "127.0.0.1", self.at.port, round_trip_seconds=ROUND_TRIP_SECONDS, bytes_per_second=BYTES_PER_SECOND
        ) as link:
            seconds = []
            for _ in range(3):
                async with self.page(link.url) as page:
                    began = time.monotonic()
                    await page.goto(link.url + path, wait_until="commit")
                    await page.locator("#timeline article, #rows li").first.wait_for()
                    await page.evaluate("new Promise(requestAnimationFrame)")
                    seconds.append(time.monotonic() - began)
            return {"first_useful_screen_seconds": round(statistics.median(seconds), 2)}

    async def event_to_pixel(self) -> dict[str, Any]:
        """From the call that appends to the frame that shows it."""
        path = await self.worker("pixels", 20)
        async with self.page(self.url) as page:
            await page.goto(self.url + path)
            await page.locator("#state[data-state=live]").wait_for()
            await page.evaluate(WATCH)
            sent: dict[str, float] = {}
            for number in range(1000, 1000 + EVENTS):
                sent[str(number)] = time.time() * 1000
                await self.http.post(f"{BASE}/pixels/events", json={"event": message(number, f"mark-{number}")})
                await asyncio.sleep(0.03)
            await page.wait_for_function(f"Object.keys(window.seen).length >= {EVENTS}")
            seen = await page.evaluate("window.seen")
        late = sorted(seen[number] - at for number, at in sent.items())
        return {"p50_ms": round(late[len(late) // 2], 1), "p99_ms": round(late[int(len(late) * 0.99)], 1)}

    async def long_session(self) -> dict[str, Any]:
        """Opening a worker of 5000 items, scrolling in what is there, and on through pages that come meanwhile."""
        path = await self.worker("long", ITEMS)
        opened = []
        async with self.page(self.url) as page:
            for _ in range(3):
                began = time.monotonic()
                await page.goto(self.url + path, wait_until="commit")
                await page.locator("#timeline article").last.wait_for()
                await page.evaluate("new Promise(requestAnimationFrame)")
                opened.append(time.monotonic() - began)
            scrolled = await page.evaluate(SCROLL, {"seconds": SCROLL_SECONDS, "within": True})
            further = await page.evaluate(SCROLL, {"seconds": FURTHER_SECONDS, "within": False})
        return {
            "items": ITEMS,
            "first_open_seconds": round(opened[0], 2),
            "open_seconds": round(statistics.median(opened), 2),
            "scroll": {name: round(value, 1) for name, value in scrolled.items() if name != "older"},
            "scroll_through_older_pages": {name: round(value, 1) for name, value in further.items()},
        }

    async def tab_memory(self) -> dict[str, Any]:
        """What the server holds for a tab: its own memory before and with so many open ones."""
        await self.worker("tabs", 300)
        latest = (await self.http.get(f"{BASE}/tabs")).json()["data"]["latest_seq"]
        headers = {"cookie": f"autopilot={self.cookie}"}
        limits = httpx2.Limits(max_connections=None)
        streams: list[AsyncIterator[str]] = []  # one that is let go of closes its connection
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(
                httpx2.AsyncClient(base_url=self.url, headers=headers, limits=limits, timeout=30, trust_env=False)
            )
            for tabs in (20, TABS + 20):  # what the first ones bring along is not theirs
                before = procfs.private_bytes(self.at.pid)
                opened = 20 if tabs == 20 else TABS
                for _ in range(opened):
                    answer = await stack.enter_async_context(http.stream("GET", f"/live?worker=tabs&after={latest}"))
                    assert answer.status_code == 200
                    streams.append(answer.aiter_text())
                for stream in streams[-opened:]:
                    await beaten(stream)
                used = (procfs.private_bytes(self.at.pid) - before) / opened
        return {"tabs": TABS, "kilobytes_per_tab": round(used / 1000, 1)}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.at.port}"


async def main() -> None:
    program = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or "chromium"
    async with AsyncExitStack() as stack:
        at = await stack.enter_async_context(lab.running(AUTOPILOT_OWNER_EMAIL=OWNER))
        url = f"http://127.0.0.1:{at.port}"
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=url, headers=at.headers, timeout=30, trust_env=False)
        )
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        stack.push_async_callback(browser.close)
        bench = Bench(at, http, browser)
        await bench.sign_in()
        path = await bench.worker("first", 60)
        figures = {
            "open_tab": await bench.tab_memory(),  # first: memory that something else left free would be used again
            "first_visit": await bench.first_visit(path),
            "slow_link": await bench.over_a_slow_link(path),
            "event_to_pixel": await bench.event_to_pixel(),
            "long_session": await bench.long_session(),
        }
    record("web", figures)


if __name__ == "__main__":
    asyncio.run(main())
