"""`autopilot login`, `autopilot logout`: sign in to a server elsewhere, by e-mail or the organisation's provider."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from platform import release, system
from socket import gethostname
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli import logins, prompts
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options, is_server
from autopilot.cli.terminal import Terminal
from autopilot.client.session import Session, SsoSignIn


async def login(
    server: Annotated[
        str | None, Parameter(help="Its URL, such as https://autopilot.example.com.", validator=is_server)
    ] = None,
    *,
    email: Annotated[str | None, Parameter(help="Your address; asked for when missing.")] = None,
    name: Annotated[str | None, Parameter(help="What your list of devices calls this one; else its host name.")] = None,
    code: Annotated[str | None, Parameter(help="A code you already have.")] = None,
    sso: Annotated[bool, Parameter(negative=(), help="With your organisation's provider, in a browser.")] = False,
    options: Options = DEFAULT,
) -> None:
    """Sign in to a server; commands then mean that one when none runs on this machine."""
    if sso and (email or code):
        raise CommandFailed("--sso asks for neither --email nor --code: the browser does.", Exit.USAGE)
    terminal = Terminal(as_json=options.json)
    url = (server or options.url or _ask("Server URL: ")).rstrip("/")
    called, platform = (name or this_device())[:100], f"{system()} {release()}".strip()[:100]
    async with logins.session_of(url, os.environ) as session:
        if sso:
            begun, shown = await _begun(session, terminal)
            user = await session.finish_sso(begun, shown, device_name=called, device_platform=platform, with_key=True)
        else:
            address = email or _ask("E-mail: ")
            given = code or await _code_by_mail(session, terminal, address)
            user = await session.verify(
                given, email=address, device_name=called, device_platform=platform, with_key=True
            )
    logins.remember(url, os.environ)
    if options.json:
        terminal.result({"url": url, "user_id": user.id, "email": user.email})
    kept = logins.store_of(url, os.environ).where
    terminal.say(f"Signed in to {url} as {user.email}. The session is kept in: {kept}", markup=False)


async def _code_by_mail(session: Session, terminal: Terminal, address: str) -> str:
    with terminal.busy("asking for a code"):
        await session.request_code(address)
    return _ask("Code (from the e-mail, or the server's console): ")


async def _begun(session: Session, terminal: Terminal) -> tuple[SsoSignIn, str]:
    """A sign-in with the provider, and what the browser showed: one here, or wherever the person carries the link."""
    with terminal.busy("asking the server"):
        begun = await session.begin_sso()
    if not _is_page(begun.url):
        raise CommandFailed("The server names no page to sign in at.", Exit.FAILED)
    terminal.remark(f"Sign in with {escape(begun.name)}, in a browser of your own:")
    terminal.err.print(begun.url, markup=False, highlight=False, soft_wrap=True)
    if not sys.stdin.isatty():
        return begun, await prompts.line()
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        await asyncio.to_thread(webbrowser.open, begun.url)
    return begun, _ask("Code (from the browser): ")


def _is_page(url: str) -> bool:
    """Whether a link may be printed and opened: a page of the web, not a file or program of this machine."""
    return url.startswith(("https://", "http://")) and url.isascii() and url.isprintable() and " " not in url


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
    return prompts.reply(lambda: input(question))
