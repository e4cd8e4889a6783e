"""The demo's turn: a plan, a command with output, a file change, a check, a commit if a person allows it, a summary.

Pure, and as stateless as the rest: a tale reads the project's files from what its own command printed, as a real model
does, so that its change always fits and the turn can be played again and again. The prompt chooses the tale.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from autopilot.companion.codex.scripted_model.conversation import Conversation, Step

SAY = {"chunk": 6, "delay": 0.025}
"""Streams like a person reads."""

GREETINGS = ("Hello", "Good morning", "Moin", "Ahoy", "Buongiorno")

REPOSITORY = "--- a git repository"
"""Printed by the first command where there is one."""
LOOK_FOR_GIT = f"[ ! -d .git ] || echo '{REPOSITORY}'"
IDENTITY = ("-c user.name='Autopilot demo'", "-c user.email=demo@localhost")

DEMO_FILES = {
    "README.md": "# A small project\n\nHere Autopilot's demo works: a script that greets, a list of tasks, a check.\n",
    "TASKS.md": "# Tasks\n\n- [ ] Greet people by their name\n- [ ] Say good night after ten\n"
    "- [ ] Count how often somebody was greeted\n- [ ] Write down what is left to do\n",
    "greet.sh": '#!/bin/sh\n# Greets whoever is named, or you.\ngreeting="Hello"\necho "$greeting, ${1:-you}!"\n',
    "check.sh": "#!/bin/sh\n# Looks at every file, one after the other.\n"
    'for file in *; do\n  [ -f "$file" ] || continue\n'
    '  printf \'%-12s %3d lines  ok\\n\' "$file" "$(wc -l < "$file")"\n  sleep 0.3\ndone\nsh greet.sh Ada\n',
}
"""The demo project: file name -> content."""

Change = tuple[str, str]
"""A patch, and in words what it does."""


@dataclass(frozen=True, slots=True)
class Tale:
    """One variant of the turn."""

    words: tuple[str, ...]
    """Words of a prompt that choose it."""
    file: str
    thought: str
    opening: str
    plan: tuple[str, str, str]
    change: Callable[[str], Change | None]
    """The file's content -> the change, or None where it does not fit."""
    question: str


def step(talk: Conversation) -> Step:
    """The step that comes next in this conversation."""
    tale = choose(talk.prompt, talk.earlier_prompts)
    content = _printed(talk.outputs, tale.file)
    if talk.step == 0:
        return _look(tale, talk.prompt)
    change = None if content is None else tale.change(content)
    if change is None:
        return SAY | {"say": f"I could not read {tale.file} here, so I left everything as it is. Shall I try again?"}
    patch, done = change
    steps: list[Step] = [
        SAY | {"say": f"I see. I will {done}.", "patch": patch},
        SAY | {"say": "Now a look at whether everything still works.", "shell": "sh check.sh"},
        *([_commit(done)] if _is_repository(talk.outputs) else []),
        {"plan": [[row, "completed"] for row in tale.plan]},
        SAY | {"say": _summary(tale, done, _committed(talk.outputs))},
    ]
    return steps[min(talk.step, len(steps)) - 1]


def choose(prompt: str, earlier: int) -> Tale:
    """The tale whose words the prompt names; else they take turns."""
    spoken = set(re.findall(r"[a-z]+", prompt.lower()))
    named = [tale for tale in TALES if spoken & set(tale.words)]
    return named[0] if named else TALES[earlier % len(TALES)]


def _look(tale: Tale, prompt: str) -> Step:
    asked = prompt.splitlines()[0][:80] if prompt else "nothing in particular"
    return SAY | {
        "reason": f"The person asks: {asked}. {tale.thought}",
        "say": tale.opening,
        "plan": list(tale.plan),
        "shell": f"ls -l; echo '--- {tale.file}'; cat {tale.file}; echo '--- end'; {LOOK_FOR_GIT}",
    }


