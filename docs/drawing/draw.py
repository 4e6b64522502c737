"""Draw the parts of the documentation that come from tables in the code: `python docs/drawing/draw.py`.

Each module beside this one draws one page: `PAGE` says which, below `docs`, and `drawing()` gives its Markdown. It
stands between two comments, and a test compares it with the code. A module whose page isn't Markdown has a `COMMENT`:
what a comment begins with there. `shapes` has what several modules draw with.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = sorted(path.stem for path in HERE.glob("*.py") if path != Path(__file__))
END = "<!-- end of the drawing -->"


def page_of(module: str) -> Path:
    """Return the page that a module draws."""
    return (HERE.parent / str(_module(module).PAGE)).resolve()


def drawn(module: str, page: str) -> str:
    """Return a page's text with its drawing as the code has it now."""
    begin = f"<!-- drawn by docs/drawing/{module}.py -->"
    before, found, rest = page.partition(begin)
    if not found:
        raise ValueError(f"{page_of(module)} has no line {begin}")
    comment = getattr(_module(module), "COMMENT", "")
    after = rest.partition(END)[2] or "\n"
    return f"{before}{begin}\n\n{_module(module).drawing()}\n{comment}{END}{after}"


def _module(name: str) -> Any:
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return import_module(name)


if __name__ == "__main__":
    for name in MODULES:
        path = page_of(name)
        path.write_text(drawn(name, path.read_text(encoding="utf-8")), encoding="utf-8")
