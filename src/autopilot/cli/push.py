"""`autopilot push`: which devices get notifications, what they are told, and whether it works.

Subscribing is a browser's or app's own doing: it is done there.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import said
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.contract import ChangePushSettings, PushSettings, PushState, PushSubscription

Which = Annotated[str, Parameter(help="Name of the device, or the subscription's id, or a part of it.")]
KINDS = ("approvals", "failures", "turns", "requests")
QUIET = "quiet hours are two times, as 22:00-07:00, or off"


async def listed(*, options: Options = DEFAULT) -> None:
    """List the devices that get notifications, the newest first."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        state = await client.push()
    if options.json:
        terminal.result(state.subscriptions)
        return
    rows = [_row(one) for one in state.subscriptions]
    print_table(terminal.out, ("SUBSCRIPTION", "DEVICE", "SERVICE", "SINCE", "LAST SENT", ""), rows)


async def attempt(device: Which | None = None, *, options: Options = DEFAULT) -> int:
    """Send a test notification to one device, or to all; exit code 1 where one was not taken."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        chosen = None if device is None else picked(await client.push(), device).subscription_id
        tried = await client.test_push(chosen)
    if options.json:
        terminal.result(tried)
    if not tried.results:
        raise CommandFailed("No device of yours gets notifications yet: subscribe in the web app.", Exit.NOT_FOUND)
    for result in tried.results:
        said = "its push service has it" if result.sent else f"not sent: {result.failure}"
        status = "" if result.status is None or result.sent else f" ({result.status})"
        terminal.say(f"{result.device_name or result.subscription_id}: {said}{status}", markup=False)
    return Exit.OK if all(result.sent for result in tried.results) else Exit.FAILED


async def remove(device: Which, *, options: Options = DEFAULT) -> None:
    """Send a device no notifications any more; it stays signed in."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        gone = picked(await client.push(), device)
        await client.remove_push(gone.subscription_id)
    if options.json:
        terminal.result(gone)
    terminal.say(f"No notifications any more: {gone.device_name or gone.subscription_id}.", markup=False)


async def settings(
    *,
    approvals: Annotated[bool | None, Parameter(help="Questions that Codex asks you.")] = None,
    failures: Annotated[bool | None, Parameter(help="Turns and workers that failed.")] = None,
    turns: Annotated[bool | None, Parameter(help="Turns that are done.")] = None,
    requests: Annotated[bool | None, Parameter(help="The end of what you asked for, stops above all.")] = None,
    team_machines: Annotated[bool | None, Parameter(help="Also of others' machines that your teams share.")] = None,
    content: Annotated[bool | None, Parameter(help="Say titles, commands and last words.")] = None,
    quiet: Annotated[str | None, Parameter(help="Hours in which nothing comes: 22:00-07:00, or off.")] = None,
    time_zone: Annotated[str | None, Parameter(help="By whose clock: Europe/Berlin.")] = None,
    quiet_approvals: Annotated[bool | None, Parameter(help="Questions come in those hours too.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Show what you are told; with options, change it first."""
    terminal = Terminal(as_json=options.json)
    hours = _hours(quiet)
    changes = ChangePushSettings(
        approvals=approvals,
        failures=failures,
        turns=turns,
        requests=requests,
        team_machines=team_machines,
        content=content,
        quiet_hours=hours[0],
        quiet_from=hours[1],
        quiet_to=hours[2],
        time_zone=time_zone,
        quiet_approvals=quiet_approvals,
    )
    async with connected(options) as client:
        now = (await client.push()).settings if changes == ChangePushSettings() else await client.change_push(changes)
    if options.json:
        terminal.result(now)
        return
    for line in _words(now):
        terminal.say(line, markup=False)


def picked(state: PushState, part: str) -> PushSubscription:
    """The subscription that is meant.

    Raises:
        CommandFailed: an empty name, none, or several.
    """
    found = state.subscriptions
    said(part, "device")
    hits = [one for one in found if part in {one.subscription_id, one.device_id, one.device_name}]
    hits = hits or [one for one in found if part in one.subscription_id]
    if not hits:
        raise CommandFailed(f"No device {part} of yours gets notifications.", Exit.NOT_FOUND)
    if len(hits) > 1:
        raise CommandFailed(f"{part} may be {', '.join(hit.subscription_id for hit in hits)}.", Exit.USAGE)
    return hits[0]


def _hours(written: str | None) -> tuple[bool | None, str | None, str | None]:
    if written is None:
        return None, None, None
    if written == "off":
        return False, None, None
    begin, dash, end = written.partition("-")
    if not dash:
        raise CommandFailed(QUIET, Exit.USAGE)
    return True, begin, end


def _row(one: PushSubscription) -> tuple[str, ...]:
    trouble = "made for a key of before: subscribe anew" if one.stale else (one.last_failure or "")
    return (
        one.subscription_id,
        one.device_name or "-",
        one.service,
        one.created_at[:10],
        (one.last_sent_at or "never")[:16].replace("T", " "),
        trouble or ("this one" if one.current else ""),
    )


def _words(now: PushSettings) -> list[str]:
    on = [name for name in KINDS if getattr(now, name)]
    hours = f"{now.quiet_from}-{now.quiet_to} {now.time_zone}" if now.quiet_hours else "none"
    return [
        f"You are told of: {', '.join(on) or 'nothing'}.",
        f"Machines: your own{' and those of your teams' if now.team_machines else ''}.",
        f"Titles and last words: {'said' if now.content else 'left out'}.",
        f"Quiet hours: {hours}{', but for approvals' if now.quiet_hours and now.quiet_approvals else ''}.",
    ]
