"""A broker that loses, doubles, reorders and forgets; a message is a chain of links, a key and an id, as Celery's are."""

from collections import deque
from dataclasses import dataclass, replace
from itertools import count

from sim.sim_faults import Swarm
from sim.sim_scheduler import Actor, Scheduler

from integration.domain.order import Key
from tasks.celery import CHAINS


@dataclass(frozen=True)
class Message:
    """The links still to be run for a key, the first of them now."""

    links: tuple[str, ...]
    key: Key
    task_id: str
    retries: int = 0

    def __str__(self) -> str:
        again = f" (retry {self.retries})" if self.retries else ""
        return f"{self.links[0]} {self.key.number if self.key.kind == 'order' else self.key.instance}{again}"


class SimBroker:
    """The queue. Faults happen as a message enters."""

    def __init__(self, scheduler: Scheduler, swarm: Swarm) -> None:
        self.scheduler, self.swarm = scheduler, swarm
        self.queue: list[Message] = []
        self.waiting: deque[Actor] = deque()
        self.taken = 0
        self._ids = count(1)

    def ring(self, link: str, key: Key) -> None:
        """What a world's `ring` does: publish the chain that begins with a link."""
        self.publish(Message(CHAINS[key.kind, link], key, f"task-{next(self._ids)}"))

    def go_on(self, message: Message) -> None:
        """The next link of a chain whose first has succeeded."""
        if len(message.links) > 1:
            self.publish(Message(message.links[1:], message.key, f"task-{next(self._ids)}"))

    def retry(self, message: Message, seconds: float) -> None:
        """Celery's retry: the same message again after a while."""
        self.later(replace(message, retries=message.retries + 1), seconds)

    def later(self, message: Message, seconds: float) -> None:
        self.scheduler.spawn(f"eta-{message.task_id}", lambda: self.publish(message), delay=seconds)

    def publish(self, message: Message) -> None:
        if self.swarm.hit("message lost"):
            return
        copies = 2 if self.swarm.hit("message doubled") else 1
        for _ in range(copies):
            if self.swarm.hit("message reordered"):
                seconds = self.swarm.random.uniform(0.5, 30)
                self.scheduler.spawn(f"late-{message.task_id}", lambda: self._enter(message), delay=seconds)
            else:
                self._enter(message)

    def _enter(self, message: Message) -> None:
        self.queue.append(message)
        while self.waiting:
            sleeper = self.waiting.popleft()
            if not sleeper.crashed:
                self.scheduler.wake(sleeper)
                return

    def take(self) -> Message:
        """The next message; the current actor waits for one."""
        while not self.queue:
            actor = self.scheduler.actor
            assert actor is not None
            self.waiting.append(actor)
            self.scheduler.park()
        self.taken += 1
        return self.queue.pop(0)

    def wipe(self) -> None:
        self.queue.clear()
