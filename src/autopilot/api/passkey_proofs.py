"""What an authenticator's answer proves. Pure: no database, no clock.

Relies on py_webauthn for CBOR, COSE and signatures, and on nothing that it decodes before it has said that the answer
holds. Beyond it: sizes are bounded before anything is parsed, answers made within somebody else's page are refused, the
id is the one that was attested, and a key is one that can be verified by later. Counters are for `passkey_uses` to
compare, once the signature holds: else whoever knows a credential's id could make its owner's passkey look copied.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from webauthn import base64url_to_bytes, verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import AttestationFormat, CredentialDeviceType

from autopilot.api import opaque
from autopilot.contract import AssertionCredential, RegistrationCredential, encode
from autopilot.contract.errors import Unprocessable

ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
RSA_BITS = range(2048, 4097)
TRANSPORTS = 10
PROBLEM_CHARACTERS = 200
_TRANSPORT = re.compile(r"[a-z-]{1,32}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_ID_CHARACTERS = 1364
_CLIENT_DATA_CHARACTERS = 8192
_ATTESTATION_CHARACTERS = 32768
_ASSERTION_CHARACTERS = 4096
_HANDLE_CHARACTERS = 128


class NoProof(Exception):
    """The answer proves nothing; the message says why, for the log."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and of whom."""

    challenge_digest: bytes
    rp_id: str
    origins: Collection[str]


@dataclass(frozen=True, slots=True)
class Made:
    """A key that an authenticator made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proved:
    """What an authenticator that has the key says besides."""

    sign_count: int
    backup_eligible: bool
    backed_up: bool


def check_registration(credential: RegistrationCredential) -> None:
    """Look at sizes and alphabets alone.

    Raises:
        Unprocessable: by field.
    """
    _check_id(credential.id, credential.rawId, credential.type)
    response = credential.response
    _check_text(response.clientDataJSON, "response.clientDataJSON", _CLIENT_DATA_CHARACTERS)
    _check_text(response.attestationObject, "response.attestationObject", _ATTESTATION_CHARACTERS)


def check_assertion(credential: AssertionCredential) -> None:
    """The same.

    Raises:
        Unprocessable: by field.
    """
    _check_id(credential.id, credential.rawId, credential.type)
    response = credential.response
    _check_text(response.clientDataJSON, "response.clientDataJSON", _CLIENT_DATA_CHARACTERS)
    _check_text(response.authenticatorData, "response.authenticatorData", _ASSERTION_CHARACTERS)
    _check_text(response.signature, "response.signature", _ASSERTION_CHARACTERS)
    if response.userHandle is not None:
        _check_text(response.userHandle, "response.userHandle", _HANDLE_CHARACTERS)


def registered(credential: RegistrationCredential, question: Question) -> Made:
    """The key that was made in answer to this question.

    Raises:
        NoProof: it was not.
    """
    try:
        return _registered(credential, question)
    except NoProof:
        raise
    except Exception as error:  # whatever a parser makes of hostile bytes, they prove nothing
        raise NoProof(f"{type(error).__name__}: {error}"[:PROBLEM_CHARACTERS]) from error


def proved(credential: AssertionCredential, question: Question, public_key: bytes) -> Proved:
    """What whoever holds the other half of this key answered to this question.

    Raises:
        NoProof: the answer is not theirs, or not to it.
    """
    try:
        return _proved(credential, question, public_key)
    except NoProof:
        raise
    except Exception as error:  # as above
        raise NoProof(f"{type(error).__name__}: {error}"[:PROBLEM_CHARACTERS]) from error


def _registered(credential: RegistrationCredential, question: Question) -> Made:
    challenge = _challenge(credential.response.clientDataJSON, question)
    attested = parse_attestation_object(base64url_to_bytes(credential.response.attestationObject))
    is_plain = attested.fmt == AttestationFormat.NONE
    is_own = attested.fmt == AttestationFormat.PACKED and not attested.att_stmt.x5c
    if not is_plain and not is_own:
        raise NoProof("an attestation that was not asked for")  # certificates are not even parsed
    if attested.auth_data.attested_credential_data is None:
        raise NoProof("no key")
    _check_key(attested.auth_data.attested_credential_data.credential_public_key)
    verified = verify_registration_response(
        credential=encode(credential),
        expected_challenge=challenge,
        expected_rp_id=question.rp_id,
        expected_origin=list(question.origins),
        require_user_verification=True,
        supported_pub_key_algs=ALGORITHMS,
    )
    if verified.credential_id != base64url_to_bytes(credential.rawId):
        raise NoProof("another id than the one that was attested")
    found = [one for one in credential.response.transports if _TRANSPORT.fullmatch(one)]
    return Made(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        backup_eligible=verified.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        backed_up=verified.credential_backed_up,
        transports=tuple(dict.fromkeys(found))[:TRANSPORTS],
    )


def _proved(credential: AssertionCredential, question: Question, public_key: bytes) -> Proved:
    verified = verify_authentication_response(
        credential=encode(credential),
        expected_challenge=_challenge(credential.response.clientDataJSON, question),
        expected_rp_id=question.rp_id,
        expected_origin=list(question.origins),
        credential_public_key=public_key,
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    return Proved(
        sign_count=verified.new_sign_count,
        backup_eligible=verified.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        backed_up=verified.credential_backed_up,
    )


def _challenge(client_data: str, question: Question) -> bytes:
    """The challenge that the client was asked, where it is that of this question."""
    said = parse_client_data_json(base64url_to_bytes(client_data))
    if said.cross_origin:
        raise NoProof("within another site's page")
    if not opaque.same(question.challenge_digest, opaque.digest(said.challenge)):
        raise NoProof("another challenge")
    return said.challenge


def _check_key(public_key: bytes) -> None:
    """A key that can't be verified by later would only be found out when its owner needs it."""
    key = decoded_public_key_to_cryptography(decode_credential_public_key(public_key))
    is_fit = (
        isinstance(key, ed25519.Ed25519PublicKey)
        or (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1))
        or (isinstance(key, rsa.RSAPublicKey) and key.key_size in RSA_BITS)
    )
    if not is_fit:
        raise NoProof("a key of another kind or size")


def _check_id(identifier: str, raw: str, kind: str) -> None:
    _check_text(identifier, "id", _ID_CHARACTERS)
    _check_text(raw, "rawId", _ID_CHARACTERS)
    if kind != "public-key":
        raise _wrong("type", "of another type")


def _check_text(written: str, field: str, most: int) -> None:
    if len(written) > most or len(written) % 4 == 1 or not _BASE64URL.fullmatch(written):
        raise _wrong(field, f"base64url is needed, at most {most} characters")


def _wrong(field: str, problem: str) -> Unprocessable:
    return Unprocessable(problem, reason_code="invalid_value", field=f"credential.{field}")
