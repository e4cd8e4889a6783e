"""`python -m autopilot_schema gen | check`: what `make gen` and `make lint` run."""

from __future__ import annotations

import sys

from autopilot_schema import tree


def main(arguments: list[str]) -> int:
    """0 when all is well; what is not is printed."""
    if arguments == ["gen"]:
        tree.replace()
        return 0
    if arguments == ["check"]:
        problems = list(checks())
        for problem in problems:
            print(problem, file=sys.stderr)
        return 1 if problems else 0
    print(__doc__, file=sys.stderr)
    return 2


def checks() -> list[str]:
    """Everything wrong with the schema and what was made of it."""
    problems = []
    for arguments in (("lint",), ("format", "--diff", "--exit-code")):
        done = tree.run("buf", *arguments)
        if done.returncode:
            problems.append(f"buf {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    problems += [f"{name} in src/autopilot/contract/_generated is stale: run `make gen`" for name in tree.stale()]
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
