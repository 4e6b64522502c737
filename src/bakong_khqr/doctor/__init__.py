"""Why Bakong doesn't answer: token, clock, address, TLS, user agent, country, firewall, quota, closed list.

`examination.py` asks and yields findings; `findings.py` has the words of each finding in English and Khmer.
"""

from bakong_khqr.doctor.examination import examine
from bakong_khqr.doctor.findings import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]
