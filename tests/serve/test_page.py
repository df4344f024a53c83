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
from tests.test_captions import revised
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


CHANGED = (
    "return [...document.querySelectorAll('.changed')]"
    ".filter((each) => getComputedStyle(each).textDecorationLine === 'underline').map((each) => each.innerText)"
)


def test_a_sentence_is_put_right_where_it_stands(browser: webdriver.Chrome, server: Server) -> None:
    """Its changed words are marked for a second, the line is the same, and what follows it stays."""
    browser.get(server.url)
    wait(lambda: texts(browser, "#state") == ["Live."])
    tell(server, started(), final(0, "i lost my car in paris"), intent("card_lost"), final(1, "and i", start=4.0))
    wait(lambda: len(texts(browser, ".caption")) == 2)
    line = browser.find_element(By.CSS_SELECTOR, ".caption")
    tell(server, revised(0, "I lost my card\nin Paris."))
    wait(lambda: browser.execute_script(CHANGED) == ["card"])
    assert line.text == "I lost my card\nin Paris."
    assert texts(browser, ".caption") == ["I lost my card\nin Paris.", "and i"]
    assert texts(browser, "main > *") == ["I lost my card\nin Paris.", "→ card lost 87 %, early", "and i"]
    wait(lambda: browser.execute_script(CHANGED) == [], seconds=10)
    assert line.text == "I lost my card\nin Paris."


def test_a_sentence_that_was_never_said_is_removed_and_its_intent_stays(
    browser: webdriver.Chrome, server: Server
) -> None:
    browser.get(server.url)
    wait(lambda: texts(browser, "#state") == ["Live."])
    tell(server, started(), final(0, "the the"), intent("card_lost"), final(1, "hello"), revised(0, ""))
    wait(lambda: texts(browser, "main > *") == ["→ card lost 87 %, early", "hello"])
    tell(server, revised(7, "Never seen before."), revised(1, HOSTILE))
    wait(lambda: len(texts(browser, ".caption")) == 2)
    wait(lambda: HOSTILE in texts(browser, ".stable"))
    assert "Never seen before." in texts(browser, ".stable")
    assert browser.find_elements(By.CSS_SELECTOR, "main img, main script, main b") == []


def test_who_comes_later_sees_each_sentence_once_and_in_order(browser: webdriver.Chrome, server: Server) -> None:
    tell(server, started(), final(0, "won"), final(1, "too"), final(2, "free"), revised(0, "One."), revised(1, ""))
    browser.get(server.url)
    wait(lambda: texts(browser, ".caption") == ["One.", "free"])
    assert browser.execute_script(CHANGED) == [], "nobody saw it change"
    tell(server, revised(2, "Three."))
    wait(lambda: texts(browser, ".caption") == ["One.", "Three."])


def test_what_is_being_read_does_not_jump(browser: webdriver.Chrome, server: Server) -> None:
    """A sentence above it becomes longer by lines."""
    browser.get(server.url)
    tell(server, started(), *(final(number, f"caption {number}") for number in range(60)))
    wait(lambda: len(texts(browser, ".caption")) == 60)
    place = "return document.querySelectorAll('.caption')[40].getBoundingClientRect().top"
    browser.execute_script("document.querySelectorAll('.caption')[40].scrollIntoView({block: 'center'})")
    wait(lambda: 0 < browser.execute_script(place) < 700)
    before = browser.execute_script(place)
    tell(server, revised(20, "word " * 100), revised(41, "Caption 41."))
    wait(lambda: "Caption 41." in texts(browser, ".caption"))
    wait(lambda: abs(browser.execute_script(place) - before) < 2)


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
