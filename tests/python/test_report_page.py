"""The page in a real browser, headless."""

import csv
import io
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from report_fixture import HOSTILE, Shape, build, finished, read, write
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from wcodec_report.page import build as build_page
from wcodec_report.plots import NAMES
from wcodec_report.results import load
from wcodec_report.text import visible

slow = pytest.mark.slow
SUMMARY = '[data-source="data-summary"]'


def page_of(folder: Path) -> str:
    """The page without figures."""
    return build_page(load(folder), [], [])


class Structure(HTMLParser):
    """Elements and attributes as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@slow
def test_page_refers_to_nothing_outside() -> None:
    page = (finished() / "report.html").read_text(encoding="utf-8")
    for tag, attributes in Structure(page).tags:
        for name in ("src", "href", "xlink:href", "action", "poster", "srcset", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
        assert not any(name.startswith("on") for name in attributes), tag
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_hostile_strings_are_text_everywhere(tmp_path: Path) -> None:
    build(
        tmp_path,
        Shape(
            checkpoints=HOSTILE[:4],
            names=HOSTILE,
            tensors=2,
            tiles=("16x16",),
            failures=9,
            extra={HOSTILE[1]: HOSTILE[2], "nested": {HOSTILE[0]: [HOSTILE[3], {"a": HOSTILE[4]}]}},
        ),
    )
    (tmp_path / "experiment.yaml").write_text(
        f"experiment: {json.dumps(HOSTILE[0])}\nquestion: {json.dumps(HOSTILE[2])}\n", encoding="utf-8"
    )
    for name in ("summary", "verdicts"):
        write(tmp_path, name, [r | {"coder": HOSTILE[1], "modes": HOSTILE[0]} for r in read(tmp_path, name)])
    page = page_of(tmp_path)
    structure = Structure(page)
    assert not any(tag in ("img", "iframe", "object") for tag, _ in structure.tags)
    kinds = [attributes.get("type") for tag, attributes in structure.tags if tag == "script"]
    assert kinds.count(None) == 1
    assert set(kinds) == {None, "application/json"}
    assert not set(page) & {"\x00", "\x1b", "\u202e"}


def test_page_without_optional_files(tmp_path: Path) -> None:
    build(tmp_path, Shape(checkpoints=("minilm",), tensors=1, tiles=()))
    for path in tmp_path.glob("*"):
        if path.name != "summary.csv":
            path.unlink()
    page = page_of(tmp_path)
    assert "No comparison was made" in page
    assert "cannot be traced" in page
    assert 'id="timings"' not in page


@slow
def test_failures_stand_at_the_top() -> None:
    page = (finished() / "report.html").read_text(encoding="utf-8")
    assert page.index("3 cells failed or timed out") < page.index("<main>")


def test_sizes_are_weighted_sums(tmp_path: Path) -> None:
    page = page_of(build(tmp_path, Shape()))
    best = min(load(tmp_path).totals.of("minilm", "int8:axis=row", role="baseline"), key=lambda t: t.bpw)
    row = re.search(r'<th scope="row">minilm, int8:axis=row</th><td>baseline</td>.*?</tr>', page)[0]
    assert f"{best.ratio:.4f}" in row
    assert f"{best.bpw:.4f}" in row


def find(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    program, driver = (
        find("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        find("chromedriver"),
    )
    if not (program and driver):
        missing = "the page is not tested: chromium and chromedriver are needed (Debian: chromium, chromium-driver)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    home = tmp_path_factory.mktemp("browser")
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        "--no-first-run",
        "--disable-background-networking",
        f"--user-data-dir={home / 'profile'}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(home)})
    chrome.downloads = home
    yield chrome
    chrome.quit()


@pytest.fixture
def page(browser: webdriver.Chrome) -> webdriver.Chrome:
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get((finished() / "report.html").as_uri())
    return browser


def until(browser: webdriver.Chrome, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, 10).until(lambda _: condition())


def header(browser: webdriver.Chrome, name: str, grid: str = SUMMARY) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, f'{grid} th[data-column="{name}"]')


def cells(browser: webdriver.Chrome, name: str, grid: str = SUMMARY) -> list[str]:
    script = """const at = [...document.querySelectorAll(arguments[0] + ' thead tr:first-child th')]
      .findIndex(th => th.dataset.column === arguments[1]);
      return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map(tr => tr.cells[at].textContent);"""
    return browser.execute_script(script, grid, name)


def matching(browser: webdriver.Chrome, grid: str = SUMMARY) -> str:
    return browser.find_element(By.CSS_SELECTOR, f"{grid} output").text


def type_filter(browser: webdriver.Chrome, name: str, text: str, grid: str = SUMMARY) -> None:
    box = browser.find_element(By.CSS_SELECTOR, f'{grid} input[aria-label="Filter {name}"]')
    box.clear()
    box.send_keys(text)


@slow
def test_page_loads_in_silence(page: webdriver.Chrome) -> None:
    until(page, lambda: matching(page))
    assert page.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert sum(url.startswith("file:") for url in asked) == 1
    assert page.execute_script("return window.hacked") is None


@slow
def test_page_answers_first(page: webdriver.Chrome) -> None:
    assert page.find_element(By.TAG_NAME, "h1").text.startswith("Does per-tile prediction lower")
    cards = page.find_elements(By.CSS_SELECTOR, ".card h3")
    assert [c.text for c in cards] == ["Does the file get smaller?", "Is there structure that prediction can use?"]
    assert all(c.text for c in page.find_elements(By.CSS_SELECTOR, ".card .short"))


@slow
def test_sort_by_ratio_sorts(page: webdriver.Chrome) -> None:
    values = sorted(float(row["ratio"]) for row in read(finished(), "summary"))
    button = header(page, "ratio").find_element(By.TAG_NAME, "button")
    assert header(page, "ratio").get_attribute("aria-sort") == "none"
    button.click()
    assert header(page, "ratio").get_attribute("aria-sort") == "ascending"
    assert cells(page, "ratio") == [f"{v:.4f}" for v in values[:50]]
    button.send_keys(Keys.ENTER)
    assert header(page, "ratio").get_attribute("aria-sort") == "descending"
    assert cells(page, "ratio") == [f"{v:.4f}" for v in values[:-51:-1]]
    header(page, "tensor").find_element(By.TAG_NAME, "button").click()
    assert header(page, "ratio").get_attribute("aria-sort") == "none"


@slow
def test_empty_values_sort_last_either_way(page: webdriver.Chrome) -> None:
    button = header(page, "residual_h0_bpw").find_element(By.TAG_NAME, "button")
    for _ in range(2):
        button.click()
        assert all(cells(page, "residual_h0_bpw"))


@slow
def test_filters_narrow_and_count(page: webdriver.Chrome) -> None:
    rows = read(finished(), "summary")
    assert matching(page) == f"{len(rows):,} rows"
    type_filter(page, "coder", "zstd")
    wanted = [r for r in rows if "zstd" in r["coder"]]
    assert matching(page) == f"{len(wanted):,} of {len(rows):,} rows"
    type_filter(page, "ratio", "> 1.2")
    wanted = [r for r in wanted if float(r["ratio"]) > 1.2]
    assert len(wanted) > 0
    assert matching(page) == f"{len(wanted):,} of {len(rows):,} rows"
    type_filter(page, "control", "!original")
    wanted = [r for r in wanted if r["control"] != "original"]
    assert matching(page) == f"{len(wanted):,} of {len(rows):,} rows"
    assert "original" not in cells(page, "control")
    page.find_element(By.CSS_SELECTOR, f"{SUMMARY} .clear").click()
    assert matching(page) == f"{len(rows):,} rows"


@slow
def test_filter_language(page: webdriver.Chrome) -> None:
    rules = {
        "1.1..1.2": lambda v: 1.1 <= v <= 1.2,
        "1.1 .. 1.2": lambda v: 1.1 <= v <= 1.2,
        "<=1.1": lambda v: v <= 1.1,
        "= 5": lambda v: v == 5,
        "1.1": lambda v: "1.1" in f"{v:.4f}",
        "nonsense": lambda v: False,
        "!> 1.2": lambda v: not v > 1.2,
        "e.+(": lambda v: False,
    }
    values = [float(row["ratio"]) for row in read(finished(), "summary")]
    for text, rule in rules.items():
        type_filter(page, "ratio", text)
        assert matching(page) == f"{sum(map(rule, values)):,} of {len(values):,} rows", text


@slow
def test_pages_turn(page: webdriver.Chrome) -> None:
    first = cells(page, "tensor"), cells(page, "bpw")
    following = page.find_element(By.XPATH, "//section[@id='rows']//button[text()='Next']")
    before = page.find_element(By.XPATH, "//section[@id='rows']//button[text()='Previous']")
    assert not before.is_enabled()
    following.click()
    assert (cells(page, "tensor"), cells(page, "bpw")) != first
    before.click()
    assert (cells(page, "tensor"), cells(page, "bpw")) == first


@slow
def test_columns_can_be_chosen_and_are_explained(page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, f"{SUMMARY} .chooser summary").click()
    page.find_element(By.XPATH, "//section[@id='rows']//label[text()='table_bytes']/input").click()
    button = header(page, "table_bytes").find_element(By.TAG_NAME, "button")
    assert button.get_attribute("title") == "frequency tables (B)"


@slow
def test_download_holds_the_filtered_rows(page: webdriver.Chrome) -> None:
    type_filter(page, "coder", "=gzip:level=6")
    header(page, "bpw").find_element(By.TAG_NAME, "button").click()
    target = page.downloads / "summary-filtered.csv"
    target.unlink(missing_ok=True)
    page.find_element(By.CSS_SELECTOR, f"{SUMMARY} .download").click()
    until(page, target.is_file)
    got = list(csv.DictReader(io.StringIO(target.read_bytes().decode("utf-8"), newline="")))
    wanted = sorted(
        (r for r in read(finished(), "summary") if r["coder"] == "gzip:level=6"), key=lambda r: float(r["bpw"])
    )
    assert list(got[0]) == list(wanted[0])
    assert [r["cell"] for r in got] == [r["cell"] for r in wanted]
    assert {r["tensor"] for r in got} == {r["tensor"] for r in wanted} >= set(HOSTILE)
    for mine, theirs in zip(got, wanted, strict=True):
        for column in ("bpw", "h0_bpw", "ratio"):
            assert float(mine[column]) == float(theirs[column])


@slow
def test_hostile_names_are_shown_as_text(page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, f'{SUMMARY} select option[value="1000"]').click()
    type_filter(page, "coder", "=gzip:level=6")
    shown = set(cells(page, "tensor"))
    assert {visible(name) for name in HOSTILE} <= shown
    assert page.execute_script("return window.hacked") is None
    reasons = cells(page, "reason", '[data-source="data-failures"]')
    assert "signal 11 <b>not bold</b>" in reasons


@slow
def test_figures_are_visible(page: webdriver.Chrome) -> None:
    script = """const svg = document.querySelector('#' + arguments[0] + ' svg'), box = svg.getBoundingClientRect();
      const inner = svg.querySelector('g').getBBox(); return [box.width, box.height, inner.width, inner.height];"""
    for name in NAMES:
        assert min(page.execute_script(script, name.replace("_", "-"))) > 100, name


@slow
def test_ids_are_unique_and_references_resolve(page: webdriver.Chrome) -> None:
    script = """const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
      const links = [...document.querySelectorAll('use')].map(e => e.getAttribute('xlink:href').slice(1));
      const known = new Set(ids);
      return [ids.length - known.size, links.filter(l => !known.has(l)).length, links.length];"""
    doubled, dangling, links = page.execute_script(script)
    assert (doubled, dangling) == (0, 0)
    assert links > 100


@slow
def test_dark_and_light(page: webdriver.Chrome) -> None:
    def look(scheme: str) -> tuple[str, str, str]:
        page.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        script = """const body = getComputedStyle(document.body);
          const ground = getComputedStyle(document.querySelector('figure svg [id$=patch_1] path'));
          return [body.backgroundColor, body.color, ground.fill];"""
        return tuple(page.execute_script(script))

    try:
        assert look("light") == ("rgb(255, 255, 255)", "rgb(28, 31, 36)", "rgb(255, 255, 255)")
        assert look("dark") == ("rgb(21, 23, 28)", "rgb(233, 235, 240)", "rgb(21, 23, 28)")
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@slow
@pytest.mark.parametrize("width", [360, 1280])
def test_page_never_scrolls_sideways(page: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@slow
def test_twenty_thousand_rows_stay_usable(browser: webdriver.Chrome, tmp_path: Path) -> None:
    shape = Shape(
        checkpoints=("minilm",),
        tensors=70,
        quantizers=("int8:axis=row",),
        controls=("original",),
        failures=0,
        tiles=tuple(f"{a}x{b}" for a in (4, 8, 16, 32, 64, 128) for b in (4, 8, 16, 32, 64)),
        timings=False,
        modes=("none", "none+left", "none+top", "none+avg", "left"),
        coders=("rans:tables=tensor", "raw"),
    )
    build(tmp_path, shape)
    for name in ("modes", "histograms", "correlations", "verdicts"):
        (tmp_path / f"{name}.csv").unlink()
    (tmp_path / "report.html").write_text(page_of(tmp_path), encoding="utf-8")
    assert (tmp_path / "report.html").stat().st_size < 12e6
    browser.get((tmp_path / "report.html").as_uri())
    assert matching(browser) == "21,280 rows"
    for act in (
        lambda: header(browser, "ratio").find_element(By.TAG_NAME, "button").click(),
        lambda: header(browser, "tensor").find_element(By.TAG_NAME, "button").click(),
        lambda: type_filter(browser, "modes", "=none"),
    ):
        started = time.monotonic()
        act()
        cells(browser, "ratio")
        assert time.monotonic() - started < 5
    assert matching(browser) == f"{70 * 30 * 2:,} of 21,280 rows"
    assert browser.execute_script("return document.querySelectorAll('tbody tr').length") < 200
