from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from autopilot.companion.codex.scripted_model import conversation, server, story
from autopilot.companion.codex.scripted_model.story import DEMO_FILES, TALES
from autopilot.testing.model import ScriptedModel, script

TOOLS = [{"type": "function", "name": "exec_command"}, {"type": "custom", "name": "apply_patch"}]


def request(*items: dict[str, Any], tools: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"input": list(items), "tools": TOOLS if tools is None else tools}


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def output(step: int, text: str = "") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": f"call_s{step}_0_abc", "output": text}


async def events(model: ScriptedModel, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{model.base_url}/responses", json=body)
    blocks = [block for block in answer.text.split("\n\n") if block.startswith("event:")]
    return [json.loads(block.split("data: ", 1)[1]) for block in blocks]


async def test_a_message_is_streamed_in_pieces_and_completed_whole(model: ScriptedModel) -> None:
    said = await events(model, request(user(script({"say": "Hello there, reader", "chunk": 5, "delay": 0}))))

    pieces = [one["delta"] for one in said if one["type"] == "response.output_text.delta"]
    assert pieces == ["Hello", " ther", "e, re", "ader"]
    assert said[-1]["type"] == "response.completed"
    assert said[-1]["response"]["output"][0]["content"][0]["text"] == "Hello there, reader"
    assert [one["sequence_number"] for one in said] == list(range(len(said)))


async def test_the_next_step_is_read_from_the_conversation_so_a_restart_forgets_nothing() -> None:
    steps = user(script({"shell": "ls"}, {"shell": "pwd"}, {"say": "done", "delay": 0}))
    kinds = []
    for played in ([], [output(0)], [output(0), output(1)], [output(0), output(1), output(2)]):
        async with ScriptedModel() as fresh:
            said = await events(fresh, request(steps, *played))
        kinds.append(said[-1]["response"]["output"][0])

    assert [json.loads(item["arguments"])["cmd"] for item in kinds[:2]] == ["ls", "pwd"]
    assert [item["content"][0]["text"] for item in kinds[2:]] == ["done", "(the script is finished)"]


async def test_a_gate_stops_the_stream_half_way_until_it_is_opened(model: ScriptedModel) -> None:
    body = request(user(script({"say": "0123456789", "chunk": 1, "delay": 0, "gate": "half"})))
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(events(model, body))
        await model.reached("half")
        assert not asked.done()
        model.open("half")

    assert asked.result()[-1]["type"] == "response.completed"


async def test_a_script_can_refuse_fail_and_cut(model: ScriptedModel) -> None:
    async with httpx2.AsyncClient() as http:
        url = f"{model.base_url}/responses"
        refused = await http.post(url, json=request(user(script({"http": 429, "headers": {"Retry-After": "1"}}))))
        failed = await http.post(url, json=request(user(script({"fail": {"code": "x", "message": "y"}}))))
        try:
            await http.post(url, json=request(user(script({"say": "half", "drop": True}))))
            cut = False
        except httpx2.RemoteProtocolError:
            cut = True

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "response.failed" in failed.text
    assert cut


def test_what_codex_says_in_the_user_s_name_is_no_prompt() -> None:
    injected = user("<environment_context>\n…</environment_context>")

    talk = conversation.read(request(user("first"), user("second"), injected))

    assert (talk.prompt, talk.earlier_prompts) == ("second", 1)


def play(prompt: str, files: dict[str, str], commit: str = "") -> list[dict[str, Any]]:
    """The demo's whole turn; the commands are answered by what `files` hold, a commit by what is said of it."""
    items = [user(prompt)]
    steps = []
    for number in range(10):
        step = server.next_step(conversation.read(request(*items)))
        steps.append(step)
        if not set(step) & {"shell", "patch", "plan"}:
            return steps
        printed = [f"--- {name}\n{files[name]}--- end\n" for name in files if f"cat {name}" in step.get("shell", "")]
        if "git commit" in step.get("shell", "") or "git -c" in step.get("shell", ""):
            printed = [commit]
        elif commit and printed:
            printed.append(story.REPOSITORY)
        items.append(output(number, f"Process exited with code 0\n{''.join(printed)}"))
    raise AssertionError("the turn does not end")


def apply(patch: str, files: dict[str, str]) -> None:
    """Just enough of apply_patch for the demo's patches."""
    name = patch.split("*** Update File: ")[1].split("\n", maxsplit=1)[0]
    hunk = patch.split("@@\n")[1].split("*** End Patch", maxsplit=1)[0].splitlines()
    before = "".join(f"{line[1:]}\n" for line in hunk if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in hunk if line[0] in " +")
    assert files[name].count(before) == 1
    files[name] = files[name].replace(before, after)


def test_each_tale_has_a_plan_a_command_a_change_a_check_and_ends_with_a_question() -> None:
    for tale in TALES:
        steps = play(tale.words[0], dict(DEMO_FILES))

        assert [sorted(set(step) & {"plan", "shell", "patch"}) for step in steps] == [
            ["plan", "shell"],
            ["patch"],
            ["shell"],
            ["plan"],
            [],
        ]
        assert steps[-1]["say"].endswith("?")


@pytest.mark.parametrize(
    ("answer", "summary"),
    [("0d0f1a2 tick off", "It is committed"), ('Rejected("rejected by user")', "It is not committed")],
)
def test_in_a_repository_a_tale_asks_whether_it_may_commit_and_says_what_became_of_it(
    answer: str, summary: str
) -> None:
    for tale in TALES:
        steps = play(tale.words[0], dict(DEMO_FILES), answer)
        (asking,) = [step for step in steps if step.get("escalate")]

        assert "commit" in asking["why"]
        assert summary in steps[-1]["say"]
        assert steps[-1]["say"].endswith("?")


def test_every_tale_can_be_played_again_and_again_on_its_own_results() -> None:
    for tale in TALES:
        files = dict(DEMO_FILES)
        for _ in range(12):
            steps = play(tale.words[0], files)
            apply(next(step["patch"] for step in steps if "patch" in step), files)


def test_without_a_word_that_chooses_the_tales_take_turns() -> None:
    assert [story.choose("go on", earlier).file for earlier in range(4)] == [
        "TASKS.md",
        "greet.sh",
        "README.md",
        "TASKS.md",
    ]


def test_a_project_that_cannot_be_read_is_left_alone_and_said_so() -> None:
    last = play("note", {})[-1]

    assert "left everything as it is" in last["say"]
