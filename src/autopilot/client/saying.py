"""What is said to a worker, as requests: a new turn, words into the turn that runs, words for when it has ended.

Pure: which method and params, never a call. Which of these one may do, and how they are called: `presenters.composing`.
"""

from __future__ import annotations

from typing import Any

from autopilot.contract.errors import Conflict, InvalidRequest

ENDED = "The turn has ended meanwhile. Your words are still here: send them as a new turn."
NOTHING = "There is nothing to send yet."


def said(act: str, text: str, turn_id: str = "") -> tuple[str, dict[str, Any]]:
    """The request that says something: `send`, `steer` (the turn that runs) or `queue`.

    Raises:
        Conflict: `turn_ended`: no turn runs that could be steered.
        InvalidRequest: `nothing_said`; or `unknown_act`: another act.
    """
    if not text.strip():
        raise InvalidRequest(NOTHING, reason_code="nothing_said")
    words = {"input": [{"type": "text", "text": text}]}
    match act:
        case "send":
            return "turn/start", words
        case "queue":
            return "thread/queue/add", words
        case "steer" if turn_id:
            return "turn/steer", words | {"expectedTurnId": turn_id}
        case "steer":
            raise Conflict(ENDED, reason_code="turn_ended")
        case _:
            raise InvalidRequest("This form is not one of ours.", reason_code="unknown_act")


def interrupted(turn_id: str) -> tuple[str, dict[str, Any]]:
    """The request that interrupts the turn that runs.

    Raises:
        Conflict: `no_turn_runs`.
    """
    if not turn_id:
        raise Conflict("No turn runs that could be interrupted.", reason_code="no_turn_runs")
    return "turn/interrupt", {"turnId": turn_id}
