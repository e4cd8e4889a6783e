"""Which server a command means, and how it is signed in there.

In this order: `--url` or AUTOPILOT_URL; the installation that runs on this machine; the server signed in to last. With
AUTOPILOT_TOKEN that token is used as it is; on the machine itself no sign-in is needed (`autopilot.cli.credentials`);
else the session of `autopilot login`. Every call leaves its line in the client's log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from autopilot.cli import prompts
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home, Running, home_for_up, running_home
from autopilot.cli.logins import last_login, session_of
from autopilot.cli.options import Options
from autopilot.client import RuntimeCodexClient
from autopilot.client import log as client_log
from autopilot.client.tokens import FixedToken, TokenSource
from autopilot.ops.program import autopilot


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and the home of the installation if it is this machine's."""

    url: str
    home: Home | None = None
    running: Running | None = None


def target_of(options: Options, environ: Mapping[str, str]) -> Target:
    """The server that a command means.

    Raises:
        CommandFailed: none is named, none runs here, and nobody signed in anywhere.
    """
    here = running_home(environ)
    if options.url:
        url = options.url.rstrip("/")
        return Target(url, *here) if here and here[1].url == url else Target(url)
    if here:
        return Target(here[1].url, *here)
    if url := last_login(environ):
        return Target(url)
    raise CommandFailed(
        "No Autopilot runs on this machine, and you are not signed in to one elsewhere. "
        f"Start it with `{autopilot('up')}`, or sign in with `{autopilot('login URL')}`.",
        Exit.UNREACHABLE,
    )


@asynccontextmanager
async def connected(options: Options) -> AsyncIterator[RuntimeCodexClient]:
    """A client of the server that the command means."""
    target = target_of(options, os.environ)
    async with client_of(target, os.environ) as client:
        yield client


@asynccontextmanager
async def client_of(target: Target, environ: Mapping[str, str]) -> AsyncIterator[RuntimeCodexClient]:
    """A client of `target`, signed in, that logs what it does."""
    home = target.home or home_for_up(environ)
    handler = client_log.to_file(home.logs / "client.log")
    try:
        async with (
            token_source(target, environ) as tokens,
            RuntimeCodexClient(target.url, tokens, surface="cli") as client,
        ):
            yield client
    finally:
        client_log.LOGGER.removeHandler(handler)
        handler.close()


@asynccontextmanager
async def token_source(target: Target, environ: Mapping[str, str]) -> AsyncIterator[TokenSource]:
    """What says who is asking."""
    if token := environ.get("AUTOPILOT_TOKEN", "").strip():
        if not (token.isascii() and token.isprintable()):
            raise CommandFailed("What AUTOPILOT_TOKEN holds is no token.", Exit.SIGN_IN, reason_code="no_token")
        yield FixedToken(token)
    elif target.home and target.running:
        from autopilot.cli.credentials import local_tokens  # noqa: PLC0415  the database's imports, only here needed

        yield local_tokens(target.home, target.running, environ)
    else:
        async with session_of(target.url, environ) as session:
            session.ask_code = _ask_code if sys.stdin.isatty() else None
            yield session


async def _ask_code() -> str:
    sys.stderr.write("This takes a fresh proof of who you are; a code is on its way to your mail.\nCode: ")
    sys.stderr.flush()
    return prompts.reply(sys.stdin.readline)
