"""Who may see, change and execute what (docs/protocol.md, "Who may do what" and "Who may append what").

Pure functions over `Claims` and what is known of a worker or machine; every refusal is a `Forbidden` that says which
rule it was: `role` (no role, or too small a one), `scope` (the token's), `event_type`, `lease`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from autopilot.contract.errors import Conflict, Forbidden, NotFound
from autopilot.contract.port import Claims
from autopilot.runtime.ledger_rows import Batch, Draft, Worker

DESKTOP_SOURCE = "autopilot-desktop"
DESKTOP_ACK = "desktop/handshake_ack"

EVENT = "worker.event"
"""What nearly every event is: the runtime's own are all of other types."""
RUNTIME_TYPES = frozenset(
    {"worker.started", "worker.approval.decided", "worker.approval.reopened", "worker.approval.expired"}
)
RUNTIME_PREFIXES = ("worker.request.", "worker.policy.", "worker.lease.", "worker.backend.")


OWNER = "owner"
OPERATING = frozenset({OWNER, "operator"})
VIEWER = "viewer"
ROLES = OPERATING | {VIEWER}
SHOWN_TO_GUESTS = frozenset({"workers", "approvals", "stream"})
"""What guests may get, beside which nothing is theirs to ask."""


class Owned(Protocol):
    """What belongs to a principal: a worker or a machine."""

    owner_user_id: int | None
    owner_guest_scope: str | None
    team_id: str | None

    @property
    def worker_id(self) -> str | None:
        """None where it is no worker's."""
        ...


@dataclass(slots=True)
class Belonging:
    """Whose something is, as a row of a worker's or approval's view says."""

    owner_user_id: int | None
    owner_guest_scope: str | None
    team_id: str | None
    worker_id: str

    @classmethod
    def of(cls, record: Any) -> Belonging:
        """That of this row."""
        return cls(record["owner_user_id"], record["owner_guest_scope"], record["team_id"], record["worker_id"])


def owns(claims: Claims, owned: Owned) -> bool:
    """Whether the principal of `claims` is the owner."""
    if claims.user_id is not None:
        return claims.user_id == owned.owner_user_id
    if claims.shown is not None:
        return False  # a guest owns nothing
    return claims.guest_scope is not None and claims.guest_scope == owned.owner_guest_scope


def role_of(claims: Claims, owned: Owned) -> str | None:
    """`owner`, `operator` or `viewer`: of who owns it `owner`, else the one in the team that shares it; None: no role.

    A machine has no role in any team: it executes for its owner alone. A guest views the workers that they were shown.
    """
    if claims.shown is not None:
        return VIEWER if owned.worker_id in claims.shown else None
    if owns(claims, owned):
        return OWNER
    if owned.team_id is None or claims.machine_id is not None or "execute" in claims.scopes:
        return None
    role = claims.roles.get(owned.team_id)
    return role if role in ROLES else None


def membership_of(claims: Claims, owned: Owned) -> int | None:
    """The number of the membership that gives `claims` a role here; 0: nobody said which; None: they need none.

    That is who owns it, and the runtime, which speaks for nobody.
    """
    if claims.user_id is None or owned.team_id is None or owns(claims, owned):
        return None
    return claims.memberships.get(owned.team_id, 0)


def teams_of(claims: Claims, roles: frozenset[str] = ROLES) -> list[str]:
    """The teams in which the principal has one of these roles; a machine is in none."""
    if claims.machine_id is not None or "execute" in claims.scopes:
        return []
    return [team_id for team_id, role in claims.roles.items() if role in roles]


def require_member(claims: Claims, team_id: str) -> None:
    """Any role in this team. A team that one is not in is answered like one that is none.

    Raises:
        NotFound: no such team, or not theirs.
    """
    if team_id not in teams_of(claims):
        raise NotFound("you are in no such team", reason_code="no_such_team")


def require_team_owner(claims: Claims, team_id: str) -> None:
    """An owner of this team.

    Raises:
        Forbidden: another role.
    """
    if team_id not in teams_of(claims, frozenset({OWNER})):
        raise Forbidden("only an owner of the team does this", reason_code="role")


