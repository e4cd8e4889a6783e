"""`python -m autopilot.cli` is `autopilot`."""

from autopilot.cli.main import main

main()
