"""Fresh seeds of the whole lifecycle until the time is up: `make soak ARGS="--minutes 30"`. Prints a table; exits 1 on a violation."""

import argparse
import itertools
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from sim.sim_batch import Totals, regressions, results

FIRST = 1_000_000
"""Seeds from here on belong to the soak; tests use small ones."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, help="begin here; otherwise at a seed that no earlier soak has had")
    parser.add_argument("--processes", type=int, default=2)
    told = parser.parse_args()
    first = told.seed if told.seed is not None else FIRST + int(datetime.now(UTC).timestamp())
    until = time.monotonic() + told.minutes * 60
    totals, began = Totals(), time.monotonic()
    seeds = itertools.chain(regressions(), itertools.count(first))
    for _ in _batches(seeds, until, told.processes, totals):
        line = f"{totals.seeds} seeds, {totals.orders} orders, {len(totals.violations)} violations"
        print(line, file=sys.stderr, flush=True)
    print(totals.table())
    print(f"\nfirst seed {first}; {totals.seeds / (time.monotonic() - began):.2f} seeds a second")
    return 1 if totals.violations else 0


def _batches(seeds: Iterator[int], until: float, processes: int, totals: Totals) -> Iterator[None]:
    """A few seeds at a time, so that the time is kept to."""
    while time.monotonic() < until:
        for result in results(list(itertools.islice(seeds, 20)), processes, whole=True):
            totals.add(result)
        yield


if __name__ == "__main__":
    sys.exit(main())
