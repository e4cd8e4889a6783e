"""The parser against a reference written from the standard's words, whatever the bytes and the chunks."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.client.sse import EventTooLarge, Frame, Parser


def reference(stream: bytes) -> list[Frame]:
    """The standard's algorithm, on a whole stream, as naive as can be."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = re.split("\r\n|\r|\n", text)[:-1]  # what follows the last line end is unfinished
    frames, data, event, frame_id = [], [], "", None
    for line in lines:
        if line == "":
            if data:
                frames.append(Frame(event or "message", "\n".join(data), frame_id))
            data, event, frame_id = [], "", None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            frame_id = value
    return frames


def parsed(chunks: list[bytes], **options) -> list[Frame]:
    parser = Parser(**options)
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


words = st.sampled_from(
    [
        *[b"data: ", b"data:", b"data", b"event: ", b"id: ", b"id", b"retry: ", b": ", b":", b"x: "],
        *[b"17", b"a", b"\xc3\xa9", b"\xf0\x9f\x9a\x80", b"\xff", b"\xc3", b"\0", b" ", b"\xef\xbb\xbf"],
        *[b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"],
        *[b"id: 17\nevent: codex.worker.event\ndata: {}\n\n", b"id:1\nevent:e\ndata:d\n\n"],
    ]
)
streams = st.one_of(st.lists(words, max_size=60).map(b"".join), st.binary(max_size=300))


@given(streams, st.lists(st.integers(0, 10_000), max_size=30))
def test_any_stream_in_any_chunks_means_what_the_standard_says(stream, places):
    assert parsed(cut(stream, places)) == reference(stream)


@given(streams)
def test_byte_by_byte_means_the_same(stream):
    assert parsed([stream[i : i + 1] for i in range(len(stream))]) == reference(stream)


@given(streams, st.lists(st.integers(0, 10_000), max_size=10), st.integers(1, 40))
def test_the_limit_holds_in_the_same_place_whatever_the_chunks(stream, places, limit):
    def outcome(chunks):
        parser, frames = Parser(max_event_bytes=limit), []
        try:
            for chunk in [*chunks, b""]:
                frames += parser.feed(chunk)
        except EventTooLarge:
            return frames, True
        return frames, False

    assert outcome(cut(stream, places)) == outcome([stream])


def test_the_plain_frames_of_our_server_are_read():
    frames = parsed([b'id: 17\nevent: codex.worker.event\ndata: {"seq":17}\n\n'])

    assert frames == [Frame("codex.worker.event", '{"seq":17}', "17")]


def test_data_of_many_lines_is_joined_with_line_feeds():
    assert parsed([b"data: one\ndata:two\ndata\n\n"]) == [Frame("message", "one\ntwo\n", None)]


def test_a_byte_order_mark_in_two_chunks_is_skipped():
    assert parsed([b"\xef\xbb", b"\xbfdata: x\n\n"]) == [Frame("message", "x", None)]


def test_comments_are_counted_and_the_delay_is_kept():
    parser = Parser()

    assert parser.feed(b": hello\n\n:\nretry: 1500\n\nretry: soon\n\n") == []
    assert (parser.comments, parser.retry_ms) == (2, 1500)


def test_the_last_event_id_outlives_its_block():
    parser = Parser()
    parser.feed(b"id: 3\ndata: x\n\n")
    assert parser.feed(b"data: y\n\n") == [Frame("message", "y", None)]
    assert parser.last_event_id == "3"


def test_an_unfinished_event_is_not_dispatched():
    assert parsed([b"data: x\n"]) == []


def test_frames_before_an_event_that_is_too_large_are_not_lost():
    parser = Parser(max_event_bytes=10)
    assert parser.feed(b"data: x\n\ndata: " + b"y" * 20 + b"\n\n") == [Frame("message", "x", None)]
    with pytest.raises(EventTooLarge):
        parser.feed(b"data: z\n\n")


def test_an_endless_line_is_refused_before_it_fills_memory():
    parser = Parser(max_event_bytes=1000)
    for _ in range(10):
        parser.feed(b"x" * 100)
    with pytest.raises(EventTooLarge):
        parser.feed(b"x")


def test_a_hundred_thousand_frames_are_read_in_about_a_second():
    one = b'id: %d\nevent: codex.worker.event\ndata: {"workerId":"w","payload":{"delta":"' + b"x" * 150 + b'"}}\n\n'
    stream = b"".join(one % seq for seq in range(100_000))
    chunks = [stream[i : i + 65_536] for i in range(0, len(stream), 65_536)]
    started_at = time.process_time()

    frames = parsed(chunks)

    assert len(frames) == 100_000
    assert time.process_time() - started_at < 3  # ten times what it takes: the machine may be busy
