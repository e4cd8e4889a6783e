"""The draft of a policy: the form that it is typed into, and what checks and trials say before it is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import htpy as h

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import errors, requesting
from autopilot.client.presenters.policy_lines import KINDS, METHODS
from autopilot.contract import PolicyDocument, SetPolicy, TestApproval
from autopilot.contract.errors import AutopilotError, Conflict, InvalidRequest, Unprocessable
from autopilot.web.parts.blocks import drafted, posting, section
from autopilot.web.parts.policy import approval_verdict, difference, faults, verdict

FORMATS = {"toml": "TOML", "json": "JSON"}
INVALID = "policy_invalid"
CHECKED = "turn/start"
NO_PARAMS = "no_json_object"
ROWS = 16
ABOUT = (
    "Everything is optional. A section with allow means: only these. What is denied wins. Stopping and interrupting "
    "can't be denied."
)
EXAMPLE = """\
[methods]
deny = ["thread/fork"]          # names, or beginnings with * at the end

[folders]
allow = ["/srv/work/**"]        # where Codex may work

[models]
allow = ["gpt-*"]

[sandbox]
allow = ["read-only", "workspace-write"]

[approvals]
answer = { owner = "*", operator = ["command", "file_change"] }

[[approvals.rule]]              # decided without asking anybody
name = "look around"
kind = "command"
command = ["git", "status"]     # the first words, exactly
decision = "accept"

[[budget]]
name = "daily"
per = "user"                    # or worker, machine, model
period = "day"                  # or week, month, ever
tokens = 2000000
warn_at = 0.8
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed, and what became of it."""

    text: str = ""
    format: str = "toml"
    expected_version: int = 0
    asked: Mapping[str, str] | None = None
    """The fields of the trials."""
    error: AutopilotError | None = None
    said: h.Node = None
    """Of a check or a trial."""

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Draft:
        """As it was posted."""
        written = form.get("expected_version", "")
        version = int(written[:15]) if written.isascii() and written.isdigit() else 0
        text_format = form.get("format", "")
        return cls(form.get("text", ""), text_format if text_format in FORMATS else "toml", version, form)

    @classmethod
    def of_document(cls, document: PolicyDocument | None) -> Draft:
        """What is in force, to be changed."""
        return cls() if document is None else cls(document.text, document.format, document.version)

    def field(self, name: str) -> str:
        """What stands in a field of a trial."""
        return (self.asked or {}).get(name, "")


async def tried(client: RuntimeCodexClient, form: Mapping[str, str], draft: Draft, policy: SetPolicy) -> Draft:
    """The draft with what a check or a trial says; nothing is changed by either."""
    instead = replace(policy, expected_version=0)
    try:
        match form.get("do"):
            case "try":
                method = form.get("method", "").strip()
                said = await client.try_policy(method, _params(form), team_id=policy.team_id, instead=instead)
                return replace(draft, said=verdict(method, said))
            case "ask":
                asked = _question(form, policy, instead)
                return replace(draft, said=approval_verdict(asked.kind, await client.try_approval(asked)))
            case _:
                await client.try_policy(CHECKED, {}, team_id=policy.team_id, instead=instead)
                sound = h.div(".verdict.good", role="status")[h.b["Sound"], h.p["It can be put in force."]]
                return replace(draft, said=sound)
    except (Unprocessable, InvalidRequest) as error:
        return replace(draft, error=error)


def _question(form: Mapping[str, str], policy: SetPolicy, instead: SetPolicy) -> TestApproval:
    return TestApproval(
        kind=form.get("kind", ""),
        command_line=form.get("command") or None,
        cwd=form.get("cwd") or None,
        paths=tuple(line.strip() for line in form.get("paths", "").splitlines() if line.strip()),
        team_id=policy.team_id,
        instead=instead,
    )


def _params(form: Mapping[str, str]) -> dict[str, Any]:
    params, problem = requesting.parsed(form.get("params", ""))
    if params is None:
        raise InvalidRequest(problem, reason_code=NO_PARAMS)
    return params


def editor(
    path: str, csrf: str, fields: Mapping[str, str], draft: Draft, document: PolicyDocument | None, *, why: str | None
) -> h.Element:
    """The form; `why`: why it can't be saved by who looks at it."""
    is_dirty = draft.text != (document.text if document else "")
    state = f"Version {document.version} is in force." if document else "Nothing is in force: the built-in rules hold."
    form = posting(
        path,
        csrf,
        (h.input(type="hidden", name=name, value=value) for name, value in fields.items()),
        drafted("What you had written and not put in force is back."),
        h.input({"data-with-draft": True}, type="hidden", name="expected_version", value=str(draft.expected_version)),
        _written(draft, is_readonly=why is not None),
        _result(draft, document),
        h.div(".buttons")[
            h.button({"data-keeps-draft": True}, type="submit", name="do", value="check")["Check"],
            None if why else h.button(".primary", type="submit", name="do", value="save")["Put in force"],
        ],
        _trials(draft),
        class_="editor",
        data_draft=f"policy {' '.join(fields.values())}",
    )
    about = f"{state} {why}" if why else f"{state}{' What stands below is a draft.' if is_dirty else ''}"
    return section("Document", form, _help(), about=about)


