"""The playground in a real browser: Chromium without a window, driven as a person would.

SCREENSHOTS=folder keeps a picture of what each test ends with.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from conftest import RunningServer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

# Longer than any of these tests needs to act while it is written.
LONG = 1900


class Page:
    """The playground in a window of its own."""

    def __init__(self, url: str, width: int = 1280, height: int = 1000, dark: bool = False) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        # No sandbox: containers run the tests as root.
        for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"))
        self.url = url
        self.browser = webdriver.Chrome(options=options, service=service)
        # Narrower than a window may be: a phone.
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.browser.get(url)
        self.wait(lambda: "sizes" in self["model"].text, "the model's description")

    def __getitem__(self, name: str) -> WebElement:
        return self.browser.find_element(By.ID, name)

    def command(self, name: str, **parameters: object) -> None:
        self.browser.execute_cdp_cmd(name, parameters)

    def run(self, script: str) -> object:
        return self.browser.execute_script("return " + script)

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come; the page says '{self['status'].text}'"
            time.sleep(0.01)

    def set(self, name: str, value: object) -> None:
        """Types a value and leaves the field."""
        self[name].clear()
        self[name].send_keys(str(value) + Keys.TAB)

    def slide(self, size: int) -> None:
        """Moves the slider by its keys; 0 is auto."""
        self["chains"].send_keys(Keys.HOME + Keys.ARROW_RIGHT * size)

    def write(self, prompt: str | None = None) -> None:
        if prompt is not None:
            self.set("prompt", prompt)
        # On a phone the slider stays above what scrolls.
        self.run("document.getElementById('send').scrollIntoView({block: 'center'})")
        self["send"].click()

    @property
    def sizes(self) -> list[int]:
        """The chain count that each token shows."""
        return self.run("[...document.querySelectorAll('#answer .token')].map((t) => +/\\bk(\\d)/.exec(t.className)[1])")

    @property
    def is_writing(self) -> bool:
        return self["stop"].is_enabled()

    def finish(self) -> None:
        self.wait(lambda: not self.is_writing, "the end of the answer")

    def picture(self, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(Path(folder) / f"{name}.png"))

    def requests(self) -> list[dict]:
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        return [e["params"]["request"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """Errors and warnings of the console: of scripts, and of the policy. Answers with an error status are none of ours."""
        entries = [e for e in self.browser.get_log("browser") if e["level"] in ("WARNING", "SEVERE")]
        return [e["message"] for e in entries if "Failed to load resource" not in e["message"]]


@pytest.fixture
def page(server: RunningServer) -> Iterator[Page]:
    page = Page(server.url)
    yield page
    complaints = page.complaints()
    page.browser.quit()
    assert complaints == []


def test_tokens_show_their_chains(page: Page) -> None:
    page.set("tokens", 40)
    for size in [1, 3]:
        page.slide(size)
        page.write("Once upon a time")
        page.finish()
        assert set(page.sizes) == {size}
        assert len(page.sizes) == int(page["count"].text) > 10
        token = page.browser.find_elements(By.CSS_SELECTOR, "#answer .token")[3]
        assert token.get_attribute("title").startswith(f"{size} chain")
        assert page["answer"].text.startswith("Once upon a time")
    looks = [page.run(f"getComputedStyle(document.querySelector('#legend .k{k}')).borderBottomStyle") for k in range(1, 5)]
    assert looks == ["dotted", "dashed", "solid", "double"], "they differ for those who see no colours, too"
    assert "ms" in page["first"].text and "/s" in page["speed"].text and "ms" in page["whole"].text
    assert page["cached"].text.startswith("5 ") and page["cached"].text.endswith(" cached")
    assert "Reached the most tokens" in page["status"].text


def test_the_answer_is_the_servers(page: Page, http: httpx.Client) -> None:
    page.set("tokens", 30)
    page.set("temperature", 0.7)
    page.set("seed", 11)
    page.slide(2)
    page.write("The ship")
    page.finish()
    wanted = {"prompt": "The ship", "max_tokens": 30, "temperature": 0.7, "seed": 11, "chains": 2}
    text = http.post("/v1/completions", json=wanted).json()["choices"][0]["text"]
    assert page.run("document.getElementById('answer').textContent") == "The ship" + text


def test_moving_the_slider_changes_the_tokens_that_follow(page: Page) -> None:
    page.set("tokens", LONG)
    page.slide(4)
    page.write("Once upon a time")
    page.wait(lambda: len(page.sizes) > 20, "the first tokens")
    page["chains"].send_keys(Keys.ARROW_LEFT * 3)
    assert page["size"].text == "1 chain"
    page.wait(lambda: page.sizes[-1] == 1, "a token of one chain")
    page.picture("streaming")
    page["chains"].send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: page.sizes[-1] == 2, "a token of two chains")
    page["chains"].send_keys(Keys.HOME)
    assert page["size"].text == "auto"
    page.wait(lambda: page.sizes[-1] == 4, "a token of the largest size")
    page["stop"].click()
    page.finish()
    sizes = page.sizes
    assert sizes[0] == 4 and sizes.index(1) < len(sizes) - sizes[::-1].index(2)
    assert page["error"].text == ""


def test_stop(page: Page, http: httpx.Client) -> None:
    page.set("tokens", LONG)
    page.write()
    page.wait(lambda: len(page.sizes) > 5, "the first tokens")
    page["prompt"].send_keys(Keys.ESCAPE)
    page.finish()
    assert page["status"].text == "Stopped."
    assert len(page.sizes) < LONG

    def running() -> bool:
        return "catena_requests_running 0" in http.get("/metrics").text

    page.wait(running, "the end of the request in the server", seconds=10)


def test_keys(page: Page) -> None:
    page.set("tokens", 5)
    page["prompt"].send_keys(Keys.CONTROL + Keys.ENTER)
    page.wait(lambda: len(page.sizes) > 0, "tokens")
    page.finish()
    names = "[...document.querySelectorAll('input, textarea')].filter((e) => !e.labels.length).map((e) => e.id)"
    assert page.run(names) == [], "every field has a label"
    page["prompt"].send_keys(Keys.TAB)
    assert page.run("document.activeElement.id") == "send"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page["status"].get_attribute("role") == "status"
    assert page["error"].get_attribute("role") == "alert"


def test_stop_string(page: Page) -> None:
    page.set("ending", "e")
    page.write("Once upon a tim")
    page.finish()
    text = page.run("document.getElementById('answer').textContent")
    assert "e" not in text.removeprefix("Once upon a tim") and "Finished" in page["status"].text


def test_budget_that_cannot_be_met(page: Page) -> None:
    page.set("budget", 1)
    page.set("tokens", 500)
    page.write()
    page.finish()
    assert "The budget cannot be met" in page["error"].text
    assert "status 503 · code deadline_unattainable · field latency_budget_ms" in page["error"].text
    page.picture("error")
    assert page.run("document.getElementById('answer').textContent") == ""


def test_when_to_try_again() -> None:
    running = RunningServer("--set", "scheduler.max_running=1", "--set", "scheduler.max_queued=1")
    page = Page(running.url)
    long = {"prompt": "Once", "max_tokens": LONG, "ignore_eos": True, "stream": True}
    with httpx.Client(base_url=running.url, timeout=60) as client, client.stream("POST", "/v1/completions", json=long) as first:
        assert first.status_code == 200
        post = {"url": running.url + "/v1/completions", "json": long, "timeout": 60}
        waiting = threading.Thread(target=httpx.post, kwargs=post)
        waiting.start()
        page.wait(lambda: "catena_requests_waiting 1" in client_metrics(running), "a request that waits")
        page.write()
        page.finish()
        assert "status 503 · code server_is_overloaded · try again in " in page["error"].text
    waiting.join()
    page.browser.quit()
    assert running.stop() == 0


def client_metrics(running: RunningServer) -> str:
    return httpx.get(running.url + "/metrics").text


def test_a_key_is_sent_and_kept_nowhere(page: Page) -> None:
    page.browser.find_element(By.TAG_NAME, "summary").click()
    page.set("key", "secret-1")
    page.set("tokens", 3)
    page.write()
    page.finish()
    sent = [r["headers"].get("Authorization") for r in page.requests() if r["url"].endswith("/v1/completions")]
    assert sent == ["Bearer secret-1"]
    assert page.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_budget_decides_the_size(page: Page, http: httpx.Client) -> None:
    page.set("tpot", 0)
    page.write()
    page.finish()
    assert "'slo.tpot_ms' must be a number of milliseconds" in page["error"].text
    page.set("tpot", 60_000)
    page.set("tokens", 10)
    page.write()
    page.finish()
    assert page["error"].text == "" and len(page.sizes) > 0
    assert "largest size allowed" in page["status"].text or "keeps the budget" in page["status"].text


def test_session(page: Page) -> None:
    page.set("tokens", 20)
    page["session"].click()
    page.write("Once upon a time")
    page.finish()
    first = page.run("document.getElementById('answer').textContent")
    assert page["prompt"].get_attribute("value") == ""
    page.write(" Then")
    page.finish()
    assert page.run("document.getElementById('answer').textContent").startswith(first + " Then")
    prompt, cached, _ = page["cached"].text.split()
    assert int(cached) >= 20 and int(prompt) > int(cached)
    page["session"].click()
    page.write("Once")
    page.finish()
    assert page.run("document.getElementById('answer').textContent").startswith("Once")


def test_quality(page: Page, http: httpx.Client) -> None:
    quality = http.get("/v1/models").json()["data"][0]["quality"]
    rows = [row.text.split() for row in page.browser.find_elements(By.CSS_SELECTOR, "#quality tr")]
    assert [row[0] for row in rows] == [str(entry["chains"]) for entry in quality]
    assert [row[-1] for row in rows] == [f"{entry['perplexity']:.2f}" for entry in quality]


def test_nothing_is_asked_of_others(page: Page, server: RunningServer) -> None:
    page.set("tokens", 5)
    page.write()
    page.finish()
    requests = [request["url"] for request in page.requests()]
    assert f"{server.url}/v1/completions" in requests
    assert [url for url in requests if not url.startswith((server.url + "/", "data:"))] == []
    # What gets into the page does not run, and the browser says why: the policy works.
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.mine = 1'}))")
    assert page.run("window.mine") is None
    assert "Content Security Policy" in "".join(page.complaints())


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_looks(server: RunningServer, width: int, dark: bool) -> None:
    page = Page(server.url, width=width, height=800 if width < 500 else 1000, dark=dark)
    page.set("tokens", 160)
    page.set("seed", 3)
    page.slide(2)
    page.write()
    page.finish()
    page.run("scrollTo(0, 0)")
    page.picture(f"{'phone' if width < 500 else 'desktop'}-{'dark' if dark else 'light'}")
    assert page.run("document.documentElement.scrollWidth") <= width, "nothing scrolls to the side"
    background = page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert (max(background) < 80) if dark else (min(background) > 200)
    assert page.complaints() == []
    page.browser.quit()


def test_turned_off() -> None:
    running = RunningServer("--set", "server.playground=false")
    assert httpx.get(running.url + "/").json()["error"]["code"] == "unknown_url"
    assert running.stop() == 0


def test_bytes_on_the_wire(http: httpx.Client) -> None:
    answer = http.get("/", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.content) / 2
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    again = http.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = http.head("/")
    assert (head.status_code, head.content) == (200, b"")
