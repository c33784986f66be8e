"""The nodes the step tests stand on do what containers would: a killed worker's message comes back."""

from pathlib import Path

import pytest
from pytest_celery import CeleryTestSetup
from servers import wait_until


@pytest.fixture
def celery_worker_arguments() -> dict[str, object]:
    return {"app": "tiny_app", "environment": {"PYTHONPATH": str(Path(__file__).parent)}}


@pytest.mark.parametrize("celery_broker_kind", ["redis", "rabbitmq"])
def test_a_message_of_a_killed_worker_is_delivered_again(celery_setup: CeleryTestSetup, tmp_path: Path) -> None:
    runs = tmp_path / "runs"

    def processes() -> list[str]:
        return runs.read_text().split() if runs.exists() else []

    celery_setup.app.send_task("hang_once", (str(runs),))
    wait_until(processes, "the task begun")
    celery_setup.worker.kill()
    assert celery_setup.worker.container.status == "exited"
    celery_setup.worker.restart()
    wait_until(lambda: len(processes()) == 2, "the task delivered again", seconds=40)
    first, second = processes()
    assert first != second


def test_a_worker_survives_the_restart_of_its_broker(celery_setup: CeleryTestSetup, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.write_text("")  # nobody is first, so nobody hangs
    celery_setup.broker.kill()
    celery_setup.broker.restart()
    celery_setup.app.send_task("hang_once", (str(runs),))
    wait_until(runs.read_text, "the task done")
