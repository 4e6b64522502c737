"""A hook of MkDocs: punctuation stays on the line of the code that it belongs to.

A browser may break the line on both sides of inline code that is kept whole (`inline-block`). On a phone, a comma would
begin a line, and an opening bracket would end one.
"""

import re
from typing import Final

_CODE_AND_PUNCTUATION: Final = re.compile(r"""[("]*<code>[^<]*</code>(?:'s\b|[.,;:!?)"។៖]+)|[("]+<code>[^<]*</code>""")


def on_page_content(html: str, **_: object) -> str:
    """Return the page with inline code and the punctuation that touches it in one element of the class `whole`."""
    return _CODE_AND_PUNCTUATION.sub(r'<span class="whole">\g<0></span>', html)
