"""`autopilot guests`: show workers to somebody without an account; and come in as such a guest."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter, validators

from autopilot.cli import logins
from autopilot.cli.connect import connected, target_of
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_worker
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client.guests import guest_link
from autopilot.contract import encode

HOUR_SECONDS = 3600
HOURS = validators.Number(gte=1, lte=168)


async def guests(*, options: Options = DEFAULT) -> None:
    """List whom you show something, until when, and from which device you invited them."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await client.guests()
    if options.json:
        terminal.result(found)
        return
    rows: list[tuple[str, ...]] = [
        (
            one.guest_id,
            one.name,
            one.expires_at[:16],
            "came" if one.entered_at else "invited",
            one.device_name or one.device_id or "",
            " ".join(one.worker_ids),
        )
        for one in found
    ]
    print_table(terminal.out, ("GUEST", "NAME", "UNTIL", "STATE", "INVITED FROM", "WORKERS"), rows)


async def invite(
    name: Annotated[str, Parameter(help="What to call them in your list.")],
    *workers: Annotated[str, Parameter(help="Which workers: ids or parts of them; without any the most recent.")],
    hours: Annotated[int, Parameter(help="For how long they may read: 1 to 168.", validator=HOURS)] = 24,
    options: Options = DEFAULT,
) -> None:
    """Make a link that lets somebody read these workers, and nothing else. It is good once: give it to nobody else."""
    terminal = Terminal(as_json=options.json)
    url = target_of(options, os.environ).url
    async with connected(options) as client:
        meant = [await pick_worker(client, one) for one in workers or (None,)]
        made = await client.invite_guest(name, meant, expires_in_seconds=hours * HOUR_SECONDS)
    link = made.link or guest_link(url, made.secret)
    if options.json:
        terminal.result({"guest": encode(made.guest), "link": link})
        return
    terminal.say(f"{made.guest.name} may read {', '.join(made.guest.worker_ids)} until {made.guest.expires_at[:16]}.",
                 markup=False)  # fmt: skip
    terminal.out.print(link, markup=False, soft_wrap=True)


async def revoke(
    guest: Annotated[str, Parameter(help="The guest's id, or the name in your list.")], *, options: Options = DEFAULT
) -> None:
    """Let a guest read nothing more; what they have open ends within two seconds."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        hits = [one for one in await client.guests() if guest in {one.guest_id, one.name}]
        if not hits:
            raise CommandFailed(f"You have no guest {guest}.", Exit.NOT_FOUND)
        if len(hits) > 1:
            raise CommandFailed(f"{guest} may be {', '.join(one.guest_id for one in hits)}.", Exit.USAGE)
        await client.revoke_guest(hits[0].guest_id)
    if options.json:
        terminal.result(hits[0])
    terminal.say(f"{hits[0].name} reads nothing more.", markup=False)


async def enter(
    link: Annotated[str, Parameter(help="The whole link that you were given.")], *, options: Options = DEFAULT
) -> None:
    """Come in as a guest: commands then mean that server, and read what you were shown."""
    terminal = Terminal(as_json=options.json)
    try:
        parts = urlsplit(link)
    except ValueError:  # no address that a browser would open either
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.netloc or not parts.fragment:
        raise CommandFailed("This is no guest's link.", Exit.USAGE)
    url = f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/guest')}"
    async with logins.session_of(url, os.environ) as session:
        if session.state.user_id is not None:
            raise CommandFailed(f"You are signed in to {url}: autopilot logout first.", Exit.USAGE)
        entered = await session.enter(parts.fragment)
    logins.remember(url, os.environ)
    if options.json:
        said = {"url": url, "name": entered.name, "worker_ids": entered.worker_ids, "expires_at": entered.expires_at}
        terminal.result(said)
    terminal.say(f"Until {entered.expires_at[:16]} you read {', '.join(entered.worker_ids)} at {url}.", markup=False)
