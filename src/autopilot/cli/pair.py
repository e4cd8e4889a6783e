"""`autopilot pair`: let a phone, another computer or a machine in, with the same words on both screens.

On the computer that is signed in it shows a QR code, a link and a short code, or takes the short code that a machine
shows (`--confirm`). Nothing is let in before a person has said that the words are the same. `--machine` and `--claim`
are the other side (`autopilot.cli.enroll`).
"""

from __future__ import annotations

import getpass
import os
import sys
from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Parameter

from autopilot.cli import prompts
from autopilot.cli.connect import Target, client_of, target_of
from autopilot.cli.documents import STANDARD_INPUT
from autopilot.cli.enroll import claim as claim_offer
from autopilot.cli.enroll import enroll, say_plain, until
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.lan import only_here
from autopilot.cli.options import DEFAULT, Options, is_dash_at_most, is_server
from autopilot.cli.terminal import Terminal
from autopilot.cli.welcome import qr
from autopilot.client import PairingTampered
from autopilot.client.pairing import app_link, web_link
from autopilot.client.pairing_words import words_of
from autopilot.contract import Pairing, StartedPairing
from autopilot.ops.program import autopilot

PUBLIC_URL = "AUTOPILOT_PUBLIC_URL"


async def pair(
    *,
    confirm: Annotated[str | None, Parameter(help="The code that a machine or device shows.")] = None,
    machine: Annotated[
        str | None, Parameter(help="Have this machine let in at that server.", validator=is_server)
    ] = None,
    claim: Annotated[
        str | None,
        Parameter(
            help="The link or code that `pair` shows elsewhere; -: asked for, so that no process list shows it.",
            allow_leading_hyphen=True,
            validator=is_dash_at_most,
        ),
    ] = None,
    options: Options = DEFAULT,
) -> None:
    """Let a device in: shows a QR code, a link and a short code for it, then the words that must be on both screens."""
    if sum(one is not None for one in (confirm, machine, claim)) > 1:
        raise CommandFailed("--confirm, --machine and --claim are three different things: give one.", Exit.USAGE)
    if machine is not None:
        await enroll(machine, options=options)
    elif claim is not None:
        await claim_offer(await _pasted() if claim == STANDARD_INPUT else claim, options)
    else:
        await _let_in(confirm, options)


async def _let_in(code: str | None, options: Options) -> None:
    terminal, target = Terminal(as_json=options.json), target_of(options, os.environ)
    async with client_of(target, os.environ) as client:
        approver = client.approver()
        if code is None:
            _show(terminal, await approver.offer("device"), shown_url(target))
        else:
            await approver.find(code)
        try:
            with terminal.busy("waiting for the other side"):
                pairing = await until(approver.step, lambda found: words_of(found) is not None)
            words = words_of(pairing) or ()
            _tell(terminal, pairing, words)
            if not await _said_yes():
                await approver.decline()
                raise CommandFailed("Declined: nothing was let in.", Exit.FAILED, reason_code="declined")
        except PairingTampered:
            await approver.decline()
            raise
        await approver.accept(words)
        with terminal.busy("waiting until it has fetched its session"):
            done = await until(approver.step, lambda found: found.state == "done")
    if options.json:
        terminal.result({"event": "paired", "pairing": done})
    terminal.say(f"Paired: {_named(done)}. To undo it: {autopilot('devices revoke')}", markup=False)


def shown_url(target: Target) -> str:
    """The URL of a server that another device can open, if there is one; else the one that is used here."""
    if target.running is None:
        return target.url
    public = os.environ.get(PUBLIC_URL) or ""
    return (public or target.running.shown_url or target.url).rstrip("/")


def _show(terminal: Terminal, started: StartedPairing, url: str) -> None:
    reachable = not only_here(urlsplit(url).hostname or "")
    app, web = app_link(url, started.secret), web_link(url, started.secret)
    if terminal.as_json:
        said: dict[str, Any] = {"code": started.code, "link": web, "app_link": app, "reachable": reachable}
        terminal.result({"event": "started", "pairing": started.pairing, **said})
        return
    if reachable:
        terminal.say("Scan this with the Autopilot app on your phone:\n")
        terminal.say(qr(app), markup=False)
        say_plain(terminal, url)
    else:
        command = autopilot("up --listen")
        terminal.prose(f"Only this machine can open {url}, so there is no QR code. For your phone: {command}")
    terminal.say(f"  Link: {web}", markup=False)
    terminal.say(f"  Code: {started.code}   (at {url}; 5 minutes, once)", markup=False)
    if reachable:
        terminal.say("  On another computer: autopilot pair --claim -   (it asks for the link)", markup=False)


def _tell(terminal: Terminal, pairing: Pairing, words: tuple[str, ...]) -> None:
    if terminal.as_json:
        terminal.result({"event": "compare", "words": words, "pairing": pairing})
    terminal.say(f"\n{_named(pairing)} wants in, from {pairing.device_address}.", markup=False)
    if pairing.kind == "machine":
        terminal.prose("It would execute for you, and nothing else.", lead="")
    if pairing.contested:
        terminal.remark("[yellow]Somebody else came with the same secret.[/yellow] Say yes only if the words agree.")
    if pairing.wrong_codes:
        terminal.remark(f"[yellow]Somebody tried {pairing.wrong_codes} wrong codes on this pairing.[/yellow]")
    terminal.say("The words on its screen must be:", markup=False)
    terminal.prose(f"[bold]{' '.join(words)}[/bold]", lead="    ")


async def _pasted() -> str:
    """The link or code, from whoever is at the terminal (not shown), or from standard input."""
    if sys.stdin.isatty():
        return prompts.reply(lambda: getpass.getpass("Link or code: "))
    return await prompts.line()


async def _said_yes() -> bool:
    """Asks whoever is at the terminal; no answer is no."""
    sys.stderr.write("Are they the same? [y/N] ")
    sys.stderr.flush()
    return (await prompts.line()).lower() in {"y", "yes"}


def _named(pairing: Pairing) -> str:
    device = pairing.device
    if device is None:
        return "Something without a name"
    rest = ", ".join(part for part in (device.device_platform, device.machine_id) if part)
    name = device.device_name or "A device without a name"
    return f"{name} ({rest})" if rest else name
