"""Small answers that this worker has sent from their files, and may send again after a look at the file's stat().

Opening, reading and checking a file, and all that is made of its head, costs three times what the rest of a hit does. A
file that was replaced, renewed or deleted by whomever is another one, or none, to stat(): nothing is sent of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway._fast.files import FileIdentity

if TYPE_CHECKING:
    from gateway.core.files import OpenedFile
    from gateway.upstream.cache.entry import Entry
    from gateway.upstream.exchange.response import UpstreamHead

_MOST: Final = 256  # answers, of SMALL bytes each at most
_REMEMBERED: Final = 1024


class Answer:
    """One answer; it has no Vary."""

    __slots__ = ("body", "file", "head", "key", "path", "valid")

    def __init__(self, entry: Entry, head: UpstreamHead, file: FileIdentity) -> None:
        self.key = entry.key
        self.path = entry.path
        self.valid = entry.valid
        self.head = head
        self.body = entry.data[entry.body :]
        self.file = file


class Known:
    """The answers of one cache, by what their keys are made of."""

    def __init__(self) -> None:
        self.answers: dict[bytes, Answer] = {}
        self._once: set[bytes] = set()  # sent once: an answer of which more is not asked for is not worth it

    def get(self, text: bytes, now: int) -> Answer | None:
        """The answer, if its file is still the one that it is of, and it is fresh."""
        answer = self.answers.get(text)
        if answer is None:
            return None
        if answer.valid >= now and answer.file.still(answer.path):
            return answer
        del self.answers[text]
        return None

    def sent(self, entry: Entry, head: UpstreamHead, file: OpenedFile) -> None:
        """An answer was sent, all of which was read: know it from its second time on."""
        text = entry.text
        if entry.vary or head.redirect is not None:
            return
        once = self._once
        if text not in once:
            if len(once) >= _REMEMBERED:
                once.clear()
            once.add(text)
            return
        once.discard(text)
        answers = self.answers
        if len(answers) >= _MOST:
            del answers[next(iter(answers))]
        answers[text] = Answer(entry, head, FileIdentity(file.fd))
