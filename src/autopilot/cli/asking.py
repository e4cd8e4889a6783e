"""What lets a request be repeated without doing it twice: its id, settled before it is sent.

It is said wherever an answer leaves open what became of the request. Relies on `client.doubt` for which do; asks
nothing itself.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.client.doubt import leaves_doubt
from autopilot.contract.errors import AutopilotError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the command line names it."""

    request_id: str
    worker_id: str | None = None
    machine_id: str | None = None
    """Neither: a new thread."""

    @property
    def again(self) -> str:
        """The options that mean the same request: where nobody was named, another one may be the most recent by now."""
        if self.worker_id is not None:
            where = ("--worker", self.worker_id)
        elif self.machine_id is not None:
            where = ("--machine", self.machine_id)
        else:
            where = ("--new",)
        return shlex.join((*where, "--request-id", self.request_id))

    @contextlib.contextmanager
    def in_doubt(self) -> Iterator[None]:
        """Say how to ask again, where an error leaves open whether the request was recorded.

        Raises:
            CommandFailed: instead of such an error.
        """
        try:
            yield
        except AutopilotError as error:
            if not leaves_doubt(error):
                raise
            raise CommandFailed(
                f"{error.message.rstrip('.')}. Nobody knows whether the request was recorded: repeat the command with "
                f"{self.again}, and it is done once.",
                Exit.UNDECIDED,
                reason_code="in_doubt",
                outcome="unknown",
                asked=self.request_id,
            ) from error
