"""What can be asked of a worker, method by method: its params as Codex's schema has them, in words, with an example.

For whoever writes a request by hand. A pure table: tests/companion/test_method_table.py holds it to the methods that a
companion does, and to the newest recorded schema. Left out is what the companion says itself (`threadId`,
`clientUserMessageId`). A Codex of another version may know more params: an unknown name is told, and no fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_READS = "Reads; changes nothing."
_WORDS = {
    "input": 'What is said: [{"type": "text", "text": "…"}]',
    "expectedTurnId": "The turn that runs; refused if it is over",
    "turnId": "Which turn",
    "model": "Another model, from now on",
    "effort": "How hard the model thinks: low, medium, high, …",
    "summary": "Of the model's thoughts: auto, concise, detailed or none",
    "cwd": "The folder to work in",
    "approvalPolicy": "When Codex asks: untrusted, on-request or never",
    "sandboxPolicy": 'What commands may touch: {"type": "readOnly"}, workspaceWrite, dangerFullAccess',
    "sandbox": "What commands may touch: read-only, workspace-write or danger-full-access",
    "outputSchema": "A JSON schema that the last message has to fit",
    "name": "What it is called",
    "target": 'What is reviewed: {"type": "uncommittedChanges"}, baseBranch, commit, custom',
    "queuedSubmissionId": "Which queued message: thread/queue/list tells",
    "queuedSubmissionIds": "All queued messages, in their new order",
    "cursor": "Where to go on: `nextCursor` of the last answer",
    "limit": "How many at most",
    "sortDirection": "asc or desc",
    "includeTurns": "With its turns and items: may be large",
    "threadId": "Which thread; else this worker's",
    "searchTerm": "Words to look for",
    "archived": "Those that are put away",
    "lastTurnId": "The history ends with this turn",
    "beforeTurnId": "The history ends before this turn",
    "baseInstructions": "In place of Codex's own instructions",
    "developerInstructions": "Beside Codex's own instructions",
    "config": "Settings of Codex, as in its config.toml",
    "delivery": "inline, or detached in a thread of its own",
}


@dataclass(frozen=True, slots=True)
class Param:
    """One param of a method."""

    name: str
    types: tuple[str, ...]
    """JSON types; `any` for whatever."""
    is_required: bool
    words: str
    """What it means; empty where the name says it."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method, and what it takes."""

    name: str
    words: str
    params: tuple[Param, ...]
    example: dict[str, Any] = field(default_factory=dict)


