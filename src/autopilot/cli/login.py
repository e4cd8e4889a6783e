"""`autopilot login`, `autopilot logout`: sign in to a server elsewhere, with a code sent by e-mail."""

from __future__ import annotations

import os
import sys
from platform import release, system
from socket import gethostname
from typing import Annotated

from cyclopts import Parameter

from autopilot.cli import logins
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options, is_server
from autopilot.cli.terminal import Terminal


async def login(
    server: Annotated[
        str | None, Parameter(help="Its URL, such as https://autopilot.example.com.", validator=is_server)
    ] = None,
    *,
    email: Annotated[str | None, Parameter(help="Your address; asked for when missing.")] = None,
    name: Annotated[str | None, Parameter(help="What your list of devices calls this one; else its host name.")] = None,
    code: Annotated[str | None, Parameter(help="A code you already have.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Sign in to a server; commands then mean that one when none runs on this machine."""
    terminal = Terminal(as_json=options.json)
    url = (server or options.url or _ask("Server URL: ")).rstrip("/")
    address = email or _ask("E-mail: ")
    async with logins.session_of(url, os.environ) as session:
        if code is None:
            with terminal.busy("asking for a code"):
                await session.request_code(address)
            code = _ask("Code (from the e-mail, or the server's console): ")
        called, platform = name or this_device(), f"{system()} {release()}".strip()
        user = await session.verify(
            code, email=address, device_name=called[:100], device_platform=platform[:100], with_key=True
        )
    logins.remember(url, os.environ)
    if options.json:
        terminal.result({"url": url, "user_id": user.id, "email": user.email})
    kept = logins.store_of(url, os.environ).where
    terminal.say(f"Signed in to {url} as {user.email}. The session is kept in: {kept}", markup=False)


async def logout(*, options: Options = DEFAULT) -> None:
    """End the session of `autopilot login`."""
    terminal = Terminal(as_json=options.json)
    url = options.url or logins.last_login(os.environ)
    if url is None:
        raise CommandFailed("You are not signed in to any server.", Exit.SIGN_IN)
    async with logins.session_of(url, os.environ) as session:
        await session.sign_out()
    logins.forget(os.environ)
    if options.json:
        terminal.result({"url": url, "signed_out": True})
    terminal.say(f"Signed out of {url}.", markup=False)


def this_device() -> str:
    """What this machine is called, without its domain."""
    return "".join(letter for letter in gethostname().partition(".")[0] if letter.isprintable()) or "a computer"


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise CommandFailed(f"No terminal to ask on: {question.strip(' :')} is missing.", Exit.USAGE)
    return input(question).strip()
