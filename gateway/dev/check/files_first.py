"""Rules about files that are looked for before a request is passed on: for PHP and CGI, which run them, and others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.dev.check import values
from gateway.dev.check.block import PASSES, Block
from gateway.dev.check.edits import added_behind, beside_pass, removed, replaced
from gateway.dev.check.files import IN_CIRCLES
from gateway.dev.check.rule import Problem, rule

if TYPE_CHECKING:
    from gateway.config.parser import Statement

# What tells the application which file it is.
_OF_FILES: Final = frozenset({"request_filename", "document_root", "realpath_root"})
_IS_FILE: Final = re.compile(r"\(-[fe] \$(?:request_filename|document_root\S*|realpath_root\S*)\)")


@rule("GW316", "php-without-file-check", "warn")
def php_without_file_check(config: Block) -> Iterator[Problem]:
    """`location ~ \\.php$` without a check that the file exists: with PHP's cgi.fix_pathinfo `/upload/a.jpg/x.php` runs
    a.jpg as a program. `try_files $uri =404;` ends that."""
    for location in config.walk("location"):
        statement = location.one("fastcgi_pass")
        if statement is None or not location.is_regex or "php" not in location.path:
            continue
        if re.match(r"\^(?:[\w/-]|\\.)+\\\.php", location.path):
            continue  # one program, whose name is written out
        guarded = location.all("try_files") or any(
            "-f" in " ".join(each.args) for each in location.inner if each.name == "if"
        )
        if not guarded and location.opener is not None:
            fix = added_behind(location.opener, "try_files $uri =404;")
            yield Problem(location.where, "a file that is no PHP may be run: try_files $uri =404;", (fix,))


@rule("GW326", "php-without-script", "error")
def php_without_script(config: Block) -> Iterator[Problem]:
    """PHP-FPM runs the file that SCRIPT_FILENAME names: fastcgi_params has no such line (fastcgi.conf has), and without
    it every page is empty. `/scripts$fastcgi_script_name` is an example's folder: "File not found."."""
    for block, statement in config.everywhere("fastcgi_pass"):
        location = block.around("location")
        about = [statement.args[0], block.value("fastcgi_index"), location.path if location is not None else ""]
        if not any("php" in word or word.endswith(":9000") for word in about):
            continue
        named = [each for each in block.effective("fastcgi_param") if each.args[0] == "SCRIPT_FILENAME"]
        better = "fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;"
        if not named:
            # one line here, and none of those around holds any more
            around = block.effective("fastcgi_param") and not block.all("fastcgi_param")
            edits = () if around else beside_pass(block, statement, better)
            where = f" beside the line of {block.effective('fastcgi_param')[0].where}" if around else ""
            yield Problem(statement.where, f"every page is empty: {better}{where}", edits)
        elif named[-1].args[1].startswith("/scripts$"):
            edit = replaced(named[-1], *better.removesuffix(";").split())
            yield Problem(named[-1].where, f"/scripts is the folder of an example: {better}", (edit,))


@rule("GW325", "try-files-beside-pass", "warn")
def try_files_beside_pass(config: Block) -> Iterator[Problem]:
    """`try_files` serves no file where `proxy_pass` or its kin stands in the same location: what it finds is passed on,
    too, and what it does not find gets its last word instead of the application; nor does `break` in
    `if (-f $request_filename)`. Files first, then the application, is `try_files $uri @app;` with the pass in
    `location @app`. A check that a file is there before another service gets it is left alone."""
    for location in config.walk("location"):
        passed = location.passes()
        if passed is None:
            continue
        yield from _ended_by_break(location, passed)
        tries = location.one("try_files")
        if tries is None or location.is_regex or _runs_files(location, passed, tries.args[-1]):
            continue
        last = tries.args[-1]
        if last in IN_CIRCLES or _is_check(location, passed, last):
            continue
        first = f"files first: try_files $uri @app; with {passed.name} in location @app"
        if passed.name == "fastcgi_pass":
            first = "it belongs into location ~ \\.php$ alone"
        served = f"and what is one is passed on, not served; {first}"
        if last.startswith("="):
            text = f"a path that is no file here gets {last[1:]} and never comes to {passed.name}, {served}"
            yield Problem(tries.where, text, (removed(tries),))
        elif last.startswith("@"):
            text = f"no file is served beside {passed.name}, what is found is passed on: it belongs into {last} alone"
            yield Problem(tries.where, text)
        else:
            text = f'a path that is no file here comes to {passed.name} as "{last}", {served}'
            yield Problem(tries.where, text)


def _ended_by_break(location: Block, passed: Statement) -> Iterator[Problem]:
    """An `if` that finds the file and only ends the rewrites."""
    for inner in location.inner:
        if inner.name != "if" or not _IS_FILE.fullmatch(" ".join(inner.args)):
            continue
        if inner.all("break") and not inner.all("return", "rewrite", *PASSES):
            text = f"a file that is found is passed on as well: break ends rewrites, not {passed.name}; "
            yield Problem(inner.where, f"{text}files first: try_files $uri @app; with {passed.name} in location @app")


def _is_check(location: Block, passed: Statement, last: str) -> bool:
    """Whether files of this location are what another service is asked about: the location has files of its own, or
    the service is told their names, and what is not found is not for the same service."""
    if location.path == "/" or not last.startswith(("=", "@")):
        return False
    server = location.around("server")
    for other in server.walk("location") if server is not None else ():
        its = other.passes()
        if its is not None and its.args == passed.args and not other.all("try_files"):
            return False
    if location.all("root", "alias"):
        return True
    own = [each for each in location.statements if each.where.file == location.where.file and each.name != "try_files"]
    told = [word for each in own for word in each.args]
    if _OF_FILES & {name for word in told for name in values.names_in(word)}:
        return True
    root = location.value("root")
    return root.startswith("/") and "$" not in root and Path(root + location.path).is_dir()


def _runs_files(location: Block, passed: Statement, last: str) -> bool:
    """Whether what is passed to runs the file that was found: PHP and CGI do."""
    if passed.name == "uwsgi_pass":
        return location.value("uwsgi_modifier1") in ("9", "14")
    return passed.name in ("fastcgi_pass", "scgi_pass") and not last.partition("?")[0].endswith(".php")
