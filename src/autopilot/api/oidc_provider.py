"""The OpenID provider, as far as we talk to it: what it says of itself, its keys, its tokens, its userinfo.

Everything that comes from there is bounded: how much (`BODY_BYTES`), how long (`ANSWER_SECONDS` in all), how often
(documents are kept an hour; an unknown key has them fetched anew at most once a minute; one that does not answer is
left alone for five seconds). No redirect is followed, nothing compressed is read. A provider that is away is 503 with
plain words, never a sign-in. Never decides who somebody is.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from autopilot.api.oidc_client import OidcClient, is_fit
from autopilot.api.oidc_id_token import Expected, NotProved, UnknownKey, proved_claims
from autopilot.contract.errors import Unavailable
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

BODY_BYTES = 256 * 1024
ANSWER_SECONDS = 10.0
"""For an answer with all its bytes."""
KEPT_SECONDS = 3600.0
AGAIN_SECONDS = 60.0
"""Keys are not fetched anew sooner, whatever key a token names."""
AWAY_SECONDS = 5.0
MOST_KEYS = 100
CONNECTIONS = 20
SCOPES = "openid email"
METADATA = "/.well-known/openid-configuration"

log = get_logger("autopilot.api")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the provider says of itself."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    basic: bool
    """Whether the client's secret goes into a header (else into the body)."""
    names_itself: bool
    """Whether its answers say which issuer they are of (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Whom the provider says it is."""

    subject: str
    email: str | None
    email_verified: bool


