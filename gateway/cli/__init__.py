"""The command line: nginx's options and gateway's own verbs."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

from gateway.cli.help import FIRST_WORD, HELP, first_word_is_wanted, unknown
from gateway.cli.output import written
from gateway.dev.verbs import VERBS

if TYPE_CHECKING:
    from gateway.core.logs import Log
    from gateway.process.configuration import Configuration, Load
    from gateway.process.load import Loaded
    from gateway.process.options import Options

# Of gateway's own words; nginx's options end with 1, as nginx does.
_WRONG_USE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the `gateway` command; returns the exit code."""
    _open_standard_streams()
    return written(lambda: _command(arguments))


def _open_standard_streams() -> None:
    """Who was started without 0, 1 or 2 has them lead nowhere: else the first socket or file would get that number, be
    written to in their place, and be lost in the background."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number that is free
        if getattr(sys, name) is None:
            errors = "backslashreplace" if name == "stderr" else None  # as Python's own
            setattr(sys, name, os.fdopen(fd, "w" if fd else "r", errors=errors, closefd=False))


def _command(arguments: Sequence[str] | None) -> int:
    gc.disable()  # nothing made during start-up is garbage; workers turn it on again
    argv = list(sys.argv if arguments is None else ["gateway", *arguments])
    wrong = _take_color(argv)
    if wrong:
        return _misuse(wrong)
    word = argv[1] if len(argv) > 1 else ""
    if word in VERBS:
        return _run(word, argv[2:])
    if word in ("help", "--help"):
        return _help(argv[2:])
    if word == "--version":
        argv[1] = "-v"
    elif word == "start":
        del argv[1]
    elif word and not word.startswith("-"):
        return _misuse(unknown(word))
    elif first_word_is_wanted(argv[1:]):
        return _misuse(*FIRST_WORD)
    watched = "--watch" in argv
    if watched:
        argv.remove("--watch")
    disguised = next((each for each in argv if each in ("--anonymize", "--anonymize=names")), "")
    if disguised:
        argv.remove(disguised)
        if "-T" not in argv:
            return _misuse(f"{disguised} goes with -T: gateway -T {disguised}")
        return serve(argv, _disguised_load(names=disguised.endswith("=names")))
    return serve(argv, _load, watched=watched)


def nginx(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `gateway-nginx`: what programs that call nginx expect of it, without a word of ours."""
    _open_standard_streams()
    gc.disable()
    argv = list(sys.argv if arguments is None else ["gateway-nginx", *arguments])
    return written(lambda: serve(argv, _load, as_nginx=True))


def _take_color(argv: list[str]) -> str:
    """`--color auto|always|never`, in front of everything: what NO_COLOR and FORCE_COLOR say. What is wrong."""
    if len(argv) < 2 or not argv[1].startswith("--color"):
        return ""
    name, equals, word = argv.pop(1).partition("=")
    if not equals and len(argv) > 1:
        word = argv.pop(1)
    if name != "--color" or word not in ("auto", "always", "never"):
        return f'"{name} {word}": it should be --color auto, always or never'
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        os.environ.pop(variable, None)
    if word != "auto":
        os.environ["FORCE_COLOR" if word == "always" else "NO_COLOR"] = "1"
    return ""


def _one_line(parser: Any, message: str) -> NoReturn:
    """In argparse's place: no help is dumped on a mistake."""
    print(f"{parser.prog}: {message} (try {parser.prog} --help)", file=sys.stderr)
    sys.exit(_WRONG_USE)


def _run(verb: str, arguments: Sequence[str]) -> int:
    import argparse
    import importlib

    gc.enable()
    argparse.ArgumentParser.error = _one_line  # type: ignore[method-assign,assignment]
    entry = VERBS[verb]
    return int(getattr(importlib.import_module(entry.module), entry.function)(arguments))


def _help(words: Sequence[str]) -> int:
    if not words:
        sys.stdout.write(HELP)
        return 0
    if words[0] in VERBS:
        return _run(words[0], ["--help"])
    from gateway.dev import reference, variables
    from gateway.dev.check.command import about

    word = words[0]
    of_variable = word.startswith("$")
    text = variables.text(word) if of_variable else reference.text(word) or about(word) or variables.text(word)
    if text:
        print(text)
        return 0
    near = variables.nearest(word) if of_variable else reference.nearest(word)
    return _misuse(unknown(word, near))


def _misuse(*lines: str) -> int:
    from gateway.core.logs import say

    for line in lines:
        say(line)
    return _WRONG_USE


def _load(options: Options, log: Log) -> Loaded:
    # Late, so that what needs no configuration does not wait for all the modules.
    from gateway.dev import diagnosis
    from gateway.process.load import load

    configuration = load(options, log)
    if configuration.http is not None:
        diagnosis.install(configuration.http)
    if options.test and not options.quiet:
        _advise(configuration, log)
    return configuration


