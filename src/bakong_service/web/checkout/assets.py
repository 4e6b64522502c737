"""The files that pages need: style, script, Khmer font, and the shop's logo. An address names the content's hash, so a
browser keeps a file for good, and gets another one when the content changes."""

from base64 import b64encode
from hashlib import sha256
from importlib import resources

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bakong_service.settings import Settings
from bakong_service.settings.readers import picture_type
from bakong_service.web.http.problems import Problem
from bakong_service.web.http.service import of

_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "woff2": "font/woff2"}
_FILES = ("checkout.css", "checkout.js", "khmer-400.woff2", "khmer-500.woff2")
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable", "Cross-Origin-Resource-Policy": "same-origin"}
LIGHT = 0.179  # luminance above which black text has more contrast than white (WCAG 2, contrast ratio)


@frozen
class Asset:
    """A file with its address."""

    address: str
    content: bytes
    kind: str

    @property
    def csp_source(self) -> str:
        """The source that lets a page carry this content in itself: its hash, as a Content-Security-Policy names it."""
        return f"'sha256-{b64encode(sha256(self.content).digest()).decode()}'"


def load(settings: Settings) -> dict[str, Asset]:
    """Return the files by name. The style has the shop's colour and the fonts' addresses in it."""
    folder = resources.files("bakong_service.web").joinpath("static")
    found = {name: _asset(name, folder.joinpath(name).read_bytes(), _KINDS[name.rpartition(".")[2]]) for name in _FILES}
    style = found["checkout.css"].content.decode()
    for name, asset in found.items():
        style = style.replace(f'url("{name}")', f'url("{asset.address}")')
    shop, on_shop = settings.shop_colour, "#000" if luminance(settings.shop_colour) > LIGHT else "#fff"
    style += f":root {{ --shop: {shop}; --on-shop: {on_shop}; }}\n"
    found["checkout.css"] = _asset("checkout.css", style.encode(), _KINDS["css"])
    if settings.shop_logo is not None:
        logo = settings.shop_logo.read_bytes()
        found["logo"] = _asset("logo", logo, picture_type(logo) or "application/octet-stream")
    return found


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`, from 0 to 1, as WCAG 2 computes it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def assets_of(request: Request) -> dict[str, Asset]:
    """Return the files of the application, loaded once."""
    state = request.app.state
    if not hasattr(state, "assets"):
        state.assets = load(of(request).settings)
    found: dict[str, Asset] = state.assets
    return found


async def read(request: Request) -> Response:
    """Answer with a file. An address with another hash is an old page's: it gets the present content, unkept."""
    asset = assets_of(request).get(request.path_params["name"])
    if asset is None:
        raise Problem(status=404, code="no_such_route", detail="there is no such file")
    headers = _KEPT if request.url.path == asset.address else {"Cache-Control": "no-cache"}
    return Response(asset.content, media_type=asset.kind, headers=headers)


def _asset(name: str, content: bytes, kind: str) -> Asset:
    return Asset(f"/assets/{sha256(content).hexdigest()[:16]}/{name}", content, kind)
