"""What is wrong with a payload, and what is worth knowing about it, in words.

- `_verification.py`: `verify`; `_inspection.py`: `inspect`, whose text `_table.py` writes;
- `_advice.py`: for each error code whose rule is broken and what to change; `_notices.py`: what is worth knowing
  and isn't a fault; `_meaning.py`: what a value means;
- `_abroad.py`: payloads of other countries.
"""

from bakong_khqr.diagnosis._advice import Source
from bakong_khqr.diagnosis._inspection import InspectedObject, Inspection, inspect
from bakong_khqr.diagnosis._notices import Notice
from bakong_khqr.diagnosis._verification import Verification, verify

__all__ = ["InspectedObject", "Inspection", "Notice", "Source", "Verification", "inspect", "verify"]