def _commit(done: str) -> Step:
    """What the sandbox does not allow: Codex asks a person."""
    return {
        "say": "I would like to keep this.",
        "shell": f"git {' '.join(IDENTITY)} commit --quiet --all --message {shlex.quote(done)} && git log --oneline -1",
        "escalate": True,
        "why": f"May I commit it? Git's own folder can't be written in the sandbox. ({done})",
    }


def _is_repository(outputs: tuple[str, ...]) -> bool:
    return any(REPOSITORY in printed for printed in outputs)


def _committed(outputs: tuple[str, ...]) -> str:
    """How the question about the commit was answered, as a line of the summary."""
    if not _is_repository(outputs):
        return ""
    if any("rejected" in printed.lower() for printed in outputs):
        return "- It is not committed: nobody allowed that.\n"
    return "- It is committed, as you allowed.\n"


def _summary(tale: Tale, done: str, committed: str) -> str:
    return (
        f"Done. What happened:\n\n- I looked at the project and read `{tale.file}`.\n- I chose to {done}.\n"
        f"- `check.sh` went through every file and ended with a greeting.\n{committed}\n{tale.question}"
    )


def _printed(outputs: tuple[str, ...], file: str) -> str | None:
    found = [
        match for text in outputs for match in re.findall(rf"--- {re.escape(file)}\n(.*?)--- end", text, re.DOTALL)
    ]
    return found[0] if found else None


def _replace(file: str, old: str, new: str) -> str:
    return f"*** Begin Patch\n*** Update File: {file}\n@@\n-{old}\n+{new}\n*** End Patch\n"


def _tick(content: str) -> Change | None:
    tasks = [line for line in content.splitlines() if line.startswith("- [")]
    if not tasks:
        return None
    open_tasks = [line for line in tasks if line.startswith("- [ ]")]
    line = open_tasks[0] if open_tasks else tasks[0]
    text = line[len("- [ ] ") :]
    if open_tasks:
        return _replace("TASKS.md", line, f"- [x] {text}"), f"tick off “{text}”"
    return _replace("TASKS.md", line, f"- [ ] {text}"), f"open “{text}” again, since all was done"


def _greet(content: str) -> Change | None:
    found = re.search(r'^greeting="(.*)"$', content, re.MULTILINE)
    if not found:
        return None
    now = found[1]
    following = GREETINGS[(GREETINGS.index(now) + 1) % len(GREETINGS)] if now in GREETINGS else GREETINGS[0]
    return _replace("greet.sh", found[0], f'greeting="{following}"'), f"say “{following}” instead of “{now}”"


def _note(content: str) -> Change | None:
    lines = content.splitlines()
    if not lines:
        return None
    count = sum(line.startswith("Note ") for line in lines) + 1
    note = f"Note {count}: the greeting, the tasks and the check were looked at."
    patch = f"*** Begin Patch\n*** Update File: README.md\n@@\n {lines[-1]}\n+{note}\n*** End Patch\n"
    return patch, f"add note {count} at the end of README.md"


TALES = (
    Tale(
        words=("task", "tasks", "todo", "next", "list"),
        file="TASKS.md",
        thought="There is a list of tasks; the first open one is a good start.",
        opening="I will look at what is here, take the next open task and check that nothing broke.",
        plan=("Read the list of tasks", "Tick off the next one", "Run the check"),
        change=_tick,
        question="Shall I go on with the next task?",
    ),
    Tale(
        words=("greet", "greeting", "hello", "script", "fix", "test"),
        file="greet.sh",
        thought="The greeting sits in one line of greet.sh; a small change, and the check shows it.",
        opening="I will read the script, change its greeting and run the check.",
        plan=("Read the script", "Change the greeting", "Run the check"),
        change=_greet,
        question="Do you like this greeting, or shall I try another one?",
    ),
    Tale(
        words=("note", "notes", "readme", "write", "document", "docs"),
        file="README.md",
        thought="A note at the end of the README says what was looked at.",
        opening="I will read the README, add a note at its end and run the check.",
        plan=("Read the README", "Add a note", "Run the check"),
        change=_note,
        question="Is there something else you would like to have written down?",
    ),
)
"""Every variant, in the order in which they take turns."""
