"""An ID token proves what it says only where the provider signed it, for us, now, for the sign-in that asked."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from tests.api.issuer import CLIENT_ID, Issuer

from autopilot.api.oidc_id_token import Expected, NotProved, proved_claims

ISSUER = Issuer(url="https://provider.example")
PUBLIC = ISSUER.key.as_dict(private=False)
NOW = int(time.time())


def claims(**said: Any) -> dict[str, Any]:
    """What a good token says, but for what is said."""
    ISSUER.claims = {"iat": NOW, "exp": NOW + 300, **said}
    return ISSUER.usual_claims("ada", "n", "access")


def proved(token: str, keys: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """What it proves."""
    expected = Expected(
        issuer=ISSUER.url, client_id=CLIENT_ID, nonce="n", now=datetime.fromtimestamp(NOW, UTC), access_token="access"
    )
    return proved_claims(token, [PUBLIC] if keys is None else keys, expected)


def unsigned(issuer: Issuer, claims: dict[str, Any]) -> str:
    _, body, _ = issuer.signed(claims).split(".")
    return f"eyJhbGciOiJub25lIn0.{body}."


def hmac_signed(issuer: Issuer, claims: dict[str, Any]) -> str:
    """HS256 with the public key for its secret, which everybody has. By hand: libraries refuse to make one."""
    _, body, _ = issuer.signed(claims).split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=").decode()
    made = hmac.HMAC(issuer.key.as_pem(private=False), hashes.SHA256())
    made.update(f"{head}.{body}".encode())
    return f"{head}.{body}." + base64.urlsafe_b64encode(made.finalize()).rstrip(b"=").decode()


def own_key(issuer: Issuer, claims: dict[str, Any]) -> str:
    """Signed with a key that the token brings along."""
    key = RSAKey.generate_key(2048)
    header = {"alg": "RS256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key, algorithms=["RS256"])


def bent(issuer: Issuer, claims: dict[str, Any]) -> str:
    head, _, signature = issuer.signed(claims).split(".")
    other = issuer.signed({**claims, "sub": "eve"}).split(".")[1]
    return f"{head}.{other}.{signature}"


def critical(issuer: Issuer, claims: dict[str, Any]) -> str:
    return issuer.signed(claims, crit=["b64"], b64=True)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (unsigned, "algorithm"),
        (hmac_signed, "algorithm"),
        (own_key, "signature"),
        (bent, "signature"),
        (critical, "algorithm"),
        (lambda _issuer, _claims: "not.a.token", "malformed"),
        (lambda _issuer, _claims: "x" * 100_000, "malformed"),
    ],
    ids=["none", "HS256 with the public key", "a key of its own", "other claims", "crit", "no token", "huge"],
)
def test_a_token_that_the_provider_did_not_sign_proves_nothing(
    make: Callable[[Issuer, dict[str, Any]], str], reason: str
):
    with pytest.raises(NotProved) as refused:
        proved(make(ISSUER, claims()))

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"nonce": "of another sign-in"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"iss": "https://another.example"}, "issuer"),
        ({"aud": "another-client"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": [CLIENT_ID, "another-client"]}, "audience"),
        ({"azp": "another-client"}, "audience"),
        ({"exp": NOW - 3600, "iat": NOW - 3700}, "expired"),
        ({"exp": NOW - 120}, "expired"),
        ({"exp": None}, "time"),
        ({"exp": "soon"}, "time"),
        ({"exp": True}, "time"),
        ({"iat": None}, "time"),
        ({"iat": NOW + 3600, "exp": NOW + 7200}, "not_yet"),
        ({"iat": NOW - 7200}, "expired"),
        ({"nbf": NOW + 3600}, "not_yet"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"at_hash": 7}, "at_hash"),
        ({"sub": ""}, "subject"),
        ({"sub": 7}, "subject"),
        ({"sub": "a\0b"}, "subject"),
        ({"exp": float("nan")}, "time"),
        ({"exp": float("inf")}, "time"),
        ({"exp": 10**400}, "time"),
        ({"iat": -(10**400)}, "time"),
        ({"nbf": 10**4000}, "time"),
        ({"nonce": "\ud800"}, "nonce"),
        ({"at_hash": "\ud800"}, "at_hash"),
        ({"sub": "\ud800"}, "subject"),
    ],
)
def test_a_token_that_says_what_it_must_not_proves_nothing(said: dict[str, Any], reason: str):
    with pytest.raises(NotProved) as refused:
        proved(ISSUER.signed(claims(**said)))

    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "payload",
    [b"[" * 9000, b'{"a":' * 2000, b'{"exp":%s}' % (b"9" * 5000), b"7", b"\xff", b'"\\ud800"'],
    ids=["deep", "deeper", "a number of too many digits", "no object", "no UTF-8", "a surrogate"],
)
def test_a_payload_that_no_parser_takes_proves_nothing(payload: bytes):
    token = jws.serialize_compact({"alg": "RS256", "kid": "k1"}, payload, ISSUER.key, algorithms=["RS256"])
    with pytest.raises(NotProved):
        proved(token)


@pytest.mark.parametrize(
    "said",
    [
        {"aud": [CLIENT_ID]},
        {"azp": CLIENT_ID},
        {"at_hash": None},
        {"exp": NOW + 9e5},
        {"iat": NOW + 30, "nbf": NOW + 30},
        {"exp": NOW - 30},
    ],
)
def test_what_the_standard_leaves_open_and_a_clock_off_by_less_than_a_minute_are_no_reason(said: dict[str, Any]):
    assert proved(ISSUER.signed(claims(**said)))["sub"] == "ada"


@pytest.mark.parametrize(("curve", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512")])
def test_elliptic_keys_are_as_good_and_one_of_another_kind_under_their_name_is_none(curve: str, algorithm: str):
    key = ECKey.generate_key(curve, {"kid": "e1"})
    token = jwt.encode({"alg": algorithm, "kid": "e1"}, claims(at_hash=None), key, algorithms=[algorithm])

    assert proved(token, [{"kty": "oct", "kid": "e1", "k": "AAAA"}, key.as_dict(private=False)])["sub"] == "ada"
    with pytest.raises(NotProved):
        proved(token, [{"kty": "oct", "kid": "e1", "k": "AAAA"}, PUBLIC])


def test_ed25519_is_as_good():
    key = OKPKey.generate_key("Ed25519", {"kid": "o1"})
    half = base64.urlsafe_b64encode(hashlib.sha512(b"access").digest()[:32]).rstrip(b"=").decode()
    token = jwt.encode({"alg": "Ed25519", "kid": "o1"}, claims(at_hash=half), key, algorithms=["Ed25519"])

    assert proved(token, [key.as_dict(private=False)])["sub"] == "ada"


@pytest.mark.parametrize(
    "said",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"key_ops": ["encrypt"]},
        {"key_ops": None},
        {"kid": "k2"},
        {"kty": "EC"},
        {"n": "AQAB"},
        {"n": "%%"},
        {"n": None},
        {"e": 7},
    ],
)
def test_a_key_that_is_too_short_for_something_else_or_no_key_proves_nothing(said: dict[str, Any]):
    with pytest.raises(NotProved) as refused:
        proved(ISSUER.signed(claims()), [{**PUBLIC, **said}])

    assert refused.value.reason in {"key", "signature"}


def test_a_token_without_a_name_of_a_key_is_held_against_the_only_one_that_fits():
    token = jwt.encode({"alg": "RS256"}, claims(), ISSUER.key, algorithms=["RS256"])

    assert proved(token)["sub"] == "ada"
    with pytest.raises(NotProved, match="names no key"):
        proved(token, [PUBLIC, {**PUBLIC, "kid": "k2"}])
