"""An HTML page that needs nothing else: no network, no script; light and dark, on paper and on a
phone. What it is given is text and is escaped here, but for figures."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from fracsim.figures.style import METADATA, settle

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fcfcfa; --line: #d5d5d0; --soft: #666;
  --box: #f1f1ec; --link: #0b5c8f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e3; --paper: #17181a; --line: #3a3c40;
  --soft: #a3a5a8; --box: #222428; --link: #7cc0ee; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1rem 3rem; max-width: 60rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin-top: 2.5rem;
  border-top: 1px solid var(--line); padding-top: 1rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin-bottom: .3rem; } a { color: var(--link); }
p, li { overflow-wrap: anywhere; } .soft { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; white-space: nowrap; } td.number { text-align: right;
  font-variant-numeric: tabular-nums; }
table.facts td { white-space: normal; overflow-wrap: anywhere; }
pre { background: var(--box); padding: .6rem .8rem; overflow-x: auto; border-radius: 4px;
  font-size: .85rem; }
figure { margin: 1rem 0; } figure div { background: #fff; border-radius: 4px; padding: .4rem; }
figure svg { display: block; width: 100%; height: auto; margin: 0 auto; }
figcaption { color: var(--soft); font-size: .85rem; }
@media print { body { max-width: none; } figure { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Table:
    """Rows under headings; numbers stand right."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]

    def html(self) -> str:
        head = "".join(f"<th>{escaped(name)}</th>" for name in self.head)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in self.rows)
        return (
            f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
            f"</div>"
        )


@dataclass(frozen=True)
class Facts:
    """What is the same everywhere: names and values."""

    values: Sequence[tuple[str, object]]

    def html(self) -> str:
        rows = "".join(
            f"<tr><th>{escaped(name)}</th><td>{escaped(value)}</td></tr>"
            for name, value in self.values
        )
        return f'<table class="facts"><tbody>{rows}</tbody></table>'


@dataclass(frozen=True)
class Text:
    """A paragraph, soft ones in small print."""

    text: str
    soft: bool = False

    def html(self) -> str:
        return f"<p{' class=soft' if self.soft else ''}>{escaped(self.text)}</p>"


@dataclass(frozen=True)
class Commands:
    """Lines to paste into a shell."""

    lines: Sequence[str]

    def html(self) -> str:
        return f"<pre>{escaped(chr(10).join(self.lines))}</pre>"


@dataclass(frozen=True)
class Picture:
    """A figure as inline SVG, with the command that draws it."""

    svg: str
    caption: str
    label: str

    def html(self) -> str:
        return (
            f'<figure role="img" aria-label="{escaped(self.label)}"><div>{self.svg}</div>'
            f"<figcaption>{escaped(self.caption)}</figcaption></figure>"
        )


Block = Table | Facts | Text | Commands | Picture


@dataclass(frozen=True)
class Part:
    """A heading, and what stands below it; ``level`` 2 or 3."""

    heading: str
    blocks: Sequence[Block]
    level: int = 2

    def html(self) -> str:
        tag = f"h{self.level}"
        blocks = "\n".join(block.html() for block in self.blocks)
        return f"<{tag}>{escaped(self.heading)}</{tag}>\n{blocks}"


def page(title: str, parts: Iterable[Part], foot: str) -> str:
    """The page as text."""
    body = "\n".join(part.html() for part in parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escaped(title)}</h1>\n{body}\n"
        f'<p class="soft">{escaped(foot)}</p>\n</body>\n</html>\n'
    )


def inline_svg(figure: Figure, name: str) -> str:
    """A figure as an ``<svg>`` element whose ids begin with ``name``, so that several may stand in
    one page. Call it inside ``styled``."""
    stream = io.StringIO()
    settle(figure)
    figure.savefig(stream, format="svg", metadata=METADATA[".svg"])
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="|url\()#', rf"\g<1>#{name}-", text)
    # the page gives the width, the viewBox the height; a small figure is not blown up to a poster
    text = re.sub(r'^(<svg[^>]*?) height="[^"]*"', r"\1", text)
    widest = 1.5 * figure.get_size_inches()[0]
    return re.sub(r'^(<svg[^>]*?) width="[^"]*"', rf'\1 style="max-width: {widest:.3g}in"', text)


def escaped(value: object) -> str:
    """A value as text of the page."""
    return html.escape(str(value))


def _cell(value: object) -> str:
    text = escaped(value)
    is_number = re.fullmatch(r"[-−+]?[\d,.]+(e[-+]?\d+)?( ?%)?", text) is not None
    return f'<td class="number">{text}</td>' if is_number else f"<td>{text}</td>"
