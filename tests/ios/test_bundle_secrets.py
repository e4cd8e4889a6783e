"""The app holds no secret, no key of a server, and asks for no more than a phone may have."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.ios import bundle

from autopilot.contract import redaction

SECRETS = {
    "one of our tokens": rb"\bap(at|rt|wc|gu|in|air)_[A-Za-z0-9_-]{24,}",
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a key of a provider": rb"\b(sk-[\w-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|xox[abp]-[\w-]{10,})",
    "a token in three parts": rb"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a key in hex": rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])",
    "a database with its password": rb"postgres(ql)?://[^\s\"']+:[^\s\"']+@",
}
OF_SERVERS = (
    *(b"DATABASE_URL", b"digest_key", b"delivery_key", b"seal_key", b"vapid", b"AUTOPILOT_SECRET", b"SYNC_TOKEN"),
    *(b"smtp", b"client_secret"),
)
"""Names of what only a server holds."""
BEYOND = {"execute", "admin"}
"""Scopes that are no phone's."""
NAMES_OF_SCOPES = "autopilot/contract/_generated/account.py"
"""Where every scope is named, as in the schema."""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, bytes]:
    return bundle.texts(bundle.built(tmp_path_factory.mktemp("wheel")))


def test_all_that_is_in_the_app_is_looked_at(files):
    assert {
        "autopilot/client/session.py",
        "autopilot/contract/codec.py",
        "ios/src/main.py",
        "ios/src/autopilot_ios/shell.py",
        "ios/src/assets/icon.png",
        "ios/pyproject.toml",
        "ios/PrivacyInfo.xcprivacy",
    } <= files.keys()
    assert not [name for name in files if Path(name).suffix in {".env", ".pem", ".key", ".p12", ".mobileprovision"}]


@pytest.mark.parametrize("kind", SECRETS)
def test_no_file_of_the_app_holds_a_secret(files, kind):
    for name, content in files.items():
        assert re.search(SECRETS[kind], content) is None, name


def test_no_text_of_the_app_is_what_redaction_takes_for_a_secret(files):
    for name, content in files.items():
        if not name.endswith(".py") or name.startswith("autopilot/contract/redaction"):
            continue
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert redaction.redact_text(node.value) == node.value, (name, node.value)


@pytest.mark.parametrize("word", OF_SERVERS)
def test_no_file_of_the_app_names_what_only_a_server_holds(files, word):
    assert [name for name, content in files.items() if word.lower() in content.lower()] == []


def test_nothing_in_the_app_names_a_scope_beyond_a_phone_s(files):
    """No call of the client core asks for scopes at all: the server gives a device what a device has."""
    for name, content in files.items():
        if not name.endswith(".py") or name == NAMES_OF_SCOPES:
            continue
        for node in ast.walk(ast.parse(content)):
            match node:
                case ast.Constant(value=str(value)):
                    assert value not in BEYOND, name
                case ast.Attribute(value=ast.Name(id="Scope"), attr=attribute):
                    assert attribute.lower() not in BEYOND, name


def test_the_patterns_find_what_they_are_for():
    found = {
        "one of our tokens": b"token = 'apat_" + b"aB3" * 12 + b"'",
        "a private key": b"-----BEGIN " + b"PRIVATE KEY-----",
        "a key of a provider": b"key=sk-" + b"a1B2" * 8,
        "a token in three parts": b"eyJ" + b"a" * 12 + b"." + b"b" * 12 + b"." + b"c" * 12,
        "a key in hex": b"'" + b"0f" * 32 + b"'",
        "a database with its password": b"postgres://ada:" + b"secret@db/x",
    }
    assert found.keys() == SECRETS.keys()
    for kind, text in found.items():
        assert re.search(SECRETS[kind], text), kind
