"""What every measurement gives: rows of one table."""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One measured figure. `held` is None where there is no target."""

    name: str
    value: float
    unit: str
    target: str
    held: bool | None
    how: str


def at_percent(percent: int, values: Sequence[float]) -> float:
    """The percentile of some values, 1 to 99."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def printed(rows: Sequence[Row], *, as_json: bool = False) -> None:
    """As a table for a person, or as JSON."""
    from rich.console import Console
    from rich.table import Table

    if as_json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        return
    table = Table("figure", "value", "unit", "target", "held", "how")
    for row in rows:
        held = "" if row.held is None else "yes" if row.held else "NO"
        table.add_row(row.name, f"{row.value:g}", row.unit, row.target, held, row.how)
    Console(width=150).print(table)
