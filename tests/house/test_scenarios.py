"""The table of scenarios cannot lie: each is played by a test or says why not, never both, and no test invents one."""

import scenarios


def test_every_scenario_is_played_or_says_why_not() -> None:
    played = scenarios.played()
    assert [id for id, (_, why) in scenarios.told().items() if id not in played and not why] == []


def test_no_scenario_that_is_played_is_excused() -> None:
    played = scenarios.played()
    assert [id for id, (_, why) in scenarios.told().items() if id in played and why] == []


def test_the_table_has_every_scenario_and_no_test_carries_another() -> None:
    assert set(scenarios.told()) == scenarios.known()
    assert set(scenarios.played()) <= scenarios.known()
    rows = scenarios.ROW.findall((scenarios.HERE / "README.md").read_text(encoding="utf-8"))
    assert len(rows) == len(scenarios.known())
