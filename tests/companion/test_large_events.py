"""Where content is cut: heads and tails in events, the whole beside them, evidence that names it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autopilot.companion import artifacts, evidence, outcomes
from autopilot.companion.codex import large, questions, translate
from autopilot.companion.codex.forms_actions import FILE_CHANGE
from autopilot.companion.codex.translate import Event, Names
from autopilot.companion.database import open_file
from autopilot.companion.outbox import Outbox
from autopilot.companion.outcomes import Outcome
from autopilot.contract import ApprovalEvidence
from autopilot.runtime.policy_rules import words_of

ABOUT = {"threadId": "t"}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_file(tmp_path / "outbox.sqlite")) as connection:
        yield connection


def text_of(size: int) -> str:
    return "".join(f"{n:08d} línea\n" for n in range(size // 16))


def begun(changes: list[dict[str, Any]]) -> Event:
    params = {"threadId": "t", "turnId": "u", "item": {"type": "fileChange", "id": "i", "changes": changes}}
    named = Names("t", "u", "i", "fileChange")
    return translate.make(named, "item/started", params, event_id="e", occurred_at=datetime.now(UTC))


def test_a_long_text_keeps_head_and_tail_and_refers_to_the_whole() -> None:
    text = text_of(1_000_000)
    raw = text.encode()

    cut = large.cut({"threadId": "t", "item": {"a/b~c": text, "short": "x"}}, ABOUT)

    (ref,), (artifact,) = cut.refs, cut.artifacts
    kept = cut.params["item"]["a/b~c"].encode()
    assert (ref.path, ref.bytes, ref.media_type) == ("/params/item/a~1b~0c", len(raw), "text/plain")
    assert ref.sha256 == hashlib.sha256(raw).hexdigest()
    assert (artifact.artifact_id, artifact.content) == (ref.artifact_id, raw)
    assert ref.artifact_id == ref.sha256[:32]
    assert kept.startswith(raw[: ref.head_bytes])
    assert kept.endswith(raw[-ref.tail_bytes :])
    left_out = len(raw) - ref.head_bytes - ref.tail_bytes
    note = large.note(left_out, ref.artifact_id).encode()
    assert kept == raw[: ref.head_bytes] + note + raw[-ref.tail_bytes :]
    assert cut.params["item"]["short"] == "x"


def test_what_is_not_large_stays_as_codex_wrote_it() -> None:
    raw = msgspec.Raw(b'{"n": 123456789012345678901234567890, "t": "' + b"x" * 60_000 + b'"}')

    assert large.cut(raw, ABOUT) == large.Cut(raw)


def test_many_texts_each_become_an_artifact_when_the_event_would_be_too_large() -> None:
    changes = [{"path": f"/w/{n}.py", "diff": f"{n}\n" + text_of(40_000)} for n in range(100)]

    cut = large.cut({"item": {"changes": changes}}, ABOUT)

    assert len(msgspec.json.encode(cut.params)) <= large.EVENT_BYTES
    assert [ref.path for ref in cut.refs] == [f"/params/item/changes/{n}/diff" for n in range(100)]
    assert [one.content.decode() for one in cut.artifacts] == [change["diff"] for change in changes]
    assert [one["path"] for one in cut.params["item"]["changes"]] == [one["path"] for one in changes]


@pytest.mark.parametrize(("rows", "shows"), [(3_000, True), (60_000, False)])
def test_what_is_large_in_many_small_pieces_refers_to_all_of_it(rows: int, *, shows: bool) -> None:
    params = {
        "threadId": "t",
        "rows": [f"{n} " + "y" * 1000 for n in range(rows)],
        "more": {str(n): "z" * 40 for n in range(rows)},
    }

    cut = large.cut(params, ABOUT)

    (ref,), (artifact,) = cut.refs, cut.artifacts
    assert (ref.path, ref.media_type) == ("/params", "application/json")
    assert msgspec.json.decode(artifact.content) == params
    assert cut.params["threadId"] == "t"
    assert cut.params["truncated"]["bytes"] == ref.bytes
    assert ("rows" in cut.params) is shows
    assert len(msgspec.json.encode(cut.params)) <= large.EVENT_BYTES


def test_a_number_that_nobody_can_write_again_loses_nothing_either() -> None:
    raw = msgspec.Raw(b'{"n":1e999,"t":"' + b"x" * 2_000_000 + b'"}')

    cut = large.cut(raw, ABOUT)

    assert [one.content for one in cut.artifacts] == [bytes(raw)]
    assert cut.params["threadId"] == "t"


def test_what_nobody_can_take_apart_keeps_no_secret_either() -> None:
    secret, key = "sk-" + "A1b2" * 10, "k" * 40
    raw = msgspec.Raw(f'{{"n":1e999,"api_key":"{key}","t":"{secret} {text_of(2_000_000).strip()}"}}'.encode())

    cut = large.cut(msgspec.Raw(bytes(raw).replace(b"\n", b" ")), ABOUT)

    (artifact,) = cut.artifacts
    assert b'n":1e999' in artifact.content
    assert secret.encode() not in artifact.content
    assert key.encode() not in artifact.content


def test_an_answer_up_to_what_an_event_holds_stays_as_it_is_and_a_larger_one_refers_to_the_rest() -> None:
    as_it_is = Outcome("completed", {"t": "x" * 900_000})
    larger = Outcome("completed", {"turns": [{"t": text_of(600_000)} for _ in range(3)]})

    assert outcomes.told(as_it_is, ABOUT) == large.Cut(as_it_is.response)
    cut = outcomes.told(larger, ABOUT)
    assert [ref.path for ref in cut.refs] == [f"/response/turns/{n}/t" for n in range(3)]
    assert [one.content.decode() for one in cut.artifacts] == [turn["t"] for turn in larger.response["turns"]][:3]


def test_an_answer_larger_than_a_machine_s_receipt_fails_and_says_whom_to_ask() -> None:
    outcome = outcomes.reported(Outcome("completed", {"data": ["x" * 1_000_000] * 5}))

    assert outcome.state == "failed"
    assert outcome.error is not None
    assert (outcome.error["code"], outcome.error["bytes"] > outcome.error["limit"]) == ("response_too_large", True)
    assert "ask a worker" in outcome.error["message"]
    assert outcomes.reported(Outcome("completed", {"data": []})) == Outcome("completed", {"data": []})


def test_even_an_artifact_has_a_limit_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "MAX_ARTIFACT_BYTES", 1_600_000)
    text = "0123456789abcdef" * 100_000 + "the rest"

    cut = large.cut({"t": text}, ABOUT)

    (ref,), (artifact,) = cut.refs, cut.artifacts
    assert ref.left_out_bytes == len("the rest")
    assert (ref.bytes, ref.sha256) == (len(artifact.content), hashlib.sha256(artifact.content).hexdigest())
    assert artifact.content.endswith(b"the rest")
    assert b"8 bytes left out here" in artifact.content


def test_a_secret_is_taken_out_before_the_text_is_cut_in_two() -> None:
    secret = "sk-" + "A1b2" * 10
    text = text_of(large.STEPS[0][1])[: large.STEPS[0][1] - 200] + f" {secret} " * 20 + text_of(200_000)

    cut = large.cut({"t": text, "api_key": "k" * 70_000}, ABOUT)

    assert "sk-" not in json.dumps(cut.params)
    assert all(b"sk-" not in one.content for one in cut.artifacts)
    assert cut.params["api_key"] == "[redacted]"


def test_the_evidence_of_a_file_change_names_the_whole_of_a_large_diff() -> None:
    diff = text_of(300_000)
    event = begun([{"path": "/w/a.py", "kind": {"type": "update"}, "diff": diff}, {"path": "/w/b.py", "diff": "+b"}])

    told = evidence.kept(event)

    assert told is not None
    first, second = FILE_CHANGE.form({}, msgspec.json.decode(told)).evidence.changes
    assert first.artifact is not None
    assert (first.truncated, first.artifact.bytes) == (True, len(diff.encode()))
    assert first.artifact.artifact_id == event.artifacts[0].artifact_id
    assert (second.diff, second.truncated, second.artifact) == ("+b", None, None)


def test_of_more_files_than_fit_the_evidence_still_names_some_and_all_of_it() -> None:
    changes = [{"path": f"/w/{n}.py", "kind": {"type": "add"}, "diff": "+" + "x" * 1500} for n in range(2000)]

    told = evidence.kept(begun(changes))

    assert told is not None
    shown = FILE_CHANGE.form({}, msgspec.json.decode(told)).evidence.changes
    assert [one.path for one in shown] == [change["path"] for change in changes[:500]]
    assert all(one.artifact and one.artifact.path == "/params" and one.truncated for one in shown)


def test_the_older_patch_question_names_its_large_contents_too() -> None:
    params = {"fileChanges": {"/w/a/~.py": {"type": "add", "content": text_of(200_000)}}}
    cut = large.cut(params, ABOUT)
    shown = msgspec.json.decode(msgspec.json.encode(cut.params))

    evidence.named(shown["fileChanges"], cut.members["artifacts"], "/params/fileChanges")

    form = questions.form("applyPatchApproval", shown, None)
    assert form.evidence is not None
    (change,) = form.evidence.changes
    assert change.artifact == cut.refs[0]


def test_no_rule_ever_takes_a_command_that_was_cut_for_a_plain_one() -> None:
    line = "make " + "a" * 200_000 + "; rm -rf /" + " b" * 100_000

    shown = large.cut({"command": line}, ABOUT).params["command"]

    assert words_of(ApprovalEvidence(command=(), command_line=shown), shown) is None


def test_an_artifact_lies_in_the_file_with_its_event_once_and_counts_as_waiting(db: sqlite3.Connection) -> None:
    outbox = Outbox()
    content = b"x" * 300_000
    event = Event("t", "worker.event", "m", "e", b"{}", artifacts=(large.Artifact("a" * 32, content),))
    db.execute("insert into thread (thread_id, worker_id, active_at) values ('t', 'w', 0)")

    for event_id in ("e", "e", "f"):
        outbox.put(db, "w", [replace(event, event_id=event_id)])

    assert outbox.bytes == len(content) + 4
    again = Outbox()
    again.load(db)
    assert again.bytes == outbox.bytes
    outbox.settle_artifacts(db, "w", ["a" * 32])
    assert outbox.bytes == 4
    assert artifacts.workers(db) == []


def test_pieces_are_whole_characters_bounded_and_never_too_short(db: sqlite3.Connection) -> None:
    raw = text_of(1_300_000).encode()
    artifacts.put(db, "w", [large.Artifact("a" * 32, raw), large.Artifact("b" * 32, b"short")])
    offset, sent = 0, []

    while offset < len(raw):
        found = artifacts.pieces(db, "w", {"a" * 32: offset})
        size = len(found[0].text.encode())
        assert sum(len(one.text.encode()) for one in found) <= artifacts.CALL_BYTES
        assert size >= artifacts.LEAST_PIECE_BYTES
        sent.append(found[0].text)
        offset += size

    assert "".join(sent).encode() == raw


def test_an_error_larger_than_a_log_takes_is_told_in_short() -> None:
    said = outcomes.failed("codex_error", "w" * (5 * 1024 * 1024), data=["d"])

    told = outcomes.short(said.error)
    of_machine = outcomes.reported(said).error

    assert told == of_machine
    assert told is not None
    assert (told["code"], told["truncated"], len(told["message"])) == ("codex_error", True, 16 * 1024)
    assert outcomes.short({"code": "c", "message": "m"}) == {"code": "c", "message": "m"}
