"""Notifications, a part of the settings: which kinds, quiet hours, which devices are told, and a test.

A browser subscribes by itself and hands its place over in JSON (static/js/60-push.js); what is sent, and when, is the
API's. Where this browser can't be told, the page says what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping

import htpy as h
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.presenters import errors
from autopilot.client.presenters.labels import sentence, spelled
from autopilot.contract import ChangePushSettings, PushKeys, PushSettings, PushState, PushSubscription
from autopilot.contract.errors import AutopilotError
from autopilot.web.answers import said
from autopilot.web.doors import Doors, OpenHandler
from autopilot.web.forms import form_of, json_of
from autopilot.web.parts.blocks import drafted, posting, section, when
from autopilot.web.visitors import Visitor

PATH = "/settings/notifications"
ANSWER = "/notifications/answer"
"""What the service worker posts to (static/sw.js)."""
SETTINGS = "/settings"
KINDS = (
    ("approvals", "Questions", "Codex asks, and waits for an answer"),
    ("failures", "Failures", "A turn or a session failed"),
    ("turns", "Finished turns", "Codex is done and waits for you"),
    ("requests", "Your own requests", "What you asked for has ended, a stop above all"),
    ("team_machines", "Machines of your teams", "Also what happens on machines that others share with you"),
    (
        "content",
        "What it is about",
        "Titles, commands and last words on the lock screen; without it only that there is something",
    ),
)
QUIET = (
    ("quiet_hours", "Quiet hours", "Nothing comes in these hours"),
    ("quiet_approvals", "Questions all the same", "They wait for you at night, too"),
)
TIMES = (("quiet_from", "From"), ("quiet_to", "To"))


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [
        doors.page(PATH, change, "POST"),
        doors.page(f"{PATH}/subscribe", subscribe, "POST"),
        doors.page(f"{PATH}/remove", remove, "POST"),
        doors.page(f"{PATH}/test", try_it, "POST"),
        doors.open(ANSWER, _answering(doors), "POST"),
    ]


def _answering(doors: Doors) -> OpenHandler:
    """An answer that a notification offered: its token, good once, is the proof; the cookie has to be there too."""

    async def answer(request: Request) -> Response:
        given = await json_of(request)
        visitor = doors.visitors.visitor(request)
        async with visitor.client:
            approval = await visitor.client.act_on_push(str(given.get("token", "")))
        chosen = approval.decision.option_id if approval.decision else None
        label = next((option.label for option in approval.options if option.option_id == chosen), "Answered")
        return JSONResponse({"words": f"Sent: {label}"}, headers={"cache-control": "no-store"})

    return answer


async def change(request: Request, visitor: Visitor) -> Response:
    """Keep what was chosen: a box that is not ticked is not posted."""
    form = await form_of(request)
    chosen = ChangePushSettings(
        approvals="approvals" in form,
        failures="failures" in form,
        turns="turns" in form,
        requests="requests" in form,
        team_machines="team_machines" in form,
        content="content" in form,
        quiet_hours="quiet_hours" in form,
        quiet_approvals="quiet_approvals" in form,
        quiet_from=form.get("quiet_from") or None,
        quiet_to=form.get("quiet_to") or None,
        time_zone=form.get("time_zone") or None,
    )
    await visitor.client.change_push(chosen)
    return RedirectResponse(f"{SETTINGS}#notifications", status_code=303)


async def subscribe(request: Request, visitor: Visitor) -> Response:
    """Tell this browser from now on; asked by its script."""
    given = await json_of(request)
    keys = given.get("keys")
    pair: Mapping[str, object] = keys if isinstance(keys, dict) else {}
    try:
        made = await visitor.client.subscribe_push(
            str(given.get("endpoint", "")),
            PushKeys(p256dh=str(pair.get("p256dh", "")), auth=str(pair.get("auth", ""))),
            public_key=str(given.get("public_key", "")) or None,
        )
    except AutopilotError as error:
        return said({"error": errors.words(error)}, status=error.status or 503)
    return said({"subscription_id": made.subscription_id})


async def remove(request: Request, visitor: Visitor) -> Response:
    """Tell a device no more."""
    await visitor.client.remove_push((await form_of(request)).get("subscription_id", ""))
    return RedirectResponse(f"{SETTINGS}#notifications", status_code=303)


async def try_it(_request: Request, visitor: Visitor) -> Response:
    """Send a test to all of one's devices; what became of each."""
    try:
        tried = await visitor.client.test_push()
    except AutopilotError as error:
        return said({"error": errors.words(error)}, status=error.status or 503)
    failed = [one.failure or "unknown" for one in tried.results if not one.sent]
    if not tried.results:
        words = "No device is told yet. Turn notifications on first."
    elif failed:
        words = f"{len(failed)} of {len(tried.results)} could not be reached: {', '.join(map(spelled, failed))}."
    else:
        words = "Sent. It should appear in a moment."
    return said({"words": words})


