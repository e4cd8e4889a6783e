"""May it be done? Commands, file changes, permissions, and the two questions of older Codex versions. Pure.

Codex lists the decisions that its own terminal would show; `decline` and `acceptForSession` work although they are not
listed (docs/guide/companion.md), and a plain "No" is what most people want.
"""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Any

from autopilot.companion.codex import forms
from autopilot.companion.codex.forms import Choice, Form, Kind, Params
from autopilot.contract import (
    ApprovalChange,
    ApprovalEffect,
    ApprovalEvidence,
    ApprovalKind,
    ApprovalOption,
    ApprovalRisk,
    ArtifactRef,
    decode,
)

FILES = 500

ONCE_ONLY = frozenset({"humanCommand", "writeStdin"})
"""Kinds of a command question of which each is decided by itself."""
HARMLESS_ACTIONS = frozenset({"read", "listFiles", "search"})
"""What Codex itself recognised a command as."""
FAR_REACHING = frozenset(
    {"rm", "rmdir", "dd", "mkfs", "shred", "truncate", "shutdown", "reboot", "kill", "pkill", "killall"}
    | {"sudo", "su", "curl", "wget", "ssh", "scp", "rsync", "nc"}
)
"""Words that destroy or reach out wherever they stand in a command; others may, too."""

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish"})
"""Of whose commands a title shows the script alone."""

_LASTING = ApprovalEffect.ACCEPT_LASTING


def command_form(params: Params, item: Params | None) -> Form:
    """`item/commandExecution/requestApproval`."""
    command = forms.word(params, "command") or forms.word(item or {}, "command")
    cwd = forms.word(params, "cwd") or forms.word(item or {}, "cwd")
    network = params.get("networkApprovalContext")
    host = network.get("host") if isinstance(network, dict) else None
    reason = forms.word(params, "reason")
    facts = forms.facts(
        ("host", "Host", host),
        ("protocol", "Protocol", network.get("protocol") if isinstance(network, dict) else None),
        ("reason", "Why", reason),
        ("cwd", "Folder", cwd),
        ("environment", "Environment", _unless(params.get("environmentId"), "local")),
        ("permissions", "It would also get", _without_nulls(params.get("additionalPermissions"))),
    )
    return Form(
        kind=ApprovalKind.COMMAND,
        title=_command_title(params, command, host),
        options=[one for one, _ in _command_options(params)],
        evidence=ApprovalEvidence(command=tuple(_split(command)), cwd=cwd, reason=reason, command_line=command),
        facts=facts,
        risk=_command_risk(params, command),
    )


def command_answer(params: Params, choice: Choice) -> dict[str, Any]:
    """`{decision}`: Codex's own word, or object, for the option."""
    return {"decision": {one.option_id: decision for one, decision in _command_options(params)}[choice.option_id]}


def file_form(params: Params, item: Params | None) -> Form:
    """`item/fileChange/requestApproval`; Codex sends no diff with it: `item` has it, if we heard of it."""
    changes = _changes(forms.rows((item or {}).get("changes")))
    root, reason = forms.word(params, "grantRoot"), forms.word(params, "reason")
    unknown = "too large to be shown here" if item else "not known: the change was begun before Autopilot listened"
    facts = forms.facts(
        ("reason", "Why", reason),
        ("grant_root", "And from now on anything below", root),
        ("files", "Files", [f"{one.kind} {one.path}" for one in changes]),
        ("diff", "Diff", None if changes else unknown),
    )
    removes = any(one.kind == "delete" for one in changes)
    return Form(
        kind=ApprovalKind.FILE_CHANGE,
        title=_files_title([one.path for one in changes]),
        options=_yes_or_no("Yes, change them", "Yes, and these files from now on in this session"),
        evidence=ApprovalEvidence(reason=reason, changes=tuple(changes)),
        facts=facts,
        risk=ApprovalRisk.HIGH if removes or root is not None else ApprovalRisk.MEDIUM,
    )


