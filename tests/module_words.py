"""What names each module of http: its directives and variables; `python -m tests.module_words` writes the table."""

from __future__ import annotations

import textwrap
from pathlib import Path

from gateway.core.variables import Variable
from gateway.modules.choice import ALWAYS, BROUGHT
from gateway.modules.http import ORDER, named

TABLE = Path(__file__).parent.parent / "gateway" / "modules" / "words.py"

_HEAD = '''"""The directives and variables of each module of http, by which a configuration chooses among them.

Written by `python -m tests.module_words`. What is not here is found all the same, by reading with all modules.
"""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, str]] = {
'''


def words_of(name: str) -> list[str]:
    (module,) = named([name])
    variables = {variable.name for variable in module.variables if isinstance(variable, Variable)}
    return sorted({directive.name for directive in module.directives} | variables)


def render() -> str:
    rows: list[str] = []
    for name in ORDER:
        if name in ALWAYS or name in BROUGHT:
            continue
        lines = textwrap.wrap(" ".join(words_of(name)), 106)
        if len(lines) == 1 and len(name) + len(lines[0]) < 106:
            rows.append(f'    "{name}": "{lines[0]}",\n')
        else:
            body = "".join(f'        "{line}{" " if line is not lines[-1] else ""}"\n' for line in lines)
            rows.append(f'    "{name}": (\n{body}    ),\n')
    return _HEAD + "".join(rows) + "}\n"


if __name__ == "__main__":
    TABLE.write_text(render())
