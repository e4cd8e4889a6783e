"""Every screen of a worker or machine, whole, for each kind of place one may run in: they differ in the badge alone.

Over a real server, whose answers name another kind on their way to the phone; also one that nobody has heard of.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import flet as ft
import httpx2
import pytest
from tests.api.contract.world import Person, ask
from tests.ios.desk import Cuts
from tests.ios.phone import walk
from tests.ios.test_any_backend import KINDS
from tests.ios.worker_desk import Desk, desk
from tests.waiting import until

from autopilot.client.presenters.standing import BACKENDS
from autopilot_ios.screen import Screen
from autopilot_ios.screens.approval import ApprovalScreen
from autopilot_ios.screens.connect import ConnectScreen
from autopilot_ios.screens.details import DetailsScreen
from autopilot_ios.screens.emergency import EmergencyScreen
from autopilot_ios.screens.inbox import InboxScreen
from autopilot_ios.screens.machine import MachineScreen, Ways
from autopilot_ios.screens.machines import MachinesScreen
from autopilot_ios.screens.new_session import NewSessionScreen
from autopilot_ios.screens.request import RequestScreen
from autopilot_ios.screens.stop import StopScreen
from autopilot_ios.screens.workers import WorkersScreen

pytestmark = pytest.mark.slow
TOLD = b'"backend":{"kind":"desktop"'
AGES = re.compile(r"\b(now|\d+ (s|min|h) ago|\d+ s)\b")
SHOWN = (
    "key",
    "value",
    "label",
    "placeholder_text",
    "title",
    "icon",
    "color",
    "bgcolor",
    "disabled",
    "tooltip",
    "size",
)


class Elsewhere(Cuts):
    """Workers run somewhere else, by what the phone is told."""

    kind = "desktop"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        if not isinstance(answer.stream, httpx2.AsyncByteStream):
            return answer
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        stream = Told(answer.stream, self)
        return httpx2.Response(answer.status_code, headers=headers, stream=stream, extensions=answer.extensions)


class Told(httpx2.AsyncByteStream):
    """What a server says, line by line."""

    def __init__(self, inner: httpx2.AsyncByteStream, way: Elsewhere) -> None:
        self._inner, self._way = inner, way

    async def __aiter__(self) -> AsyncIterator[bytes]:
        held = b""
        async for chunk in self._inner:
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                yield self._said(line) + b"\n"
        if held:
            yield self._said(held)

    def _said(self, line: bytes) -> bytes:
        return line.replace(TOLD, f'"backend":{{"kind":"{self._way.kind}"'.encode())

    async def aclose(self) -> None:
        await self._inner.aclose()


class Listed(WorkersScreen):
    """The list, upon another screen."""

    route = "/list"


SCREENS: dict[str, tuple[str, Callable[[Desk, str], Screen] | None]] = {
    "workers": ("worker-", lambda at, _asked: Listed(at.core, print, lambda: None)),
    "worker": ("pinned-answer", None),  # which is open
    "details": ("event-2", lambda at, _asked: DetailsScreen(at.core, at.person.worker_id, at.hand)),
    "connect": ("connect", lambda at, _asked: ConnectScreen(at.core, at.person.worker_id, at.hand)),
    "request": ("send-request", lambda at, _asked: RequestScreen(at.core, at.person.worker_id, at.hand)),
    "stop": ("stop", lambda at, _asked: StopScreen(at.core, at.person.worker_id, at.hand)),
    "question": ("open-worker", lambda at, asked: ApprovalScreen(at.core, asked, at.hand, print)),
    "inbox": ("approval-", lambda at, _asked: InboxScreen(at.core, print)),
    "machines": ("machine-", lambda at, _asked: MachinesScreen(at.core, print)),
    "machine": (
        "worker-",
        lambda at, _asked: MachineScreen(at.core, at.machine.worker_id, at.hand, Ways(print, print, print)),
    ),
    "new session": ("start", lambda at, _asked: NewSessionScreen(at.core, at.hand, print)),
    "emergency stop": ("reason", lambda at, _asked: EmergencyScreen(at.core, at.hand)),
}


def drawn(at: Desk, badge: str) -> list[str]:
    """Everything on the screen, control by control; the badge and ages left out."""
    view = at.phone.page.views[-1]
    return [AGES.sub("…", _described(one).replace(badge, "(badge)")) for one in walk(view)]


def _described(control: ft.BaseControl) -> str:
    said = [
        f"{name}={getattr(control, name)!s}" for name in SHOWN if isinstance(getattr(control, name, None), str | int)
    ]
    return " ".join([type(control).__name__, *said])


def is_ready(at: Desk, key: str) -> bool:
    return any(str(one.key or "").startswith(key) for one in walk(at.phone.page.views[-1]))


async def moves(at: Desk, way: Elsewhere, kind: str) -> None:
    """From now on the phone is told that its workers run on this; their machine was heard just now."""
    path = f"/machines/{at.machine.worker_id}/heartbeat"
    assert (await at.machine.post(path, {"desktop_session_id": "d", "workers": []})).status_code == 200
    way.kind = kind
    at.core.network_changed(online=True)

    def is_told() -> bool:
        store, overview = at.core.opened[at.person.worker_id].store.view, at.core.overview.view
        if not store.connection.kind == overview.connection.kind == "live":
            return False
        told = (store.worker, overview.overview.worker(at.person.worker_id))
        return all(one is not None and one.backend is not None and one.backend.kind == kind for one in told)

    await until(is_told)


@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_differs_in_the_name_of_its_backend_only(ada: Person, tmp_path: Path, name: str):
    ready, screen = SCREENS[name]
    way = Elsewhere()
    async with desk(ada, tmp_path, way=way) as at:
        asked = await ask(at.machine, ada.worker_id)
        await until(lambda: at.core.overview.view.overview.approval(asked) and at.phone.has("send"))
        await until(lambda: _pending(at))
        first: list[str] = []
        for kind in ("desktop", "gke", KINDS[-1]):
            await moves(at, way, kind)
            if screen is not None:
                at.shell.push(screen(at, asked))
            await until(lambda: is_ready(at, ready))
            badge = BACKENDS.get(kind, "A kind of tomorrow")
            if kind == "desktop":
                await until(lambda: not at.phone.shows("onnecting…"))  # the first one is of a phone that is at rest
                await until(lambda badge=badge: _is_still(at, badge, first))
            await _looks(at, badge, first)
            if screen is not None:
                at.shell.pop()


async def _looks(at: Desk, badge: str, first: list[str]) -> None:
    """The screen comes to look like the first one."""
    try:
        await until(lambda: drawn(at, badge) == first)
    except TimeoutError:
        now = drawn(at, badge)
        raise AssertionError([*(set(now) - set(first)), "instead of", *(set(first) - set(now))]) from None


def _pending(at: Desk) -> int:
    """How many questions its worker is known to have."""
    worker = at.core.overview.view.overview.worker(at.person.worker_id)
    return 0 if worker is None else worker.pending_approvals


def _is_still(at: Desk, badge: str, first: list[str]) -> bool:
    """Whether nothing came since it was looked at last."""
    now = drawn(at, badge)
    is_still, first[:] = now == first, now
    return is_still