def file_answer(_params: Params, choice: Choice) -> dict[str, Any]:
    """`{decision}`."""
    return {"decision": choice.option_id}


def permissions_form(params: Params, _item: Params | None) -> Form:
    """`item/permissions/requestApproval`."""
    wanted = params.get("permissions") if isinstance(params.get("permissions"), dict) else {}
    assert isinstance(wanted, dict)
    files = wanted.get("fileSystem") if isinstance(wanted.get("fileSystem"), dict) else {}
    assert isinstance(files, dict)
    network = wanted.get("network")
    reason, cwd = forms.word(params, "reason"), forms.word(params, "cwd")
    facts = forms.facts(
        ("reason", "Why", reason),
        ("write", "May write", forms.words(files.get("write"))),
        ("read", "May read", forms.words(files.get("read"))),
        ("entries", "In detail", [_entry(one) for one in forms.rows(files.get("entries"))]),
        ("network", "Network", _without_nulls(network)),
        ("cwd", "Folder", cwd),
    )
    options = [
        forms.option("grant_turn", "Yes, for this turn", ApprovalEffect.ACCEPT),
        forms.option("grant_session", "Yes, for the whole session", _LASTING),
        forms.decline(),
    ]
    return Form(
        kind=ApprovalKind.PERMISSIONS,
        title="Give Codex more permissions?",
        options=options,
        evidence=ApprovalEvidence(cwd=cwd, reason=reason),
        facts=facts,
        risk=ApprovalRisk.HIGH,
    )


def permissions_answer(params: Params, choice: Choice) -> dict[str, Any]:
    """`{permissions, scope}`: exactly what was asked for, or nothing."""
    if choice.option_id == "decline":
        return {"permissions": {"network": None, "fileSystem": None}, "scope": "turn"}
    scope = "session" if choice.option_id == "grant_session" else "turn"
    return {"permissions": params.get("permissions"), "scope": scope}


def legacy_command_form(params: Params, _item: Params | None) -> Form:
    """`execCommandApproval`."""
    command = forms.words(params.get("command"))
    line, cwd, reason = shlex.join(command), forms.word(params, "cwd"), forms.word(params, "reason")
    return Form(
        kind=ApprovalKind.LEGACY_COMMAND,
        title=f"Run {_quoted(_script(command) or line)}?",
        options=_legacy_options(),
        evidence=ApprovalEvidence(command=tuple(command), cwd=cwd, reason=reason, command_line=line),
        facts=forms.facts(("reason", "Why", reason), ("cwd", "Folder", cwd)),
        risk=_risk_of_words(line),
    )


def legacy_patch_form(params: Params, _item: Params | None) -> Form:
    """`applyPatchApproval`: these carry their changes."""
    told = params.get("fileChanges")
    named = told.items() if isinstance(told, dict) else ()
    changes = _changes([_legacy_change(path, change) for path, change in named if isinstance(change, dict)])
    root, reason = forms.word(params, "grantRoot"), forms.word(params, "reason")
    return Form(
        kind=ApprovalKind.LEGACY_PATCH,
        title=_files_title([one.path for one in changes]),
        options=_legacy_options(),
        evidence=ApprovalEvidence(reason=reason, changes=tuple(changes)),
        facts=forms.facts(("reason", "Why", reason), ("grant_root", "And from now on anything below", root)),
        risk=ApprovalRisk.HIGH if root or any(one.kind == "delete" for one in changes) else ApprovalRisk.MEDIUM,
    )


def legacy_answer(_params: Params, choice: Choice) -> dict[str, Any]:
    """`{decision}` in the older words; a refusal carries its reason to the model."""
    if choice.option_id == "denied":
        return {"decision": {"denied": {"rejection": choice.message or forms.NOT_ALLOWED}}}
    return {"decision": choice.option_id}


