"""Pictures of a payload. This room gets the payload and plain texts, and doesn't know what they mean.

- `symbol.py` draws the plain QR symbol; `modules.py` computes its cells, and `mask.py` chooses its mask;
- `card_painting.py` draws the KHQR card that `card.py` lays out; `typesetting.py` shapes and fits its texts, and
  `lettering.py` draws them;
- `icon.py` and `artwork.py` read the pictures that a caller gives.
"""

from bakong_khqr.images.artwork import Artwork
from bakong_khqr.images.card_painting import card_png, card_svg
from bakong_khqr.images.symbol import data_uri, png, svg, terminal
from bakong_khqr.images.typesetting import FontFile
from bakong_khqr.picture_options import ErrorCorrection

__all__ = ["Artwork", "ErrorCorrection", "FontFile", "card_png", "card_svg", "data_uri", "png", "svg", "terminal"]