class Provider:
    """One provider; `aclose` ends its connections."""

    def __init__(self, client: OidcClient, clock: Clock, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self.client = client
        self._clock = clock
        limits = httpx2.Limits(max_connections=CONNECTIONS)
        self._http = httpx2.AsyncClient(
            transport=transport,
            limits=limits,
            timeout=ANSWER_SECONDS,
            follow_redirects=False,
            headers={"accept": "application/json", "accept-encoding": "identity"},
        )
        self._fetching = asyncio.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, list[Mapping[str, Any]]] | None = None
        self._away_until = 0.0

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def authorization_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """What a browser is to open.

        Raises:
            Unavailable: the provider does not answer.
        """
        metadata = await self.metadata()
        asked = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "scope": SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization else "?"
        return metadata.authorization + joint + urlencode(asked, quote_via=quote)

    async def prove(self, code: str, *, verifier: str, nonce: str) -> Proof:
        """Turn the code that the browser brought into whom it is of.

        Raises:
            NotProved: it is of nobody, or not of the sign-in that has this nonce and verifier.
            Unavailable: the provider does not answer.
        """
        answer = await self._exchange(code, verifier)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str | None):
            raise NotProved("malformed", "the provider's answer is not accepted: it has no ID token")
        if access_token is not None and not (access_token.isascii() and access_token.isprintable()):
            raise NotProved("malformed", "the provider's answer is not accepted: its access token is none")
        claims = await self._claims(id_token, access_token, nonce)
        if "email" not in claims and access_token:
            claims = {**await self._userinfo(access_token, claims["sub"]), **claims}
        email = claims.get("email")
        # Boolean by the standard; some say it in words.
        verified = claims.get("email_verified") in (True, "true")
        return Proof(claims["sub"], email if isinstance(email, str) else None, verified)

    async def metadata(self) -> Metadata:
        """What the provider says of itself, at most an hour ago.

        Raises:
            Unavailable: it does not answer, or says what can't be.
        """
        async with self._fetching:
            kept = self._metadata
            if kept is None or self._clock.monotonic() - kept[0] > KEPT_SECONDS:
                found = await self._fetch(self.client.issuer.rstrip("/") + METADATA)
                kept = self._metadata = (self._clock.monotonic(), self._read(found))
            return kept[1]

    def _read(self, found: Mapping[str, Any]) -> Metadata:
        if found.get("issuer") != self.client.issuer:
            log.warning("oidc.another_issuer", said=str(found.get("issuer"))[:200])
            raise _away("the sign-in provider calls itself something else than AUTOPILOT_OIDC_ISSUER")
        places = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        userinfo = found.get("userinfo_endpoint")
        for place in (*places, *([userinfo] if userinfo is not None else [])):
            if not isinstance(place, str) or not is_fit(place):
                raise _away("the sign-in provider does not say where it is")
        methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Metadata(
            *places,  # type: ignore[arg-type]  # each was looked at above
            userinfo=userinfo,
            basic=not isinstance(methods, list) or "client_secret_basic" in methods,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _claims(self, id_token: str, access_token: str | None, nonce: str) -> dict[str, Any]:
        expected = Expected(
            issuer=self.client.issuer,
            client_id=self.client.client_id,
            nonce=nonce,
            now=self._clock.now(),
            access_token=access_token,
        )
        try:
            return proved_claims(id_token, await self._key_set(), expected)
        except UnknownKey:
            return proved_claims(id_token, await self._key_set(at_most_seconds_old=AGAIN_SECONDS), expected)

    async def _key_set(self, *, at_most_seconds_old: float = KEPT_SECONDS) -> list[Mapping[str, Any]]:
        place = (await self.metadata()).keys
        async with self._fetching:
            kept = self._keys
            if kept is None or self._clock.monotonic() - kept[0] > at_most_seconds_old:
                found = (await self._fetch(place)).get("keys")
                if not isinstance(found, list) or len(found) > MOST_KEYS:
                    raise _away("the sign-in provider's keys can't be read")
                keys: list[Mapping[str, Any]] = [key for key in found if isinstance(key, dict)]
                kept = self._keys = (self._clock.monotonic(), keys)
            return kept[1]

    async def _exchange(self, code: str, verifier: str) -> Mapping[str, Any]:
        metadata, client = await self.metadata(), self.client
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.redirect_uri}
        form |= {"client_id": client.client_id, "code_verifier": verifier}
        headers = {}
        if client.secret is not None and metadata.basic:
            pair = f"{quote(client.client_id, safe='')}:{quote(client.secret.reveal(), safe='')}"  # RFC 6749, 2.3.1
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif client.secret is not None:
            form["client_secret"] = client.secret.reveal()
        status, body = await self._call("POST", metadata.token, data=form, headers=headers)
        if status in {400, 401, 403}:
            said = body.get("error") if body else None
            log.warning("oidc.code_refused", status=status, error=str(said)[:100])
            raise NotProved("code", "the provider does not take its own code back: begin again")
        return _object(status, body)

    async def _userinfo(self, access_token: str, subject: str) -> Mapping[str, Any]:
        place = (await self.metadata()).userinfo
        if place is None:
            return {}
        status, body = await self._call("GET", place, headers={"authorization": f"Bearer {access_token}"})
        said = _object(status, body)
        if said.get("sub") != subject:
            raise NotProved("subject", "the provider's answer is not accepted: it speaks of two people")
        return {name: said[name] for name in ("email", "email_verified") if name in said}

    async def _fetch(self, url: str) -> Mapping[str, Any]:
        """A document of the provider's; one that does not come is not asked for again at once."""
        if self._clock.monotonic() < self._away_until:
            raise _away()
        try:
            return _object(*await self._call("GET", url))
        except Unavailable:
            self._away_until = self._clock.monotonic() + AWAY_SECONDS
            raise

    async def _call(self, method: str, url: str, **rest: Any) -> tuple[int, Mapping[str, Any] | None]:
        """Status and JSON object of an answer; None: it is no such thing.

        Raises:
            Unavailable: no whole answer came, in time and within its bounds.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._http.stream(method, url, **rest) as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise _away("the sign-in provider's answer is compressed, which was not asked for")
                body = b""
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > BODY_BYTES:
                        raise _away("the sign-in provider's answer is too large")
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            log.warning("oidc.no_answer", error=type(error).__name__)
            raise _away() from error
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        return response.status_code, found if isinstance(found, dict) else None


def _object(status: int, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if status != 200 or body is None:  # noqa: PLR2004 - the status itself
        log.warning("oidc.odd_answer", status=status)
        raise _away()
    return body


def _away(words: str = "the sign-in provider does not answer") -> Unavailable:
    return Unavailable(
        f"{words}; try again in a moment",
        reason_code="sso_unavailable",
        outcome="not_recorded",
        retry_after_seconds=AWAY_SECONDS,
    )
