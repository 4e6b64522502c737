"""How deeply a JSON text is nested, seen before it is parsed: a parser that recurses ends with an error of its own."""

import re

# A string as far as it goes, closed or not, so that no byte is read twice; or a bracket outside of strings.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def is_deeper(text: bytes, levels: int) -> bool:
    """Return whether arrays and objects are nested deeper than `levels`."""
    if text.count(b"[") + text.count(b"{") <= levels:  # nearly every body
        return False
    depth = 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token in (b"[", b"{"):
            depth += 1
            if depth > levels:
                return True
        elif token in (b"]", b"}"):
            depth -= 1
    return False
