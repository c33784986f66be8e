"""The table of scenarios cannot lie: each is played by a test or says why not, never both, and no test invents one."""

import scenarios


def test_every_scenario_is_played_or_says_why_not() -> None:
    played = scenarios.played()
    assert [id for id, (_, why) in scenarios.told().items() if id not in played and not why] == []


def test_no_scenario_that_is_played_is_excused() -> None:
    played = scenarios.played()
    assert [id for id, (_, why) in scenarios.told().items() if id in played and why] == []


def test_the_table_knows_every_scenario_of_the_lanes_that_a_test_carries() -> None:
    later = ("PRD-", "MAP-", "OPS-", "SEC-")
    assert {id for id in scenarios.played() if not id.startswith(later)} <= set(scenarios.told())
    assert len(scenarios.told()) > 100
