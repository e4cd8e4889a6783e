"""The session of this machine's own companion: made before it starts, and anew when the companion says that it is over.

A session ends without anybody's doing when the answer to a refresh is lost and the server stays away for longer than
it forgives, when the database is another one or an older copy, when the credentials' file is lost. Whoever may run
`autopilot up` owns the installation, so that a new one is made; the old one stays ended. What a person ended stays
ended until `autopilot up` is started again. Never touches the credentials of other machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg
import structlog

from autopilot.cli.credentials import EndedByHand, Wanted, ensure
from autopilot.client.tokens import FileTokenStore
from autopilot.db.away import AWAY
from autopilot.db.pool import open_pool
from autopilot.ops.clock import Clock
from autopilot.ops.program import autopilot

AGAIN_SECONDS = 2.0
REFUSED = (
    "autopilot: the companion's token (OPENAGENTS_RUNTIME_SYNC_TOKEN) is refused. Start it with another one, "
    "or without that setting."
)

log = structlog.get_logger("autopilot.own_machine")


@dataclass(slots=True, kw_only=True)
class OwnMachine:
    """Keeps this machine's companion signed in."""

    store: FileTokenStore
    wanted: Wanted
    url: str
    dsn: str
    clock: Clock
    remark: Callable[[str], None]
    """Takes a line to whoever started `autopilot up`."""
    _signed_out: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def sign_in(self, *, heed_sign_out: bool = False) -> None:
        """Have credentials that work in the store.

        Raises:
            EndedByHand: with `heed_sign_out`, where a person ended the session that lies there.
        """
        async with await open_pool(self.dsn, max_size=1, schema="api") as pool:
            await ensure(pool, self.store, self.wanted, self.url, heed_sign_out=heed_sign_out)

    def heard(self, word: str) -> None:
        """What the companion said."""
        if word == "signed_out":
            self._signed_out.set()
        elif word == "token_refused":
            self.remark(REFUSED)
        else:
            log.warning("companion.said", word=word)

    async def keep(self) -> None:
        """Sign it in anew whenever it says that it is signed out; forever."""
        while True:
            await self._signed_out.wait()
            self._signed_out.clear()
            await self._until_done(lambda: self.sign_in(heed_sign_out=True))

    async def _until_done(self, doing: Callable[[], Awaitable[None]]) -> None:
        """Also over a database or a disk that is away for long: nobody else would do it."""
        while True:
            try:
                await doing()
            except EndedByHand:
                log.warning("companion.signed_out_by_hand")
                self.remark(ended_by_hand())
                return
            except (*AWAY, asyncpg.PostgresError) as error:  # OSError among them: a full disk, a lock held for long
                log.warning("companion.not_signed_in", error=str(error))
                await self.clock.sleep(AGAIN_SECONDS)
            else:
                log.info("companion.signed_in_anew")
                return


def ended_by_hand() -> str:
    """What is said where a person signed it out."""
    up = autopilot("up")
    return f"autopilot: this machine's companion was signed out by somebody. Start `{up}` again to sign it in anew."
