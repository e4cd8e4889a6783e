"""`autopilot machine enroll`, `autopilot pair --machine`, `--claim`: this machine, or this computer, asks to be let in.

A machine without a screen of its own prints a short code and a QR code; somebody who is signed in elsewhere confirms
it. Owns what is shown on this side, and where the tokens go: the credentials of the companion, or the logins of
commands. Never prints a token.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from platform import release, system
from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Parameter

from autopilot.cli import logins
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import home_for_up, running_home
from autopilot.cli.lan import only_here
from autopilot.cli.login import this_device
from autopilot.cli.options import DEFAULT, Options, is_server
from autopilot.cli.terminal import Terminal
from autopilot.cli.welcome import qr
from autopilot.client import FileTokenStore, Invitation, Joiner, TokenStore, ed25519
from autopilot.client import log as client_log
from autopilot.client.addresses import PairLink, read_deep_link
from autopilot.client.http import Http
from autopilot.client.pairing import OVER, POLL_SECONDS, app_link
from autopilot.client.pairing_words import words_of
from autopilot.client.write_signer import WriteSigner
from autopilot.companion.identity import load_or_create
from autopilot.contract import Pairing, PairingDevice
from autopilot.ops.clock import SystemClock
from autopilot.ops.program import autopilot

TOKEN_SETTING = "OPENAGENTS_RUNTIME_SYNC_TOKEN"  # noqa: S105 - the name of a setting


async def enroll(
    server: Annotated[str, Parameter(help="Its URL, such as https://autopilot.example.com.", validator=is_server)],
    *,
    name: Annotated[str | None, Parameter(help="What lists call this machine; else its host name.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Have this machine let in at a server elsewhere: it gets a session of its own, good for executing alone."""
    terminal, url = Terminal(as_json=options.json), server.rstrip("/")
    if (here := running_home(os.environ)) is not None:
        raise CommandFailed(
            f"An installation runs from {here[0].path}, and its companion is enrolled there. Stop it first, or choose "
            "another AUTOPILOT_HOME.",
            Exit.CONFLICT,
        )
    home = home_for_up(os.environ)
    async with _joiner(url, PairingDevice(), "companion") as joiner:
        machine = load_or_create(home.make().path)
        joiner.device = _described(name or machine.name, machine_id=machine.machine_id)
        started = await joiner.request("machine")
        link = app_link(url, started.secret)
        if options.json:
            terminal.result({"event": "started", "code": started.code, "link": link, "pairing": started.pairing})
        say_plain(terminal, url)
        if not only_here(urlsplit(url).hostname or ""):
            terminal.say(qr(link), markup=False)
        terminal.prose(f"Code: [bold]{started.code}[/bold]  [dim](5 minutes)[/dim]")
        confirm = f"autopilot pair --confirm {started.code}"
        terminal.prose(f"Where you are signed in to {url}, type: [bold]{confirm}[/bold]")
        store = FileTokenStore(home.companion / "credentials.json")
        email = await _let_in(terminal, joiner, store)
    if options.json:
        terminal.result({"event": "paired", "machine_id": machine.machine_id, "url": url, "email": email})
    terminal.say(f"This machine ({machine.machine_id}) works for {email} at {url} now.", markup=False)
    terminal.prose(f"Start its companion: [bold]{autopilot('companion')}[/bold]")
    if os.environ.get(TOKEN_SETTING):
        terminal.remark(f"{TOKEN_SETTING} is set here: it overrides these credentials.")


async def claim(written: str, options: Options) -> None:
    """Sign this computer in with the link or code that `autopilot pair` shows.

    Raises:
        CommandFailed: a code without a server, a link of something else, or nobody confirmed it.
        AddressRefused: the link names a server that can't be, or one that others could read along with.
        NotFound: there is no such pairing.
    """
    terminal, invitation = Terminal(as_json=options.json), _invitation(written)
    url = invitation.server if invitation else (options.url or "").rstrip("/")
    if not url:
        raise CommandFailed("A code needs --url with the server's URL; a link has it.", Exit.USAGE)
    home = home_for_up(os.environ).make()
    device = _described(this_device(), installation_id=f"cli-{load_or_create(home.path).machine_id}")
    signer = WriteSigner(ed25519.new_seed(), SystemClock().now)
    async with _joiner(url, device, "cli", signer) as joiner:
        await joiner.claim(invitation.secret if invitation else written)
        say_plain(terminal, url)
        store = logins.store_of(url, os.environ)
        email = await _let_in(terminal, joiner, store)
    logins.remember(url, os.environ)
    if options.json:
        terminal.result({"event": "paired", "url": url, "email": email})
    terminal.say(f"Signed in to {url} as {email}. The session is kept in: {store.where}", markup=False)


def _invitation(written: str) -> Invitation | None:
    """What a link says; None: it is a code."""
    link = read_deep_link(written)
    if isinstance(link, PairLink):
        return link.invitation
    if "://" in written:
        raise CommandFailed("This is no link of `autopilot pair`.", Exit.USAGE)
    return None


@asynccontextmanager
async def _joiner(
    url: str, device: PairingDevice, surface: str, signer: WriteSigner | None = None
) -> AsyncIterator[Joiner]:
    handler = client_log.to_file(home_for_up(os.environ).make().logs / "client.log")
    http = Http(url, tokens=None, surface=surface)
    try:
        yield Joiner(http, device, signer)
    finally:
        await http.aclose()
        client_log.LOGGER.removeHandler(handler)
        handler.close()


async def _let_in(terminal: Terminal, joiner: Joiner, store: TokenStore) -> str:
    """Show the words, and wait until somebody confirmed them; the e-mail address of whose this is now."""
    with terminal.busy("waiting for the other side"):
        pairing = await until(joiner.step, lambda found: words_of(found) is not None)
    words = words_of(pairing) or ()
    if terminal.as_json:
        terminal.result({"event": "compare", "words": words, "account": pairing.account})
    terminal.say(f"Asked by {pairing.account or 'the owner'}, whose screen must show the same words:", markup=False)
    terminal.prose(f"[bold]{' '.join(words)}[/bold]", lead="    ")
    with terminal.busy("waiting until they are confirmed there"):
        await until(joiner.step, lambda found: found.state in {"confirmed", "done"})
        made = await joiner.collect(store)
    return made.user.email or "the owner"


async def until(look: Callable[[], Any], holds: Callable[[Pairing], bool]) -> Pairing:
    """Look once a second until something holds.

    Raises:
        CommandFailed: it was declined, or the five minutes are over.
    """
    clock = SystemClock()
    while True:
        pairing: Pairing = await look()
        if holds(pairing):
            return pairing
        if pairing.state in OVER:
            said = {"declined": "It was declined.", "expired": "Five minutes are over; start again."}
            raise CommandFailed(said.get(pairing.state, "It is over."), Exit.FAILED, reason_code=pairing.state)
        await clock.sleep(POLL_SECONDS)


def _described(name: str, *, machine_id: str | None = None, installation_id: str | None = None) -> PairingDevice:
    return PairingDevice(
        device_name="".join(letter for letter in name if letter.isprintable()).strip()[:100] or None,
        device_platform=f"{system()} {release()}".strip()[:100] or None,
        machine_id=machine_id,
        installation_id=installation_id,
    )


def say_plain(terminal: Terminal, url: str) -> None:
    """Warn of a connection that others on the network can read."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not only_here(parts.hostname or ""):
        terminal.remark("Plain HTTP: whoever is on the way can read along, and would get the session too.")
