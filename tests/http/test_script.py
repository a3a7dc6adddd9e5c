"""Rewrite scripts: how a replacement is cut into a path and arguments. What they do is in http/test_rewrite.py."""

from __future__ import annotations

import pytest

from gateway.core.regex import Regex
from gateway.core.variables import Registry
from gateway.http.script import Rewrite, compile_rewrite


def compiled(replacement: str, status: int = 0) -> Rewrite:
    return compile_rewrite(Regex("^"), replacement, Registry(), None, status=status, last=False, stay=False)


@pytest.mark.parametrize(
    ("replacement", "path", "args", "add_args"),
    [
        ("/a", "/a", None, True),
        ("/a?", "/a", None, False),
        ("/a?b=c", "/a", "b=c", True),
        ("/a?b=c?", "/a", "b=c", False),
        ("/a?b?c", "/a", "b?c", True),
    ],
)
def test_arguments_begin_at_the_first_question_mark(path: str, replacement: str, args: str, add_args: bool) -> None:
    rewrite = compiled(replacement)
    assert (rewrite.target.text, rewrite.args and rewrite.args.text, rewrite.add_args) == (path, args, add_args)


def test_a_redirect_is_one_text_and_ends_the_script() -> None:
    rewrite = compiled("http://x/a?b", 302)
    assert (rewrite.target.text, rewrite.args, rewrite.has_args, rewrite.last) == ("http://x/a?b", None, True, True)