def reach_of(claims: Claims) -> list[str]:
    """What one may read beside one's own: teams, and after a slash the workers that a guest was shown.

    As the SQL function `visible` takes it where it is given a worker, too.
    """
    if claims.shown is not None:
        return [f"/{worker_id}" for worker_id in claims.shown]
    return teams_of(claims)


def require_guests_way(claims: Claims, method: str, path: str) -> None:
    """A guest reads workers and what hangs on them, and asks for nothing else, whatever that would do.

    Raises:
        Forbidden: `guest`.
    """
    if claims.shown is not None and (method != "GET" or path.split("/", 2)[1] not in SHOWN_TO_GUESTS):
        raise Forbidden("a guest reads what they were shown, and does nothing else", reason_code="guest")


def require_scope(claims: Claims, *scopes: str) -> None:
    """Any of `scopes`; `administer` includes `observe`.

    Raises:
        Forbidden: the token has none of them.
    """
    held = claims.scopes | {"observe"} if "administer" in claims.scopes else claims.scopes
    if not held.intersection(scopes):
        needed = " or ".join(scopes)
        raise Forbidden(f"the token lacks the scope {needed}", reason_code="scope", scope=scopes[0])


def require_step_up(claims: Claims) -> None:
    """The session's user has proved within the last minutes who they are.

    Raises:
        Forbidden: `step_up_required`; `how` says where that is done.
    """
    if not claims.step_up:
        raise Forbidden(
            "prove first who you are: this takes a session that was stepped up within the last ten minutes",
            reason_code="step_up_required",
            how="POST /api/auth/step-up",
            methods=["email_code", "passkey"],
        )


def observe(claims: Claims, worker: Worker) -> None:
    """May read this worker. An `execute` token reads what its machine executes, and what no machine ever did.

    Raises:
        Forbidden: no role, or no scope.
    """
    require_role(claims, worker)
    require_scope(claims, "observe", "execute")
    if not claims.scopes & {"observe", "administer"}:
        _require_own_machine(claims, worker)


def only_machine(claims: Claims) -> str | None:
    """The one machine that a token which executes, and nothing else, reads about; None: all that its principal may."""
    return None if claims.scopes & {"observe", "administer"} else claims.machine_id


def observe_machine(claims: Claims, machine_id: str, machine: Owned) -> None:
    """May read what this machine was asked. An `execute` token reads that of its own machine.

    Raises:
        Forbidden: no role, no scope, or the token of another machine.
    """
    require_role(claims, machine)
    require_scope(claims, "observe", "execute")
    if only_machine(claims) not in (None, machine_id):
        raise Forbidden("the token is another machine's", reason_code="machine")


def administer(claims: Claims, worker: Worker) -> None:
    """May ask this worker for something, and stop it.

    Raises:
        Forbidden: no role, or no scope.
    """
    operate(claims, worker)
    require_scope(claims, "administer")


def decide(claims: Claims, owned: Owned) -> None:
    """May answer what this worker's Codex asks: people only. Nothing that executes says yes to itself.

    Raises:
        Forbidden: no role, too small a scope, or a token that executes, whatever else it may.
    """
    operate(claims, owned)
    require_scope(claims, "administer")
    if "execute" in claims.scopes:
        raise Forbidden("a token that executes answers nothing", reason_code="scope", scope="administer")


def open_worker(claims: Claims) -> None:
    """May create and reattach workers at all: people, and companions.

    Raises:
        Forbidden: the scope is too small.
    """
    require_scope(claims, "administer", "execute")


def execute(claims: Claims, machine_id: str) -> None:
    """May act as this machine.

    Raises:
        Forbidden: no `execute` scope, or that of another machine.
    """
    require_scope(claims, "execute")
    if claims.machine_id != machine_id:
        raise Forbidden("the token is another machine's", reason_code="machine")


