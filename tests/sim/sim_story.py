"""One seed as a story: virtual time, who, and what happened."""

from collections.abc import Callable

from sim.sim_batch import Totals
from sim.sim_run import simulate
from sim.sim_scheduler import START


def tell(seed: int, say: Callable[[str], None]) -> bool:
    """Run a seed and say line by line what happens. Returns whether every promise was kept."""
    say(f"Seed {seed}: every lane's own code, one thread, virtual time from {START:%Y-%m-%d %H:%M} UTC\n")

    def hear(seconds: float, actor: str, event: str) -> None:
        mark = "!" if event.startswith(("fault", "killed", "stopped")) else " "
        say(f"{int(seconds) // 60:>3}:{seconds % 60:05.2f} {mark} {actor:<14} {event.strip()}")

    result = simulate(seed, hear)
    totals = Totals()
    totals.add(result)
    say("\n" + totals.table())
    say(f"trace                                      {result.trace}")
    return not result.violation
