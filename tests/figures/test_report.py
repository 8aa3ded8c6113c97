"""The report: one page that needs nothing else, of finished, running and sharded sweeps, of studies
and of points."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from command_line import run_group
from figure_files import experiment_of, write_file

from fracsim.cli import app, plot

GRID = {"network_depth": [1, 2, 3, 4, 5], "width": [10, 50], "seed": [0, 1, 2]}
SHORT = {"steps": 100_000, "record_every": 1_000}
EMPTY = ("meta", "link")


def report(*args):
    return run_group(plot.command, "fracsim-plot", "report", *args)


def sweep(folder, name="sweep.h5", weights="none", grid=GRID, **how):
    return write_file(folder / name, experiment_of(grid, weights, **SHORT), **how)


class Page(HTMLParser):
    """Opens and closes its elements in order; keeps ids, what refers to them, and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.outside, self.words = [], [], [], [], []
        self.figures = 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self._attributes(tag, dict(attrs))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self._attributes(tag, dict(attrs))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def _attributes(self, tag, attributes):
        assert tag != "script"
        self.figures += tag == "figure"
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name == "id":
                self.ids.append(value)
            self.references += re.findall(r"url\(#(.*?)\)", value or "")
            if name in ("src", "href", "xlink:href"):
                inside = value.startswith("#")
                (self.references if inside else self.outside).append(value.removeprefix("#"))


def page_of(path):
    page = Page(path.read_text(encoding="utf-8"))
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.references) <= set(page.ids)
    # a picture inside the page is no other place
    assert all(one.startswith("data:") for one in page.outside), page.outside[:3]
    return page


def test_a_page_needs_nothing_else_and_thirty_runs_are_small(tmp_path):
    path, output = sweep(tmp_path, weights="final"), tmp_path / "report.html"
    result = report(path, "-o", output, "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out) == {"output": str(output), "bytes": output.stat().st_size}
    assert output.stat().st_size < 2_000_000
    page, text = page_of(output), " ".join("".join(page_of(output).words).split())
    assert page.figures == 3
    for said in (
        "30 runs of 100,000 steps: 30 done",
        "1, 2, 3, 4, 5",
        "fracsim-plot depth-width sweep.h5 -o depth-width.svg",
        "fracsim sweep --from",
        "Where it comes from",
    ):
        assert said in text
    assert "@media (prefers-color-scheme: dark)" in output.read_text(encoding="utf-8")


def test_the_table_of_results_is_that_of_the_file(tmp_path):
    from fracsim import open_trajectory

    path, output = sweep(tmp_path), tmp_path / "report.html"
    assert report(path, "-o", output, "-q").code == 0
    text = output.read_text(encoding="utf-8")
    rows = re.findall(r"<tr>((?:<td[^>]*>[^<]*</td>){8})</tr>", text)
    assert len(rows) == 10
    cells = [re.findall(r">([^<]*)</td>", row) for row in rows]
    best = open_trajectory(path).variable("test_accuracy").max(axis=1).reshape(5, 2, 3)
    for depth, width, seeds, mean, least, greatest, _, steps in cells:
        expected = best[int(depth) - 1, (10, 50).index(int(width))]
        assert (seeds, steps) == ("3", "100,000")
        found = [float(one) for one in (mean, least, greatest)]
        assert found == pytest.approx([expected.mean(), expected.min(), expected.max()], abs=6e-5)


def test_running_sharded_and_empty_sweeps_have_a_page(tmp_path):
    running = sweep(tmp_path, "running.h5", records=3, finish=None)
    empty = sweep(tmp_path, "empty.h5", records=0, finish=None)
    shards = [sweep(tmp_path, f"part-{i}.h5", shard=f"{i}/3") for i in (0, 2)]
    for name, files, said in (
        ("running", [running], "30 interrupted"),
        ("empty", [empty], "no run has a record yet"),
        ("shards", shards, "20 done, 10 missing"),
    ):
        output = tmp_path / f"{name}.html"
        result = report(*files, "-o", output)
        assert result.code == 0, result.err
        text = " ".join("".join(page_of(output).words).split())
        assert said in text, text[:2000]
    assert "--shard 1/3" in text


def test_studies_and_points_have_sections_and_the_same_input_gives_the_same_bytes(tmp_path):
    bounds, points = tmp_path / "bounds.h5", tmp_path / "points.h5"
    for line in (
        ["bounds", "cantor", "--fractal-depth", 4, "--depth", "1:3", "--width", "10,20", "-q"],
        ["sample", "cantor", "--count", 500, "-q"],
    ):
        path = bounds if line[0] == "bounds" else points
        assert run_group(app.command, "fracsim", *line, "-o", path).code == 0
    for name in ("a.html", "b.html"):
        assert report(points, bounds, "--title", "<b> & $x_$", "-o", tmp_path / name).code == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    page = page_of(tmp_path / "a.html")
    text = " ".join("".join(page.words).split())
    assert page.figures == 1
    assert "<b> & $x_$" in text
    assert "500 labelled points" in text
    assert "fracsim bounds --from bounds.h5 -o again.h5" in text


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("report.pdf", "accepted is a name that ends with .html"),
        ("sweep.html", "is a file to read, which would be lost; give another --output"),
        ("no/report.html", "no"),
    ],
)
def test_bad_outputs_are_refused_and_nothing_is_lost(output, sentence, tmp_path):
    path = sweep(tmp_path, "sweep.html", grid={"seed": [0, 1]})
    before = path.read_bytes()
    result = report(path, "-o", tmp_path / output)
    assert result.code in (1, 2)
    assert sentence in result.sentence
    assert path.read_bytes() == before


PROBE = """<script>
onerror = event => { document.title = "error"; };
onload = () => {
  const boxes = [...document.querySelectorAll("figure svg")].map(one => {
    const box = one.getBoundingClientRect(); return [box.width, box.height]; });
  document.title = JSON.stringify({ boxes, page: document.documentElement.scrollWidth,
    window: innerWidth, dark: getComputedStyle(document.body).backgroundColor });
};
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [1000, 500])
@pytest.mark.parametrize("kind", ["finished", "running", "sharded"])
def test_a_browser_shows_every_figure_without_a_word_on_its_console(kind, width, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    if kind == "sharded":
        files = [sweep(tmp_path, f"{i}.h5", shard=f"{i}/2") for i in range(2)]
    else:
        how = {} if kind == "finished" else {"records": 9, "finish": None}
        files = [sweep(tmp_path, weights="final", **how)]
    output = tmp_path / "report.html"
    assert report(*files, "-o", output).code == 0
    text = output.read_text(encoding="utf-8")
    probed = tmp_path / "probed.html"
    probed.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},2000"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0"]
    done = subprocess.run(
        [browser, *options, "--virtual-time-budget=5000", "--dump-dom", probed.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)[1])
    assert len(found["boxes"]) == page_of(output).figures >= 2
    for w, h in found["boxes"]:
        assert w > 0.8 * min(width - 60, 600)
        assert 0.2 * w < h < 3 * w
    assert found["page"] <= found["window"]
    assert "CONSOLE" not in done.stderr
