"""Diffs as they are read and shown: files, kinds and numbers of lines, counts, folds."""

from __future__ import annotations

from autopilot.client.presenters import diffs
from autopilot.client.presenters.cuts import PHONE, SHORT, Caps
from autopilot.client.presenters.diffs import FileDiff, Line
from autopilot.client.timeline_items import Change
from autopilot.contract import ApprovalChange, ApprovalEvidence

HUNKS = (
    "--- a/x.py\n+++ b/x.py\n@@ -3,3 +3,4 @@ def f():\n keep\n-old\n+new\n+newer\n keep\n\\ No newline at end of file\n"
)
GIT = (
    "diff --git a/x.py b/y.py\nsimilarity index 90%\nrename from x.py\nrename to y.py\n@@ -1 +1 @@\n-a\n+b\n"
    "diff --git a/new.py b/new.py\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+c\n"
    "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-d\n"
)


def test_lines_of_a_hunk_have_their_kinds_and_numbers() -> None:
    read = diffs.read(Change(path="x.py", action="update", diff=HUNKS))

    assert [(line.kind, line.old, line.new) for line in read.lines] == [
        ("hunk", None, None),
        ("ctx", 3, 3),
        ("del", 4, None),
        ("add", None, 4),
        ("add", None, 5),
        ("ctx", 5, 6),
        ("note", None, None),
    ]
    assert (read.added, read.removed) == (2, 1)
    assert [line.number for line in read.lines] == [None, 3, 4, 4, 5, 6, None]


def test_the_content_of_a_new_or_deleted_file_is_all_added_or_gone() -> None:
    added = diffs.read(Change(path="n", action="add", diff="one\ntwo\n"))
    gone = diffs.read(Change(path="n", action="delete", diff="one\n"))

    assert added.lines == (Line("add", "+one", None, 1), Line("add", "+two", None, 2))
    assert gone.lines == (Line("del", "-one", 1, None),)


def test_a_diff_of_gits_is_read_file_by_file() -> None:
    assert [(one.path, one.moved_to, one.action, one.added, one.removed) for one in diffs.read_git(GIT)] == [
        ("x.py", "y.py", "update", 1, 1),
        ("new.py", None, "add", 1, 0),
        ("gone.py", None, "delete", 0, 1),
    ]
    assert diffs.read_git(" \n") == []


def test_an_approvals_changes_are_read_as_a_timelines_are() -> None:
    asked = ApprovalChange(path="x.py", kind="update", diff=HUNKS, move_path="y.py", truncated=True)
    [read] = diffs.read_evidence(ApprovalEvidence(changes=(asked,)))

    assert read.lines == diffs.read(Change(path="x.py", action="update", diff=HUNKS)).lines
    assert (read.moved_to, read.is_cut) == ("y.py", True)
    assert diffs.shown([read], SHORT).files[0].note == diffs.NOT_ALL
    assert diffs.read_evidence(ApprovalEvidence(diff=GIT)) == diffs.read_git(GIT)


def test_what_is_shown_is_bounded_and_says_what_is_not() -> None:
    long = FileDiff("a/b/c.py", "update", tuple(Line("add", f"+{number}", None, number) for number in range(30)))
    shown = diffs.shown([long, long, long], Caps(files=2, diff_lines=9, line_characters=2))
    one = shown.files[0]

    assert shown.left_out == "1 file more"
    assert shown.counts == "90 added, 0 removed"
    assert (len(one.head), one.left_out, len(one.tail)) == (6, "21 lines more", 3)
    assert (one.folder, one.name, one.counts) == ("a/b/", "c.py", "30 added, 0 removed")
    assert one.tail[-1].text == "+2 … 1 characters more"


def test_few_lines_are_open_and_many_folded_unless_one_has_to_decide_on_them() -> None:
    short = FileDiff("a", "update", (Line("add", "+", None, 1),))
    long = FileDiff("b", "update", (Line("add", "+", None, 1),) * 100)

    assert [one.is_open for one in diffs.shown([short, short], SHORT).files] == [True, True]
    assert [one.is_open for one in diffs.shown([short, long], SHORT).files] == [False, False]
    assert [one.is_open for one in diffs.shown([long, short], SHORT, unfolded=1).files] == [True, False]


def test_many_short_stretches_are_folded_where_drawing_is_what_costs() -> None:
    lines = (Line("del", "-", 1, None), Line("add", "+", None, 1)) * 16
    torn, few = FileDiff("a", "update", lines), FileDiff("b", "update", lines[:10])

    assert [one.is_open for one in diffs.shown([torn], PHONE).files] == [False]
    assert [one.is_open for one in diffs.shown([few, few], PHONE).files] == [True, True]
    assert [one.is_open for one in diffs.shown([torn], SHORT).files] == [True]
    assert [one.is_open for one in diffs.shown([few, few, few, few], PHONE).files] == [False] * 4


def test_nothing_hides_in_a_path_or_a_line() -> None:
    shown = diffs.shown([FileDiff("a\u202eb", "update", (Line("ctx", " \u200bx\x00", 1, 1),))], SHORT).files[0]

    assert shown.name == "a⟨U+202E⟩b"
    assert shown.head[0].text == " ⟨U+200B⟩x␀"


def test_two_texts_are_compared_with_three_lines_around_each_change() -> None:
    old = "".join(f"{number}\n" for number in range(10))
    lines = diffs.between(old, old.replace("5\n", "five\n"))

    assert [line.text for line in lines] == [
        *("@@ -3,7 +3,7 @@", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8"),
    ]
    assert diffs.between(old, old) == ()
