"""`autopilot prices show | set`: what tokens cost. Relies on the server for reading and for every refusal."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.documents import format_of, put_in_force, text_of, told
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options, is_dash_at_most
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client.presenters.money import amount
from autopilot.contract import PriceTable, SetPrices
from autopilot.contract.errors import Conflict, Unprocessable

HEADINGS = ("MODEL", "FROM", "INPUT", "CACHED", "OUTPUT")
INVALID, REPRICES = "prices_invalid", "reprices"


async def show(
    *,
    text: Annotated[bool, Parameter(help="Print the document as it was written, to be changed.", negative=())] = False,
    options: Options = DEFAULT,
) -> None:
    """Show the price table in force: what a million tokens cost, from which day on."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        table = await client.prices()
    if options.json:
        terminal.result(table)
    elif text:
        if table.text is None:
            raise CommandFailed("There is no price table.", Exit.NOT_FOUND)
        terminal.out.print(printable(table.text), markup=False, end="")
    elif not table.version:
        terminal.say("There is no price table: spend is shown in tokens alone.")
    else:
        terminal.say(f"price table: version {table.version}, of {table.created_at}", markup=False)
        terminal.say(f"{table.currency} for a million tokens", markup=False)
        print_table(terminal.out, HEADINGS, rows_of(table))


async def put(
    file: Annotated[
        str,
        Parameter(
            help="The table, TOML unless its name ends with .json; - reads TOML.",
            allow_leading_hyphen=True,
            validator=is_dash_at_most,
        ),
    ],
    *,
    reprice: Annotated[
        bool, Parameter(help="What was used already may cost something else from now on.", negative=())
    ] = False,
    expected: Annotated[
        int | None, Parameter(name="--expected", help="Only if this version is in force (0: none); else whichever is.")
    ] = None,
    options: Options = DEFAULT,
) -> None:
    """Put a price table in force, for everybody. Takes a token with `admin`."""
    terminal = Terminal(as_json=options.json)
    said = SetPrices(format=format_of(file), text=text_of(file), expected_version=expected or 0, reprice=reprice)
    async with connected(options) as client:
        try:
            table = await put_in_force(client.set_prices, said, whichever=expected is None)
        except Unprocessable as error:
            raise told(terminal, file, error, INVALID) from error
        except Conflict as error:
            if terminal.as_json or error.reason_code != REPRICES:
                raise
            words = f"{error.message.partition(';')[0]}. If you mean that, say --reprice."
            raise CommandFailed(words, Exit.CONFLICT, reason_code=REPRICES) from error
    if options.json:
        terminal.result(table)
    terminal.say(f"The price table is version {table.version} now.")


def rows_of(table: PriceTable) -> list[tuple[str, ...]]:
    """A row for each price."""
    return [
        (
            price.model,
            price.first_day,
            amount(price.input_micros),
            amount(price.cached_input_micros),
            amount(price.output_micros),
        )
        for price in table.prices
    ]
