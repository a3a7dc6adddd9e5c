"""index: the file that stands for a directory."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, Command, Directive, at_least
from gateway.core.files import FileError
from gateway.core.template import Template
from gateway.http.module import Contribution, HttpModule, Phase, Result
from gateway.http.part import Part
from gateway.http.redirects import internal_redirect
from gateway.http.setters import template
from gateway.modules.http.file_access import test_file

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request


@dataclass(slots=True)
class LocationConf(Conf):
    files: list[Template] = setting(factory=lambda: [Template("index.html", [b"index.html"])])


def set_index(conf: LocationConf, command: Command) -> None:
    if conf.files is UNSET:
        conf.files = []
    for i, text in enumerate(command.args):
        if text.startswith("/") and i != len(command.args) - 1:
            command.warn(f'only the last index in "index" directive should be absolute: "{text}"')
        if not text:
            command.fail(f'index "{text}" in "index" directive is invalid')
        conf.files.append(template(command, text))


class Index(Part):
    """The handler of one location."""

    def __init__(self, files: tuple[Template, ...]) -> None:
        self.files = files

    def run(self, request: Request) -> Result:
        uri = request.uri
        if not uri.endswith(b"/"):
            return None
        method = request.method
        if method != b"GET" and method != b"HEAD" and method != b"POST":
            return None
        directory = request.map_uri_to_path(uri)
        tested = False
        for file in self.files:
            name: bytes = file.value(request)
            if name.startswith(b"/"):
                return internal_redirect(request, name, request.args)
            path = directory + name
            try:
                test_file(request, path)
            except FileError as error:
                if error.errno in (errno.ELOOP, errno.EMLINK):
                    return 403
                if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG, errno.EACCES):
                    return _refuse(request, path, error)
                if not tested:
                    status = _test_directory(request, directory, path)
                    if status is not None:
                        return status
                    tested = True
                if error.errno == errno.ENOENT:
                    continue
                request.log("crit", error.message, OSError(error.errno, ""))
                return 500
            return internal_redirect(request, uri + name, request.args)
        return None


def plan(settings: LocationConf, location: Location) -> Contribution:
    return Contribution(handlers={Phase.CONTENT: Index(tuple(settings.files))})


def _refuse(request: Request, path: bytes, error: FileError) -> int:
    """The index cannot be looked at: 403 where we may not enter, else 404."""
    if error.errno == errno.EACCES:
        request.log("error", b'"%s" is forbidden' % path, OSError(error.errno, ""))
        return 403
    if request.location.core.log_not_found:
        request.log("error", b'"%s" is not found' % path, OSError(error.errno, ""))
    return 404


def _test_directory(request: Request, directory: bytes, path: bytes) -> int | None:
    """Whether the directory itself is there; its status if not. `path`: of the index that was not found in it."""
    name = directory[:-1] if directory.endswith(b"/") and len(directory) > 1 else directory
    try:
        found = test_file(request, name)
    except FileError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            return 403
        if error.errno == errno.ENOENT:
            return _refuse(request, path, error)
        if error.errno == errno.EACCES:
            return None  # what is in it could be looked at, so it may be entered
        request.log("crit", error.message, OSError(error.errno, ""))
        return 500
    if found.is_dir:
        return None
    request.log("alert", b'"%s" is not a directory' % os.fsencode(name))
    return 500


module = HttpModule(
    name="index",
    location=LocationConf,
    directives=(Directive("index", EVERYWHERE, at_least(1), set_index),),
    plan=plan,
)