def _disguised_load(*, names: bool) -> Load:
    """What -T writes is for other people's eyes."""

    def load(options: Options, log: Log) -> Configuration:
        from gateway.dev.anonymize import anonymize

        configuration = _load(options, log)
        anonymize(configuration.source, names=names)
        return configuration

    return load


def _advise(configuration: Loaded, log: Log) -> None:
    """What nginx would not say, and the user wants to know before it fails."""
    from gateway.dev.advice import advice

    core = configuration.core
    root = os.geteuid() == 0
    uid = core.user if root and core.user is not None else os.geteuid()
    gids = set(os.getgroups())
    if root and core.user is not None and core.group is not None:
        gids = set(os.getgrouplist(core.username, core.group))
    for warning in advice(configuration.source.statements, uid, gids):
        log.warn(str(warning))


def serve(argv: list[str], load: Load, *, as_nginx: bool = False, watched: bool = False) -> int:
    """nginx's options; `load` reads the configuration. `as_nginx`: the system's, whatever stands in this folder.
    `watched`: in the foreground, and read again when it changes."""
    from gateway.cli.options import UsageError, parse
    from gateway.core.logs import say

    try:
        line = parse(argv[1:])
    except UsageError as error:
        say(str(error))
        return 1
    if line.version:
        from gateway.cli.version import text

        os.write(2, text(line, as_nginx=as_nginx).encode())
        if not line.test:
            return 0

    from gateway.process import options as process_options

    if as_nginx and line.conf_file is None and line.prefix is None:
        line.conf_file = process_options.SYSTEM_CONF
    try:
        options = process_options.resolve(
            conf_file=line.conf_file,
            prefix=line.prefix,
            error_log=line.error_log,
            globals_text=line.globals_text or "",
            test=line.test,
            dump=line.dump,
            quiet=line.quiet,
            signal=line.signal or "",
            argv=[os.path.basename(argv[0]), *argv[1:]],
        )
    except process_options.NoConfiguration as error:
        say(f"no configuration: there is neither {' nor '.join(error.places)}")
        say("with your own file:        gateway -c /path/to/nginx.conf")
        say("for a Python application:  gateway run app:app")
        return 1

    if watched and not (options.test or options.signal):
        from gateway.dev.watch import CannotWatch, begin

        try:
            options.globals_text = begin(options.conf_file, argv[1:], options.globals_text)
        except CannotWatch as why:
            return _misuse(str(why))

    from gateway._fast import openssl_memory

    openssl_memory.use()  # before anything imports hashlib or ssl
    from gateway.process.start import main as start

    return start(options, load, _block_for(_terminal()) if sys.stderr.isatty() and not options.quiet else None)


def _terminal() -> str:
    """The terminal by its name: what stands in stderr's place later is the error log."""
    try:
        return os.ttyname(sys.stderr.fileno())
    except OSError:  # it is another container's
        return ""


def _block_for(terminal: str) -> Callable[[Any, Options, float], None]:
    """Somebody sits at the terminal: shown is where it listens, and which upstreams answer."""

    master = os.getpid()  # what is shown is shown by another process

    def show(configuration: Any, options: Options, seconds: float) -> None:
        with contextlib.ExitStack() as stack:
            out = sys.stdout
            if terminal:
                try:
                    out = stack.enter_context(open(os.open(terminal, os.O_WRONLY | os.O_NOCTTY), "w"))
                except OSError:  # it is gone
                    return
            if out.isatty():
                _show_block(configuration, options, seconds, out)
                _follow_certificates(configuration, out, master)

    return show


def _show_block(configuration: Any, options: Options, seconds: float, out: TextIO) -> None:
    from pathlib import Path

    import gateway
    from gateway.dev import start_block, terminal

    print(
        start_block.start_block(
            configuration.source,
            title=f"gateway {gateway.__version__}",
            ready_ms=seconds * 1e3,
            file=os.path.normpath(options.conf_file),
            folder=Path(options.prefix),
            stop=f"Ctrl-C stops it; gateway -c {os.path.normpath(options.conf_file)} -s reload takes changes",
            style=start_block.Style(terminal.wants_color(out)),
        ),
        file=out,
        flush=True,
    )


def _follow_certificates(configuration: Any, out: TextIO, master: int) -> None:
    """The first ones by ACME take a while: what is waited for, as long as there is a master and a terminal."""
    from gateway.dev import first_certificates

    def is_there() -> bool:
        try:
            os.kill(master, 0)
        except ProcessLookupError:
            return False
        return True

    waited_for = first_certificates.missing(configuration.http)
    with contextlib.suppress(OSError):
        for line in first_certificates.announced(waited_for):
            print(line, file=out, flush=True)
        first_certificates.follow(waited_for, lambda line: print(line, file=out, flush=True), is_there)
