"""What `autopilot up` says when it is ready: one URL, a code to sign in with, and a QR code where one is of use.

A QR code is for another device. It is printed only when the URL is one that another device can open; else the way to
get one is said.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import segno
from rich.markup import escape

from autopilot.cli.lan import only_here
from autopilot.cli.terminal import Terminal
from autopilot.ops.program import autopilot


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What there is to say."""

    url: str
    """The one URL to show."""
    urls: list[str]
    """All that answer; the last is this machine's own."""
    listening: bool
    """Whether other devices were to be let in."""
    owner_email: str
    code: str | None
    codex: list[str]
    """What is known of Codex, in sentences."""
    startup_seconds: float

    @property
    def reachable_from_elsewhere(self) -> bool:
        """Whether another device could open the URL."""
        return not only_here(urlsplit(self.url).hostname or "")

    def print(self, terminal: Terminal) -> None:
        """Say it, for a person; with `--json` as one object."""
        if terminal.as_json:
            terminal.result({"event": "ready", **asdict(self)})
            return
        terminal.say(f"\n[bold green]Autopilot is ready[/bold green] [dim]({self.startup_seconds:.1f} s)[/dim]\n")
        terminal.say(f"  [bold]{self.url}[/bold]")
        for line in (*self._sign_in(), *(escape(line) for line in self.codex)):
            terminal.prose(line)
        watch, send = autopilot("watch"), autopilot('send "…"')
        terminal.say("\n  In a second terminal:")
        terminal.prose("follow the session live", lead=f"    {escape(watch):<{len(send)}}   ")
        terminal.prose("ask it to do something", lead=f"    {escape(send)}   ")
        terminal.prose("Here: Ctrl-C stops everything.\n")
        self._other_devices(terminal)

    def _sign_in(self) -> list[str]:
        if self.code is None:
            return [f"Sign in as {escape(self.owner_email)}; ask for a code at sign-in, it is printed here."]
        return [f"Sign in as {escape(self.owner_email)} with the code [bold]{self.code}[/bold] [dim](10 minutes)[/dim]"]

    def _other_devices(self, terminal: Terminal) -> None:
        if self.reachable_from_elsewhere:
            terminal.say(qr(self.url), markup=False)
            terminal.prose(
                "Plain HTTP: whoever shares this network can read along. Put TLS in front for anything else."
            )
        elif self.listening:
            terminal.prose("No network address was found that another device could reach, so there is no QR code.")
        else:
            command = escape(autopilot("up --listen"))
            terminal.prose(f"[dim]Only this machine can open that. For your phone: {command}[/dim]")


def qr(url: str) -> str:
    """`url` as a QR code of half blocks, for a dark or light terminal alike."""
    drawing = io.StringIO()
    segno.make(url, error="m", micro=False).terminal(drawing, compact=True, border=2)
    return drawing.getvalue()
