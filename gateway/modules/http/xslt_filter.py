"""xslt_filter: XML documents are transformed by stylesheets on their way out.

lxml does the work, libxml2 and libxslt as in nginx (an extra: `pip install 'gateway[xslt]'`). Where it differs: a
stylesheet writes no files and reads nothing over the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway._fast import uri
from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, LOCATION, Command, Directive, at_least, flag, take
from gateway.config.text import to_bytes
from gateway.core.template import Template
from gateway.http.media_types import is_of
from gateway.http.module import NOTHING, BodyFilter, Contribution, HttpModule
from gateway.http.setters import template
from gateway.http.whole_response import Made, Refused, WholeResponse, is_refused
from gateway.modules.http import content_coding

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_FAILED: Final = 500
_TYPES: Final = frozenset((b"text/xml",))
_XSL: Final = "{http://www.w3.org/1999/XSL/Transform}"
# What stands for `xml_entities` in a document, instead of an external subset that it names itself.
_ENTITIES: Final = "gateway:entities"
_DOCTYPE: Final = re.compile(
    rb"""(<!DOCTYPE\s+[^\s>\[]+)(\s+(?:SYSTEM\s+(?:"[^"]*"|'[^']*')"""
    rb"""|PUBLIC\s+(?:"[^"]*"|'[^']*')\s+(?:"[^"]*"|'[^']*')))?"""
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One xslt_param, xslt_string_param (`quote`), or an argument of xslt_stylesheet (without a name)."""

    name: str
    value: Template
    quote: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A stylesheet with its own parameters; `apply` is lxml's."""

    apply: Any
    media_type: bytes | None
    encoding: bytes | None
    html: bool
    parameters: tuple[Parameter, ...]


@dataclass(slots=True)
class LocationConf(Conf):
    entities: Any = setting(None)
    external_entities: bool = setting(False)
    sheets: tuple[Sheet, ...] = setting(())
    parameters: tuple[Parameter, ...] = setting(())
    types: Any = setting(_TYPES)
    last_modified: bool = setting(False)


def set_types(conf: LocationConf, command: Command) -> None:
    """Besides text/xml."""
    found = set(_TYPES) if conf.types is UNSET else set(conf.types)
    for text in command.args:
        media_type = to_bytes(text.lower())
        if media_type in found:
            command.warn(f'duplicate MIME type "{text}"')
        found.add(media_type)
    conf.types = frozenset(found)


def _etree(command: Command) -> Any:
    return content_coding.package("lxml.etree", "xslt", command)


def set_entities(conf: LocationConf, command: Command) -> None:
    """A DTD whose entities every document knows."""
    if conf.entities is not UNSET:
        command.duplicate()
    etree = _etree(command)
    path = command.args[0]
    try:
        with open(path, "rb") as opened:
            text = opened.read()
        etree.DTD(path)
    except (OSError, etree.DTDParseError):
        command.fail("xmlParseDTD() failed")
    conf.entities = text


def add_sheet(conf: LocationConf, command: Command) -> None:
    etree = _etree(command)
    path = command.loader.path(command.args[0])
    try:
        document = etree.parse(path)
        control = etree.XSLTAccessControl(read_network=False, write_file=False, create_dir=False, write_network=False)
        apply = etree.XSLT(document, access_control=control)
    except (OSError, etree.LxmlError):
        command.fail(f'xsltParseStylesheetFile("{path}") failed')
    own = tuple(Parameter("", template(command, text)) for text in command.args[1:])
    media_type, encoding, method = (_output(etree, document, name) for name in ("media-type", "encoding", "method"))
    made = Sheet(
        apply,
        media_type.encode() if media_type else None,
        encoding.encode() if encoding else None,
        method == "html",
        own,
    )
    conf.sheets = (*(() if conf.sheets is UNSET else conf.sheets), made)


def _output(etree: Any, document: Any, attribute: str, depth: int = 0) -> str | None:
    """What xsl:output says, in a stylesheet or in those that it imports."""
    root = document.getroot()
    found = [element.get(attribute) for element in root.iter(_XSL + "output") if element.get(attribute)]
    if found:
        return str(found[-1])
    for element in [*root.iter(_XSL + "include"), *root.iter(_XSL + "import")]:
        try:
            inner = etree.parse(_joined(document.docinfo.URL, element.get("href") or ""))
        except (OSError, etree.LxmlError):
            continue
        value = _output(etree, inner, attribute, depth + 1) if depth < 10 else None
        if value:
            return value
    return None


def _joined(base: str | None, href: str) -> str:
    from urllib.parse import urljoin

    return urljoin(base or "", href)


def _add_parameter(quote: bool) -> Any:
    def add(conf: LocationConf, command: Command) -> None:
        made = Parameter(command.args[0], template(command, command.args[1]), quote)
        conf.parameters = (*(() if conf.parameters is UNSET else conf.parameters), made)

    return add


def _evaluated(parameters: tuple[Parameter, ...], request: Request) -> list[tuple[str, str, bool]]:
    """(name, value, whether it is text and no expression). Errors: Refused."""
    found = []
    for parameter in parameters:
        value = parameter.value(request)
        if parameter.name:
            found.append((parameter.name, value.decode("utf-8", "replace"), parameter.quote))
            continue
        for pair in filter(None, value.split(b":")):
            name, equals, raw = pair.partition(b"=")
            if not equals:
                raise Refused(_FAILED, f'invalid libxslt parameter "{pair.decode("utf-8", "replace")}"')
            found.append((name.decode("utf-8", "replace"), uri.unescape(raw).decode("utf-8", "replace"), False))
    return found


class XsltFilter(WholeResponse):
    """The body filter of one response."""

    def __init__(self, request: Request, conf: LocationConf) -> None:
        super().__init__(request, self._transform, 0, None)
        self.conf = conf
        self.parameters = [_evaluated((*conf.parameters, *sheet.parameters), request) for sheet in conf.sheets]
        self.warnings: list[str] = []

    def _transform(self, data: bytes) -> Made:
        from lxml import etree

        sheets: tuple[Sheet, ...] = self.conf.sheets
        document: Any = self._parsed(etree, data)
        for sheet, parameters in zip(sheets, self.parameters, strict=True):
            given = {name: etree.XSLT.strparam(value) if text else value for name, value, text in parameters}
            try:
                document = sheet.apply(document, **given)
            except etree.LxmlError as error:
                raise Refused(_FAILED, f"xsltApplyStylesheet() failed: {error}") from None
        last = sheets[-1]
        body = bytes(document)
        if not body:
            raise Refused(_FAILED, "xsltSaveResultToString() returned zero-length result")
        root = document.getroot()
        html = last.html or (root is not None and isinstance(root.tag, str) and root.tag.lower() == "html")
        return lambda request: self._answer_with(request, body, last, html)

    def _parsed(self, etree: Any, data: bytes) -> Any:
        conf, warnings = self.conf, self.warnings
        entities: bytes | None = conf.entities

        class Entities(etree.Resolver):  # type: ignore[misc]
            """What a document may load."""

            def resolve(self, system_url: str, public_id: str | None, context: object) -> object:
                if system_url == _ENTITIES:
                    return self.resolve_string(entities or b"", context)
                if conf.external_entities:
                    return None
                warnings.append(f'xslt filter external entity ignored: "" "{public_id or ""}" "{system_url}"')
                return self.resolve_string(b"", context)

        parser = etree.XMLParser(resolve_entities=True, load_dtd=True, no_network=True)
        parser.resolvers.add(Entities())
        external = b' SYSTEM "%b"' % _ENTITIES.encode() if entities is not None else b""
        try:
            return etree.fromstring(_DOCTYPE.sub(rb"\1" + external, data, count=1), parser).getroottree()
        except etree.XMLSyntaxError as error:
            raise Refused(_FAILED, f'libxml2 error: "{error}"') from None

    def _answer_with(self, request: Request, body: bytes, sheet: Sheet, html: bool) -> bytes:
        for words in self.warnings:
            request.log("warn", words)
        response = request.response
        if sheet.media_type is not None or html:
            response.content_type = sheet.media_type or b"text/html"
            response.charset = response.charset_text = None
        if sheet.encoding is not None:
            response.charset = sheet.encoding
        if self.conf.last_modified:
            response.weaken_etag()
        else:
            response.clear_last_modified()
            response.etag = None
        return body


def plan(settings: LocationConf, location: Location) -> Contribution:
    if not settings.sheets:
        return NOTHING
    wanted = is_of(settings.types)

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        if response.status == 304 or not wanted(response) or is_refused(request):
            return None
        response.clear_content_length()
        response.clear_accept_ranges()
        return XsltFilter(request, settings)

    return Contribution(head_filter=filter_head)


module = HttpModule(
    name="xslt_filter",
    location=LocationConf,
    directives=(
        Directive("xml_entities", EVERYWHERE, take(1), set_entities),
        Directive("xml_external_entities", EVERYWHERE, FLAG, flag("external_entities")),
        Directive("xslt_stylesheet", LOCATION, at_least(1), add_sheet),
        Directive("xslt_param", EVERYWHERE, take(2), _add_parameter(False)),
        Directive("xslt_string_param", EVERYWHERE, take(2), _add_parameter(True)),
        Directive("xslt_types", EVERYWHERE, at_least(1), set_types),
        Directive("xslt_last_modified", EVERYWHERE, FLAG, flag("last_modified")),
    ),
    plan=plan,
)
