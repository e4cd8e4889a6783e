"""A desktop without a screen that shows notifications: the real message bus of one's own, and what owns them there.

Chromium on Linux asks a desktop over D-Bus to show a notification, with a window or without. Here a test is that
desktop: it sees what a person would, and taps as a person does, so that the browser itself says `notificationclick`.
Source: the Desktop Notifications Specification 1.2. Nothing of the machine's own session is touched or started.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.asyncio import DBusConnection, open_dbus_connection
from tests.waiting import until

NAME = "org.freedesktop.Notifications"
PLACE = DBusAddress("/org/freedesktop/Notifications", interface=NAME)
ITSELF = "default"
"""What a tap on a notification is called, where it is on none of its buttons."""
BUS = """<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
  </policy>
</busconfig>
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A notification as a desktop is asked to show it."""

    number: int
    replaces: int
    """The number of the one in whose place it comes; 0: of none."""
    title: str
    body: str
    """After the site's name and an empty line, as Chromium has it."""
    buttons: dict[str, str]
    """Label -> what the button is called; without the browser's own."""


@dataclass
class Desktop:
    """What it was asked to show, oldest first; and a hand that taps."""

    address: str
    connection: DBusConnection
    shown: list[Shown] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)

    @property
    def environ(self) -> dict[str, str]:
        """How a program finds it."""
        return {"DBUS_SESSION_BUS_ADDRESS": self.address}

    async def until(self, count: int) -> Shown:
        """The newest, once there were so many."""
        await until(lambda: len(self.shown) >= count)
        assert len(self.shown) == count, self.shown
        return self.shown[-1]

    async def tap(self, shown: Shown, label: str | None = None) -> None:
        """Tap it, or one of its buttons."""
        action = ITSELF if label is None else shown.buttons[label]
        await self.connection.send(new_signal(PLACE, "ActionInvoked", "us", (shown.number, action)))

    async def serve(self) -> None:
        """Answer programs until cancelled."""
        while True:
            asked = await self.connection.receive()
            if asked.header.message_type is MessageType.method_call:
                await self.connection.send(self._answer(asked))

    def _answer(self, asked: Message) -> Message:
        match asked.header.fields.get(HeaderFields.member):
            case "GetCapabilities":
                return new_method_return(asked, "as", (["actions", "body", "persistence"],))
            case "GetServerInformation":
                return new_method_return(asked, "ssss", ("desktop", "tests", "1", "1.2"))
            case "Notify":
                return new_method_return(asked, "u", (self._show(asked),))
            case "CloseNotification":
                self.closed.add(asked.body[0])
        return new_method_return(asked)

    def _show(self, asked: Message) -> int:
        _, replaces, _, title, body, actions, _, _ = asked.body
        number = replaces or len(self.shown) + 1
        pairs = dict(zip(actions[::2], actions[1::2], strict=True))
        buttons = {label: action for action, label in pairs.items() if action.isdigit()}
        self.shown.append(Shown(number, replaces, title, body, buttons))
        return number


@asynccontextmanager
async def desktop() -> AsyncIterator[Desktop]:
    """It is there for as long as this."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder, "bus")
        settings = _written(Path(folder, "bus.conf"), BUS.format(socket=socket))
        process = await asyncio.create_subprocess_exec(
            *("dbus-daemon", f"--config-file={settings}", "--nofork", "--nopidfile", "--print-address"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(30):
                assert await process.stdout.readline()  # it listens: the socket alone is there before
            address = f"unix:path={socket}"
            async with await open_dbus_connection(address) as connection, asyncio.TaskGroup() as group:
                await connection.send(message_bus.RequestName(NAME))
                made = Desktop(address, connection)
                serving = group.create_task(made.serve())
                yield made
                serving.cancel()
        finally:
            process.terminate()
            await process.wait()


def _written(place: Path, text: str) -> Path:
    place.write_text(text)
    return place
