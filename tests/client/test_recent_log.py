"""The log in memory: bounded, of our own lines only, without anything that looks like a credential."""

from __future__ import annotations

import logging

from autopilot.client import log
from autopilot.contract.errors import Forbidden


def test_it_holds_the_last_lines_of_ours_and_only_while_it_listens():
    recent = log.Recent(lines=3)
    log.record("before.it")
    with recent.listening():
        for number in range(5):
            log.record("it.happened", number=number)
        logging.getLogger("autopilot.client").info("of somebody else's")
    log.record("after.it")
    assert [(line["event"], line["number"]) for line in recent.lines] == [("it.happened", one) for one in (2, 3, 4)]
    assert all(line["ts"].endswith("Z") for line in recent.lines)


def test_what_failed_is_found_the_latest_first_with_its_request_id():
    recent = log.Recent()
    with recent.listening():
        log.failure("client.call_failed", Forbidden("no", reason_code="role"), x_request_id="first")
        log.record("all.is.well")
        log.failure("client.call_failed", Forbidden("no", reason_code="scope"), x_request_id="second")
    assert [(one["x_request_id"], one["reason_code"]) for one in recent.failures] == [
        ("second", "scope"),
        ("first", "role"),
    ]


def test_what_looks_like_a_credential_is_blanked_and_what_is_long_is_cut():
    recent = log.Recent()
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    with recent.listening():
        log.record("said", access_token="abc-secret-1", message_text=f"Bearer {secret}", long="x" * 5000)
    (line,) = recent.lines
    assert "abc-secret-1" not in str(line)
    assert secret not in str(line)
    assert len(line["long"]) < 400
