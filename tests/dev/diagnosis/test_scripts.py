"""What PHP-FPM says of scripts. (With a real one: test_real_peers.)"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dev.diagnosis import scripts
from gateway.dev.diagnosis.failure import Failure
from gateway.protocol import fastcgi


class Said(Failure):
    def __init__(self, message: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
        self.message = message
        self.packet = fastcgi.begin(pairs, keep=False)

    @property
    def exchange(self) -> Any:
        return self

    def set_by(self, *names: str) -> None:
        return None


@pytest.mark.parametrize("name", [b"/no/x.php", b"/no/" + b"y" * 300])
def test_the_name_that_was_sent(name: bytes) -> None:
    pairs = [(b"QUERY_STRING", b"SCRIPT_FILENAME"), (b"SCRIPT_FILENAME", name)]
    text = scripts.FAMILY.text(Said(b'FastCGI sent in stderr: "Primary script unknown"', pairs))
    assert text is not None and text.startswith(f"SCRIPT_FILENAME was {name.decode()}: / has no no ")


def test_other_words_are_the_applications_own() -> None:
    assert scripts.FAMILY.text(Said(b'FastCGI sent in stderr: "PHP Warning: x"', [])) is None
