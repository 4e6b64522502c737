"""Draws states and the arrows between them as an SVG that is the same everywhere and asks no other host for anything.

Where a state stands, and how far an arrow bends, is set by hand: eight states are laid out better by a person.
"""

from collections.abc import Mapping
from math import hypot

from attrs import frozen

WIDTH, HEIGHT = 124, 38  # of a state's box
COLUMN, ROW = 190, 104  # from one place to the next
MARGIN = 34
LETTER = 6.7  # the width of a digit of a label
START = "[*]"
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328;text-anchor:middle;dominant-baseline:central}"
    ".state{fill:#fff;stroke:#57606a;stroke-width:1.4}.end{fill:#eef6ee}.arrow{fill:none;stroke:#8c959f;stroke-width:1.3}"
    ".label{fill:#fff}.number{font-size:11.5px;fill:#9a1c24}"
)
HEAD_OF_AN_ARROW = (
    '<marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0.6L7.6 4L0 7.4z" fill="#57606a"/></marker>'
)


@frozen
class Diagram:
    """Places by column and row, the bends of arrows in pixels to the left of their way, and which states are ends."""

    title: str
    places: Mapping[str, tuple[float, float]]
    bends: Mapping[tuple[str, str], float]
    ends: frozenset[str]

    def draw(self, arrows: Mapping[tuple[str, str], list[str]]) -> str:
        """Return the SVG. Raises `KeyError` for a state without a place."""
        width = 2 * MARGIN + WIDTH + COLUMN * max(column for column, _ in self.places.values())
        height = 2 * MARGIN + HEIGHT + ROW * max(row for _, row in self.places.values())
        shapes = [self._arrow(ends) for ends in arrows]
        labels = [self._label(ends, numbers) for ends, numbers in arrows.items()]
        states = [self._state(name) for name in self.places]
        size = f'width="{width:g}" height="{height:g}"'
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" {size} role="img">'
            f"<title>{self.title}</title><style>{STYLE}</style><defs>{HEAD_OF_AN_ARROW}</defs>"
            f'<rect {size} rx="8" fill="#fbfbfb"/>'
        )
        return "\n".join([head, *shapes, *labels, *states, "</svg>", ""])

    def _centre(self, name: str) -> tuple[float, float]:
        column, row = self.places[name]
        return MARGIN + WIDTH / 2 + column * COLUMN, MARGIN + HEIGHT / 2 + row * ROW

    def _state(self, name: str) -> str:
        x, y = self._centre(name)
        if name == START:
            return f'<circle cx="{x:g}" cy="{y:g}" r="7" fill="#1f2328"/>'
        shape = "state end" if name in self.ends else "state"
        box = f'x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="9"'
        return f'<rect class="{shape}" {box}/><text x="{x:g}" y="{y:g}">{name.replace("_", " ")}</text>'

    def _way(self, ends: tuple[str, str]) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
        """Return where an arrow begins, its control point, and where it ends."""
        (x1, y1), (x2, y2) = map(self._centre, ends)
        length = hypot(x2 - x1, y2 - y1)
        bend = self.bends.get(ends, 0)
        control = ((x1 + x2) / 2 + (y2 - y1) / length * bend, (y1 + y2) / 2 - (x2 - x1) / length * bend)
        return _border((x1, y1), control, ends[0]), control, _border((x2, y2), control, ends[1])

    def _arrow(self, ends: tuple[str, str]) -> str:
        (x1, y1), (cx, cy), (x2, y2) = self._way(ends)
        way = f"M{x1:.1f} {y1:.1f}Q{cx:.1f} {cy:.1f} {x2:.1f} {y2:.1f}"
        return f'<path class="arrow" marker-end="url(#head)" d="{way}"/>'

    def _label(self, ends: tuple[str, str], numbers: list[str]) -> str:
        (x1, y1), (cx, cy), (x2, y2) = self._way(ends)
        x, y = (x1 + 2 * cx + x2) / 4, (y1 + 2 * cy + y2) / 4
        text = ", ".join(numbers)
        width = LETTER * len(text) + 4
        back = f'<rect class="label" x="{x - width / 2:.1f}" y="{y - 8:.1f}" width="{width:.1f}" height="16" rx="4"/>'
        return f'{back}<text class="number" x="{x:.1f}" y="{y:.1f}">{text}</text>'


def _border(centre: tuple[float, float], toward: tuple[float, float], name: str) -> tuple[float, float]:
    """Return where the line from a state's centre toward a point leaves its box."""
    dx, dy = toward[0] - centre[0], toward[1] - centre[1]
    half = (7.0, 7.0) if name == START else (WIDTH / 2, HEIGHT / 2)
    share = min(half[0] / abs(dx) if dx else 9e9, half[1] / abs(dy) if dy else 9e9)
    return centre[0] + dx * share, centre[1] + dy * share
