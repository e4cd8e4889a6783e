"""With which token the companion speaks to the API, and what it says when that token has ended.

Owns the choice (the settings' token, else the paired credentials) and the words about its end: to the log for whoever
looks after this machine, and to the supervisor, which signs a companion of its own in anew. Never makes a session:
that takes somebody who may.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import structlog

from autopilot.client import FileTokenStore, Session, SignInAgain, TokenSource
from autopilot.client.session import SessionState
from autopilot.client.tokens import FixedToken
from autopilot.companion.settings import DEFAULT_BASE_URL, CompanionSettings
from autopilot.ops.clock import Clock
from autopilot.ops.program import autopilot

Word = Literal["signed_out", "token_refused"]
Say = Callable[[Word], None]
"""Takes a word to the supervisor."""

REFUSED = (
    "the token in OPENAGENTS_RUNTIME_SYNC_TOKEN is refused. Make another one (`autopilot token --scope execute "
    "--machine {machine_id}` at the installation) and start the companion with it, or start it without that setting"
)
SIGN_IN_AGAIN = (
    "this machine is signed out. `{up}` signs its own companion in anew by itself, unless somebody signed it "
    "out: then start `{up}` again; a companion elsewhere needs new credentials"
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SettingsToken:
    """The settings' token: there is no other, and when it is refused that is said once."""

    token: FixedToken
    machine_id: str
    say: Say
    _said: bool = field(default=False, init=False)

    async def access_token(self) -> str:
        """The token."""
        return await self.token.access_token()

    async def renew(self, rejected: str) -> str:
        """Refuse: there is no other.

        Raises:
            SignInAgain: always.
        """
        try:
            return await self.token.renew(rejected)
        except SignInAgain:
            if not self._said:
                self._said = True
                log.error("companion.token_refused", do=REFUSED.format(machine_id=self.machine_id))  # noqa: TRY400  no traceback tells more
                self.say("token_refused")
            raise


@asynccontextmanager
async def signed_in(
    settings: CompanionSettings, store: FileTokenStore, machine_id: str, *, clock: Clock, say: Say
) -> AsyncIterator[tuple[str, TokenSource]]:
    """The API's address, and what says who is asking there."""
    held = store.load()
    base_url = settings.base_url or (held.base_url if held else None) or DEFAULT_BASE_URL
    if settings.token is not None:
        yield base_url, SettingsToken(FixedToken(settings.token.reveal()), machine_id, say)
        return

    def became(state: SessionState) -> None:
        if state.kind == "signed_out":
            why = state.reason.reason_code if state.reason else "no credentials"
            log.error("companion.signed_out", reason=why, do=SIGN_IN_AGAIN.format(up=autopilot("up")))
            say("signed_out")
        else:
            log.info("companion.signed_in")

    async with Session(base_url, store, surface="companion", clock=clock) as session:
        session.on_state(became)
        yield base_url, session
