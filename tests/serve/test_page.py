"""The page of captions, in Chromium."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from edgevoice.config import ServeSettings
from edgevoice.events import Event, IntentDetected
from edgevoice.paths import bundled_model
from edgevoice.serve.server import Server
from tests.command_line import Cli
from tests.tui.scripted import final, speech, started, update

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script> &amp; [/] </p>'
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1000,700"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Headless, with a profile of its own."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        message = "the page needs chromium and chromedriver"
        if os.environ.get("EDGEVOICE_REQUIRE_RIG") == "1":
            pytest.fail(message)
        pytest.skip(message)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    started_ = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started_
    started_.quit()


@pytest.fixture
def server() -> Iterator[Server]:
    """One that was told nothing yet."""
    made = Server(ServeSettings(address="127.0.0.1:0"))
    yield made
    list(made.close())


def tell(server: Server, *events: Event) -> None:
    for event in events:
        list(server.write(event))


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    """What a reader sees of each element."""
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText.trim())", selector
    )


def wait(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the page never showed it"
        time.sleep(0.05)


def intent(label: str, **fields: object) -> IntentDetected:
    given = {"channel": "mic", "at": 2.0, "segment": 0, "score": 0.874, "early": True, "words": "", **fields}
    return IntentDetected(label=label, runners_up=(), **given)  # type: ignore[arg-type]


def test_captions_grow_and_become_final(browser: webdriver.Chrome, server: Server) -> None:
    browser.get(server.url)
    wait(lambda: texts(browser, "#state") == ["Live."])
    tell(server, started(), speech(0), update(0, "check my", "balan"))
    wait(lambda: texts(browser, ".caption") == ["check my balan"])
    assert texts(browser, ".tentative") == ["balan"]
    stable, tentative = (browser.find_element(By.CSS_SELECTOR, each) for each in (".stable", ".tentative"))
    # told apart without colours
    assert stable.value_of_css_property("font-style") == "normal"
    assert tentative.value_of_css_property("font-style") == "italic"
    assert "underline" in tentative.value_of_css_property("text-decoration-line")
    tell(server, final(0, "Check my balance.\nPlease."), intent("card_<b>balance</b>"))
    wait(lambda: texts(browser, ".intent") == ["→ card <b>balance</b> 87 %, early"])
    assert texts(browser, ".caption") == ["Check my balance.\nPlease."]
    assert texts(browser, ".tentative") == [""]


def test_markup_is_text(browser: webdriver.Chrome, server: Server) -> None:
    tell(server, started(channel=HOSTILE), started(), final(0, HOSTILE, channel=HOSTILE), final(0, "x"))
    tell(server, update(1, HOSTILE, HOSTILE), intent(HOSTILE))
    browser.get(server.url)
    wait(lambda: len(texts(browser, ".caption")) == 3)
    wait(lambda: texts(browser, ".intent"))
    assert HOSTILE in texts(browser, ".stable")
    assert browser.find_elements(By.CSS_SELECTOR, "main img, main script, main b") == []
    assert browser.title == "Captions"


def test_both_sides_of_a_call_are_labelled(browser: webdriver.Chrome, server: Server) -> None:
    tell(server, started(channel="mic"), final(0, "hello", channel="mic"))
    browser.get(server.url)
    wait(lambda: texts(browser, ".caption") == ["hello"])
    tell(server, started(channel="call"), final(0, "good morning", channel="call"))
    wait(lambda: texts(browser, ".caption") == ["you: hello", "them: good morning"])
    browser.get(f"{server.url}?channel=them")
    wait(lambda: texts(browser, ".caption") == ["good morning"])


def test_an_overlay_for_obs(browser: webdriver.Chrome, server: Server) -> None:
    browser.get(f"{server.url}?transparent=1&lines=2&size=48")
    tell(server, started(), *(final(number, f"caption {number}") for number in range(20)))
    wait(lambda: "caption 19" in texts(browser, ".caption"))
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    assert not browser.find_element(By.ID, "state").is_displayed()
    style = "const box = document.getElementById('captions').getBoundingClientRect();"
    assert browser.execute_script(f"{style} return box.height") == pytest.approx(2 * 48 * 1.35, abs=1)
    visible = browser.execute_script(
        f"{style} return [...document.querySelectorAll('.caption')].filter((each) => "
        "each.getBoundingClientRect().top >= box.top - 1).map((each) => each.innerText.trim())"
    )
    assert visible == ["caption 18", "caption 19"]


def test_it_connects_again_by_itself(browser: webdriver.Chrome, server: Server) -> None:
    tell(server, started(), final(0, "before"))
    browser.get(server.url)
    wait(lambda: texts(browser, ".caption") == ["before"])
    list(server.close())
    wait(lambda: texts(browser, "#state") == ["Not connected. Trying again."])
    another = Server(ServeSettings(address=re.sub(r"http://|/", "", server.url)))
    try:
        tell(another, started(), final(0, "after"))
        wait(lambda: texts(browser, ".caption") == ["after"])
        assert texts(browser, "#state") == ["Live."]
    finally:
        list(another.close())


def test_the_demo_is_served_with_a_token(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """The command as a user types it; the page in a browser shows the words of the sample call."""
    cli = Cli(tmp_path, bundled_model(), {"EDGEVOICE_SERVE_TOKEN": "correct-horse"})
    process = cli.start("demo", "--serve", "127.0.0.1:0")
    assert process.stderr
    try:
        url = process.stderr.readline().decode().split()[-1]
        browser.get(f"{url}?token=correct-horse")
        wait(lambda: sum(len(text.split()) for text in texts(browser, ".caption")) > 8, seconds=300)
        severe = [
            entry["message"] for entry in browser.get_log("browser") if "Content Security Policy" in entry["message"]
        ]
        assert severe == []
        picture = os.environ.get("EDGEVOICE_PAGE_PICTURE")
        if picture:
            browser.save_screenshot(picture)
    finally:
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 143
    assert b"Traceback" not in error
