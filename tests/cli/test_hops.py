from __future__ import annotations

import json
from pathlib import Path

from autopilot.cli.hops import of_logs, of_trace
from autopilot.contract import Trace, TraceHop

IDS = frozenset({"req-1", "x-1"})


def log(folder: Path, name: str, *lines: dict[str, object] | str) -> None:
    (folder / name).write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))


def test_the_lines_of_every_log_that_name_a_request_are_found_in_order_of_time(tmp_path: Path) -> None:
    log(tmp_path, "server.log", {"timestamp": "2026-01-01T00:00:02Z", "event": "api.request", "x_request_id": "x-1"})
    log(tmp_path, "companion.log", {"ts": "2026-01-01T00:00:03Z", "event": "request.executed", "request_id": "req-1"})
    log(tmp_path, "client.log", {"ts": "2026-01-01T00:00:01Z", "event": "client.call", "x_request_id": "x-1"})

    hops = sorted(of_logs(tmp_path, IDS))

    assert [(hop.where, hop.what) for hop in hops] == [
        ("client", "client.call"),
        ("server", "api.request"),
        ("companion", "request.executed"),
    ]


def test_a_line_that_only_mentions_an_id_within_other_words_is_not_a_hop(tmp_path: Path) -> None:
    log(tmp_path, "server.log", {"timestamp": "2026-01-01T00:00:02Z", "event": "said", "text": "about req-1 and x-1"})

    assert list(of_logs(tmp_path, IDS)) == []


def test_half_a_line_at_the_end_of_a_log_is_passed_over(tmp_path: Path) -> None:
    log(tmp_path, "server.log", '{"timestamp": "2026-01-01T00:00:02Z", "x_request_id": "x-1", "eve')

    assert list(of_logs(tmp_path, IDS)) == []


def test_a_log_that_was_set_aside_still_counts(tmp_path: Path) -> None:
    log(tmp_path, "server.log.1", {"timestamp": "2026-01-01T00:00:02Z", "event": "e", "x_request_id": "x-1"})

    assert [hop.where for hop in of_logs(tmp_path, IDS)] == ["server"]


def test_what_the_server_knows_is_told_with_the_facts_that_it_has() -> None:
    trace = Trace(
        ids=("req-1", "x-1"),
        hops=(
            TraceHop(at="2026-01-01T00:00:01Z", source="receipt", what="accepted", method="turn/start", worker_id="w"),
            TraceHop(at="2026-01-01T00:00:02Z", source="event", what="worker.response", seq=7),
        ),
        cut_off=False,
    )

    first, second = of_trace(trace)

    assert (first.where, first.what, first.facts) == ("receipt", "accepted", {"method": "turn/start", "worker_id": "w"})
    assert (second.where, second.what, second.facts) == ("ledger", "worker.response", {"seq": 7})