def settings_section(state: PushState, visitor: Visitor) -> h.Element:
    """The part of the settings screen."""
    return section(
        "Notifications",
        _here(state),
        h.ul(".people")[(_device(one, visitor) for one in state.subscriptions)] if state.subscriptions else None,
        posting(
            PATH,
            visitor.csrf,
            drafted("What you had written and not saved is back."),
            h.fieldset(".switches")[
                h.legend["What you want to hear"], (_switch(state.settings, *one) for one in KINDS)
            ],
            h.fieldset(".switches")[
                h.legend["When not"],
                (_switch(state.settings, *one) for one in QUIET),
                h.div(".row")[
                    (
                        h.label[
                            label, h.input(type="time", name=name, value=getattr(state.settings, name), required=True)
                        ]
                        for name, label in TIMES
                    ),
                    h.label[
                        "Time zone",
                        h.input(
                            type="text", name="time_zone", value=state.settings.time_zone, required=True, dir="ltr"
                        ),
                    ],
                ],
            ],
            h.div(".buttons")[h.button(".primary", type="submit")["Save"]],
        ),
        id_="notifications",
    )


def _here(state: PushState) -> h.Element:
    """This browser: on, off, or what is missing; scripts show which it is."""
    known = " ".join(one.endpoint_sha256 for one in state.subscriptions)
    return h.div("#push", {"data-public-key": state.public_key, "data-known": known})[
        h.p("#push-state.about", role="status")["Scripts are needed to be told in this browser."],
        h.div(".row")[
            h.button("#push-on.primary", type="button", hidden=True)["Turn on in this browser"],
            h.button("#push-off", type="button", hidden=True)["Turn off in this browser"],
            h.button("#push-test", type="button", hidden=not state.subscriptions)["Send a test"],
        ],
    ]


def _device(one: PushSubscription, visitor: Visitor) -> h.Element:
    trouble = f" · last try failed: {spelled(one.last_failure)}" if one.last_failure else ""
    sent = [" · last told ", when(one.last_sent_at)] if one.last_sent_at else None
    return h.li(data_subscription=one.endpoint_sha256)[
        h.div(".head")[
            h.div[
                h.b(dir="auto")[one.device_name, " (this one)" if one.current else ""],
                h.small[f"{sentence(one.service)}", sent, trouble],
            ],
            posting(
                f"{PATH}/remove",
                visitor.csrf,
                h.input(type="hidden", name="subscription_id", value=one.subscription_id),
                h.button(type="submit", aria_label=f"Tell {one.device_name} no more")["Remove"],
                class_="aside",
            ),
        ]
    ]


def _switch(settings: PushSettings, name: str, label: str, about: str) -> h.Element:
    return h.label(".switch")[
        h.span[h.b[label], h.small[about]],
        h.input(type="checkbox", role="switch", name=name, value="yes", checked=bool(getattr(settings, name))),
    ]
