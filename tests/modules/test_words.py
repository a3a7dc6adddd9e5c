from __future__ import annotations

from gateway.core.variables import PrefixVariable
from gateway.modules import words
from gateway.modules.choice import ALWAYS, BROUGHT
from gateway.modules.http import ORDER, named
from tests import module_words


def test_the_table_is_of_the_modules() -> None:
    """`python -m tests.module_words` writes it."""
    assert module_words.TABLE.read_text() == module_words.render()


def test_each_module_has_a_name_or_is_always_there_or_brought() -> None:
    assert set(words.WORDS) | ALWAYS | set(BROUGHT) == set(ORDER)
    assert all(own for own in words.WORDS.values())


def test_no_family_of_variables_is_chosen_by_name() -> None:
    """A member of $upstream_http_ and the like stands in no table."""
    for name in words.WORDS:
        (module,) = named([name])
        assert not any(isinstance(variable, PrefixVariable) for variable in module.variables), name
