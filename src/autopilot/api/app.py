"""The API process's app, composed: accounts, limits, the facade, and the tasks that live as long as it does.

Relies on a database with the schema `api` migrated, and on a RuntimePort. Owns the pool it opened, never one it was
given. Never holds worker logic.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncpg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from autopilot import contract
from autopilot.api.accounts import SignUp
from autopilot.api.address import Addresses
from autopilot.api.alarm import Alarm
from autopilot.api.audit_outbox import AuditOutbox
from autopilot.api.browsers import Browsers
from autopilot.api.ceremonies import Ceremonies
from autopilot.api.codes import Codes
from autopilot.api.deletion import Deletion, Deletions
from autopilot.api.devices import Devices
from autopilot.api.grants import Grants
from autopilot.api.guests import Guests
from autopilot.api.http import link_pages
from autopilot.api.http.account import AccountRoutes
from autopilot.api.http.auth import AuthRoutes
from autopilot.api.http.body import BodyLimits
from autopilot.api.http.devices import DeviceRoutes
from autopilot.api.http.docs import DocsRoutes
from autopilot.api.http.door import Door
from autopilot.api.http.edge import Edge
from autopilot.api.http.facade import Facade, FacadeFirst
from autopilot.api.http.guests import GuestRoutes
from autopilot.api.http.health import HealthRoutes
from autopilot.api.http.oidc import OidcRoutes
from autopilot.api.http.pairing import PairingRoutes
from autopilot.api.http.passkeys import PasskeyRoutes
from autopilot.api.http.reception import Reception
from autopilot.api.http.step_up import StepUpRoutes
from autopilot.api.http.teams import TeamRoutes
from autopilot.api.invitations import Invitations
from autopilot.api.limits import Limit
from autopilot.api.mail import Mailer, Postman, mailer_for
from autopilot.api.oidc import OidcSignIns
from autopilot.api.oidc_client import oidc_client
from autopilot.api.oidc_provider import Provider
from autopilot.api.pairing import Pairings
from autopilot.api.pairing_collect import Collector
from autopilot.api.passkey_uses import PasskeyUses
from autopilot.api.passkeys import Passkeys
from autopilot.api.push_keys import PushKey
from autopilot.api.push_room import PushRoom, push_room
from autopilot.api.recovery_watch import RecoveryWatch
from autopilot.api.refusals import Refusals
from autopilot.api.relying_party import relying_party
from autopilot.api.revocations import Revocations
from autopilot.api.sessions import Sessions
from autopilot.api.settings import ApiSettings, Limits
from autopilot.api.sharing import Departures, Memberships
from autopilot.api.signatures import Signatures
from autopilot.api.site import surroundings
from autopilot.api.spend_names import SpendNames
from autopilot.api.step_up import StepUp
from autopilot.api.strangers import Strangers
from autopilot.api.teams import Teams
from autopilot.api.untold import Setbacks, setbacks_gauge
from autopilot.api.watch import StreamWatch
from autopilot.contract import openapi
from autopilot.contract.errors import InvalidRequest, MethodNotAllowed, NotFound
from autopilot.contract.port import RuntimePort
from autopilot.ops.access import Access
from autopilot.ops.clock import Clock, SystemClock
from autopilot.ops.lifecycle import supervise
from autopilot.ops.metrics import Metrics

SWEEP_SECONDS = 600.0
MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Api:
    """The parts, for whoever runs the app (`app.state.api`)."""

    pool: asyncpg.Pool
    sessions: Sessions
    browsers: Browsers
    push: PushRoom
    codes: Codes
    pairings: Pairings
    ceremonies: Ceremonies
    invitations: Invitations
    deletions: Deletions
    sso: OidcSignIns | None
    guests: Guests
    grants: Grants
    watch: StreamWatch
    postman: Postman
    revocations: Revocations
    audit: AuditOutbox
    refusals: Refusals
    alarm: Alarm
    departures: Departures
    recoveries: RecoveryWatch
    signatures: Signatures
    clock: Clock

    async def sweep(self) -> None:
        """Forget what ended, every ten minutes, until cancelled."""
        while True:
            await self.browsers.sweep()
            await self.push.sweep()
            await self.sessions.sweep()
            await self.codes.sweep()
            await self.signatures.sweep()
            await self.pairings.sweep()
            await self.ceremonies.sweep()
            await self.invitations.sweep()
            await Deletion(self.pool).sweep()
            if self.sso is not None:
                await self.sso.sweep()
            await self.guests.sweep()
            await self.clock.sleep(SWEEP_SECONDS)


def build(
    settings: ApiSettings,
    *,
    pool: asyncpg.Pool,
    port: RuntimePort,
    clock: Clock | None = None,
    mailer: Mailer | None = None,
    metrics: Metrics | None = None,
    limits: Limits | None = None,
    stopping: asyncio.Event | None = None,
    code_keys: Callable[[], tuple[bytes, ...]] | None = None,
    push_key: Callable[[], PushKey] | None = None,
    pages: ASGIApp | None = None,
) -> Starlette:
    """The ASGI app.

    `stopping`, once set, ends the open streams (ops.serve.Server sets it). `pool` and `port` are the caller's to close.
    `pages`: answers every path that is none of the API's, behind the same edge (the web app).
    `push_key`: says what signs notifications, asked at each; else one that ends with the process.
    `code_keys`: says what keys the digests of sign-in codes, asked at each; else the settings' one.
    """
    clock, metrics, limits = clock or SystemClock(), metrics or Metrics(process=True), limits or Limits()
    alarm = Alarm(metrics, pool, clock)
    addresses, site = surroundings(settings)
    mailer = mailer or mailer_for(settings)
    codes = Codes(
        pool, code_keys or _code_keys(settings), limits.code_seconds, limits.code_attempts, limits.codes_per_hour, alarm
    )
    api = _parts(
        settings,
        pool,
        port,
        codes=codes,
        clock=clock,
        mailer=mailer,
        limits=limits,
        addresses=addresses,
        alarm=alarm,
        metrics=metrics,
        push_key=push_key,
    )
    metrics.gauge("api_streams_open", "Event streams open now.").set_function(lambda: api.watch.count)
    door = _door(settings, limits, clock, api.grants, addresses)
    body_limits = BodyLimits(limits.auth_body_bytes, limits.body_idle_seconds, limits.body_seconds)
    reception, devices = Reception(door, addresses, api.signatures, body_limits), Devices(api.sessions)
    step_up, site_of_passkeys = StepUp(api.codes), relying_party(settings)
    uses = PasskeyUses(api.ceremonies, site_of_passkeys, alarm)
    rate = Limit(settings.sign_ins_per_minute / MINUTE_SECONDS, settings.sign_ins_per_minute, clock.monotonic)
    auth = AuthRoutes(
        sign_up=_sign_up(settings),
        codes=api.codes,
        sessions=api.sessions,
        grants=api.grants,
        watch=api.watch,
        postman=api.postman,
        devices=devices,
        reception=reception,
        step_up=step_up,
        rate=rate,
        alarm=alarm,
        recoveries=api.recoveries,
    )
    passkeys = PasskeyRoutes(
        passkeys=Passkeys(api.ceremonies, site_of_passkeys, limits.passkeys),
        uses=uses,
        sessions=api.sessions,
        postman=api.postman,
        reception=reception,
        rate=rate,
        alarm=alarm,
    )
    body_limits = BodyLimits(limits.body_bytes, limits.body_idle_seconds, limits.body_seconds)
    memberships, names = Memberships(pool), SpendNames(pool)
    facade = Facade(
        port, door, api.watch, api.signatures, api.refusals, memberships, body_limits, names, api.recoveries
    )
    teams = TeamRoutes(
        teams=Teams(pool),
        invitations=api.invitations,
        departures=api.departures,
        grants=api.grants,
        watch=api.watch,
        postman=api.postman,
        reception=reception,
        public_url=settings.public_url,
    )
    app = Starlette(
        routes=[
            *auth.routes(),
            *AccountRoutes(Deletion(pool), api.deletions, api.grants, api.watch, reception).routes(),
            *OidcRoutes(api.sso, api.postman, reception, rate, alarm, api.recoveries).routes(),
            *StepUpRoutes(step_up, uses, api.grants, api.postman, reception, rate, alarm).routes(),
            *passkeys.routes(),
            *DeviceRoutes(devices, api.grants, api.watch, api.signatures, reception).routes(),
            *_pairing(api, reception, limits).routes(),
            *teams.routes(),
            *GuestRoutes(api.guests, port, api.grants, api.watch, reception, rate, alarm, settings.public_url).routes(),
            *HealthRoutes(pool, port, clock.monotonic, metrics.render).routes(),
            *DocsRoutes(openapi.document()).routes(),
            *api.push.routes(reception, api.refusals, limits).routes(),
            *_beside(pages),
        ],
        middleware=[
            Middleware(Access, metrics=metrics, clock=clock),
            Middleware(
                Edge,
                limits=limits,
                contract_version=contract.VERSION,
                public_url=settings.public_url,
                site=site,
                refusals=api.refusals,
            ),
            Middleware(FacadeFirst, facade=facade),
        ],
        exception_handlers={HTTPException: _framework_refusal},
        lifespan=_lifespan(api, stopping or asyncio.Event()),
    )
    app.router.redirect_slashes = False
    app.state.api = api
    return app


def _beside(pages: ASGIApp | None) -> list[BaseRoute]:
    """Every other path is the web app's, where there is one; not what would be the API's."""
    if pages is None:
        return [Route("/", DocsRoutes.root, methods=["GET"]), *link_pages.ROUTES]
    return [Route("/api/{rest:path}", _no_such_route), Mount("", pages)]


async def _no_such_route(_request: Request) -> Response:
    raise NotFound("no such path", reason_code="no_such_route")


def _sign_up(settings: ApiSettings) -> SignUp:
    return SignUp(is_open=settings.sign_up == "open", owner_email=settings.owner_email)


def _sso(
    settings: ApiSettings, sessions: Sessions, codes: Codes, alarm: Alarm, *, clock: Clock, at_once: int
) -> OidcSignIns | None:
    client = oidc_client(settings)
    if client is None:
        return None
    provider = Provider(client, clock)
    return OidcSignIns(codes.pool, provider, sessions, codes.keys, _sign_up(settings), alarm, at_once)


def _code_keys(settings: ApiSettings) -> Callable[[], tuple[bytes, ...]]:
    key = settings.code_key.reveal().encode() if settings.code_key else secrets.token_bytes(32)
    return lambda: (key,)


def _parts(
    settings: ApiSettings,
    pool: asyncpg.Pool,
    port: RuntimePort,
    *,
    codes: Codes,
    clock: Clock,
    mailer: Mailer,
    limits: Limits,
    addresses: Addresses,
    alarm: Alarm,
    metrics: Metrics,
    push_key: Callable[[], PushKey] | None,
) -> Api:
    grants = Grants(pool, clock.monotonic, remember_seconds=limits.remember_seconds)
    sessions = Sessions(pool, settings.lifetimes(limits.grace_seconds))
    gauge = setbacks_gauge(metrics)
    return Api(
        pool=pool,
        sessions=sessions,
        browsers=Browsers(pool, sessions, addresses, _strangers(limits, clock, "unknown_cookies")),
        push=push_room(settings, pool, port, key=push_key, limits=limits, clock=clock, metrics=metrics),
        codes=codes,
        ceremonies=Ceremonies(pool, limits.ceremony_seconds, limits.ceremonies),
        pairings=Pairings(pool, codes.keys, limits.pairing_seconds, limits.pairings, alarm),
        invitations=Invitations(pool, codes.keys),
        deletions=Deletions(pool, port, clock, Setbacks("deletions", clock, gauge)),
        sso=_sso(settings, sessions, codes, alarm, clock=clock, at_once=limits.single_sign_ons),
        guests=Guests(pool, sessions, limits.guests),
        grants=grants,
        watch=StreamWatch(
            grants,
            clock,
            seconds=limits.watch_seconds,
            limit=limits.streams,
            session_limit=limits.streams_per_session,
            user_limit=limits.streams_per_user,
            address_limit=limits.streams_per_address,
        ),
        postman=Postman(mailer, clock),
        revocations=Revocations(sessions, port, clock, Setbacks("revocations", clock, gauge)),
        audit=AuditOutbox(pool, port, clock, Setbacks("audit", clock, gauge)),
        refusals=Refusals(pool, addresses, clock),
        alarm=alarm,
        departures=Departures(pool, port, clock, Setbacks("departures", clock, gauge)),
        recoveries=RecoveryWatch(pool),
        signatures=Signatures(pool, addresses, Limit(0.1, 10, clock.monotonic)),
        clock=clock,
    )


def _pairing(api: Api, reception: Reception, limits: Limits) -> PairingRoutes:
    per_minute, monotonic = limits.pairing_tries_per_minute, api.clock.monotonic
    return PairingRoutes(
        pairings=api.pairings,
        collector=Collector(api.pairings, api.sessions),
        grants=api.grants,
        watch=api.watch,
        reception=reception,
        tries=Limit(per_minute / MINUTE_SECONDS, per_minute, monotonic),
        polls=Limit(limits.pairing_polls_per_second, limits.pairing_polls_per_second * limits.burst_seconds, monotonic),
    )


def _door(settings: ApiSettings, limits: Limits, clock: Clock, grants: Grants, addresses: Addresses) -> Door:
    def rate(per_second: float) -> Limit:
        return Limit(per_second, per_second * limits.burst_seconds, clock.monotonic)

    return Door(
        grants,
        addresses,
        strangers=_strangers(limits, clock, "unknown_tokens"),
        clients=rate(settings.client_per_second),
        executors=rate(settings.executor_per_second),
        users=rate(settings.client_per_second * limits.sessions_per_user),
    )


def _strangers(limits: Limits, clock: Clock, reason_code: str) -> Strangers:
    """How many tokens, or cookies, of nobody a network address may bring."""
    return Strangers(Limit(limits.strangers_per_second, limits.strangers_burst, clock.monotonic), reason_code)


def _lifespan(api: Api, stopping: asyncio.Event):  # noqa: ANN202 - Starlette names no type for it
    async def end_streams() -> None:
        await stopping.wait()
        api.watch.end_all("shutdown")

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            works = {"mail": api.postman.run, "stream_watch": api.watch.run, "sweep": api.sweep}
            works |= {"revocations": api.revocations.run, "revocations_retry": api.revocations.retry}
            works |= {"audit": api.audit.run, "refusals": api.refusals.run, "departures": api.departures.run}
            works |= {"alarm": api.alarm.run}
            works |= {"deletions": api.deletions.run, "recoveries": api.recoveries.run}
            works |= {"push_plan": api.push.planner.run, "push_delivery": api.push.deliverer.run}
            tasks = [group.create_task(supervise(name, work, clock=api.clock)) for name, work in works.items()]
            tasks.append(group.create_task(end_streams()))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await api.push.sender.aclose()
                if api.sso is not None:
                    await api.sso.provider.aclose()

    return lifespan


async def _framework_refusal(request: Request, refusal: Exception) -> Response:
    """What Starlette refuses, in the contract's form (Edge renders it)."""
    assert isinstance(refusal, HTTPException)
    if refusal.status_code == 404:  # noqa: PLR2004 - the status itself
        raise NotFound("no such path", reason_code="no_such_route")
    if refusal.status_code == 405:  # noqa: PLR2004 - the status itself
        allowed = [name.strip() for name in (refusal.headers or {}).get("Allow", "").split(",")]
        raise MethodNotAllowed(f"{request.method} is not a method of this path", reason_code="method", allowed=allowed)
    raise InvalidRequest("the request can't be read", reason_code="malformed_http")