def _written(draft: Draft, *, is_readonly: bool) -> h.Node:
    return [
        h.div(".row")[
            h.label[
                "Written in",
                h.select(name="format")[
                    (h.option(value=value, selected=value == draft.format)[name] for value, name in FORMATS.items())
                ],
            ]
        ],
        h.label(for_="policy-text")["Text"],
        h.textarea(
            "#policy-text.code",
            {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off", "dir": "ltr", "wrap": "off"},
            name="text",
            rows=str(max(ROWS, min(40, draft.text.count("\n") + 2))),
            readonly=is_readonly,
        )["\n" + draft.text],
    ]


def _result(draft: Draft, document: PolicyDocument | None) -> h.Node:
    error = draft.error
    if error is None:
        return draft.said
    found = [one for one in error.details if one.get("reason_code") == INVALID]
    if found:
        return faults(found, draft.text)
    if isinstance(error, Conflict):
        return h.div(".faults", role="alert")[
            h.p[h.b["Somebody else changed this document meanwhile, and nothing was saved."]],
            h.p["Your text is still here. This is how it differs from theirs; put in force now, it replaces theirs."],
            difference(document.text if document else "", draft.text, label="What yours would change"),
        ]
    return h.div(".faults", role="alert")[h.p[error.message if error.reason_code == NO_PARAMS else errors.words(error)]]


def _trials(draft: Draft) -> h.Node:
    return [
        h.details(open=draft.field("do") == "try")[
            h.summary["Try a request with this text"],
            h.p(".about")["What would be said, with this text in the place of the one in force. Nothing is changed."],
            h.label[
                "Method",
                h.input(
                    type="text", name="method", list="policy-methods", value=draft.field("method") or CHECKED, dir="ltr"
                ),
            ],
            h.datalist("#policy-methods")[(h.option(value=method) for method in METHODS)],
            h.label[
                "Params, as a JSON object",
                h.textarea(".code", name="params", rows="4", dir="ltr", spellcheck="false")[
                    "\n" + (draft.field("params") or '{"model": "gpt-5", "cwd": "/srv/work"}')
                ],
            ],
            h.div(".buttons")[
                h.button({"data-keeps-draft": True}, type="submit", name="do", value="try")["Try the request"]
            ],
        ],
        h.details(open=draft.field("do") == "ask")[
            h.summary["Try a question of Codex with this text"],
            h.p(".about")["Which rule would decide it, and who may answer where none does."],
            h.div(".grid")[
                h.label[
                    "What is asked",
                    h.select(name="kind")[
                        (
                            h.option(value=kind, selected=kind == draft.field("kind"))[words]
                            for kind, words in KINDS.items()
                        )
                    ],
                ],
                h.label[
                    "Command, as one line",
                    h.input(type="text", name="command", value=draft.field("command"), dir="ltr"),
                ],
                h.label["Folder", h.input(type="text", name="cwd", value=draft.field("cwd"), dir="ltr")],
            ],
            h.label[
                "Files that would change, one a line",
                h.textarea(".code", name="paths", rows="2", dir="ltr")["\n" + draft.field("paths")],
            ],
            h.div(".buttons")[
                h.button({"data-keeps-draft": True}, type="submit", name="do", value="ask")["Try the question"]
            ],
        ],
    ]


def _help() -> h.Element:
    return h.details[
        h.summary["What can stand there"],
        h.p(".about")[ABOUT],
        h.pre(".code", tabindex="0", aria_label="An example", dir="ltr")[EXAMPLE],
    ]
