"""`lockstep simulate --seed N`: the story of one simulated seed. The simulation lives in the source checkout, not in the wheel."""

import sys
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"


def main(seed: int) -> int:
    """Print the story of a seed. Returns 1 when a promise was broken in it, 2 when there is no simulation here."""
    if not (TESTS / "sim" / "sim_story.py").is_file():
        print(  # noqa: T201 - a person asked for the story
            "The simulation is part of Lockstep's source checkout, and this is an installed package.\n"
            "Clone the repository, then run: make simulate ARGS='--seed 1'"
        )
        return 2
    sys.path.insert(0, str(TESTS))
    from sim.sim_story import tell

    return 0 if tell(seed, print) else 1
