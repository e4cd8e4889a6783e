"""The four facts of a worker as a client knows them: what the server said last, and whether the server is there at all.

Whether the API can be had is for whoever asks it to know: a server that does not run says nothing. So the fact `api` is
the client's own, made of its looks; the others stay as they were said, each with the time at which it was true. Pure.
Source: docs/protocol.md, "Facts of health".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from autopilot.client.tokens import SignInAgain
from autopilot.contract import Health, HealthFact, WorkerSnapshot
from autopilot.contract.errors import AutopilotError, NetworkError, UnknownError
from autopilot.contract.instants import instant

LOOK_SECONDS = 15.0
"""So long an answer is waited for; a server that can't answer says so within 12 s."""
AGAIN_SECONDS = 5.0
"""After a look without an answer, the next is made this soon."""

UNKNOWN = HealthFact(state="unknown")
SERVING_TROUBLE = 500
"""From this status on, what is behind the API does not do its part; nor where an answer is none of ours."""


class ApiFact:
    """Fed with the outcome of every look."""

    def __init__(self) -> None:
        self._fact = UNKNOWN

    @property
    def fact(self) -> HealthFact:
        """`ok` (it answers), `unavailable` (it answers that it can't), `unreachable` (nothing answers), `unknown`.

        `as_of` is when it was last `ok` or, of `unavailable`, when it said so last; `detail` has `since`, when looks
        began to fail, and the `reason_code`.
        """
        return self._fact

    @property
    def is_well(self) -> bool:
        """Whether the last look was answered."""
        return self._fact.state == "ok"

    def answered(self, now: datetime) -> None:
        """A look was answered."""
        self._fact = HealthFact(state="ok", as_of=instant(now))

    def failed(self, error: AutopilotError, now: datetime) -> None:
        """A look was not: nobody answered, or with a refusal. Most refusals are an answer."""
        if isinstance(error, SignInAgain):  # also said without asking anybody, so it tells nothing of the API
            return
        is_serving = (error.status or 0) < SERVING_TROUBLE and not isinstance(error, UnknownError)
        if is_serving and not isinstance(error, NetworkError):
            self.answered(now)
            return
        since = (self._fact.detail or {}).get("since") or instant(now)
        detail = {"reason_code": error.reason_code, "since": since}
        if isinstance(error, NetworkError):
            self._fact = HealthFact(state="unreachable", as_of=self._fact.as_of, detail=detail)
        else:
            self._fact = HealthFact(state="unavailable", as_of=instant(now), detail=detail)


def known(worker: WorkerSnapshot | None, api: HealthFact) -> Health:
    """The four facts; those of a worker that nothing is known of are `unknown`."""
    if worker is None:
        return Health(api=api, machine=UNKNOWN, codex=UNKNOWN, data=UNKNOWN)
    return replace(worker.health, api=api)
