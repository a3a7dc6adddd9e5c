"""The index of a cache: a record for each key, in a zone that all workers share and a reload keeps.

A record whose COUNT is not 0 is in some request's hands and stays. Each method takes the zone's lock and drops it.
Times of files are seconds since the epoch, times of locks milliseconds of the machine's monotonic clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.siblings import leave_duty, take_duty

if TYPE_CHECKING:
    from gateway.core.zones import Table, Words, Zone

# A record's words.
_EXPIRE, _COUNT, _USES, _STATE, _ERROR, _VALID, _UNIQ, _BODY, _BLOCKS, _LOCKED_UNTIL, _WORDS = range(11)
# Bits of its state: there is a file; somebody asks for a new one; the file is being deleted.
_EXISTS: Final = 1
_UPDATING: Final = 2
_DELETING: Final = 4

# Words beside the table.
_WARM, _SIZE, _WATERMARK, _DUTY, _HEAD = range(5)

KEY_SIZE: Final = 16  # of an MD5
_FEW: Final = 20  # records in use that are passed by when one has to go

# What `take` found.
ABSENT: Final = -1  # no file, and nobody knew of it before
SCARCE: Final = -2  # too few uses yet
PRESENT: Final = -3  # a file, or uses enough for one
FULL: Final = -4  # no memory for a record


class Index:
    """The records of one cache; `attach` gives it its memory."""

    def __init__(self) -> None:
        self.table: Table
        self.words: Words
        self.zone: Zone

    def attach(self, zone: Zone, old: Index | None) -> None:
        """Called when the zone has its memory, which may be the old cycle's. Errors: ZoneError."""
        self.zone = zone
        if old is not None:
            self.table, self.words = old.table, old.words
            return
        self.words = zone.words(_HEAD)
        self.table = zone.table(KEY_SIZE, _WORDS)
        self.words.store(_WATERMARK, self.table.count + 1)

    # -- a request's steps -----------------------------------------------------------------------------------------

    def take(self, key: bytes, now: int, inactive: int, least: int, record: int) -> tuple[int, int]:
        """Count a use of this key, and hold its record; -1 as `record`: it is not held yet.

        (what was found, the record); a positive finding is the status of an error that is remembered.
        """
        table = self.table
        with self.zone.lock:
            fresh = False
            held = record >= 0
            if not held:
                record = table.get(key)
            if record < 0:
                record = table.insert(key)
                if record < 0:
                    count = len(table)
                    self.words.store(_WATERMARK, count - count // 8)
                    return FULL, -1
                table.set_word(record, _USES, 1)
                table.set_word(record, _COUNT, 1)
                fresh = True
            else:
                table.touch(record)
                if not held:
                    table.add_word(record, _USES, 1)
                    table.add_word(record, _COUNT, 1)
            table.set_word(record, _EXPIRE, now + inactive)
            error = table.word(record, _ERROR)
            if error:
                if table.word(record, _VALID) >= now:
                    return error, record
                fresh = True
            if fresh:
                for word in (_ERROR, _VALID, _UNIQ, _BODY, _BLOCKS):
                    table.set_word(record, word, 0)
                table.set_word(record, _STATE, table.word(record, _STATE) & ~_EXISTS)
                return ABSENT, record
            if table.word(record, _STATE) & _EXISTS or table.word(record, _USES) >= least:
                return PRESENT, record
            return SCARCE, record

    def use(self, key: bytes, now: int, inactive: int) -> bool:
        """Count a use of a file whose answer is known already; False if the index knows of no such file."""
        table = self.table
        with self.zone.lock:
            record = table.get(key)
            if record < 0 or not table.word(record, _STATE) & _EXISTS or table.word(record, _ERROR):
                return False
            table.touch(record)
            table.add_word(record, _USES, 1)
            table.set_word(record, _EXPIRE, now + inactive)
            return True

    def purge(self, key: bytes) -> bool:
        """A file counts for nothing any more, and is to be deleted; False if the index knows of no such file."""
        table = self.table
        with self.zone.lock:
            record = table.get(key)
            if record < 0 or not table.word(record, _STATE) & _EXISTS:
                return False
            table.set_word(record, _STATE, table.word(record, _STATE) & ~_EXISTS)
            self.words.add(_SIZE, -table.word(record, _BLOCKS))
            for word in (_UNIQ, _BODY, _BLOCKS):
                table.set_word(record, word, 0)
            return True

    def exists(self, record: int) -> bool:
        return bool(self.table.word(record, _STATE) & _EXISTS)

    def body_start(self, record: int) -> int:
        return self.table.word(record, _BODY)

    def lock(self, record: int, now: int, age: int) -> int:
        """Become the one who asks for this key's answer: until when that counts, 0 where somebody else is at it."""
        table = self.table
        with self.zone.lock:
            state = table.word(record, _STATE)
            if state & _UPDATING and table.word(record, _LOCKED_UNTIL) > now:
                return 0
            table.set_word(record, _STATE, state | _UPDATING)
            table.set_word(record, _LOCKED_UNTIL, now + age)
            return now + age

    def locked_for(self, record: int, now: int) -> int:
        """For how many milliseconds more somebody may keep others waiting, 0 for nobody."""
        table = self.table
        with self.zone.lock:
            if not table.word(record, _STATE) & _UPDATING:
                return 0
            return max(0, table.word(record, _LOCKED_UNTIL) - now)

    def renew(self, record: int) -> int:
        """Become the one who renews an expired answer: its lock's time, -1 where somebody else is at it."""
        table = self.table
        with self.zone.lock:
            state = table.word(record, _STATE)
            if state & _UPDATING:
                return -1
            table.set_word(record, _STATE, state | _UPDATING)
            return table.word(record, _LOCKED_UNTIL)

    def found(self, record: int, uniq: int, body: int, blocks: int) -> None:
        """A file was read that the loader has not come to yet."""
        table = self.table
        with self.zone.lock:
            if not table.word(record, _STATE) & _EXISTS:
                table.set_word(record, _USES, 1)
                self._has_file(record, uniq, body, blocks)

    def stored(self, record: int, uniq: int, body: int, blocks: int) -> None:
        """A new file took its place; 0 as `uniq`: it could not. The record is given back."""
        table = self.table
        with self.zone.lock:
            table.add_word(record, _COUNT, -1)
            table.set_word(record, _ERROR, 0)
            table.set_word(record, _STATE, table.word(record, _STATE) & ~_UPDATING)
            if uniq:
                self._has_file(record, uniq, body, blocks)

    def _has_file(self, record: int, uniq: int, body: int, blocks: int) -> None:
        table = self.table
        self.words.add(_SIZE, blocks - table.word(record, _BLOCKS))
        table.set_word(record, _STATE, table.word(record, _STATE) | _EXISTS)
        table.set_word(record, _UNIQ, uniq)
        table.set_word(record, _BODY, body)
        table.set_word(record, _BLOCKS, blocks)

    def give_back(self, record: int, locked_until: int, error: int, valid: int, *, forget: bool) -> None:
        """A request is done with the record. `locked_until` -1: it did not ask; `forget`: one without a file may go."""
        table = self.table
        with self.zone.lock:
            count = table.add_word(record, _COUNT, -1)
            if locked_until >= 0 and table.word(record, _LOCKED_UNTIL) == locked_until:
                table.set_word(record, _STATE, table.word(record, _STATE) & ~_UPDATING)
            if error:
                table.set_word(record, _ERROR, error)
                if valid:
                    table.set_word(record, _VALID, valid)
            elif forget and not count and not table.word(record, _STATE) & _EXISTS:
                table.remove(record)

    # -- the loader's and the manager's ----------------------------------------------------------------------------

    @property
    def cold(self) -> bool:
        """Files may lie in the directory that are not in the index."""
        return not self.words.load(_WARM)

    @property
    def size(self) -> int:
        """Of all files, in blocks."""
        return self.words.load(_SIZE)

    @property
    def fits(self) -> bool:
        """The zone has room; once it had none, an eighth is to be free."""
        return len(self.table) < self.words.load(_WATERMARK)

    def warm_up(self) -> None:
        """All files that lay in the directory are in the index."""
        self.words.store(_WARM, 1)

    def on_duty(self) -> bool:
        """Take the duty of the loader and the manager if nobody alive has it; True while it is this worker's."""
        return take_duty(self.words, _DUTY)

    def off_duty(self) -> None:
        """This worker ends: another one may take the duty."""
        leave_duty(self.words, _DUTY)

    def add(self, key: bytes, now: int, inactive: int, blocks: int) -> bool:
        """A file was found at the start; False when the zone is full."""
        table = self.table
        with self.zone.lock:
            record = table.get(key)
            if record < 0:
                record = table.insert(key)
                if record < 0:
                    count = len(table)
                    self.words.store(_WATERMARK, count - count // 8)
                    return False
                table.set_word(record, _USES, 1)
                self._has_file(record, 0, 0, blocks)
            else:
                table.touch(record)
            table.set_word(record, _EXPIRE, now + inactive)
            return True

    def until_expiry(self, now: int) -> int:
        """Seconds until the record that was used least recently is inactive for too long; a large number for none."""
        with self.zone.lock:
            record = self.table.oldest()
            return 1 << 30 if record < 0 else self.table.word(record, _EXPIRE) - now

    def take_oldest(self, now: int, inactive: int, due: bool = False) -> tuple[int, bytes, list[tuple[bytes, int]]]:
        """Begin to remove the record that was used least recently; `due`: if it is inactive for too long.

        (the record, its key, what was passed by since some request holds it: keys and counts). A record of -1: none
        can go, -2: it went, there was no file. A record's file is to be deleted, and `removed` called then.
        """
        table = self.table
        passed: list[tuple[bytes, int]] = []
        with self.zone.lock:
            for _ in range(_FEW):
                record = table.oldest()
                if record < 0 or (due and table.word(record, _EXPIRE) > now):
                    break
                key = table.key(record)
                count = table.word(record, _COUNT)
                if not count:
                    if not table.word(record, _STATE) & _EXISTS:
                        table.remove(record)
                        return -2, key, passed
                    table.set_word(record, _COUNT, 1)
                    table.set_word(record, _STATE, table.word(record, _STATE) | _DELETING)
                    self.words.add(_SIZE, -table.word(record, _BLOCKS))
                    table.set_word(record, _BLOCKS, 0)
                    return record, key, passed
                if table.word(record, _STATE) & _DELETING or (passed and key == passed[0][0]):
                    break
                # A worker that died may have held it: it gets another chance, and does not stand in the way.
                passed.append((key, count))
                table.set_word(record, _EXPIRE, now + inactive)
                table.touch(record)
        return -1, b"", passed

    def removed(self, record: int) -> None:
        """The file of a record from `take_oldest` is gone."""
        table = self.table
        with self.zone.lock:
            count = table.add_word(record, _COUNT, -1)
            table.set_word(record, _STATE, table.word(record, _STATE) & ~_DELETING)
            if not count:
                table.remove(record)
