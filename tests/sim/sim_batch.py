"""Many seeds, on as many processes as are asked for, and the table of what they went through."""

import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sim.sim_faults import FAULTS
from sim.sim_run import Result, simulate

OFTEN = 60
"""A seam that a batch passes more often than this must have had its victim; passes after the faults ended do not count."""
REGRESSIONS = Path(__file__).with_name("regressions.txt")


def regressions() -> dict[int, str]:
    """Seeds that once failed, each with the reason; a line is `seed  reason`, # begins a comment."""
    told = [line.split("#")[0].split(maxsplit=1) for line in REGRESSIONS.read_text().splitlines()]
    return {int(parts[0]): parts[1].strip() for parts in told if parts}


def results(seeds: Iterable[int], processes: int = 2, *, whole: bool | None = None) -> Iterator[Result]:
    """Run seeds in processes of their own, in the order they are given; `whole` as `simulate` takes it."""
    one = partial(simulate, whole=whole)
    if processes == 1:
        yield from map(one, seeds)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would copy other tests' threads and connections
    with ProcessPoolExecutor(processes, mp_context=fresh) as pool:
        yield from pool.map(one, seeds)


@dataclass
class Totals:
    """What came of a batch."""

    seeds: int = 0
    orders: int = 0
    seconds: float = 0.0
    steps: int = 0
    proofs: int = 0
    proofs_beside: int = 0
    zombies: int = 0
    window_units: int = 0
    longest_heal: tuple[float, int] = (0.0, -1)
    fired: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    crashed_at: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    violations: dict[int, str] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.orders += result.orders
        self.seconds += result.seconds
        self.steps += result.steps
        self.proofs += result.proofs
        self.proofs_beside += result.proofs_beside
        self.zombies += result.zombies
        self.window_units += result.window_units
        self.longest_heal = max(self.longest_heal, (result.healed_after, result.seed))
        self.fired += result.fired
        self.passed += result.passed
        self.crashed_at += result.crashed_at
        self.cases += result.cases
        if result.violation:
            self.violations[result.seed] = result.violation

    @property
    def never_fired(self) -> list[str]:
        return [name for name in FAULTS if not self.fired[name]]

    @property
    def never_crashed_at(self) -> list[str]:
        """Seams without a victim, among those that were passed often enough to have one."""
        return sorted(name for name, times in self.passed.items() if times > OFTEN and not self.crashed_at[name])

    def table(self) -> str:
        """The whole batch for a person to read."""
        heal, slowest = self.longest_heal
        head = [
            ("seeds", f"{self.seeds}"),
            ("orders", f"{self.orders}"),
            ("virtual time", f"{self.seconds / 86400:.2f} days in {self.steps} steps"),
            ("proofs held against Centra's books", f"{self.proofs}, {self.proofs_beside} of them of OrderWise"),
            ("creates sent by workers stopped too long", f"{self.zombies}"),
            ("units oversold in honest windows", f"{self.window_units}"),
            ("longest time to heal", f"{heal:.0f} s (seed {slowest})"),
            ("crash points hit", f"{len(self.crashed_at)} of {len(self.passed)}"),
            ("faults", f"{sum(self.fired.values())}, of {len(+self.fired)} of the {len(FAULTS)} classes"),
            ("violations", f"{len(self.violations)}"),
        ]
        rows = [f"{name:42} {told}" for name, told in head]
        rows += [
            "",
            *_columns(self.fired, FAULTS if self.seeds > 1 else sorted(self.fired)),
            "",
            "open at the end:",
            *(_columns(self.cases, sorted(self.cases)) or ["      no exception"]),
        ]
        rows += [f"\nseed {seed}: {told}" for seed, told in sorted(self.violations.items())]
        return "\n".join(rows)


def _columns(counted: Counter[str], names: Iterable[str]) -> list[str]:
    cells = [f"{counted[name]:>7}  {name:<34}" for name in names]
    return ["".join(cells[at : at + 3]).rstrip() for at in range(0, len(cells), 3)]


def batch(seeds: Iterable[int], processes: int = 2) -> Totals:
    totals = Totals()
    for result in results(seeds, processes):
        totals.add(result)
    return totals