def problems(method: str, params: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a request, a sentence each: Codex would refuse it.

    `null` is absent: so is it to Codex.
    """
    known = METHODS.get(method)
    if known is None:
        yield f"{method} is none of the methods that a companion does."
        return
    given = {name: value for name, value in params.items() if value is not None}
    for param in known.params:
        if param.is_required and param.name not in given:
            yield f"{param.name} is missing."
        elif param.name in given and not _fits(given[param.name], param.types):
            yield f"{param.name} has to be {_spoken(param.types)}."


def unknown(method: str, params: dict[str, Any]) -> list[str]:
    """Names of params that the recorded schema does not have."""
    known = METHODS.get(method)
    names = {param.name for param in known.params} if known else set()
    return [name for name in params if name not in names | _SAID_BY_COMPANION]


def _fits(value: Any, types: tuple[str, ...]) -> bool:
    return "any" in types or any(_is_of(value, one) for one in types)


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "array": (list,),
        "object": (dict,),
    }
    return isinstance(value, kinds.get(kind, ()))


def _spoken(types: tuple[str, ...]) -> str:
    said = {"array": "a list", "object": "an object", "integer": "a whole number", "boolean": "true or false"}
    return " or ".join(said.get(one, f"a {one}") for one in types)


def _method(name: str, words: str, params: str, /, **example: Any) -> Method:
    """Params as `name!: type|type`; `!` for what is required."""
    found: list[Param] = []
    for part in filter(None, params.split(", ")):
        called, _, types = part.partition(": ")
        plain = called.removesuffix("!")
        found.append(Param(plain, tuple(types.split("|")), called != plain, _WORDS.get(plain, "")))
    return Method(name, words, tuple(found), example)


_SAID_BY_COMPANION = frozenset({"threadId", "clientUserMessageId"})
_TEXT = [{"type": "text", "text": ""}]
_TABLE = (
    _method(
        "turn/start",
        "A new turn; while one runs, the words go into it.",
        "input!: array, additionalContext: object, approvalPolicy: object|string, approvalsReviewer: string, "
        "collaborationMode: object, cwd: string, cyberAccessProgram: string, disabledPluginIds: array, "
        "effort: string, environments: array, model: string, multiAgentMode: object|string, outputSchema: "
        "any, parentTurnId: string, permissions: string, personality: string, responsesapiClientMetadata: "
        "object, responsesapiClientMetadataPatch: object, rootTurnId: string, runtimeWorkspaceRoots: array, "
        "sandboxPolicy: object, serviceTier: string, serviceTierForTurn: string, summary: string, toolOutput: "
        "object, turnTrigger: string",
        input=_TEXT,
    ),
    _method(
        "turn/steer",
        "Words for the turn that runs.",
        "expectedTurnId!: string, input!: array, additionalContext: object, responsesapiClientMetadata: "
        "object, responsesapiClientMetadataPatch: object",
        expectedTurnId="",
        input=_TEXT,
    ),
    _method(
        "turn/interrupt",
        "Ends the turn that runs.",
        "turnId!: string",
        turnId="",
    ),
    _method(
        "review/start",
        "Reviews changes.",
        "target!: object, delivery: string",
        target={"type": "uncommittedChanges"},
    ),
    _method(
        "thread/archive",
        "Puts the session away.",
        "",
    ),
    _method(
        "thread/compact/start",
        "Makes its context smaller, by a summary.",
        "",
    ),
    _method(
        "thread/name/set",
        "Renames the session.",
        "name!: string",
        name="",
    ),
    _method(
        "thread/queue/add",
        "A message for after the turn.",
        "input!: array, responsesapiClientMetadata: object",
        input=_TEXT,
    ),
    _method(
        "thread/queue/delete",
        "Takes a queued message out.",
        "queuedSubmissionId!: string",
        queuedSubmissionId="",
    ),
    _method(
        "thread/queue/reorder",
        "Puts queued messages into another order.",
        "queuedSubmissionIds!: array",
        queuedSubmissionIds=[],
    ),
    _method(
        "thread/queue/start",
        "Begins a queued message now.",
        "queuedSubmissionId: string",
        queuedSubmissionId="",
    ),
    _method(
        "thread/queue/update",
        "Changes a queued message.",
        "input!: array, queuedSubmissionId!: string, responsesapiClientMetadata: object",
        queuedSubmissionId="",
        input=_TEXT,
    ),
    _method(
        "thread/settings/update",
        "What later turns use.",
        "approvalPolicy: object|string, approvalsReviewer: string, collaborationMode: object, cwd: string, "
        "disabledPluginIds: array, effort: string, environments: array, model: string, multiAgentMode: "
        "object|string, permissions: string, personality: string, sandboxPolicy: object, serviceTier: string, "
        "summary: string",
    ),
    _method(
        "thread/unarchive",
        "Takes it out again.",
        "",
    ),
    _method(
        "thread/items/list",
        _READS,
        "cursor: object|string, deferOutput: object, limit: integer, sortDirection: string, turnId: string",
        limit=20,
    ),
    _method(
        "thread/queue/list",
        _READS,
        "cursor: string, limit: integer",
    ),
    _method(
        "thread/read",
        _READS,
        "includeTurns: boolean",
    ),
    _method(
        "thread/turns/list",
        _READS,
        "cursor: string, itemsView: string, limit: integer, sortDirection: string",
        limit=20,
    ),
    _method(
        "thread/start",
        "A new worker on this one's machine.",
        "allowProviderModelFallback: boolean, approvalPolicy: object|string, approvalsReviewer: string, "
        "baseInstructions: string, config: object, cwd: string, daybreakEnabled: boolean, "
        "developerInstructions: string, dynamicTools: array, environments: array, historyMode: string, model: "
        "string, modelProvider: string, multiAgentMode: object|string, permissions: string, personality: "
        "string, projectId: string, runtimeWorkspaceRoots: array, sandbox: string, selectedCapabilityRoots: "
        "array, serviceName: string, serviceTier: string, sessionStartSource: string",
        cwd="",
    ),
    _method(
        "thread/resume",
        "Takes over a session, as a worker.",
        "threadId: string, approvalPolicy: object|string, approvalsReviewer: string, baseInstructions: "
        "string, config: object, cwd: string, developerInstructions: string, excludeTurns: boolean, history: "
        "array, initialTurnsPage: object, model: string, modelProvider: string, path: string, permissions: "
        "string, personality: string, runtimeWorkspaceRoots: array, sandbox: string, serviceTier: string",
    ),
    _method(
        "thread/fork",
        "A new worker with the history so far.",
        "threadId: string, approvalPolicy: object|string, approvalsReviewer: string, attachToSource: boolean, "
        "baseInstructions: string, beforeTurnId: string, config: object, cwd: string, deferGoalContinuation: "
        "boolean, developerInstructions: string, excludeTurns: boolean, lastTurnId: string, model: string, "
        "modelProvider: string, path: string, permissions: string, runtimeWorkspaceRoots: array, sandbox: "
        "string, serviceTier: string",
    ),
    _method(
        "account/rateLimits/read",
        _READS,
        "excludeResetCreditDetails: boolean, supportsLunaReserve: boolean",
    ),
    _method(
        "account/read",
        _READS,
        "refreshToken: boolean",
    ),
    _method(
        "mcpServerStatus/list",
        _READS,
        "cursor: string, detail: string, limit: integer, serverName: string",
    ),
    _method(
        "model/list",
        _READS,
        "cursor: string, includeHidden: boolean, limit: integer, modelProvider: string",
    ),
    _method(
        "permissionProfile/list",
        _READS,
        "cursor: string, cwd: string, limit: integer",
    ),
    _method(
        "skills/list",
        _READS,
        "cwds: array, forceReload: boolean",
    ),
    _method(
        "thread/list",
        _READS,
        "ancestorThreadId: string, archived: boolean, attachedToThreadId: string, currentAccountOnly: "
        "boolean, cursor: string, cwd: array|string, excludedThreadIds: array, includeAttachedThreads: "
        "boolean, limit: integer, modelProviders: array, originators: array, parentThreadId: string, "
        "projectId: string, searchTerm: string, sectionId: string, sortDirection: string, sortKey: string, "
        "sourceKinds: array, useStateDbOnly: boolean",
        limit=20,
    ),
    _method(
        "thread/loaded/list",
        _READS,
        "cursor: string, limit: integer",
    ),
)
METHODS: dict[str, Method] = {method.name: method for method in _TABLE}
"""By name; what acts on the worker first, then what makes a new one, then what only reads its machine."""
