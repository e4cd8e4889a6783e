"""Sign-ins that need no code, because whoever can read AUTOPILOT_HOME owns the installation anyway.

For the companion that `up` starts, and for commands on the same machine. Relies on the database being reachable;
keeps what it mints in the 0600 files of the client's token store. Nothing here is reachable over the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from autopilot.api import accounts
from autopilot.api.audit import Caller
from autopilot.api.codes import Codes
from autopilot.api.mail import CodeMail
from autopilot.api.sessions import Lifetimes, Sessions
from autopilot.api.settings import ApiSettings, Limits
from autopilot.api.step_up import at_the_machine
from autopilot.api.tokens import mint
from autopilot.cli.home import Home, Running
from autopilot.client.tokens import Credentials, FileTokenStore
from autopilot.contract.errors import Unauthorized, Unavailable
from autopilot.db.away import AWAY
from autopilot.db.pool import open_pool
from autopilot.ops.settings import Secret, load

LOCAL_SCOPES = ("administer",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a local sign-in is to be good for."""

    scopes: Iterable[str]
    surface: str
    name: str
    machine_id: str | None = None
    email: str | None = None
    """None: the owner of the installation."""
    lifetimes: Lifetimes
    """Of its tokens: those that the server's own have."""


class EndedByHand(Exception):
    """Somebody signed the kept session out, or revoked its device: nobody but a person undoes that."""


def lifetimes_of(environ: Mapping[str, str]) -> Lifetimes:
    """What the installation's settings say."""
    return load(ApiSettings, environ).lifetimes(Limits().grace_seconds)


async def ensure(
    pool: asyncpg.Pool, store: FileTokenStore, wanted: Wanted, base_url: str, *, heed_sign_out: bool = False
) -> Credentials:
    """Credentials that work, in `store`: those that lie there if they still do, else new ones.

    Raises:
        EndedByHand: with `heed_sign_out`, where a person ended the session that lies there.
    """
    async with store.exclusive():
        kept = store.load()
        fresh = await _refreshed(pool, kept, wanted, base_url) if kept else None
        if fresh is None and heed_sign_out and await _ended_by_hand(pool, kept):
            raise EndedByHand
        fresh = fresh or await _minted(pool, wanted, base_url)
        store.save(fresh)
        return fresh


async def _ended_by_hand(pool: asyncpg.Pool, kept: Credentials | None) -> bool:
    return (
        kept is not None and kept.refresh_token is not None and await Sessions(pool).ended_by_hand(kept.refresh_token)
    )


async def _refreshed(pool: asyncpg.Pool, kept: Credentials, wanted: Wanted, base_url: str) -> Credentials | None:
    if kept.refresh_token is None:
        return None
    try:
        tokens = await Sessions(pool, wanted.lifetimes).refresh(kept.refresh_token, Caller(surface="cli"))
    except Unauthorized:  # the database is another one, or the session was ended
        return None
    return Credentials(
        access_token=tokens.access,
        refresh_token=tokens.refresh,
        expires_at=_in(tokens.expires_in),
        user_id=tokens.account.user_id,
        email=tokens.account.email,
        base_url=base_url,
        lives_seconds=tokens.expires_in,
    )


async def _minted(pool: asyncpg.Pool, wanted: Wanted, base_url: str) -> Credentials:
    made = await mint(
        pool,
        email=wanted.email,
        scopes=wanted.scopes,
        machine_id=wanted.machine_id,
        surface=wanted.surface,
        name=wanted.name,
        lifetimes=wanted.lifetimes,
    )
    return Credentials(
        access_token=made.token,
        refresh_token=made.refresh_token,
        expires_at=_in(made.expires_in),
        user_id=made.userId,
        email=made.user.email,
        base_url=base_url,
        lives_seconds=made.expires_in,
    )


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@dataclass(slots=True)
class LocalTokens:
    """A token source for commands on the machine itself: renews what is stored, signs in anew where that has ended."""

    store: FileTokenStore
    database_url: str
    base_url: str
    lifetimes: Lifetimes

    async def access_token(self) -> str:
        """A token to try.

        Raises:
            Unavailable: the database can't be reached at the moment, so none can be made.
        """
        kept = self.store.load()
        ahead_seconds = min(30.0, self.lifetimes.access / 4)
        if kept and kept.base_url == self.base_url and kept.expires_at and kept.expires_at > _in(ahead_seconds):
            return kept.access_token
        return await self._new()

    async def renew(self, rejected: str) -> str:
        """Another token than `rejected`.

        Raises:
            Unavailable: as `access_token`.
        """
        kept = self.store.load()
        if kept and kept.access_token != rejected:
            return kept.access_token
        return await self._new()

    async def step_up(self) -> str | None:
        """A token that is stepped up: whoever has the database at hand has proved enough.

        Raises:
            Unavailable: as `access_token`.
        """
        return await self._new(stepped_up=True)

    async def _new(self, *, stepped_up: bool = False) -> str:
        wanted = Wanted(scopes=LOCAL_SCOPES, surface="cli", name="this machine", lifetimes=self.lifetimes)
        try:
            async with await open_pool(self.database_url, max_size=1, schema="api") as pool:
                token = (await ensure(pool, self.store, wanted, self.base_url)).access_token
                if stepped_up:
                    await at_the_machine(pool, token)
                return token
        except (asyncpg.PostgresError, *AWAY) as error:
            raise Unavailable(
                "the installation's database is not available", reason_code="database", outcome="not_recorded"
            ) from error


async def settle_owner(pool: asyncpg.Pool, wanted: str) -> str:
    """The e-mail address of the installation's owner: `wanted` on a new installation, else the one it has.

    Done before anybody can sign in, so that nobody becomes the owner by being first.
    """
    async with pool.acquire() as connection, connection.transaction():
        owner = await accounts.owner(connection)
        if owner.email is None:
            owner = await accounts.find_or_create(connection, wanted, owner_email=wanted)
    return owner.email or wanted


async def owner_code(pool: asyncpg.Pool, email: str, key: Secret) -> str:
    """A sign-in code for the owner, to be shown on this terminal."""
    limits = Limits()
    codes = Codes(
        pool, lambda: (key.reveal().encode(),), limits.code_seconds, limits.code_attempts, limits.codes_per_hour
    )
    code = await codes.issue(email, Caller(surface="cli"), at_the_machine=True)
    return CodeMail(email, code, round(limits.code_seconds / 60)).spaced_code


def local_tokens(home: Home, running: Running, environ: Mapping[str, str]) -> LocalTokens:
    """The token source of a command on the machine of a running installation."""
    store = FileTokenStore(home.cli / "credentials.json")
    return LocalTokens(store, running.database_url, running.url, lifetimes_of(environ))
