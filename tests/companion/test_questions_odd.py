"""Questions in shapes that nobody foresaw: each has a form, or is unknown; none ends the companion that reads it."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from tests.companion.test_questions import asked, item_of, sessions

from autopilot.companion.codex import forms_inputs, questions
from autopilot.companion.codex.forms import Choice, Unfit

MUTATIONS = 400
LEGACY = [
    ("applyPatchApproval", {"callId": "i", "fileChanges": {"a": {"add": {"content": "x"}}}, "reason": None}),
    ("execCommandApproval", {"callId": "i", "command": ["ls"], "cwd": "/", "parsedCmd": []}),
]
ODD: list[Any] = [None, 0, -1, 1.5, "", "x\x00", [], {}, [1], [{}], [[]], {"a": []}, True, "a" * 300, {"type": {}}]
CONTENTS: list[Any] = [None, {}, {"a": 1}, {"db": ["x"]}, {"colour": "blue"}, {"success": True, "text": "x"}]


def altered(value: Any, chance: random.Random) -> Any:
    """The value with some of its parts gone, or of another kind."""
    if chance.random() < 0.12:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {name: altered(one, chance) for name, one in value.items() if chance.random() > 0.05}
    return [altered(one, chance) for one in value] if isinstance(value, list) else value


@pytest.mark.seeds(5, 200)
def test_whatever_shape_a_question_has_it_is_shown_and_an_answer_fits_or_does_not(seed: int) -> None:
    chance = random.Random(seed)
    known = [
        (one["method"], one["params"], item_of(rows, one["params"]))
        for rows in sessions().values()
        for one in asked(rows)
    ]
    known += [(method, params, None) for method, params in LEGACY]
    for _ in range(MUTATIONS):
        method, params, item = (altered(part, chance) for part in chance.choice(known))
        if not (isinstance(method, str) and isinstance(params, dict)):
            continue
        form = questions.form(method, params, item if isinstance(item, dict) else None)
        msgspec.json.encode(form)
        questions.declining(method, params)
        for option in form.options:
            choice = Choice(option.option_id, chance.choice(CONTENTS), chance.choice([None, "no"]))
            try:
                assert questions.wire(method, params, choice), "nothing is answered with an empty object"
            except Unfit:
                continue


@pytest.mark.parametrize("choices", [3, "blue", {"a": 1}, [[]], [{}]])
def test_choices_that_are_none_leave_a_field_free_or_unfit(choices: Any) -> None:
    schema = {"properties": {"colour": {"enum": choices, "oneOf": choices}}, "required": [[], {}]}
    try:
        forms_inputs.fits(schema, {"colour": "blue"})
    except Unfit:
        assert isinstance(choices, list)


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (["bash", "-lc", "make all"], "Run “make all”?"),
        (["/bin/zsh", "-c", "make all"], "Run “make all”?"),
        (["rm", "-rf", "/home/ada"], "Run “rm -rf /home/ada”?"),
        (["git", "push", "--force"], "Run “git push --force”?"),
        (["python3", "-c", "import shutil"], "Run “python3 -c 'import shutil'”?"),
        (["sh", "script", "x"], "Run “sh script x”?"),
    ],
)
def test_the_title_of_an_older_question_leaves_out_the_shell_and_no_part_of_the_command(
    command: list[str], title: str
) -> None:
    shown = questions.form("execCommandApproval", {"conversationId": "t", "callId": "c", "command": command})

    assert shown.title == title
