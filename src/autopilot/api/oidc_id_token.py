"""What an ID token proves, and whether it proves it to us, now, for the sign-in that asked for it.

Signatures and keys are joserfc's; what OpenID Connect asks of the claims (Core 1.0, 3.1.3.7) is checked here, each
check with a name of its own. A key is chosen from the provider's own set, never from the token: `jwk`, `jku` and `x5u`
of a token mean nothing. Only asymmetric algorithms of a fixed list: `none`, and HMAC with a public key for its secret,
are no algorithms here. Pure: time and keys are handed in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from autopilot.contract.errors import AutopilotError

ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "Ed25519": "OKP",
}  # fmt: skip
"""Algorithm -> the kind of key that it takes."""
SKEW_SECONDS = 60.0
"""How far a provider's clock may be off."""
OLDEST_SECONDS = 600.0
"""A token was issued for the sign-in under way, which takes no longer."""
FAR_SECONDS = 1e12
"""No calendar has it; an integer in JSON may be too large for a float."""
TOKEN_CHARACTERS = 16 * 1024
RSA_BYTES = 256
"""The least: 2048 bits."""
SUBJECT_CHARACTERS = 255
HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class NotProved(AutopilotError):
    """What the provider said signs nobody in; `reason_code` says why, for the audit and the page."""

    code = "not_proved"

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words, reason_code=reason)
        self.reason = reason


class UnknownKey(NotProved):
    """The token is signed with a key that is not in the set we know: the provider may have a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must say."""

    issuer: str
    client_id: str
    nonce: str
    now: datetime
    access_token: str | None
    """Handed out beside it."""


def proved_claims(token: str, keys: Iterable[Mapping[str, Any]], expected: Expected) -> dict[str, Any]:
    """The claims of a token that proves them.

    `keys`: the provider's set, as JSON has it.

    Raises:
        UnknownKey: signed with none of these.
        NotProved: anything else that is wrong with it.
    """
    header = _header(token)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _refused("algorithm", "it is signed in a way that is not accepted")
    if "crit" in header:
        raise _refused("algorithm", "its header asks for what is not known here")
    key = _key(keys, header.get("kid"), algorithm)
    try:
        claims = jwt.decode(token, key, algorithms=[algorithm]).claims
    except RecursionError:  # nested deeper than anybody's claims
        raise _refused("malformed", "it is no signed token") from None
    except (JoseError, ValueError) as error:
        if header.get("kid") is None:  # it may be another key than the one that we know
            raise UnknownKey("signature", "its signature is wrong") from error
        raise _refused("signature", "its signature is wrong") from error
    _check(claims, algorithm, expected)
    return dict(claims)


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > TOKEN_CHARACTERS or token.count(".") != 2:  # noqa: PLR2004 - header, payload, signature
        raise _refused("malformed", "it is no signed token")
    try:
        header = json.loads(_decoded(token.partition(".")[0]))
    except (ValueError, RecursionError):
        raise _refused("malformed", "it is no signed token") from None
    if not isinstance(header, dict):
        raise _refused("malformed", "it is no signed token")
    return header


def _key(keys: Iterable[Mapping[str, Any]], key_id: object, algorithm: str) -> Key:
    fit = [key for key in keys if _fits(key, algorithm)]
    named = fit if key_id is None else [key for key in fit if key.get("kid") == key_id]
    if key_id is None and len(fit) > 1:
        raise _refused("key", "it names no key, and the provider has several")
    if not named:
        raise UnknownKey("key", "it is signed with no key of the provider's")
    try:
        return JWKRegistry.import_key(dict(named[0]))  # type: ignore[arg-type]  # any mapping with these names
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _refused("key", "the provider's key can't be read") from error


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    if key.get("kty") != ALGORITHMS[algorithm] or key.get("use", "sig") != "sig":
        return False
    uses = key.get("key_ops", ["verify"])
    if key.get("alg", algorithm) != algorithm or not isinstance(uses, list) or "verify" not in uses:
        return False
    if key["kty"] != "RSA":
        return key["kty"] == "EC" or key.get("crv") == "Ed25519"
    try:
        return len(_decoded(str(key.get("n", ""))).lstrip(b"\0")) >= RSA_BYTES
    except ValueError:
        return False


def _check(claims: Mapping[str, Any], algorithm: str, expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise _refused("issuer", "another issuer made it")
    _check_audience(claims, expected.client_id)
    _check_times(claims, expected.now.timestamp())
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(_bytes(nonce), expected.nonce.encode()):
        raise _refused("nonce", "it was made for another sign-in")
    if "at_hash" in claims:
        _check_access_token(claims["at_hash"], algorithm, expected.access_token)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > SUBJECT_CHARACTERS or not _is_text(subject):
        raise _refused("subject", "it names nobody")


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    said = claims.get("aud")
    audience = said if isinstance(said, list) else [said]
    if client_id not in audience:
        raise _refused("audience", "it was made for another client")
    if (len(audience) > 1 or "azp" in claims) and claims.get("azp") != client_id:
        raise _refused("audience", "it was made for another client")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if expires is None or issued is None:
        raise _refused("time", "it doesn't say when it was made, or how long it is good for")
    if expires <= now - SKEW_SECONDS:
        raise _refused("expired", "it is too old")
    if issued > now + SKEW_SECONDS or (_time(claims, "nbf") or 0.0) > now + SKEW_SECONDS:
        raise _refused("not_yet", "it is of a time to come: a clock is off")
    if issued < now - OLDEST_SECONDS - SKEW_SECONDS:
        raise _refused("expired", "it was made before this sign-in began")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    said = claims.get(name)
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int | float) or not -FAR_SECONDS < said < FAR_SECONDS:
        raise _refused("time", f"its {name} is no time")
    return float(said)


def _check_access_token(said: object, algorithm: str, access_token: str | None) -> None:
    digest = HASHES["512" if algorithm == "Ed25519" else algorithm[2:]](_bytes(access_token or "")).digest()
    made = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(said, str) or not hmac.compare_digest(_bytes(said), made):
        raise _refused("at_hash", "it belongs to another access token")


def _bytes(written: str) -> bytes:
    """Also of half a surrogate pair, which JSON can say and UTF-8 can't."""
    return written.encode("utf-8", "surrogatepass")


def _is_text(written: str) -> bool:
    """Whether a database keeps it."""
    return "\0" not in written and not any("\ud800" <= character <= "\udfff" for character in written)


def _decoded(written: str) -> bytes:
    try:
        return base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


def _refused(reason: str, words: str) -> NotProved:
    return NotProved(reason, f"the provider's answer is not accepted: {words}")