COMMAND = Kind(command_form, command_answer)
FILE_CHANGE = Kind(file_form, file_answer)
PERMISSIONS = Kind(permissions_form, permissions_answer)
LEGACY_COMMAND = Kind(legacy_command_form, legacy_answer)
LEGACY_PATCH = Kind(legacy_patch_form, legacy_answer)


def _command_options(params: Params) -> list[tuple[ApprovalOption, Any]]:
    """Each option with the decision it stands for: what Codex lists, and what works besides."""
    listed = params.get("availableDecisions")
    decisions = list(listed) if isinstance(listed, list) else _decisions_by_default(params)
    if "acceptForSession" not in decisions and forms.word(params, "kind") not in ONCE_ONLY:
        decisions.insert(1 if decisions[:1] == ["accept"] else 0, "acceptForSession")
    if "decline" not in decisions:
        decisions.insert(len(decisions) - (decisions[-1:] == ["cancel"]), "decline")
    counts: dict[str, int] = {}
    found: list[tuple[ApprovalOption, Any]] = []
    for decision in decisions:
        made = _command_option(decision)
        if made is None:
            continue
        counts[made.option_id] = counts.get(made.option_id, 0) + 1
        if counts[made.option_id] > 1:
            made = forms.option(f"{made.option_id}:{counts[made.option_id]}", made.label, ApprovalEffect(made.effect))
        found.append((made, decision))
    return found


def _decisions_by_default(params: Params) -> list[Any]:
    """Where Codex lists none (an older one): what it takes."""
    amendment = params.get("proposedExecpolicyAmendment")
    networks = forms.rows(params.get("proposedNetworkPolicyAmendments"))
    lasting: list[Any] = [{"acceptWithExecpolicyAmendment": {"execpolicy_amendment": amendment}}] if amendment else []
    lasting += [{"applyNetworkPolicyAmendment": {"network_policy_amendment": one}} for one in networks]
    return ["accept", *lasting, "cancel"]


def _command_option(decision: Any) -> ApprovalOption | None:
    """None: a decision that this version does not know, and could not put into words."""
    plain = {
        "accept": forms.option("accept", "Yes, this once", ApprovalEffect.ACCEPT),
        "acceptForSession": forms.option("acceptForSession", "Yes, and the same again in this session", _LASTING),
        "decline": forms.decline(),
        "cancel": forms.option("cancel", "No, and stop the turn", ApprovalEffect.CANCEL),
    }
    if isinstance(decision, str):
        return plain.get(decision)
    if not isinstance(decision, dict) or len(decision) != 1:
        return None
    ((name, told),) = decision.items()
    inner = next(iter(told.values()), None) if isinstance(told, dict) else None
    if name == "acceptWithExecpolicyAmendment":
        begins = shlex.join(forms.words(inner))
        return forms.option(name, f"Yes, and whatever begins with {_quoted(begins)} from now on", _LASTING, begins)
    if name == "applyNetworkPolicyAmendment" and isinstance(inner, dict):
        allow, host = inner.get("action") == "allow", forms.text(inner.get("host"))
        label = f"{'Yes' if allow else 'No'}, and {'always' if allow else 'never'} {host} from now on"
        return forms.option(name, label, _LASTING if allow else ApprovalEffect.DECLINE)
    return None


def _command_title(params: Params, command: str | None, host: Any) -> str:
    if isinstance(host, str) and host:
        return f"Let the command reach {host}?"
    shown = _quoted(_inner(params, command)) if command else "a command"
    if params.get("kind") == "writeStdin":
        return f"Type into {shown}?"
    return f"Run {shown}?"


def _inner(params: Params, command: str | None) -> str:
    """The command without the shell around it, where Codex tells."""
    actions = forms.rows(params.get("commandActions"))
    inner = forms.word(actions[0], "command") if len(actions) == 1 else None
    return inner or command or ""


def _script(command: list[str]) -> str | None:
    """What a shell is to run: the last of `sh -c script`; None: it is no such command."""
    match command:
        case [shell, "-c" | "-lc" | "-ic", script] if PurePath(shell).name in SHELLS:
            return script
    return None


