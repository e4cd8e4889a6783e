"""A new session: where, with what, how far it may go, and the first words. What a policy forbids is said before.

The thread is asked of its machine, its receipt is shown as it moves, and the first turn follows as soon as the thread
is there (new_steps.py). What was typed stays where it is, whatever is answered. Relies on the client core
(`autopilot.client.new_session`) for what may be chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client import new_session
from autopilot.client.new_session import Draft, Model
from autopilot.client.presenters import machines as words
from autopilot.client.presenters import new_session as said
from autopilot.client.presenters.labels import Label
from autopilot.contract import Machine
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.new_models import Models
from autopilot.web.pages.new_steps import begin, draft_of, starting_routes
from autopilot.web.parts.blocks import empty, posts, records
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor

PATH = "/new"


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    models = Models(doors.clock)

    async def show(request: Request, visitor: Visitor) -> Screen:
        return await _screen(request.query_params.get("machine"), visitor, doors)

    async def for_machine(request: Request, visitor: Visitor) -> Response:
        form = await form_of(request)
        return html(await _for_machine(form, visitor))

    async def check(request: Request, visitor: Visitor) -> Response:
        draft = draft_of(await form_of(request))
        return html(_verdict(await new_session.verdict_on(visitor.client, draft, await _team_of(draft, visitor))))

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
    machines = await new_session.machines_to_ask(visitor.client, now)
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
            **posts(PATH),
            "hx-target": "#starting",
            "hx-swap": "outerHTML",
            "hx-select": "unset",
            "hx-disabled-elt": "find button.primary",
            "hx-disinherit": "hx-disabled-elt",
            "data-draft": "new",
            "data-keeps-draft": True,
        },
    )[
        h.input(type="hidden", name="request_id", value=new_session.new_request_id()),
        h.section(".block")[
            h.label(".big", for_="prompt")[said.PROMPT],
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
        empty("machines", said.NO_MACHINE),
        h.a(".button.primary", href="/devices/pair?kind=machine")["Add a machine"],
    ]


async def _for_machine(form: Mapping[str, str], visitor: Visitor) -> h.Element:
    """What depends on the machine: its folders, its models, what its policies allow."""
    machine_id = form.get("machine", "")
    folders = await new_session.folders_of(visitor.client, machine_id)
    machine = next((one for one in await visitor.client.machines() if one.machine_id == machine_id), None)
    if machine is None:
        return h.div("#for-machine")[h.p(".problem", role="alert")[said.NOT_SHARED]]
    team_id = machine.owner.team_id if machine.owner else None
    draft = draft_of({**form, "folder": form.get("folder") or (folders[0] if folders else words.home(machine) or "")})
    ways = await new_session.ways_of(visitor.client, draft.folder, team_id)
    return h.div("#for-machine")[
        h.section(".block")[_folder(draft.folder, folders), _models_to_come(machine)],
        h.section(".block")[
            _radios("sandbox", said.HOW_FAR, _options(ways.sandboxes), draft.sandbox, _CHECK),
            _radios("approvals", said.WHEN_ASKED, _options(ways.approvals), draft.approvals, _CHECK),
            _verdict(await new_session.verdict_on(visitor.client, draft, team_id)),
        ],
    ]


_CHECK = {"hx-post": f"{PATH}/check", "hx-target": "#verdict", "hx-swap": "outerHTML", "hx-trigger": "change"}


def _folder(folder: str, folders: Sequence[str]) -> h.Element:
    return h.div[
        h.label(for_="folder")[said.FOLDER],
        h.input(
            "#folder",
            {"list": "folders", "dir": "ltr", "autocapitalize": "off", "spellcheck": "false"},
            type="text",
            name="folder",
            value=folder,
            required=True,
            autocomplete="off",
            placeholder=said.FOLDER_EXAMPLE,
            maxlength="4096",
        ),
        h.datalist("#folders")[(h.option(value=one) for one in folders)],
    ]


def _models_to_come(machine: Machine) -> h.Element:
    load = {"hx-post": f"{PATH}/models", "hx-trigger": "load", "hx-target": "this", "hx-swap": "outerHTML"}
    return h.div("#models", {**load, "hx-select": "unset"}, role="status")[
        h.label(for_="model-wait")[said.MODEL],
        h.p("#model-wait.about")[said.asking(words.name_of(machine))],
    ]


def _options(ways: Sequence[said.Way]) -> list[tuple[str, str, str]]:
    return [(way.value, way.label, way.words) for way in ways]


async def _team_of(draft: Draft, visitor: Visitor) -> str | None:
    found = next((one for one in await visitor.client.machines() if one.machine_id == draft.machine_id), None)
    return found.owner.team_id if found and found.owner else None


def _verdict(label: Label) -> h.Element:
    css = {"good": "allowed", "bad": "denied"}.get(label.tone, "about")
    return h.p(f"#verdict.{css}", role="status")[label.text]


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
            h.label(for_="model")[said.MODEL],
            h.input(
                "#model",
                type="text",
                name="model",
                value=chosen,
                autocomplete="off",
                placeholder=said.MODEL_OF_MACHINE,
            ),
            h.p(".about")[said.models_unknown(found)],
        ]
    return h.div("#models")[
        h.label(for_="model")[said.MODEL],
        h.select("#model", {**_CHECK, "hx-select": "unset"}, name="model")[
            h.option(value="")[said.MODEL_OF_MACHINE],
            (
                h.option(value=model.name, selected=model.name == chosen)[
                    f"{model.label}{' (default)' if model.is_default else ''}"
                ]
                for model in found
            ),
        ],
    ]
