"""One event a line, the request's names on each, no secrets."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from autopilot.client.log import record
from autopilot.ops.log import configure, correlated, current_request_id, current_traceparent, get_logger


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged; the setup that was there before comes back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(form="json", stream=stream, redact=stars, process="runtime")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def stars(value: Any) -> Any:
    return {key: "****" if key == "token" else item for key, item in value.items()}


def test_a_line_has_the_event_its_facts_and_the_requests_names(lines: io.StringIO) -> None:
    with correlated(x_request_id="r1", traceparent="00-1-2-01"):
        assert (current_request_id(), current_traceparent()) == ("r1", "00-1-2-01")
        get_logger().info("event.appended", count=3)
    get_logger().info("after")

    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["event"], first["count"], first["level"], first["process"]) == (
        "event.appended",
        3,
        "info",
        "runtime",
    )
    assert (first["x_request_id"], first["traceparent"]) == ("r1", "00-1-2-01")
    assert "x_request_id" not in second


def test_the_standard_librarys_loggers_come_out_alike(lines: io.StringIO) -> None:
    with correlated(x_request_id="r1"):
        logging.getLogger("autopilot.db").warning("not ready after %d s", 5, extra={"token": "s3cret"})

    line = json.loads(lines.getvalue())
    assert (line["event"], line["logger"], line["x_request_id"]) == ("not ready after 5 s", "autopilot.db", "r1")
    assert line["token"] == "****"


def test_what_the_sdk_logs_has_its_event_and_fields_like_every_other_line(lines: io.StringIO) -> None:
    with correlated(x_request_id="of-the-server"):
        record("client.call", logger=logging.getLogger("autopilot.client"), status=200, x_request_id="of-the-call")

    line = json.loads(lines.getvalue())
    assert (line["event"], line["status"], line["x_request_id"]) == ("client.call", 200, "of-the-call")
    assert "autopilot" not in line


def test_secrets_are_redacted_before_a_line_is_written(lines: io.StringIO) -> None:
    get_logger().info("signed_in", token="s3cret")

    assert "s3cret" not in lines.getvalue()


def test_an_exception_is_one_line_too(lines: io.StringIO) -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        get_logger().exception("work.failed")

    line = json.loads(lines.getvalue())
    assert "RuntimeError: broken" in line["exception"]


def test_a_line_that_cant_be_written_breaks_nothing_and_is_told_of(lines: io.StringIO) -> None:
    get_logger().info("path.seen", path="\udc80")

    line = json.loads(lines.getvalue())
    assert (line["event"], line["lost"], line["process"]) == ("log.line_lost", "path.seen", "runtime")


def test_names_given_within_others_end_before_them(lines: io.StringIO) -> None:
    with correlated(x_request_id="outer", traceparent="t"):
        with correlated(x_request_id="inner"):
            get_logger().info("first")
        get_logger().info("second")

    first, second = map(json.loads, lines.getvalue().splitlines())
    assert (first["x_request_id"], first["traceparent"]) == ("inner", "t")
    assert (second["x_request_id"], second["traceparent"]) == ("outer", "t")


FORGED = '/x\n{"event":"signed_in"}\r\u2028\x1b[2J\x9b1m\x07\u202e'


def test_nobody_writes_a_second_line_into_the_log(lines: io.StringIO) -> None:
    get_logger().info("http.request", path=FORGED)
    logging.getLogger("uvicorn.error").warning("odd: %s", FORGED)

    written = lines.getvalue().split("\n")
    assert [json.loads(line)["event"] for line in written if line] == ["http.request", f"odd: {FORGED}"]
    assert json.loads(written[0])["path"] == FORGED
    assert not set("\r\x1b\x07") & set(lines.getvalue())


def test_no_terminal_obeys_what_somebody_wrote_into_a_path() -> None:
    stream = io.StringIO()
    configure(form="console", stream=stream)
    get_logger().info("http.request", path=FORGED)
    logging.getLogger("uvicorn.error").warning("odd: %s", FORGED)
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()

    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())  # the colours are ours
    assert plain.count("\n") == 2
    assert not set("\r\x1b\x9b\x07\u202e\u2028") & set(plain)
    assert "\\x1b[2J" in plain


def test_for_people_there_is_a_readable_form() -> None:
    stream = io.StringIO()
    configure(form="console", stream=stream, level="warning")
    get_logger().info("quiet")
    get_logger().warning("loud", count=1)
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()

    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()
