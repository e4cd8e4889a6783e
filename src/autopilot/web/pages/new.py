"""A new session: where, with what, how far it may go, and the first words. What a policy forbids is said before.

The thread is asked of its machine, its receipt is shown as it moves, and the first turn follows as soon as the thread
is there (new_steps.py). What was typed stays where it is, whatever is answered.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.presenters import machines as words
from autopilot.client.presenters.policies import reason_words
from autopilot.contract import Machine, PolicyVerdict
from autopilot.contract.errors import AutopilotError
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.new_models import Model, Models
from autopilot.web.pages.new_steps import begin, starting_routes, thread_params
from autopilot.web.parts.blocks import empty, records
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor

PATH = "/new"
WORKERS = 200
FOLDERS = 12
SANDBOXES = (
    ("workspace-write", "Work in the folder", "Reads everything, writes in its folder, no network."),
    ("read-only", "Read only", "Looks, and asks before anything is changed."),
    ("danger-full-access", "Full access", "No sandbox: it can do whatever you can on that machine."),
)
APPROVALS = (
    ("on-request", "When it needs to", "Codex asks where it wants to leave the sandbox."),
    ("untrusted", "Nearly always", "It asks before all but plain reading commands."),
    ("never", "Never", "It asks nothing; what the sandbox holds back fails."),
)


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    models = Models(doors.clock)

    async def show(request: Request, visitor: Visitor) -> Screen:
        return await _screen(request.query_params.get("machine"), visitor, doors)

    async def for_machine(request: Request, visitor: Visitor) -> Response:
        form = await form_of(request)
        return html(await _for_machine(form, visitor))

    async def check(request: Request, visitor: Visitor) -> Response:
        return html(await _verdict(await form_of(request), visitor))

    async def ask_models(request: Request, visitor: Visitor) -> Response:
        form = await form_of(request)
        found = await models.of(visitor, form.get("machine", ""))
        return html(_model_field(found, form.get("model", "")))

    async def start(request: Request, visitor: Visitor) -> Response:
        return await begin(await form_of(request), visitor)

    return [
        doors.page(PATH, show),
        doors.page(PATH, start, "POST"),
        doors.page(f"{PATH}/for", for_machine, "POST"),
        doors.page(f"{PATH}/check", check, "POST"),
        doors.page(f"{PATH}/models", ask_models, "POST"),
        *starting_routes(doors),
    ]


async def _screen(wanted: str | None, visitor: Visitor, doors: Doors) -> Screen:
    now, names = doors.clock.now(), await doors.names.of(visitor)
    machines = sorted(
        (one for one in await visitor.client.machines() if one.role in {None, "owner", "operator"}),
        key=lambda one: (not words.is_heard(one, now), words.name_of(one).lower()),
    )
    if not machines:
        return Screen("new", "New session", [bar("New session"), records(_none())], tab=PATH)
    chosen = next((one for one in machines if one.machine_id == wanted), machines[0])
    options = [
        (
            machine.machine_id,
            words.name_of(machine),
            f"{words.presence(machine, now).text} · {words.whose(machine, names)}",
        )
        for machine in machines
    ]
    form = h.form(
        "#new-session",
        {
            "hx-post": PATH,
            "hx-target": "#starting",
            "hx-swap": "outerHTML",
            "hx-select": "unset",
            "hx-disabled-elt": "find button.primary",
            "hx-disinherit": "hx-disabled-elt",
            "data-draft": "new",
        },
    )[
        h.input(type="hidden", name="request_id", value=f"new-{uuid.uuid4()}"),
        h.section(".block")[
            h.label(".big", for_="prompt")["What shall it do?"],
            h.textarea(
                "#prompt", name="prompt", rows="4", required=True, dir="auto", maxlength="200000", autofocus=True
            ),
        ],
        h.section(".block")[
            _radios(
                "machine",
                "Machine",
                options,
                chosen.machine_id,
                {"hx-post": f"{PATH}/for", "hx-target": "#for-machine", "hx-swap": "outerHTML", "hx-trigger": "change"},
            )
        ],
        await _for_machine({"machine": chosen.machine_id}, visitor),
        h.div("#starting"),
        h.button(".primary.wide", type="submit")[icon("send"), "Start"],
    ]
    older = h.p(".hint")[
        h.a(href=f"/machines/{quote(chosen.machine_id, safe='')}/threads")["Go on with an older thread instead"]
    ]
    return Screen("new", "New session", [bar("New session"), records(form, older)], tab=PATH)


def _none() -> h.Element:
    return h.section(".block")[
        empty("machines", "There is no machine to run Codex on yet."),
        h.a(".button.primary", href="/devices/pair?kind=machine")["Add a machine"],
    ]


async def _for_machine(form: Mapping[str, str], visitor: Visitor) -> h.Element:
    """What depends on the machine: its folders, its models, what its policies allow."""
    machine_id = form.get("machine", "")
    folders = await _folders(visitor, machine_id)
    machine = next((one for one in await visitor.client.machines() if one.machine_id == machine_id), None)
    if machine is None:
        return h.div("#for-machine")[h.p(".problem", role="alert")["This machine is not shared with you any more."]]
    team_id = machine.owner.team_id if machine.owner else None
    folder = form.get("folder") or (folders[0] if folders else words.home(machine) or "")
    chosen = {"sandbox": SANDBOXES[0][0], "approvals": APPROVALS[0][0]}
    load = {"hx-post": f"{PATH}/models", "hx-trigger": "load", "hx-target": "this", "hx-swap": "outerHTML"}
    return h.div("#for-machine")[
        h.section(".block")[
            h.div[
                h.label(for_="folder")["Folder"],
                h.input(
                    "#folder",
                    {"list": "folders", "dir": "ltr", "autocapitalize": "off", "spellcheck": "false"},
                    type="text",
                    name="folder",
                    value=folder,
                    required=True,
                    autocomplete="off",
                    placeholder="/home/you/project",
                    maxlength="4096",
                ),
                h.datalist("#folders")[(h.option(value=one) for one in folders)],
            ],
            h.div("#models", {**load, "hx-select": "unset"}, role="status")[
                h.label(for_="model-wait")["Model"],
                h.p("#model-wait.about")[f"Asking Codex on {words.name_of(machine)}…"],
            ],
        ],
        h.section(".block")[
            _radios(
                "sandbox",
                "How far it may go",
                await _allowed(SANDBOXES, "sandbox", folder, team_id, visitor),
                form.get("sandbox") or SANDBOXES[0][0],
                _CHECK,
            ),
            _radios(
                "approvals",
                "When it asks you",
                await _allowed(APPROVALS, "approvalPolicy", folder, team_id, visitor),
                form.get("approvals") or APPROVALS[0][0],
                _CHECK,
            ),
            await _verdict({**chosen, **form, "folder": folder}, visitor, machine),
        ],
    ]


_CHECK = {"hx-post": f"{PATH}/check", "hx-target": "#verdict", "hx-swap": "outerHTML", "hx-trigger": "change"}


async def _folders(visitor: Visitor, machine_id: str) -> list[str]:
    """Where its workers are, the latest first."""
    page = await visitor.client.list_workers(limit=WORKERS)
    found = [
        worker.cwd.value
        for worker in page.workers
        if worker.cwd is not None and worker.machine is not None and worker.machine.machine_id == machine_id
    ]
    return list(dict.fromkeys(found))[:FOLDERS]


async def _allowed(
    options: Sequence[tuple[str, str, str]], name: str, folder: str, team_id: str | None, visitor: Visitor
) -> list[tuple[str, str, str]]:
    """The options, those that a policy forbids with its reason."""
    told: list[tuple[str, str, str]] = []
    for value, label, about in options:
        params = {"cwd": folder or None, name: value}
        if name == "approvalPolicy":
            params["sandbox"] = SANDBOXES[0][0]
        denial = await _denied(visitor, {key: one for key, one in params.items() if one}, team_id, name)
        told.append((value, label, f"{about} {denial}" if denial else about))
    return told


async def _denied(visitor: Visitor, params: dict[str, Any], team_id: str | None, field: str) -> str | None:
    """Why a policy forbids a value of this field; None where it does not, or where nobody can say."""
    try:
        verdict = await visitor.client.try_policy("thread/start", params, team_id=team_id)
    except AutopilotError:  # the request itself will tell
        return None
    denial = verdict.denial
    about = {"sandbox": "policy_denied.sandbox", "approvalPolicy": "policy_denied.approval_policy"}[field]
    return f"Forbidden: {_why(verdict)}." if denial is not None and denial.reason_code == about else None


async def _verdict(form: Mapping[str, str], visitor: Visitor, machine: Machine | None = None) -> h.Element:
    """What policies would say to the session as it is filled in."""
    machine_id = form.get("machine", "")
    if machine is None:
        machine = next((one for one in await visitor.client.machines() if one.machine_id == machine_id), None)
    team_id = machine.owner.team_id if machine and machine.owner else None
    try:
        verdict = await visitor.client.try_policy("thread/start", thread_params(form), team_id=team_id)
    except AutopilotError as error:
        return h.p("#verdict.about", role="status")[f"Whether policies allow this could not be asked: {error.message}"]
    if verdict.allowed:
        full = form.get("sandbox") == SANDBOXES[-1][0] or form.get("approvals") == APPROVALS[-1][0]
        more = " It takes a fresh proof that it is you." if full else ""
        return h.p("#verdict.allowed", role="status")[f"Policies allow this.{more}"]
    return h.p("#verdict.denied", role="status")[f"A policy forbids this: {_why(verdict)}."]


def _why(verdict: PolicyVerdict) -> str:
    denial = verdict.denial
    if denial is None:
        return "it does not say why"
    said = denial.message or reason_words(denial.reason_code)
    return said[:1].lower() + said[1:].rstrip(".")


def _radios(
    name: str, legend: str, options: Sequence[tuple[str, str, str]], chosen: str, on_change: Mapping[str, str]
) -> h.Element:
    return h.fieldset(".options")[
        h.legend[legend],
        (
            h.label(".option")[
                h.input(
                    {**on_change, "hx-select": "unset"}, type="radio", name=name, value=value, checked=value == chosen
                ),
                h.span[h.b(dir="auto")[label], h.small(dir="auto")[about]],
            ]
            for value, label, about in options
        ),
    ]


def _model_field(found: Sequence[Model] | str, chosen: str) -> h.Element:
    """A choice of what its Codex named; where it named nothing, a field and why."""
    if isinstance(found, str):
        return h.div("#models")[
            h.label(for_="model")["Model"],
            h.input(
                "#model",
                type="text",
                name="model",
                value=chosen,
                autocomplete="off",
                placeholder="The machine's default",
            ),
            h.p(".about")[f"Its models are not known: {found}"],
        ]
    return h.div("#models")[
        h.label(for_="model")["Model"],
        h.select("#model", {**_CHECK, "hx-select": "unset"}, name="model")[
            h.option(value="")["The machine's default"],
            (
                h.option(value=model.name, selected=model.name == chosen)[
                    f"{model.label}{' (default)' if model.is_default else ''}"
                ]
                for model in found
            ),
        ],
    ]
