"""A large catalogue: every SKU compared, then five in a hundred changed and pushed. Is memory flat in the number of SKUs?

Both sandboxes are servers in a process of their own; ours, whose peak memory is told, is a child that runs the feeds and
links as workers do. One warehouse is fed: what several cost is a multiple in time, never in memory.
"""

import json
import logging
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rows import Row, printed

FEW, MANY = 10_000, 100_000
CHANGED = 20
"""Every so-manieth SKU is changed: five in a hundred."""
FLAT = 1.25


def measure() -> list[Row]:
    """Ten thousand and a hundred thousand SKUs, each in fresh processes."""
    few, many = _in_child(FEW), _in_child(MANY)
    ratio = round(many["peak_mb"] / few["peak_mb"], 3)
    how = f"{MANY:,} SKUs in one warehouse, remote limits off, sandboxes on this machine"
    return [
        Row("full compare of 100,000 SKUs", many["compare"], "s", "", None, how),
        Row(
            "push of 5 % changes",
            many["push"],
            "s",
            "",
            None,
            f"{MANY // CHANGED:,} levels read, pushed, read back; {how}",
        ),
        Row("levels that are wrong after the push", many["wrong"], "", "0", not many["wrong"], how),
        Row("peak memory at 100,000 SKUs", many["peak_mb"], "MB", "", None, "ru_maxrss of the process that does both"),
        Row("peak memory at 10,000 SKUs", few["peak_mb"], "MB", "", None, "the same"),
        Row("peak memory, 100,000 / 10,000 SKUs", ratio, "ratio", f"<= {FLAT}", ratio <= FLAT, "the same"),
    ]


def _in_child(count: int) -> dict[str, float]:
    told = subprocess.run([sys.executable, __file__, str(count)], capture_output=True, text=True, check=False)
    if told.returncode:
        raise RuntimeError(told.stderr)
    found: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
    return found


def _one_warehouse() -> str:
    """The example mapping, but that only the United Kingdom is sold to, from London."""
    from stage import MAPPINGS

    parts = re.split(r"^(?=\[)", (MAPPINGS / "fulfil.toml").read_text(), flags=re.MULTILINE)
    elsewhere = re.compile(r'\[(stock\.places\.[234]|(markets|carriers)\.(?!"Europe / United Kingdom"))')
    return "".join(part for part in parts if not elsewhere.match(part))


def _child(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sandbox = subprocess.Popen(
            [sys.executable, __file__, "sandbox", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            sys.stdout.write(json.dumps(_measured(sandbox, Path(folder))) + "\n")
        finally:
            sandbox.kill()
            sandbox.wait()


def _measured(sandbox: Any, folder: Path) -> dict[str, float]:
    """`{"compare": s, "push": s, "wrong": levels, "peak_mb": MB}`."""
    import structlog
    from stage import settings_for

    import tasks.stock_push  # noqa: F401 - registers its feeds and links
    from integration.domain.order import Key
    from integration.store import Store, levels, pace, reference, schedule
    from integration.wiring import SystemClock, World, build_world
    from tasks import feed, step

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    urls = json.loads(sandbox.stdout.readline())
    url = f"sqlite:///{folder}/lockstep.db"
    more = {"LOCKSTEP_BRAND_URL": urls["centra"], "LOCKSTEP_FULFIL_URL": urls["fulfil"]}
    store = Store(url, SystemClock())
    store.create()
    world: World = build_world(settings_for(url, **more), ring=lambda link, key: None, store=store)
    with store.write("apply") as tx:
        reference.apply_mapping(tx, "fulfil", _one_warehouse(), actor="bench")
        schedule.move_cursor(tx, "fulfil", "movements", store.now().isoformat())

    def fed(name: str, system: str) -> None:
        feed.run_feed(feed.FEEDS[name], system, world)

    def work() -> None:
        key = Key("brand", "stock", "fulfil")
        deadline = time.monotonic() + 1_200
        while time.monotonic() < deadline:
            for link in ("take", "push", "prove"):
                step.run(step.LINKS["stock", link], key, world, task_id="bench")
            with store.read() as tx:
                on_the_way = any(levels.any_left(tx, "fulfil", levels.in_state(state)) for state in ("read", "pushed"))
                if not on_the_way and not pace.waiting_skus(tx):
                    return
        raise TimeoutError("levels are still waiting")

    while not _known(world):
        fed("catalogue", "brand")
    fed("places", "fulfil")
    began = time.monotonic()
    while not _compared(world):
        fed("compare", "fulfil")
    compared = time.monotonic() - began
    work()
    sandbox.stdin.write("change\n")
    sandbox.stdin.flush()
    sandbox.stdout.readline()
    began = time.monotonic()
    fed("movements", "fulfil")
    work()
    pushed = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sandbox.stdin.write("check\n")
    sandbox.stdin.flush()
    wrong = int(sandbox.stdout.readline())
    store.close()
    return {"compare": round(compared, 1), "push": round(pushed, 1), "wrong": wrong, "peak_mb": round(peak, 1)}


def _known(world: Any) -> bool:
    from integration.store import schedule

    with world.store.read() as tx:
        return schedule.read_cursor(tx, "brand", "catalogue") is not None


def _compared(world: Any) -> bool:
    from integration.store import schedule

    with world.store.read() as tx:
        return (schedule.read_cursor(tx, "fulfil", "compare") or "").endswith("done")


def _sandbox(count: int) -> None:
    """Both systems on ports; "change" and "check" are told on standard input."""
    from integration.sandbox import catalogue, goods
    from integration.sandbox.centra import Centra
    from integration.sandbox.clock import RealClock
    from integration.sandbox.fulfil import Fulfil
    from integration.sandbox.serve import Server

    goods.grow(count)
    clock = RealClock()
    centra, fulfil = Centra(clock), Fulfil(clock)
    servers = [Server(app, clock).start() for app in (centra.app, fulfil.app)]
    print(json.dumps({"centra": servers[0].url, "fulfil": servers[1].url}), flush=True)
    house = catalogue.FULFIL_BUILDINGS[1]
    changed = goods.SYNTHETIC[::CHANGED]
    for line in sys.stdin:
        if line.strip() == "change":
            for number, sku in enumerate(changed):
                fulfil.adjust(sku, catalogue.OPENING_STOCK - 100 - number % 500, house.fulfil_id)
            print("changed", flush=True)
        else:
            has = {sku: catalogue.OPENING_STOCK - 100 - number % 500 for number, sku in enumerate(changed)}
            stock = centra.book.stock
            print(sum(stock.at(1, sku) != has.get(sku, catalogue.OPENING_STOCK) for sku in goods.SYNTHETIC), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["sandbox"]:
        _sandbox(int(sys.argv[2]))
    elif sys.argv[1:]:
        _child(int(sys.argv[1]))
    else:
        printed(measure())
