"""`autopilot devices`: what is signed in for you; rename it, end it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import said
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.contract import Device

Which = Annotated[str, Parameter(help="Its name or id, or as much of the id as is needed.")]


async def devices(*, options: Options = DEFAULT) -> None:
    """List the devices that are signed in for you, the last one heard of first."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await client.devices()
    if options.json:
        terminal.result(found)
        return
    heading = ("DEVICE", "NAME", "SURFACE", "PLATFORM", "LAST SEEN", "ADDRESS", "MAY")
    print_table(terminal.out, heading, [_row(device) for device in found])


async def rename(
    device: Which, name: Annotated[str, Parameter(help="What to call it.")], *, options: Options = DEFAULT
) -> None:
    """Call one of them something else."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        renamed = await client.rename_device(picked(await client.devices(), device).device_id, name)
    if options.json:
        terminal.result(renamed)
    terminal.say(f"{renamed.device_id} is called {renamed.name}.", markup=False)


async def confirm(device: Which, *, options: Options = DEFAULT) -> None:
    """Say that one that came in by mail is yours: it need not wait. Takes a fresh proof of who you are."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        confirmed = await client.confirm_device(picked(await client.devices(), device).device_id)
    if options.json:
        terminal.result(confirmed)
    terminal.say(f"{confirmed.device_id} is yours.", markup=False)


async def revoke(
    device: Annotated[str | None, Parameter(help="Its name or id, or as much of the id as is needed.")] = None,
    *,
    others: Annotated[bool, Parameter(help="All but the one that asks.")] = False,
    options: Options = DEFAULT,
) -> None:
    """Sign a device out: its tokens end at once, its streams within two seconds; what waits of it is rejected.

    Guests whom it invited end with it.
    """
    if (device is None) != others:
        raise CommandFailed("Name one device, or give --others.", Exit.USAGE)
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        if device is None:
            ended = await client.revoke_other_devices()
        else:
            ended = await client.revoke_device(picked(await client.devices(), device).device_id)
    if options.json:
        terminal.result(ended)
    terminal.say("Signed out: 1 device." if ended.revoked == 1 else f"Signed out: {ended.revoked} devices.")
    if ended.guests:
        terminal.say("Ended with it: 1 guest." if ended.guests == 1 else f"Ended with it: {ended.guests} guests.")


def picked(found: list[Device], part: str) -> Device:
    """The device that is meant.

    Raises:
        CommandFailed: an empty name, none, or several.
    """
    said(part, "device")
    hits = [device for device in found if part in {device.device_id, device.name}]
    hits = hits or [device for device in found if part in device.device_id]
    if not hits:
        raise CommandFailed(f"You have no device {part}.", Exit.NOT_FOUND)
    if len(hits) > 1:
        raise CommandFailed(f"{part} may be {', '.join(hit.device_id for hit in hits)}.", Exit.USAGE)
    return hits[0]


def _called(device: Device, name: str) -> str:
    remarks = ["this one"] * bool(device.current)
    if device.held_until is not None:
        remarks.append(f"came by mail, held until {device.held_until[:16].replace('T', ' ')}")
    return f"{name} ({', '.join(remarks)})".strip() if remarks else name


def _row(device: Device) -> tuple[str, ...]:
    name = device.name or ""
    return (
        device.device_id,
        _called(device, name),
        device.surface,
        device.platform or "",
        (device.last_seen_at or "")[:16].replace("T", " "),
        device.address or "",
        ", ".join(device.scopes) + (f" for {device.machine_id}" if device.machine_id else ""),
    )
