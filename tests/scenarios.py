"""`make scenarios`: every scenario of the README's table, and the tests that play it."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
KNOWN = {
    "ORD": "01 02 03 04 05 06 07 08 10 11 12 14 15 20 21 22 24 25 26 27 28",
    "MON": "01 02 03 05 06 07 08 09 12 13 14 16 18 19 20 22",
    "STK": "01 02 04 07 08 09 10 12 13 16 17 18 19 20 21 22 23 24 25",
    "SHP": "01 03 04 05 06 08 10 11 12 14 15 16 17",
    "CRN": "02 03 04 06 08 09 10 11 12 13 14 15 16 17",
    "RET": "01 03 04 06 08 11 13 14",
    "PRD": "01 03 04 05 06 07 08 09 11 12",
    "MAP": "01 02 03 05 06",
    "TIM": "01 02 03 05 06",
    "PLT": "01 03 05 06 07 11 12 13 15 16 17 18 19 20",
    "OPS": "01 02 03 04 05 07 08 09",
    "SEC": "02 03",
}
"""Every scenario there is, by its group: the table has a row for each."""
ROW = re.compile(r"^\| ([A-Z]{3}-\d\d) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)


def known() -> set[str]:
    """The ids of all scenarios."""
    return {f"{group}-{number}" for group, numbers in KNOWN.items() for number in numbers.split()}


def told() -> dict[str, tuple[str, str]]:
    """Every scenario of `tests/README.md`: id to (situation, why it is not played, or nothing)."""
    return {id: (what, why) for id, what, why in ROW.findall((HERE / "README.md").read_text(encoding="utf-8"))}


def played() -> dict[str, list[str]]:
    """Every id that a test carries, with the tests that do."""
    found: dict[str, list[str]] = {}
    for path in sorted(HERE.rglob("test_*.py")):
        for test in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(test, ast.FunctionDef | ast.ClassDef):
                for id in _carried(test):
                    found.setdefault(id, []).append(f"{path.relative_to(HERE.parent)}::{test.name}")
    return found


def _carried(test: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "scenario":
            yield from (str(word.value) for word in mark.args if isinstance(word, ast.Constant))


def main() -> int:
    """Print the table; fails when a scenario is neither played nor explained."""
    tests, open_ones = played(), 0
    for id, (what, why) in sorted(told().items()):
        carried = tests.get(id, [])
        where = carried[0] if carried else why or "NOBODY PLAYS IT"
        more = f" and {len(carried) - 1} more" if len(carried) > 1 else ""
        open_ones += not carried and not why
        sys.stdout.write(f"{id}  {'played' if carried else 'not yet'}  {what}\n        {where}{more}\n")
    count = sum(id in tests for id in told())
    sys.stdout.write(f"{count} of {len(told())} scenarios are played; {open_ones} are neither played nor explained.\n")
    return int(open_ones > 0)


if __name__ == "__main__":
    sys.exit(main())
