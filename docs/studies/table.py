"""The table of studies in docs/studies/README.md, made from the declarations.

python docs/studies/table.py          # writes it; a test compares it
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fracsim.studies.study import Study

PAGE = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- made by docs/studies/table.py -->", "<!-- end -->"


def table(studies: Mapping[str, Study]) -> str:
    """A row for each study: its command, what it is about, what its file is called, its figure."""
    rows = [
        "| command | does | its file | its figure |",
        "|---|---|---|---|",
        *(
            f"| [`fracsim {one.name}`]({one.name}.md) | {one.about} | `{one.format.kind}` "
            f"| {f'`fracsim-plot {one.name}`: {one.figure.about}' if one.figure else '-'} |"
            for one in studies.values()
        ),
    ]
    return "\n".join(rows)


def main() -> None:
    """Write the table into the page."""
    sys.path.insert(0, str(PAGE.parents[2]))  # the studies of this checkout
    from fracsim.studies import STUDIES

    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(STUDIES)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
