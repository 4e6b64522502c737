"""EMVCo Merchant-Presented Mode (QRCPS-MPM 1.1): the text inside a payment QR code, for KHQR and for any other
country's.

- `tlv.py`: `parse` and `build` turn text into data objects and back; `to_dict` shows them by ID;
- `crc.py`: the checksum `crc16`; `characters.py`: which characters a payload may hold;
- `tags.py`: `describe` says what a data object is called and what the standard asks of it.

Nothing here knows KHQR's own rules: for those see `bakong_khqr.verify`.
"""

from bakong_khqr.emv.crc import crc16
from bakong_khqr.emv.tags import Tag, describe
from bakong_khqr.emv.tlv import DataObject, build, parse, to_dict

__all__ = ["DataObject", "Tag", "build", "crc16", "describe", "parse", "to_dict"]
