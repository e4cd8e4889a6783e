"""`python -m autopilot_schema gen | check | release`: for `make gen`, `make lint`, a release of the contract."""

from __future__ import annotations

import sys

from autopilot_schema import released, tree


def main(arguments: list[str]) -> int:
    """0 when all is well; what is not is printed."""
    match arguments:
        case ["gen"]:
            tree.replace()
        case ["release"]:
            released.keep()
        case ["check"]:
            problems = checks()
            for problem in problems:
                print(problem, file=sys.stderr)
            return 1 if problems else 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def checks() -> list[str]:
    """Everything wrong with the schema and with what was made of it."""
    problems = []
    for arguments in (("lint",), ("format", "--diff", "--exit-code")):
        done = tree.run("buf", *arguments)
        if done.returncode:
            problems.append(f"buf {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    problems += [f"{name} in src/autopilot/contract/_generated is stale: run `make gen`" for name in tree.stale()]
    return problems + [f"breaks the released contract: {sentence}" for sentence in released.breaks()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
