"""image_filter: tests, sizes, turns and scales JPEG, GIF, PNG and WebP images on their way out.

Pillow does the work (an extra: `pip install 'gateway[image]'`), in a thread. Where it differs from nginx's libgd: it
writes no interlaced PNG, and an image of more than 64 million pixels is refused before it is unpacked.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import EVERYWHERE, FLAG, LOCATION, Command, Directive, flag, size, take
from gateway.core.template import Template
from gateway.http.module import ERROR, NOTHING, BodyFilter, Contribution, FilterFinalize, HttpModule
from gateway.http.setters import template
from gateway.http.whole_response import Made, Refused, WholeResponse, is_refused
from gateway.modules.http import content_coding
from gateway.protocol.image_head import GIF, JPEG, LEAST, WEBP, Size, kind_of, size_of

if TYPE_CHECKING:
    from gateway.http.locations import Location
    from gateway.http.request import Request

_UNSUPPORTED: Final = 415
_MULTIPART: Final = b"multipart/x-mixed-replace"
# An archive of one colour becomes a thousand times as large; this is 256 MiB.
_MOST_PIXELS: Final = 64_000_000
_ANY: Final = 2**32 - 1  # `-`
# A JPEG is made anew if more than 1/20 of it is no image.
_EXTRA: Final = 20

OFF, TEST, SIZE, RESIZE, CROP, ROTATE = range(6)

Value = int | Template


@dataclass(frozen=True, slots=True)
class Rule:
    """What the `image_filter` directives of a location say together."""

    kind: int = OFF
    width: Value = 0
    height: Value = 0
    angle: Value = 0


@dataclass(slots=True)
class LocationConf(Conf):
    rule: Rule = setting(Rule())
    jpeg_quality: Value = setting(75)
    webp_quality: Value = setting(80)
    sharpen: Value = setting(0)
    transparency: bool = setting(True)
    interlace: bool = setting(False)
    buffer_size: int = setting(1024 * 1024)


def number_of(text: str) -> int:
    """`-` is any, what is no number is none."""
    if text == "-":
        return _ANY
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _value(command: Command, text: str, allowed: Callable[[int], bool]) -> Value | None:
    """None: it is not allowed."""
    compiled = template(command, text)
    if compiled.constant is None:
        return compiled
    number = number_of(text)
    return number if allowed(number) else None


def set_filter(conf: LocationConf, command: Command) -> None:
    """off | test | size | rotate ANGLE | resize W H | crop W H; `rotate` beside one of the last two turns as well."""
    args = command.args
    rule: Rule = Rule() if conf.rule is UNSET else conf.rule
    simple = {"off": OFF, "test": TEST, "size": SIZE}
    scaling = {"resize": RESIZE, "crop": CROP}
    if len(args) == 1 and args[0] in simple:
        conf.rule = replace(rule, kind=simple[args[0]])
    elif len(args) == 2 and args[0] == "rotate":
        angle = _value(command, args[1], lambda number: number in (90, 180, 270))
        if angle is None:
            command.fail(f'invalid parameter "{args[1]}"')
        conf.rule = replace(rule, kind=rule.kind if rule.kind in (RESIZE, CROP) else ROTATE, angle=angle)
    elif len(args) == 3 and args[0] in scaling:
        found = []
        for text in args[1:]:
            length = _value(command, text, lambda number: number > 0)
            if length is None:
                command.fail(f'invalid parameter "{text}"')
            found.append(length)
        conf.rule = replace(rule, kind=scaling[args[0]], width=found[0], height=found[1])
    else:
        command.fail(f'invalid parameter "{args[0]}"')
    if conf.rule.kind in (RESIZE, CROP, ROTATE):
        content_coding.package("PIL", "image", command)


def _set_value(name: str, least: int) -> Callable[[LocationConf, Command], None]:
    def set_value(conf: LocationConf, command: Command) -> None:
        value = _value(command, command.args[0], lambda number: least <= number < _ANY)
        if value is None:
            command.fail(f'invalid value "{command.args[0]}"')
        setattr(conf, name, value)

    return set_value


def _of(value: Value, request: Request) -> int:
    return value if isinstance(value, int) else number_of(value(request).decode("latin-1"))


# -- what is made of an image


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made of one image."""

    rule: int
    width: int
    height: int
    angle: int
    quality: int
    sharpen: int
    transparency: bool
    interlace: bool

    def wanted(self, found: Size) -> tuple[int, int]:
        """The size that the image is scaled to."""
        width, height = found.width, found.height
        if self.rule == RESIZE:
            if width > self.width:
                width, height = self.width, max(height * self.width // width, 1)
            if height > self.height:
                width, height = max(width * self.height // height, 1), self.height
        elif self.rule == CROP:
            if width / height < self.width / self.height:
                if width > self.width:
                    width, height = self.width, max(height * self.width // width, 1)
            elif height > self.height:
                width, height = max(width * self.height // height, 1), self.height
        return width, height


def make(data: bytes, kind: str, job: Job) -> bytes:
    """The image anew. Errors: Refused."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                raise Refused(_UNSUPPORTED, f"image filter: {width} x {height} pixels are too many")
            if not width or not height:
                raise Refused(_UNSUPPORTED, "image filter: there is no image")
            indexed = image.mode == "P"
            return _write(_drawn(_plain(image, job), Size(width, height), job), kind, indexed, job)
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as error:
        raise Refused(_UNSUPPORTED, f"image filter: {error}") from None


def _plain(image: Any, job: Job) -> Any:
    """In a mode that can be scaled; an alpha channel stays, a transparent colour if it is to."""
    if image.mode == "P":
        keeps = job.transparency and "transparency" in image.info
        plain = image.convert("RGBA" if keeps else "RGB")
        plain.info.pop("transparency", None)
        return plain
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode in ("LA", "PA", "RGBa"):
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "I;16") else "RGB")


def _drawn(image: Any, found: Size, job: Job) -> Any:
    from PIL import Image

    wanted = job.wanted(found)
    if wanted != image.size:
        image = image.resize(wanted, Image.Resampling.BOX)
    turn = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
    if job.angle in turn:
        image = image.transpose(turn[job.angle])
    if job.rule == CROP:
        width, height = image.size
        left, top = max(width - job.width, 0), max(height - job.height, 0)
        if left or top:
            image = image.crop((left // 2, top // 2, left // 2 + width - left, top // 2 + height - top))
    return _sharpened(image, job.sharpen) if job.sharpen > 0 else image


def _sharpened(image: Any, percent: int) -> Any:
    """By libgd's kernel, in both directions."""
    from PIL import ImageFilter

    outer = -percent / 400
    row = (outer, 1 - 2 * outer, outer)
    kernel = ImageFilter.Kernel((3, 3), [a * b for a in row for b in row], scale=1)
    if image.mode != "RGBA":
        return image.filter(kernel)
    alpha = image.getchannel("A")
    image = image.convert("RGB").filter(kernel)
    image.putalpha(alpha)
    return image


def _write(image: Any, kind: str, indexed: bool, job: Job) -> bytes:
    out = io.BytesIO()
    if kind == JPEG:
        plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
        quality = min(job.quality, 100)
        comment = b"CREATOR: gateway (using Pillow), quality = %d" % quality
        plain.save(out, "JPEG", quality=quality, progressive=job.interlace, comment=comment)
    elif kind == WEBP:
        image.save(out, "WEBP", quality=min(job.quality, 100))
    elif kind == GIF:
        image.save(out, "GIF", interlace=int(job.interlace))
    else:
        if indexed:
            from PIL import Image

            method = Image.Quantize.FASTOCTREE if image.mode == "RGBA" else Image.Quantize.MEDIANCUT
            image = image.quantize(256, method)
        image.save(out, "PNG")
    return out.getvalue()


# -- the filter


class ImageFilter(WholeResponse):
    """The body filter of one response."""

    def __init__(self, request: Request, conf: LocationConf) -> None:
        too_large = Refused(_UNSUPPORTED, "image filter: too big response")
        most = conf.buffer_size
        super().__init__(request, self._process, most, too_large)
        self.conf = conf
        self.rule: Rule = conf.rule
        self.kind: str | None = None
        self.job: Job | None = None

    def look(self, data: bytes, last: bool) -> Made | bool:
        if self.kind is not None:
            return False
        if len(data) < LEAST and not last:
            return False
        kind = self.kind = kind_of(data)
        if kind is None:
            if self.rule.kind == SIZE:
                return _json(None, "")
            raise Refused(_UNSUPPORTED)
        response = self.request.response
        response.content_type = b"image/" + kind.encode()
        response.charset = response.charset_text = None
        if self.rule.kind == TEST:
            return True
        self.job = self._job(kind)
        return False

    def _job(self, kind: str) -> Job:
        """Evaluated here: work in a thread has no request."""
        conf, request, rule = self.conf, self.request, self.rule
        quality: Value = {JPEG: conf.jpeg_quality, WEBP: conf.webp_quality}.get(kind, 1)
        return Job(
            rule.kind,
            _of(rule.width, request),
            _of(rule.height, request),
            _of(rule.angle, request),
            _of(quality, request),
            _of(conf.sharpen, request),
            conf.transparency,
            conf.interlace,
        )

    def _process(self, data: bytes) -> Made:
        kind, job = self.kind, self.job
        assert kind is not None and job is not None
        found = size_of(kind, data)
        if job.rule == SIZE:
            return _json(found, kind)
        if job.rule == ROTATE:
            if job.angle not in (90, 180, 270):
                raise Refused(_UNSUPPORTED)
        elif not job.width or not job.height:
            raise Refused(_UNSUPPORTED)
        elif found is not None and _fits(found, job) and found.extra <= len(data) // _EXTRA:
            return lambda request: data
        if job.quality <= 0 or job.quality == _ANY:
            raise Refused(_UNSUPPORTED)
        made = make(data, kind, job)

        def answer(request: Request) -> bytes:
            request.response.weaken_etag()
            return made

        return answer


def _fits(found: Size, job: Job) -> bool:
    return not job.angle and found.width <= job.width and found.height <= job.height


def _json(found: Size | None, kind: str) -> Made:
    if found is None:
        text = "{}\r\n"
    else:
        text = f'{{ "img" : {{ "width": {found.width}, "height": {found.height}, "type": "{kind}" }} }}\r\n'

    def answer(request: Request) -> bytes:
        response = request.response
        response.status = 200
        response.status_text = None
        response.clear_last_modified()
        response.etag = None
        response.fields = []
        response.content_encoding = None
        response.content_type = b"application/json"
        response.charset = response.charset_text = None
        return text.encode()

    return answer


def plan(settings: LocationConf, location: Location) -> Contribution:
    if settings.rule.kind == OFF:
        return NOTHING
    most: int = settings.buffer_size

    def filter_head(request: Request) -> BodyFilter | None:
        response = request.response
        if response.status == 304 or is_refused(request):
            return None
        if (response.content_type or b"").lower().startswith(_MULTIPART):
            request.log("error", "image filter: multipart/x-mixed-replace response")
            raise FilterFinalize(ERROR)
        length = response.content_length
        if length > most:
            request.log("error", f"image filter: too big response: {length}")
            raise FilterFinalize(_UNSUPPORTED)
        response.clear_content_length()
        response.clear_accept_ranges()
        response.remove(b"refresh")
        return ImageFilter(request, settings)

    return Contribution(head_filter=filter_head)


module = HttpModule(
    name="image_filter",
    location=LocationConf,
    directives=(
        Directive("image_filter", LOCATION, take(1, 2, 3), set_filter),
        Directive("image_filter_jpeg_quality", EVERYWHERE, take(1), _set_value("jpeg_quality", 1)),
        Directive("image_filter_webp_quality", EVERYWHERE, take(1), _set_value("webp_quality", 1)),
        Directive("image_filter_sharpen", EVERYWHERE, take(1), _set_value("sharpen", 0)),
        Directive("image_filter_transparency", EVERYWHERE, FLAG, flag("transparency")),
        Directive("image_filter_interlace", EVERYWHERE, FLAG, flag("interlace")),
        Directive("image_filter_buffer", EVERYWHERE, take(1), size("buffer_size")),
    ),
    plan=plan,
)
