"""The documentation's page of the codes of mistakes: `python -m tests.mistake_pages` writes docs/mistakes.md.

The examples are the test's own (tests/data/config/codes.toml), in the form that `gateway fmt` gives them.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from gateway.config.codes import KINDS, Kind
from gateway.config.errors import ConfigError
from gateway.dev.fmt import formatted

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mistakes.md"
EXAMPLES: dict[str, dict[str, str]] = tomllib.loads((ROOT / "tests" / "data" / "config" / "codes.toml").read_text())

_HEAD = """# Mistakes of a configuration, by their codes

A configuration that does not load is refused with nginx's own message, which search engines know. At a terminal the
line with the mistake follows, what may have been meant, and a code; `gateway check --json` and `--sarif` have the code
of each mistake, and `gateway help GW001` says what is said here. Codes are never changed, and no error log has them.
"""


def as_file(text: str) -> str:
    """An example as a configuration: what stands alone stands in the http block."""
    whole = text.removeprefix("main:") + "\n"
    if whole[:-1] == text:
        lines = "".join(f"    {line}\n" for line in text.replace("{ listen", "{\n    listen").splitlines())
        whole = f"events {{}}\nhttp {{\n{lines}}}\n"
    try:
        return formatted(whole)
    except ConfigError:  # the example cannot be read, which is its point
        return whole


def _section(kind: Kind) -> str:
    lines = [f"## {kind.code} {kind.name}", "", f"{kind.what} {kind.remedy}"]
    example = EXAMPLES.get(kind.code)
    if example is not None:
        if example["wrong"]:
            lines += ["", "```text", as_file(example["wrong"]).rstrip("\n"), "```"]
        says = example["says"].replace("FOLDER", "/etc/nginx").replace("FILE", "/etc/nginx/nginx.conf")
        lines += ["", "```text", f"[emerg] {says}", "```"]
        if example["mended"]:
            lines += ["", "```nginx", as_file(example["mended"]).rstrip("\n"), "```"]
    return "\n".join(lines)


def text() -> str:
    """The page."""
    return "\n".join([_HEAD, *(f"{_section(kind)}\n" for kind in KINDS)])


def main() -> int:
    PAGE.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
