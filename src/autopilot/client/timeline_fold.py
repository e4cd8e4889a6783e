"""What one event does to a timeline. Pure.

Deltas are previews, `item/completed` is the truth, also when it comes after its turn ended; what is open when its turn
ends is closed then. Source of the methods: Codex's notifications; of the other types: docs/protocol.md, "Events".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from autopilot.client import timeline_approvals, timeline_ledger
from autopilot.client.timeline_board import Board
from autopilot.client.timeline_codex import (
    SHORT,
    changes_of,
    content_of,
    kind_of,
    list_of,
    number_of,
    object_of,
    status_of,
    text_of,
    tokens_of,
    wholes_of,
)
from autopilot.client.timeline_items import (
    AgentMessage,
    AutoReview,
    CommandExecution,
    Failure,
    FileChange,
    Hook,
    Item,
    Notice,
    Plan,
    PlanStep,
    Reasoning,
    Tokens,
    ToolCall,
    TurnDiff,
    TurnEnded,
    TurnStarted,
    Usage,
    UserMessage,
    clip,
    joined,
    json_text,
    tail,
)
from autopilot.client.timeline_records import Asked, Handshake, Lifecycle, PolicyDenied, Request
from autopilot.contract import Actor, Envelope

_QUESTIONS = ("requestApproval", "requestUserInput", "elicitation/request", "item/tool/call")
_NOTICES = frozenset(
    {
        *("warning", "guardianWarning", "configWarning", "deprecationNotice", "model/rerouted"),
        *("thread/goal/updated", "thread/reverted"),
    }
)
_REVERTED = "The thread was taken back to an earlier turn"
_REQUEST_ENDS = {"worker.response": "completed", "worker.error": "failed"}


class Step:
    """One event being applied to a board."""

    def __init__(self, board: Board, event: Envelope) -> None:
        self._board = board
        self._event = event
        self._limit = board.limits.text_characters
        self._payload = event.payload
        self._method = text_of(event.payload, "method")
        self._params = object_of(event.payload, "params")
        self._turn_id = text_of(self._params, "turnId") or text_of(object_of(self._params, "turn"), "id") or None
        self._changed: list[Item] = []

    def run(self) -> list[Item]:
        """Do it; the items that are new or other than before."""
        event_type = self._event.eventType
        if event_type in ("worker.started", "worker.stopped"):
            self._lifecycle(event_type.removeprefix("worker."))
        elif event_type.startswith("worker.request."):
            state = event_type.removeprefix("worker.request.")
            self._request("accepted" if state == "received" else state)
        elif event_type.startswith(timeline_approvals.PREFIX):
            self._approval()
        elif event_type == "worker.policy.denied":
            self._denied()
        elif event_type in _REQUEST_ENDS and text_of(self._payload, "request_id"):
            self._request(_REQUEST_ENDS[event_type])
        elif event_type == "worker.error":
            self._failure()
        elif event_type == "worker.event":
            self._notification()
        return self._changed

    def _notification(self) -> None:
        if self._payload.get("pruned") is True and not self._params:
            return  # retention left nothing to show; of a preview, its item says it all
        step = STEPS.get(self._method)
        if step is not None:
            step(self)
        elif self._method in timeline_ledger.ASKS or self._method == timeline_ledger.ACK:
            self._handshake()
        elif self._method in _NOTICES:
            words = [text_of(self._params, name) for name in ("message", "summary", "toModel")]
            words += [text_of(object_of(self._params, "goal"), "objective")]
            words += [_REVERTED] if self._method == "thread/reverted" else []
            self._notice(next(filter(None, words), ""))
        elif self._method.endswith(_QUESTIONS):
            self._notice(f"Codex asked: {self._method}")

    # Items.

    def started(self) -> None:
        """An item begins: its content is not whole yet."""
        before = self._before()
        if before is None or before.preview:  # else a copy that comes after the end
            self._item(completed=False)

    def completed(self) -> None:
        """An item ends: what it says now is the truth."""
        self._item(completed=True)

    def _item(self, *, completed: bool) -> None:
        raw = object_of(self._params, "item")
        kind, content = kind_of(raw), content_of(raw, self._limit)
        if kind is UserMessage:
            content["actor"] = self._who_said(content["client_id"])
        self._put(
            kind,
            self._key,
            status=status_of(raw, completed=completed),
            preview=not completed or "truncated" in self._params,
            wholes=wholes_of(self._payload),
            **content,
        )

    def _who_said(self, client_id: str | None) -> Actor | None:
        """Who asked for a message: its id is that of the request, or of the approval that it answers."""
        if client_id is None:
            return None
        by_approval = client_id.startswith(timeline_approvals.KEY)
        item = self._board.get(client_id if by_approval else f"request:{client_id}")
        return item.actor if isinstance(item, (Request, Asked)) else None

    def delta(self, kind: type[Item], name: str) -> None:
        """More of the text `name` of an item, which may not be all of it."""
        before = self._before()
        if before is None:
            self._put(kind, self._key, status="open", preview=True, **{name: self._delta_text("")})
        elif before.preview and isinstance(before, kind):
            self._put(kind, self._key, **{name: self._delta_text(getattr(before, name))})

    def _delta_text(self, before: str) -> str:
        return tail(before + text_of(self._params, "delta"), self._limit)

    def summary_part(self) -> None:
        """A reasoning summary goes on with another paragraph."""
        before = self._before()
        if isinstance(before, Reasoning) and before.preview and before.summary:
            self._put(Reasoning, self._key, summary=before.summary + "\n\n")

    def patch(self) -> None:
        """A file change as it is being written."""
        before = self._before()
        changes = changes_of(self._params, self._limit)
        if before is None:
            self._put(FileChange, self._key, status="open", preview=True, changes=changes)
        elif before.preview and isinstance(before, FileChange):
            self._put(FileChange, self._key, changes=changes)

    def progress(self) -> None:
        """A tool says how far it is."""
        before = self._before()
        if isinstance(before, ToolCall) and before.preview:
            self._put(ToolCall, self._key, progress=tail(text_of(self._params, "message"), self._limit))

    def typed(self) -> None:
        """The model types into a command that runs."""
        before = self._before()
        if isinstance(before, CommandExecution):
            typed = tail(before.typed + text_of(self._params, "stdin"), SHORT)
            self._put(CommandExecution, self._key, typed=typed)

    def auto_review(self) -> None:
        """A model judges instead of a person, or has judged."""
        review, action = object_of(self._params, "review"), object_of(self._params, "action")
        verdict = text_of(review, "status")
        words = text_of(action, "command") or json_text(action or None)
        self._put(
            AutoReview,
            f"auto-review:{text_of(self._params, 'reviewId')}",
            status="open" if verdict == "inProgress" else "declined" if verdict == "denied" else "completed",
            action=clip(words, self._limit),
            verdict=clip(verdict, SHORT),
            risk=clip(text_of(review, "riskLevel"), SHORT) or None,
            rationale=clip(text_of(review, "rationale"), self._limit) or None,
        )

    def hook(self) -> None:
        """A hook of the user's begins or ends."""
        run = object_of(self._params, "run")
        status = text_of(run, "status")
        said = [text_of(entry, "text") for entry in list_of(run, "entries") if isinstance(entry, dict)]
        self._put(
            Hook,
            f"hook:{self._turn_id}:{text_of(run, 'id')}",
            status={"running": "open"}.get(status, status) or "completed",
            event=clip(text_of(run, "eventName"), SHORT),
            text=clip(joined([text_of(run, "statusMessage"), *said]), self._limit),
            duration_ms=number_of(run, "durationMs"),
        )

    @property
    def _key(self) -> str:
        item_id = text_of(self._params, "itemId") or text_of(object_of(self._params, "item"), "id")
        return f"item:{self._turn_id}:{item_id}"

    def _before(self) -> Item | None:
        return self._board.get(self._key)

    # Turns.

    def turn_started(self) -> None:
        """A turn begins; one whose end was never heard ended before it."""
        if self._turn_id is None or self._board.get(f"turn:{self._turn_id}") is not None:
            return
        self._close("interrupted")
        self._board.active_turn_id = self._turn_id
        self._put(TurnStarted, f"turn:{self._turn_id}")

    def turn_completed(self) -> None:
        """A turn ends, and with it what it left open."""
        turn = object_of(self._params, "turn")
        status = text_of(turn, "status") or "completed"
        self._close("unfinished" if status == "completed" else "interrupted", turn_id=self._turn_id)
        if self._board.active_turn_id == self._turn_id:
            self._board.active_turn_id = None
        self._put(
            TurnEnded,
            f"turn-end:{self._turn_id}",
            status=status,
            error=clip(text_of(object_of(turn, "error"), "message"), self._limit) or None,
            duration_ms=number_of(turn, "durationMs"),
        )

    def _close(self, status: str, *, turn_id: str | None = None) -> None:
        self._changed += self._board.close(status, seq=self._event.seq, turn_id=turn_id)

    def turn_diff(self) -> None:
        """All that a turn changed so far."""
        self._put(
            TurnDiff,
            f"diff:{self._turn_id}",
            diff=clip(text_of(self._params, "diff"), self._limit),
            wholes=wholes_of(self._payload),
        )

    def turn_plan(self) -> None:
        """The steps of a turn."""
        steps = [step for step in list_of(self._params, "plan") if isinstance(step, dict)]
        self._put(
            Plan,
            f"plan:{self._turn_id}",
            steps=tuple(
                PlanStep(step=clip(text_of(step, "step"), self._limit), status=text_of(step, "status"))
                for step in steps
            ),
            text=clip(text_of(self._params, "explanation"), self._limit),
        )

    def usage(self) -> None:
        """What one answer of the model cost."""
        told = object_of(self._params, "tokenUsage")
        before = self._board.get(f"usage:{self._turn_id}")
        self._put(
            Usage,
            f"usage:{self._turn_id}",
            turn=_sum(before.turn if isinstance(before, Usage) else Tokens(), tokens_of(told.get("last"))),
            thread=tokens_of(told.get("total")),
            context_window=number_of(told, "modelContextWindow"),
        )

    # What is no item of Codex.

    def _failure(self) -> None:
        error = object_of(self._params, "error")
        reason = error.get("codexErrorInfo")
        self._put(
            Failure,
            f"error:{self._event.seq}",
            message=clip(text_of(error, "message") or text_of(self._params, "message"), self._limit),
            reason=reason if isinstance(reason, str) else clip(json_text(reason), self._limit) or None,
            will_retry=self._params.get("willRetry") is True,
        )

    def _notice(self, text: str) -> None:
        self._put(Notice, f"notice:{self._event.seq}", type=self._method, text=clip(text, self._limit))

    def _lifecycle(self, event: str) -> None:
        if event == "stopped":
            self._close("interrupted")
            self._board.active_turn_id = None
        asked = self._board.get(f"request:{text_of(self._payload, 'request_id')}")
        told = timeline_ledger.lifecycle(self._event, asked, self._limit)
        self._put(Lifecycle, f"{event}:{self._event.seq}", event=event, **told)

    def _request(self, state: str, **more: Any) -> None:
        key = f"request:{text_of(self._payload, 'request_id')}"
        before = self._board.get(key)
        request = before if isinstance(before, Request) else None
        self._put(Request, key, **timeline_ledger.request(self._event, request, state, self._limit), **more)

    def _denied(self) -> None:
        denial = timeline_ledger.denial(self._payload, self._limit)
        if text_of(self._payload, "request_id"):
            self._request("rejected", denial=denial)
            return
        self._put(
            PolicyDenied,
            f"denied:{self._event.seq}",
            status="declined",
            denial=denial,
            approval_id=text_of(self._payload, "approval_id") or None,
            what=clip(text_of(self._payload, "kind"), SHORT),
            actor=self._event.actor,
        )

    def _handshake(self) -> None:
        handshake_id = text_of(self._payload, "handshake_id")
        key = f"handshake:{handshake_id}"
        before = self._board.get(key)
        told = timeline_ledger.handshake(self._event, before if isinstance(before, Handshake) else None)
        if handshake_id and told:
            self._put(Handshake, key, handshake_id=handshake_id, **({} if before else {"status": "open"}) | told)

    def _approval(self) -> None:
        approval_id = timeline_approvals.id_of(self._payload)
        if approval_id:
            key = f"{timeline_approvals.KEY}{approval_id}"
            before = self._board.get(key)
            asked = before if isinstance(before, Asked) else None
            self._turn_id = asked.turn_id if asked else self._turn_id
            told = timeline_approvals.told(self._event, asked, self._limit)
            if told:
                self._put(Asked, key, approval_id=approval_id, **told)

    def _put(self, kind: type[Item], key: str, **content: Any) -> None:
        """A new item at the end, or the same one changed in its place."""
        before = self._board.get(key)
        if before is not None and isinstance(before, kind):
            item = replace(before, last_seq=self._event.seq, **content)
        else:
            item = kind(
                key=key,
                seq=before.seq if before else self._event.seq,
                last_seq=self._event.seq,
                at=before.at if before else self._event.occurredAt,
                turn_id=self._turn_id,
                **content,
            )
        self._changed.append(self._board.put(item))


