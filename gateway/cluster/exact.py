"""limit_req with `exact`: the store is asked for each request that a node itself would let in.

Each worker has a connection of its own for it, and a task that takes all questions that wait to the store in one call;
what comes meanwhile goes with the next one. A request waits for `exact_timeout` at most. While the store does not
answer in that time nobody waits: the node decides alone, and tells the store with its next round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from gateway.cluster.rates import BUCKETS, key_prefix
from gateway.cluster.store import StoreError, WrongKeysError, opened
from gateway.config.errors import Where
from gateway.config.parts import Part
from gateway.core.logs import ERROR, NOTICE

if TYPE_CHECKING:
    import trio

    from gateway.cluster.store import Store
    from gateway.cluster.sync import Sync
    from gateway.serving.worker import Worker

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_PATIENCE_S: Final = 1.0  # a store that is gone is the rounds' to tell; one that is slow, this one's
_BATCH: Final = 500

# KEYS: the buckets. ARGV: rate, then for each bucket the burst (thousandths). Gives for each whether the request is let
# in, and the excess with it.
_ASK: Final = (
    BUCKETS
    + """
local found = {}
for i, key in ipairs(KEYS) do
  local had = level(key)
  local excess = had and math.floor(math.min(math.max(had + 1000, 0), most)) or 0
  local within = excess <= tonumber(ARGV[i + 1])
  if within then keep(key, excess) end
  found[2 * i - 1] = within and 1 or 0
  found[2 * i] = excess
end
return found
"""
)


class AskedZone(Protocol):
    """A limit_req zone, as far as it is told here."""

    name: str
    rate: int  # thousandths of a request a second

    def let_in(self, name: bytes) -> None:
        """This request was let in, and the store does not know: the next round tells it."""


class Question:
    """Whether the bucket of all nodes has room for one request more."""

    __slots__ = ("allowed", "burst", "excess", "name", "waiting", "wake", "zone")

    def __init__(self, zone: AskedZone, name: bytes, burst: int, wake: Callable[[], None]) -> None:
        self.zone = zone
        self.name = name
        self.burst = burst
        self.wake: Callable[[], None] | None = wake  # None: nobody waits for it any more
        self.waiting = True
        self.allowed: bool | None = None  # None: the store has not said
        self.excess = 0

    def settle(self, allowed: bool | None, excess: int = 0) -> None:
        """The store's answer, or none."""
        self.waiting = False
        if allowed is None or (self.wake is None and not allowed):
            self.zone.let_in(self.name)
        self.allowed, self.excess = allowed, excess
        if self.wake is not None:
            self.wake()


@dataclass(frozen=True, slots=True)
class Exacted:
    """A directive that has `exact`: where it stands, and what gives its zone the one to ask. Errors: ConfigError."""

    where: Where
    use: Callable[[Exact], None]


EXACT: Part[list[Exacted]] = Part("limits with exact", list)


class Exact:
    """One worker's questions."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self.bound = min(sync.settings.exact_timeout, sync.settings.timeout)
        self.answers = False
        self.tried = False
        self._questions: list[Question] = []
        self._some: trio.Event
        self._failing_since = 0.0

    def put(self, question: Question) -> None:
        """Ask; `settle` may be called at once."""
        if not self.answers:
            self._sync.count_exact(0, 1)
            question.settle(None)
            return
        self._questions.append(question)
        self._some.set()

    def give_up(self, question: Question) -> None:
        """Nobody waits for the answer any more."""
        if question.waiting:
            question.wake = None

    # -- a duty of each worker (upstream/duties.py) -------------------------------------------------------------------

    @property
    def kind_and_name(self) -> bytes:
        return b"exact limits by %b" % self._sync.where

    def off_duty(self) -> None:
        pass

    async def run(self, worker: Worker) -> None:
        """Cancelled: what waits is decided here, and so is what comes."""
        import trio

        pause = _FIRST_PAUSE_S
        while True:
            try:
                async with opened(self._sync.settings) as store:
                    await store.call("ping")
                    store.timeout = self.bound
                    await store.call("ping")  # does it answer in time?
                    self._some = trio.Event()
                    self._answers_again()
                    pause = _FIRST_PAUSE_S
                    while True:
                        await self._some.wait()
                        self._some = trio.Event()
                        await self._ask(store)
            except StoreError as error:
                self._failed(error)
            finally:
                self.tried = True
                self.answers = False
                questions, self._questions = self._questions, []
                self._undecided(questions)
            await trio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _ask(self, store: Store) -> None:
        """All that waits, a call for each zone."""
        questions, self._questions = self._questions, []
        left: dict[str, list[Question]] = {}
        for question in questions:
            if question.wake is None:
                question.settle(None)
            else:
                left.setdefault(question.zone.name, []).append(question)
        parts = [group[begin : begin + _BATCH] for group in left.values() for begin in range(0, len(group), _BATCH)]
        try:
            while parts:
                await self._ask_zone(store, parts[-1])
                del parts[-1]
        finally:
            self._undecided([question for part in parts for question in part])

    async def _ask_zone(self, store: Store, questions: list[Question]) -> None:
        zone = questions[0].zone
        prefix = key_prefix(self._sync.settings.prefix, zone.name)
        keys = [prefix + question.name for question in questions]
        try:
            found = await store.run(_ASK, keys, [zone.rate, *(question.burst for question in questions)])
        except WrongKeysError:
            self._undecided(questions)  # the zone's next round throws them away
            return
        self._sync.count_exact(len(questions), 0)
        for question, within, excess in zip(questions, found[::2], found[1::2], strict=True):
            question.settle(bool(within), int(excess))

    def _undecided(self, questions: list[Question]) -> None:
        self._sync.count_exact(0, len(questions))
        for question in questions:
            question.settle(None)

    # -- how it goes --------------------------------------------------------------------------------------------------

    def _answers_again(self) -> None:
        self.tried = self.answers = True
        self._failing_since = 0.0
        if self._sync.tell_exact(False):
            self._sync.log.write(NOTICE, b"%b: it answers in time again" % self.kind_and_name)

    def _failed(self, error: StoreError) -> None:
        import trio

        now = trio.current_time()
        if not self._failing_since:
            self._failing_since = now
        # one that does not answer at all is told by the rounds; nobody is to read it twice
        long = now - self._failing_since > self._sync.settings.timeout + _PATIENCE_S
        if long and self._sync.online and self._sync.tell_exact(True):
            words = b"%b: %b; until it answers within %d ms, each node goes by what it knows itself"
            why = str(error).encode("utf-8", "surrogateescape")
            self._sync.log.write(ERROR, words % (self.kind_and_name, why, round(self.bound * 1000)))
