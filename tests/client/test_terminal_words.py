"""What a terminal would show of an output, in pieces with a style: rich, which the servers have, says what is right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.ansi import AnsiDecoder
from rich.color import Color, ColorSystem
from rich.style import Style as RichStyle

from autopilot.client.presenters import terminal
from autopilot.client.presenters.cuts import SHORT, WHOLE
from autopilot.client.presenters.terminal import PLAIN, Run, Style

PARAMETERS = st.one_of(
    st.integers(0, 110).map(str),
    st.just(""),
    st.builds("{};5;{}".format, st.sampled_from([38, 48]), st.integers(0, 300)),
    st.builds(
        "{};2;{};{};{}".format, st.sampled_from([38, 48]), st.integers(0, 260), st.integers(0, 255), st.integers(0, 255)
    ),
)
ESCAPES = st.lists(PARAMETERS, min_size=0, max_size=4).map(lambda codes: f"\x1b[{';'.join(codes)}m")


def number(color: Color | None) -> int | None:
    """Sixteen stay themselves; of the others, the nearest."""
    if color is None or color.is_default:
        return None
    if color.number is not None and color.number < 16:
        return color.number
    return color.downgrade(ColorSystem.STANDARD).number


def richs(text: str) -> list[tuple[str, Style]]:
    """Each character of a line with its style, as rich has it."""
    decoded = AnsiDecoder().decode_line(text)
    styles = [PLAIN] * len(decoded.plain)
    for start, end, style in decoded.spans:
        assert isinstance(style, RichStyle)
        told = Style(
            number(style.color),
            number(style.bgcolor),
            bool(style.bold),
            bool(style.dim),
            bool(style.italic),
            bool(style.underline or style.underline2),
            bool(style.strike),
            bool(style.reverse),
        )
        styles[start:end] = [told] * (end - start)
    return list(zip(decoded.plain, styles, strict=True))


@given(st.lists(st.one_of(ESCAPES, st.text("abc <", min_size=1, max_size=3)), max_size=12).map("".join))
@settings(max_examples=400, deadline=None)
def test_colours_and_attributes_are_those_that_rich_sees(text: str) -> None:
    shown = terminal.output(text, WHOLE).head
    ours = [(letter, run.style) for run in shown for letter in run.text]

    assert [pair for pair in ours if pair[0] != "\n"] == richs(text)


def test_every_colour_of_the_palette_has_the_nearest_of_sixteen() -> None:
    for color in range(256):
        [run] = [run for run in terminal.output(f"\x1b[38;5;{color}mx", WHOLE).head if run.text == "x"]
        assert run.style.front == number(Color.from_ansi(color))


def test_parameters_with_colons_mean_the_same() -> None:
    def style(codes: str) -> Style:
        return terminal.styled(PLAIN, codes)

    assert style("38:5:196") == style("38;5;196")
    assert style("48:2::0:128:0") == style("48;2;0;128;0")
    assert style("4:3").underline
    assert not style("4:0").underline
    assert style("38:2") == style("38;2") == style("999999999") == PLAIN


@pytest.mark.parametrize("codes", ["38;5;1:2", "48;2;1;2:3;4", "38;2;:;:;:", "38;5", "38:5:", ":", "4:", ";;;", "38;:"])
def test_what_is_no_colour_changes_nothing_and_breaks_nothing(codes: str) -> None:
    shown = terminal.output(f"a\x1b[{codes}mb", SHORT)

    assert "".join(run.text for run in shown.head) == "ab\n"


def test_neighbours_of_the_same_look_are_one_piece_and_lines_end_without_a_style() -> None:
    shown = terminal.output("\x1b[32mok\x1b[32m fine\nmore\x1b[0m\nplain", SHORT)

    green = Style(front=2)
    assert shown.head == (Run("ok fine", green), Run("\n"), Run("more", green), Run("\nplain\n"))


def test_what_is_folded_and_left_out_is_told_in_words_and_a_colour_goes_on_behind_it() -> None:
    shown = terminal.output("\x1b[31m" + "".join(f"{number}\n" for number in range(500)), SHORT)

    assert shown.folded_words == "150 lines more"
    assert shown.left_out == "326 lines more"
    assert shown.tail[0] == Run("488", Style(front=1))


def test_moves_titles_and_links_leave_no_trace_and_what_was_overwritten_is_gone() -> None:
    text = "\x1b]0;title\x07\x1b[2J\x1b]8;;http://localhost\x1b\\link\x1b]8;;\x1b\\\r\n10 %\r100 %\no\x08ov"

    assert "".join(run.text for run in terminal.output(text, SHORT).head) == "link\n100 %\nov\n"
    assert terminal.plain("\x1b[1mbold\x1b[0m\x07") == "bold\u2407"