def _command_risk(params: Params, command: str | None) -> ApprovalRisk:
    beyond = ("reason", "networkApprovalContext", "additionalPermissions")
    if any(params.get(name) for name in beyond) or forms.word(params, "kind") in ONCE_ONLY:
        return ApprovalRisk.HIGH
    actions = forms.rows(params.get("commandActions"))
    if actions and all(forms.word(one, "type") in HARMLESS_ACTIONS for one in actions):
        return ApprovalRisk.LOW
    return _risk_of_words(command or "")


def _risk_of_words(command: str) -> ApprovalRisk:
    if not command:
        return ApprovalRisk.UNKNOWN
    spoken = {PurePath(one.strip("'\"();&|`$")).name for one in command.split()}
    return ApprovalRisk.HIGH if spoken & FAR_REACHING else ApprovalRisk.MEDIUM


def _changes(told: list[dict[str, Any]]) -> list[ApprovalChange]:
    """The files, with their diffs as far as their event has them (large.py)."""
    found: list[ApprovalChange] = []
    for one in told[:FILES]:
        kind = one.get("kind")
        kind = kind if isinstance(kind, dict) else {"type": kind}
        diff = one.get("diff") if isinstance(one.get("diff"), str) else None
        artifact = one.get("artifact")
        found.append(
            ApprovalChange(
                path=forms.text(one.get("path") or "?"),
                kind=forms.text(kind.get("type") or "update"),
                diff=diff,
                move_path=forms.word(kind, "move_path"),
                truncated=True if artifact is not None else None,
                artifact=None if artifact is None else decode(ArtifactRef, artifact),
            )
        )
    return found


def _legacy_change(path: str, change: dict[str, Any]) -> dict[str, Any]:
    diff = change.get("unified_diff") or change.get("content")
    kind = {"type": change.get("type"), "move_path": change.get("move_path")}
    return {"path": path, "kind": kind, "diff": diff, "artifact": change.get("artifact")}


def _yes_or_no(once: str, lasting: str) -> list[ApprovalOption]:
    return [
        forms.option("accept", once, ApprovalEffect.ACCEPT),
        forms.option("acceptForSession", lasting, _LASTING),
        forms.decline(),
        forms.option("cancel", "No, and stop the turn", ApprovalEffect.CANCEL),
    ]


def _legacy_options() -> list[ApprovalOption]:
    return [
        forms.option("approved", "Yes, this once", ApprovalEffect.ACCEPT),
        forms.option("approved_for_session", "Yes, and the same again in this session", _LASTING),
        forms.option("denied", "No, go on without it", ApprovalEffect.DECLINE, message=True),
        forms.option("abort", "No, and stop the turn", ApprovalEffect.CANCEL),
    ]


def _files_title(paths: list[str]) -> str:
    if not paths:
        return "Change files?"
    name = PurePath(paths[0]).name
    if len(paths) == 1:
        return f"Change {name}?"
    return f"Change {name} and {len(paths) - 1} more file{'s' if len(paths) > len(('one', 'another')) else ''}?"


def _quoted(words: str) -> str:
    return f"“{forms.line(words)}”"


def _split(command: str | None) -> list[str]:
    try:
        return shlex.split(command or "")
    except ValueError:  # an open quote
        return [command or ""]


def _unless(value: Any, usual: str) -> Any:
    return None if value == usual else value


def _without_nulls(value: Any) -> Any:
    """An object without its absent members, at every depth; None when nothing is left."""
    if not isinstance(value, dict):
        return value
    kept = {name: inner for name, one in value.items() if (inner := _without_nulls(one)) not in (None, {}, [])}
    return kept or None


def _entry(entry: dict[str, Any]) -> str:
    path = entry.get("path")
    shown = path.get("path") if isinstance(path, dict) and isinstance(path.get("path"), str) else path
    return f"{forms.text(entry.get('access') or '?')} {forms.text(shown)}"
