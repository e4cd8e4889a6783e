"""Putting a machine into a team and taking it out; its workers follow in the same transaction.

Decides who may: the machine's owner, who puts it into a team that they may operate in, and proves first who they are.
Relies on the API for memberships: it looks up the one that a call is about (`Claims.membership_no`), and says when one
has ended (`depart`); then the member's own machines leave the team, what was asked through it is taken back
(lost_roles.py), and a call that is still on its way under that membership is refused. Source:
docs/decisions/0020-sharing-a-machine.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from autopilot.contract.errors import Forbidden, InvalidRequest, NotFound
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.runtime import audit_log, lost_roles, permissions, sharing_rows
from autopilot.runtime.ledger import Ledger, LedgerTx
from autopilot.runtime.lost_roles import LostRoles
from autopilot.runtime.machines import Machine, Machines, machine
from autopilot.runtime.requests_bodies import Bodies, identifier
from autopilot.runtime.revocation import refuse_revoked
from autopilot.runtime.router import Match, Route, data_response
from autopilot.runtime.sharing_rows import SQL


class _Departed(msgspec.Struct, forbid_unknown_fields=True):
    membership_no: int


class Sharing:
    """Routes about who shares a machine."""

    def __init__(self, ledger: Ledger, lost_roles: LostRoles, machines: Machines, bodies: Bodies) -> None:
        self._ledger = ledger
        self._lost_roles = lost_roles
        self._machines = machines
        self._bodies = bodies

    def routes(self) -> Iterable[Route]:
        """Its routes. No public path leads to the others."""
        return [
            Route("POST", "/machines/{machine_id}/team", self.put),
            Route("POST", "/teams/{team_id}/members/{user_id}/departed", self.depart),
            Route("POST", "/teams/{team_id}/members/{user_id}/narrowed", self.narrow),
        ]

    async def put(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and the machine, which is in this team, or in none; again, the same.

        Raises:
            NotFound: no such machine, or no team of theirs.
            Unauthorized: the device was revoked while the call was on its way.
            Forbidden: not theirs (`role`), a viewer (`role`), a token that is no person's (`scope`), no step-up.
        """
        machine_id = identifier(match["machine_id"], "machine_id")
        team_id = self._bodies.team(request)
        claims = request.claims
        permissions.require_scope(claims, "administer")
        if "execute" in claims.scopes:
            raise Forbidden("a token that executes shares nothing", reason_code="scope", scope="administer")
        async with self._ledger.transaction() as tx:
            await tx.conn.fetch(SQL.lock_machines, [machine_id])
            await refuse_revoked(tx.conn, claims)
            found = await machine(tx.conn, machine_id)
            if not permissions.owns(claims, found):
                raise Forbidden("only its owner shares a machine", reason_code="role")
            if team_id is not None:
                await _may_put_into(tx, claims, team_id)
            if found.team_id != team_id:
                await _move(tx, request, [found], team_id)
        shown = await self._machines.shown(machine_id)
        return data_response(200, shown.body(claims))

    async def depart(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 with the machines that this call took out of the team, and how much it took back; again, what is left.

        Raises:
            Forbidden: the claims are not about this membership: only the API says so.
            InvalidRequest: no membership.
        """
        user_id, membership_no = _ended(request, match)
        team_id = match["team_id"]
        rejected, reopened = await self._lost_roles.take_back(team_id, membership_no)  # before the locks
        async with self._ledger.transaction() as tx:
            theirs = [record["machine_id"] for record in await tx.conn.fetch(SQL.machines_of_user, user_id)]
            await tx.conn.fetch(SQL.lock_machines, theirs)
            found = [await machine(tx.conn, machine_id) for machine_id in theirs]
            leaving = [one for one in found if one.team_id == team_id]
            if leaving:
                await _move(tx, request, leaving, None)
        machine_ids = [one.machine_id for one in leaving]
        return data_response(200, {"machines": machine_ids, "rejected": rejected, "reopened": reopened})

    async def narrow(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 with how much was taken back of who is a viewer now; again, what is left. Their machines stay.

        Raises:
            Forbidden, InvalidRequest: as `depart`.
        """
        _, membership_no = _ended(request, match)
        rejected, reopened = await self._lost_roles.take_back(match["team_id"], membership_no)
        return data_response(200, {"rejected": rejected, "reopened": reopened})


def _ended(request: RuntimeRequest, match: Match) -> tuple[int, int]:
    """Whose membership it is, and its number."""
    try:
        said = msgspec.json.decode(request.body, type=_Departed)
        user_id = int(match["user_id"])
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRequest(f"no membership: {error}", reason_code="malformed_json") from None
    if request.claims.membership_no != said.membership_no:
        raise Forbidden("only the API says who has left", reason_code="membership")
    return user_id, said.membership_no


async def _may_put_into(tx: LedgerTx, claims: Claims, team_id: str) -> None:
    role, membership_no = claims.roles.get(team_id), claims.membership_no
    if role is None or membership_no is None or await tx.conn.fetchval(lost_roles.SQL.has_departed, membership_no):
        raise NotFound("you are in no such team", reason_code="no_such_team")
    if role not in permissions.OPERATING:
        raise Forbidden("a viewer shares no machine", reason_code="role")
    permissions.require_step_up(claims)


async def _move(tx: LedgerTx, request: RuntimeRequest, machines: list[Machine], team_id: str | None) -> None:
    """Move locked machines, and write down that, and who."""
    machine_ids = [one.machine_id for one in machines]
    moved = await sharing_rows.move(tx, machine_ids, team_id)
    await lost_roles.taken_out(tx, machine_ids)
    for one in machines:
        tx.machines_moved.append(one)
        tx.moves_between(one.team_id, team_id)
        detail: dict[str, Any] = {"from": one.team_id, "to": team_id, "workers": moved, "owner": one.owner_user_id}
        await audit_log.note(
            tx.conn,
            request.claims,
            "machine_unshared" if team_id is None else "machine_shared",
            x_request_id=request.headers.get("x-request-id"),
            subject=f"machine:{one.machine_id}",
            detail=detail,
        )
