"""A phone without a screen: it speaks Flet's protocol, answers what a phone answers, and keeps what it was asked.

The app's own code runs against it, in this process: what is on the page is looked up among the controls that were
sent, and touched as a finger would, by an event from the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import flet as ft
import msgpack
from flet.controls.base_control import BaseControl
from flet.controls.context import _context_page
from flet.messaging.connection import Connection
from flet.messaging.protocol import (
    Message,
    MessageAction,
    RegisterClientResponseBody,
    configure_encode_object_for_msgpack,
)
from flet.messaging.session import Session
from flet.pubsub.pubsub_hub import PubSubHub
from tests.waiting import until

PHONE, PAD = (390.0, 844.0), (834.0, 1194.0)
IPHONE = {
    "locales": [],
    "available_ram_size": 4,
    "free_disk_size": 4,
    "is_ios_app_on_mac": False,
    "is_physical_device": True,
    "localized_model": "iPhone",
    "model": "iPhone",
    "model_name": "iPhone 17",
    "name": "Ada's iPhone",
    "physical_ram_size": 8,
    "system_name": "iOS",
    "system_version": "26.1",
    "total_disk_size": 8,
    "utsname": {"machine": "iPhone18,3", "node_name": "x", "release": "25", "sys_name": "Darwin", "version": "25"},
}
SKIPPED = frozenset({"parent", "_parent", "page", "data"})


class Wire(Connection):
    """The other side of Flet's protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.executor = ThreadPoolExecutor(1)
        self.page_url, self.page_name = "http://localhost", ""
        self.pubsubhub = PubSubHub(loop=self.loop)
        self.session: Session | None = None
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.crashes: list[str] = []
        """What handlers failed of, as the app's crash screen says it."""
        self.sent: list[int] = []
        """Bytes of each message."""

    def send_message(self, message: Message) -> None:
        """What the app sends, packed as for the wire; calls of the phone's services are answered at once."""
        packed = msgpack.packb([message.action, message.body], default=configure_encode_object_for_msgpack(BaseControl))
        self.sent.append(len(packed))
        if message.action is MessageAction.SESSION_CRASHED:
            self.crashes.append(str(message.body.message))
        if message.action is MessageAction.INVOKE_METHOD:
            body = message.body
            arguments = body.args if isinstance(body.args, dict) else {}
            self.asked.append((body.name, arguments))
            assert self.session is not None
            answer, error = None, None
            try:
                answer = self.answers[body.name](arguments) if body.name in self.answers else None
            except RuntimeError as refused:
                error = str(refused)
            self.loop.call_soon(self._answered, body.control_id, body.call_id, answer, error)

    def _answered(self, control_id: int, call_id: str, answer: Any, error: str | None) -> None:
        """The answer arrives; of a control that went meanwhile nobody waits: Flet's bridge logs it."""
        assert self.session is not None
        with contextlib.suppress(RuntimeError):
            self.session.handle_invoke_method_results(control_id, call_id, answer, error)


@dataclass
class Phone:
    """One phone, with the app on it."""

    wire: Wire
    page: ft.Page
    secrets: dict[str, str] = field(default_factory=dict)

    # Looking.

    def controls(self) -> Iterator[ft.BaseControl]:
        """All that is on top: dialogs that are open, and the last view."""
        for dialog in self.page._dialogs.controls:
            if dialog.open:
                yield from walk(dialog)
        if self.page.views:
            yield from walk(self.page.views[-1])

    def texts(self) -> list[str]:
        """All that can be read."""
        names = ("value", "label", "placeholder_text", "title", "content")
        said = (getattr(control, name, None) for control in self.controls() for name in names)
        return [text for text in said if isinstance(text, str) and text]

    def shows(self, words: str) -> bool:
        """Whether some text has these words."""
        return any(words in text for text in self.texts())

    async def waits_for(self, words: str) -> None:
        """Until it shows them."""
        try:
            await until(lambda: self.shows(words), within_seconds=30)
        except TimeoutError:
            raise AssertionError(f"it never showed {words!r}, but {self.texts()}") from None

    def find(self, key: str) -> Any:
        """The control of this key."""
        return next(control for control in self.controls() if control.key == key)

    def has(self, key: str) -> bool:
        """Whether there is one."""
        return any(control.key == key for control in self.controls())

    # Touching.

    async def tap(self, key: str) -> None:
        """Touch it."""
        control = self.find(key)
        assert not getattr(control, "disabled", False), f"{key} is disabled"
        await self.fire(control, "click")

    async def type(self, key: str, text: str) -> None:
        """Type into it."""
        control = self.find(key)
        control.value = text
        await self.fire(control, "change", text)

    async def fire(self, control: ft.BaseControl, event: str, data: Any = None) -> None:
        """An event of a control, from the phone."""
        assert self.wire.session is not None
        await self.wire.session.dispatch_event(control._i, event, data)
        assert not self.wire.crashes, self.wire.crashes

    async def opens(self, link: str) -> None:
        """The system opens the app with a link."""
        await self.fire(self.page, "route_change", {"route": link})


def walk(control: Any, seen: set[int] | None = None) -> Iterator[ft.BaseControl]:
    """A control and all within it that can be seen."""
    seen = set() if seen is None else seen
    if id(control) in seen or getattr(control, "visible", True) is False:
        return
    seen.add(id(control))
    yield control
    for name in getattr(control, "__dataclass_fields__", {}):
        if name in SKIPPED:
            continue
        value = getattr(control, name, None)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ft.BaseControl):
                yield from walk(one, seen)


def phone(*, size: tuple[float, float] = PHONE, secrets: dict[str, str] | None = None) -> Phone:
    """One that is switched on, with nothing on it but what is in its Keychain."""
    wire = Wire()
    session = Session(wire)
    wire.session = session
    page = session.page
    _context_page.set(page)
    held = {} if secrets is None else secrets
    wire.answers = {
        "get": lambda said: held.get(said["key"]),
        "set": lambda said: held.__setitem__(said["key"], said["value"]) if "key" in said else None,  # or a clipboard
        "remove": lambda said: held.pop(said["key"], None),
        "get_connectivity": lambda _said: ["wifi"],
        "is_device_supported": lambda _said: True,
        "authenticate": lambda _said: True,
        "get_device_info": lambda _said: IPHONE,
        "share_text": lambda _said: {"status": "success", "raw": "com.apple.UIKit.activity.Message"},
    }
    patch = {"route": "/", "width": size[0], "height": size[1], "platform": "ios", "web": False}
    session.apply_page_patch(patch)
    wire.send_message(
        Message(
            MessageAction.REGISTER_CLIENT,
            RegisterClientResponseBody(session_id=session.id, page_patch=session.get_page_patch(), error=""),
        )
    )
    return Phone(wire, page, held)