def _sum(one: Tokens, other: Tokens) -> Tokens:
    return Tokens(
        total=one.total + other.total,
        input=one.input + other.input,
        cached_input=one.cached_input + other.cached_input,
        output=one.output + other.output,
        reasoning_output=one.reasoning_output + other.reasoning_output,
    )


STEPS: dict[str, Callable[[Step], None]] = {
    "item/started": Step.started,
    "item/completed": Step.completed,
    "item/agentMessage/delta": lambda step: step.delta(AgentMessage, "text"),
    "item/plan/delta": lambda step: step.delta(Plan, "text"),
    "item/reasoning/summaryTextDelta": lambda step: step.delta(Reasoning, "summary"),
    "item/reasoning/textDelta": lambda step: step.delta(Reasoning, "text"),
    "item/reasoning/summaryPartAdded": Step.summary_part,
    "item/commandExecution/outputDelta": lambda step: step.delta(CommandExecution, "output"),
    "item/fileChange/patchUpdated": Step.patch,
    "item/mcpToolCall/progress": Step.progress,
    "item/commandExecution/terminalInteraction": Step.typed,
    "item/autoApprovalReview/started": Step.auto_review,
    "item/autoApprovalReview/completed": Step.auto_review,
    "hook/started": Step.hook,
    "hook/completed": Step.hook,
    "turn/started": Step.turn_started,
    "turn/completed": Step.turn_completed,
    "turn/diff/updated": Step.turn_diff,
    "turn/plan/updated": Step.turn_plan,
    "thread/tokenUsage/updated": Step.usage,
}
"""What each notification does; others show nothing."""
