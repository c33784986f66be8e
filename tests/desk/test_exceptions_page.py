"""The pages as a person sees them: cards, cases, one case, one cause, one order. Nothing is changed here."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import PASSWORD, USER, WHO, Desk, Visitor

NORWAY = "/exceptions/cause?type=ORDER_MARKET_UNMAPPED&cause=fulfil.toml%3A%5Bmarkets%5D+Norway"


@pytest.fixture
def visitor(desk: Desk) -> Visitor:
    return desk.visitor()
