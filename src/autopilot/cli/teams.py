"""`autopilot teams`: who is in a team with you, and in which role."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from autopilot.cli import prompts
from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client import RuntimeCodexClient
from autopilot.contract import Team, TeamMember

Which = Annotated[str, Parameter(help="Its name or id.")]
Member = Annotated[str, Parameter(help="Their e-mail address or user id.")]
Role = Literal["owner", "operator", "viewer"]


async def teams(*, options: Options = DEFAULT) -> None:
    """List the teams you are in."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await client.teams()
    if options.json:
        terminal.result(found)
        return
    print_table(terminal.out, ("TEAM", "NAME", "YOUR ROLE"), [(one.team_id, one.name, one.role) for one in found])


async def show(team: Which, *, options: Options = DEFAULT) -> None:
    """Show who is in a team; an owner sees who is invited, too."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await _full(client, team)
    _print(terminal, found, options)


async def create(name: Annotated[str, Parameter(help="What to call it.")], *, options: Options = DEFAULT) -> None:
    """Make a team; you are its owner."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        made = await client.create_team(name)
    if options.json:
        terminal.result(made)
    terminal.say(f"{made.name} is {made.team_id}.", markup=False)


async def invite(
    team: Which,
    email: Annotated[str, Parameter(help="Where to send it; who accepts it signs in with this address.")],
    *,
    role: Annotated[Role, Parameter(help="What they may do.")] = "operator",
    options: Options = DEFAULT,
) -> None:
    """Mail somebody an invitation."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        sent = await client.invite(picked(await client.teams(), team).team_id, email, role)
    if options.json:
        terminal.result(sent)
    terminal.say(f"Invited {sent.email} as {sent.role}, until {sent.expires_at[:10]}.", markup=False)


async def withdraw(
    team: Which, email: Annotated[str, Parameter(help="Whom it was sent to.")], *, options: Options = DEFAULT
) -> None:
    """Take an invitation back."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await _full(client, team)
        hits = [one for one in found.invitations if email in {one.email, one.invitation_id}]
        if not hits:
            raise CommandFailed(f"{email} is not invited.", Exit.NOT_FOUND)
        left = await client.withdraw_invitation(found.team_id, hits[0].invitation_id)
    if options.json:
        terminal.result(left)
    terminal.say(f"{email} is not invited any more.", markup=False)


async def accept(*, options: Options = DEFAULT) -> None:
    """Join a team. The secret of the mail is read from standard input: no list of processes has it."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        terminal.say("Secret (from the mail, or the server's console):")
        joined = await client.accept_invitation(await prompts.line())
    if options.json:
        terminal.result(joined)
    terminal.say(f"You are in {joined.name} as {joined.role}.", markup=False)


async def role(
    team: Which,
    member: Member,
    to: Annotated[Role, Parameter(help="What they may do from now on.")],
    *,
    options: Options = DEFAULT,
) -> None:
    """Give a member another role."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await _full(client, team)
        now = await client.set_role(found.team_id, member_of(found, member).user_id, to)
    _print(terminal, now, options)


async def remove(team: Which, member: Member, *, options: Options = DEFAULT) -> None:
    """End a membership; their streams end within two seconds."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await _full(client, team)
        gone = member_of(found, member)
        await client.remove_member(found.team_id, gone.user_id)
    if options.json:
        terminal.result(gone)
    terminal.say(f"{gone.email or gone.user_id} is in {found.name} no more.", markup=False)


async def delete(team: Which, *, options: Options = DEFAULT) -> None:
    """End a team: everybody's membership ends, and its machines are their owners' alone."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        gone = picked(await client.teams(), team)
        await client.delete_team(gone.team_id)
    if options.json:
        terminal.result(gone)
    terminal.say(f"There is no team {gone.name} any more.", markup=False)


async def leave(team: Which, *, options: Options = DEFAULT) -> None:
    """Leave a team."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        left = picked(await client.teams(), team)
        await client.leave_team(left.team_id)
    if options.json:
        terminal.result(left)
    terminal.say(f"You have left {left.name}.", markup=False)


def picked(found: list[Team], part: str) -> Team:
    """The team that is meant.

    Raises:
        CommandFailed: none, or several of this name.
    """
    hits = [team for team in found if part in {team.team_id, team.name}]
    if not hits:
        raise CommandFailed(f"You are in no team {part}.", Exit.NOT_FOUND)
    if len(hits) > 1:
        raise CommandFailed(f"{part} may be {', '.join(hit.team_id for hit in hits)}.", Exit.USAGE)
    return hits[0]


def member_of(team: Team, part: str) -> TeamMember:
    """The member that is meant.

    Raises:
        CommandFailed: none.
    """
    for member in team.members:
        if part in {member.email, str(member.user_id)}:
            return member
    raise CommandFailed(f"{team.name} has no member {part}.", Exit.NOT_FOUND)


async def _full(client: RuntimeCodexClient, part: str) -> Team:
    return await client.team(picked(await client.teams(), part).team_id)


def _print(terminal: Terminal, team: Team, options: Options) -> None:
    if options.json:
        terminal.result(team)
        return
    rows: list[tuple[str, ...]] = [
        (member.email or str(member.user_id), member.role, member.since[:10]) for member in team.members
    ]
    rows += [(one.email, one.role, f"invited, until {one.expires_at[:10]}") for one in team.invitations]
    print_table(terminal.out, ("WHO", "ROLE", "SINCE"), rows)
