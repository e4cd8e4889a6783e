"""What is told beside the screen, in one line: what can't be done, and the way out of it."""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters import errors
from autopilot.client.presenters.errors import Trouble
from autopilot.contract.errors import AutopilotError
from autopilot.web.parts.icons import icon

AGAIN = "Look at your connection, and do it again."


def unreached() -> h.Element:
    """What scripts show of a form or link that reached no server."""
    return h.template("#unreached")[_notice(Trouble(errors.NETWORK[0], AGAIN, "retry"))]


def notice_of(error: AutopilotError) -> h.Element:
    """One line about it, beside what is on the screen."""
    return _notice(errors.trouble(error))


def reference(told: Trouble) -> h.Node:
    """Under which name it is found in the logs."""
    return h.small(".reference")[f"Request {told.reference}"] if told.reference else None


def _notice(told: Trouble) -> h.Element:
    return h.div(".notice.problem", role="alert")[
        h.p[told.sentence],
        h.p[told.hint],
        [h.p[f"{name}: {why}"] for name, why in told.fields],
        reference(told),
        h.button(".dismiss", {"type": "button", "data-dismiss": True, "aria-label": "Dismiss"})[icon("close")],
    ]
