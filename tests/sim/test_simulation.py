"""Seeds of the whole lifecycle under every fault: see `sim_run`. `make soak` runs them for as long as asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sim.sim_batch import batch, regressions
from sim.sim_run import simulate

ROOT = Path(__file__).parents[2]
BATCH = 50
BATCHES = 6 if os.environ.get("LOCKSTEP_TEST_TIER") == "ci" else 1


def test_a_seed_that_once_failed_never_fails_again() -> None:
    for seed, reason in regressions().items():
        assert simulate(seed).violation == "", reason


@pytest.mark.slow
@pytest.mark.timeout(600)  # fifty seeds on however much of two cores is left
@pytest.mark.parametrize("number", range(BATCHES))
def test_every_order_ends_exactly_once_or_in_one_exception_whatever_happens(
    number: int, run_folder: Path, worker_id: str
) -> None:
    alone = worker_id == "master"  # else there is another worker on the other core
    totals = batch(range(number * BATCH, (number + 1) * BATCH), processes=2 if alone else 1)
    print(totals.table())
    assert not totals.violations, totals.table()
    assert totals.proofs > totals.orders / 4
    untried = untried_by_all({*totals.never_fired, *totals.never_crashed_at}, number, run_folder)
    assert not untried or BATCHES == 1, "fifty seeds are too few to have met every fault of every lane"


def untried_by_all(mine: set[str], number: int, folder: Path) -> set[str]:
    """What no batch of the run tried: a fault that never fired, a seam where nobody was killed.

    The batches run on several workers; each leaves its own findings in a file, and the one that ends last judges.
    """
    half_written = folder / f"untried-{number}"
    half_written.write_text(json.dumps(sorted(mine)))
    half_written.rename(half_written.with_suffix(".json"))
    found = [set(json.loads(path.read_text())) for path in folder.glob("untried-*.json")]
    return set.intersection(*found) if len(found) == BATCHES else set()


def test_only_what_no_batch_of_the_run_tried_is_untried(tmp_path: Path) -> None:
    told = [untried_by_all({"never", f"only {number}"}, number, tmp_path) for number in range(BATCHES)]
    assert told[:-1] == [set()] * (BATCHES - 1)
    assert told[-1] == ({"never"} if BATCHES > 1 else {"never", "only 0"})


@pytest.mark.timeout(120)  # two interpreters start beside us
def test_a_seed_tells_the_same_story_in_every_process() -> None:
    seeds = (1, 2, 3)
    program = f"from sim.sim_run import simulate\nfor seed in {seeds}: print(simulate(seed).trace)"
    told = []
    for hashing in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashing, "PYTHONPATH": str(ROOT / "tests")}
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        told.append(run.stdout.split())
    assert told[0] == told[1] == [simulate(seed).trace for seed in seeds]
    assert len(set(told[0])) == len(seeds)
