"""gateway top: a running server's figures in the terminal, each second, once, or on and on in a pipe."""

from __future__ import annotations

import argparse
import json
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from gateway.dev import top_source
from gateway.dev.keys import Keys
from gateway.dev.terminal import Terminal
from gateway.dev.top_source import NoSource
from gateway.dev.top_view import View

if TYPE_CHECKING:
    from gateway.dev.top_source import Data

KEYS: Final = "keys: q quit, p pause, f what fails alone, + - slower and faster, ? this"
_EXAMPLES: Final = """\
examples:
  gateway top                              what gateway run serves on port 8080, or ./nginx.conf's dashboard or api
  gateway top -c nginx.conf --once         once, and end
  gateway top http://127.0.0.1:8080/gw/    this dashboard; an api too, NGINX Plus's as well
  gateway top --json | jq .server          a line of JSON each second

Exit codes: 0 shown, 1 nobody tells, 2 wrong use.
"""
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"
_INTERVALS: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def command_line() -> argparse.ArgumentParser:
    """The command line of the verb."""
    made = argparse.ArgumentParser(
        prog="gateway top",
        description="Show what goes on in a running server: requests a second, connections, upstreams, zones, caches.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("url", nargs="?", metavar="URL", help="a location with dashboard or api")
    made.add_argument("-c", dest="conf", metavar="FILE", help="the configuration that has such a location")
    made.add_argument("-p", dest="prefix", metavar="DIR", help="the prefix of relative paths")
    made.add_argument("--interval", type=_seconds, default=1.0, metavar="S", help="seconds between looks (%(default)s)")
    made.add_argument("--once", action="store_true", help="once, after two looks, and end")
    form = made.add_mutually_exclusive_group()
    words = "as JSON, a line a look"
    form.add_argument("--json", dest="form", action="store_const", const="json", default="text", help=words)
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="as CSV: table,name,figure,value")
    return made


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.05 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("it takes 0.05 to 3600 seconds")
    return seconds


def main(argv: Sequence[str]) -> int:
    options = command_line().parse_args(argv)
    try:
        look = _source(options)
        if options.form == "text" and not options.once and sys.stdout.isatty():
            return Screen(look, options.interval).run()
        return _printed(look, options)
    except NoSource as why:
        print(f"gateway top: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _source(options: argparse.Namespace) -> Callable[[], Data]:
    """The first of the addresses that tells something. Errors: NoSource."""
    urls = [options.url] if options.url else top_source.addresses(options.conf, options.prefix)
    why = NoSource("")
    for url in urls:
        look = top_source.of(url)
        try:
            look()
        except NoSource as error:
            why = error
        else:
            return look
    raise why


def _printed(look: Callable[[], Data], options: argparse.Namespace) -> int:
    style = Terminal().style
    before, then = look(), time.monotonic()
    first = True
    while True:
        time.sleep(options.interval)
        now, at = look(), time.monotonic()
        view = View(now, before, at - then)
        if options.form == "json":
            print(json.dumps(view.as_json()), flush=True)
        elif options.form == "csv":
            text = view.as_csv()
            print(text if first else text.partition("\n")[2], end="", flush=True)
        else:
            print(view.text(style) if first else f"\n{view.text(style)}", flush=True)
        if options.once:
            return 0
        first, before, then = False, now, at


class Screen:
    """A terminal's whole screen, until q."""

    def __init__(self, look: Callable[[], Data], interval: float) -> None:
        self._look = look
        self._interval = interval
        self._terminal = Terminal()
        self._paused = self._failed_only = self._help = False
        self._gone = ""

    def run(self) -> int:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # the screen is given back
        sys.stdout.write(_ENTER)
        try:
            with Keys(self._terminal) as keys:
                return self._turns(keys)
        finally:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()

    def _turns(self, keys: Keys) -> int:
        before, then = self._look(), time.monotonic()
        now, at = before, then
        while True:
            view = View(now, before, at - then, failed_only=self._failed_only)
            self._draw(view)
            key = self._wait(keys, at + self._interval)
            if key == "q":
                return 0
            self._take(key)
            if time.monotonic() >= at + self._interval and not self._paused:
                try:
                    new = self._look()
                except NoSource as why:  # it may come back: it was restarted
                    self._gone, at = str(why), time.monotonic()
                    continue
                before, then = now, at if not self._gone else time.monotonic()
                now, at, self._gone = new, time.monotonic(), ""

    def _wait(self, keys: Keys, end: float) -> str:
        seconds = None if self._paused else max(end - time.monotonic(), 0)
        ready = select.select(keys.watched, [], [], seconds if keys.active else self._interval)[0]
        return keys.read() if ready else ""

    def _take(self, key: str) -> None:
        if key == "p":
            self._paused = not self._paused
        elif key == "f":
            self._failed_only = not self._failed_only
        elif key in ("?", "h"):
            self._help = not self._help
        elif key == "+":
            self._interval = next((each for each in _INTERVALS if each > self._interval), self._interval)
        elif key == "-":
            self._interval = next((each for each in reversed(_INTERVALS) if each < self._interval), self._interval)

    def _draw(self, view: View) -> None:
        columns, rows = shutil.get_terminal_size()
        said = view.text(self._terminal.style, width=columns).splitlines()[: max(rows - 2, 1)]
        if self._gone:
            said = [self._terminal.style.bad(self._gone[:columns]), *said][: max(rows - 2, 1)]
        state = [f"each {self._interval:g} s"]
        state += ["paused"] * self._paused + ["what fails alone"] * self._failed_only
        last = KEYS if self._help else f"{', '.join(state)}   q quit, p pause, f failing, ? keys"
        lines = [*said, "", self._terminal.style.dim(last[:columns])][:rows]
        sys.stdout.write(_HOME + f"{_REST_OF_LINE}\n".join(lines) + _REST_OF_LINE + _REST)
        sys.stdout.flush()