def require_role(claims: Claims, owned: Owned) -> None:
    """Any role at all.

    Raises:
        Forbidden: none.
    """
    if role_of(claims, owned) is None:
        raise Forbidden("you have no role here", reason_code="role")


def operate(claims: Claims, owned: Owned) -> None:
    """A role that may change something: `owner` or `operator`.

    Raises:
        Forbidden: none, or `viewer`.
    """
    if role_of(claims, owned) not in OPERATING:
        raise Forbidden("your role here does not allow this", reason_code="role")


def acts_as_executor(claims: Claims, worker: Worker) -> bool:
    """Whether `claims` speak for a machine here: the one of the lease, or any where nothing else is in the token."""
    if "execute" not in claims.scopes or worker.lease is None:
        return False
    return claims.machine_id == worker.lease.machine_id or "administer" not in claims.scopes


def append(batch: Batch, worker: Worker) -> None:
    """May append all of the batch to this worker's log.

    On a worker that no machine ever executed, its owner writes what desktop clients did before there were leases.

    Raises:
        Forbidden: not the caller's to append.
    """
    claims = batch.claims
    operate(claims, worker)
    require_scope(claims, "administer", "execute")
    executor = acts_as_executor(claims, worker)
    if executor and batch.generation is None:
        _require_own_machine(claims, worker)
    free = executor or worker.lease is None
    if batch.event_types != {EVENT}:
        for draft in batch.drafts:
            _refuse_runtime_types(draft)
    if not free:
        for draft in batch.drafts:
            _refuse_executor_events(draft)


def fence(batch: Batch, worker: Worker) -> None:
    """The lease that the batch was written under is still the worker's.

    Raises:
        Conflict: `fenced`, with the generation that holds now.
    """
    lease = worker.lease
    if lease is None or not acts_as_executor(batch.claims, worker):
        return
    stale = batch.generation is not None and batch.generation != lease.generation
    if stale or lease.released_at is not None or batch.claims.machine_id != lease.machine_id:
        raise Conflict(
            "the lease has gone on: claim it again",
            reason_code="fenced",
            expected=lease.generation,
            released=lease.released_at is not None,
        )


def store(claims: Claims, worker: Worker, generation: int | None) -> None:
    """May store what this worker's events refer to: who executes it, or executed it last.

    A lease that was given back still lets its machine finish: what is stored was said when its event was appended.

    Raises:
        Forbidden: not the caller's to write.
        Conflict: `fenced`, with the generation that holds now.
    """
    operate(claims, worker)
    require_scope(claims, "administer", "execute")
    lease = worker.lease
    if lease is None:
        return
    if not acts_as_executor(claims, worker):
        raise Forbidden("only who executes this worker stores its artifacts", reason_code="lease")
    if generation is None:
        _require_own_machine(claims, worker)
    elif generation != lease.generation or claims.machine_id != lease.machine_id:
        raise Conflict(
            "the lease has gone on: claim it again",
            reason_code="fenced",
            expected=lease.generation,
            released=lease.released_at is not None,
        )


def _refuse_executor_events(draft: Draft) -> None:
    if draft.event_type != EVENT:
        raise Forbidden(f"{draft.event_type} is not yours to append", reason_code="event_type")
    if draft.value.get("source") == DESKTOP_SOURCE:
        raise Forbidden(f"only the lease holder writes as {DESKTOP_SOURCE}", reason_code="lease", field="source")
    if draft.value.get("method") == DESKTOP_ACK:
        raise Forbidden("only the lease holder acknowledges a handshake", reason_code="lease", field="method")


def _refuse_runtime_types(draft: Draft) -> None:
    if draft.event_type in RUNTIME_TYPES or draft.event_type.startswith(RUNTIME_PREFIXES):
        raise Forbidden(f"only the runtime writes {draft.event_type}", reason_code="event_type")


def _require_own_machine(claims: Claims, worker: Worker) -> None:
    if worker.lease is not None and claims.machine_id != worker.lease.machine_id:
        raise Forbidden("another machine executes this worker", reason_code="lease")
