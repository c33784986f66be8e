"""Our export definitions as SQL Server reads them: SQLite, under the sandbox, forgives what SQL Server does not."""

import re

import pytest

from integration.erp.orderwise.client import sql_of
from integration.erp.orderwise.profile import EXPORTS

ASIDE = re.compile(r"--[^\n]*|'[^']*'")
LIST = re.compile(r"\bSELECT\b(.*?)(?:\bFROM\b|\Z)", re.DOTALL)
ALIAS = re.compile(r"\s+AS\s+\w+\Z")


def selected(sql: str) -> list[list[str]]:
    """What each branch of the union selects, column by column; what stands in brackets or quotation marks is left out."""
    text, inner = ASIDE.sub(lambda found: "" if found[0].startswith("--") else "''", sql), 1
    while inner:
        text, inner = re.subn(r"\([^()]*\)", "", text)
    lists = [found[1] for branch in text.split("UNION ALL") if (found := LIST.search(branch))]
    return [[ALIAS.sub("", column.strip()) for column in each.split(",")] for each in lists]


def begin_untyped(sql: str) -> list[int]:
    """The columns whose first two branches are both a bare NULL: SQL Server makes them int, whatever comes later."""
    first, second, *_ = selected(sql)
    return [place for place, pair in enumerate(zip(first, second, strict=True)) if set(pair) == {"NULL"}]


@pytest.mark.parametrize("name", EXPORTS)
def test_no_column_begins_with_two_bare_nulls_which_sql_server_takes_for_whole_numbers(name: str) -> None:
    branches = selected(sql_of(name))
    assert len(branches) == sql_of(name).count("UNION ALL") + 1
    assert len({len(branch) for branch in branches}) == 1
    assert begin_untyped(sql_of(name)) == []


def test_a_column_is_typed_by_either_of_the_first_two_branches() -> None:
    typed = "SELECT NULL AS a, CAST(NULL AS NVARCHAR(9)) AS b, NULL AS c FROM x -- NULL\nUNION ALL "
    assert begin_untyped(typed + "SELECT y.a, NULL, NULL FROM y UNION ALL SELECT NULL, 'NULL', y.c FROM y") == [2]
