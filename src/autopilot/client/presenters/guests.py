"""Guests in words: who may look on, at what and until when. Pure: the web and the phone say it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from autopilot.client.presenters import standing
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.times import ago, left
from autopilot.contract import Guest, WorkerSummary

LONGEST_NAME = 100
MOST_OFFERED = 50
"""So many sessions are offered to be shown."""
TIMES = ((3600, "An hour"), (86400, "A day"), (604800, "A week"))
FIRST_TIME = 86400
NOBODY = "Nobody looks over your shoulder."
NOTHING_TO_SHOW = "There is no session of your own to show yet."
MEANS = "A guest reads these sessions live, and changes and answers nothing."
LINK = "It lets in once, whoever has it. It is shown here and nowhere else: send it now."
ENDING = "They read nothing more, within two seconds."
OLDER = "an older session"
ENDED = Label("They read nothing more.", "good")


def showable(workers: Iterable[WorkerSummary]) -> list[WorkerSummary]:
    """Those that are one's own to show."""
    return [one for one in workers if one.role in {None, "owner"}]


def can_be_made(name: str, worker_ids: Collection[str]) -> bool:
    """Whether an invitation says for whom it is and what it shows."""
    return bool(name.strip() and worker_ids)


def shown(guest: Guest, workers: Iterable[WorkerSummary]) -> str:
    """What somebody may read, by its titles."""
    titles = {worker.worker_id: standing.title(worker) for worker in workers}
    return ", ".join(titles.get(worker_id, OLDER) for worker_id in guest.worker_ids)


def stay(guest: Guest, now: datetime) -> str:
    """Whether they came, and how long they may stay."""
    came = f"Came {ago(guest.entered_at, now)}" if guest.entered_at else "Has not come yet"
    return f"{came} · for {left(guest.expires_at, now)} more"
