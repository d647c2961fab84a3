"""Headless Chromium, driven over its DevTools protocol: a page as a person would see and use it."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import websocket

from tests.servers import skip_or_fail

TIMEOUT_S = 30
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)
KEYS = {
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "Tab": 9,
    " ": 32,
}


@contextlib.contextmanager
def running_chromium():
    """A fresh Chromium without a profile, ended with all its processes."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        skip_or_fail("Chromium is not installed: .ci/install does that")
    with tempfile.TemporaryDirectory(prefix="ci-gate-chromium-", ignore_cleanup_errors=True) as folder:
        command = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                with contextlib.closing(Browser(_find_address(Path(folder), process))) as browser:
                    yield browser
                    browser.call("Browser.close")
                process.wait(TIMEOUT_S)
            finally:
                process.kill()


def _find_address(folder: Path, process: subprocess.Popen[bytes]) -> str:
    file, give_up = folder / "DevToolsActivePort", time.monotonic() + TIMEOUT_S
    while time.monotonic() < give_up and process.poll() is None:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start: {process.poll()}")


class Browser:
    """The connection: commands, and every event that came meanwhile."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=TIMEOUT_S, suppress_origin=True)
        self._numbers = itertools.count(1)
        self.events: list[dict] = []

    def call(self, method: str, session: str | None = None, **parameters):
        number = next(self._numbers)
        to = {"sessionId": session} if session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters, **to}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append(message)

    @contextlib.contextmanager
    def open(self, path: Path, *, width=1280, height=900, dark=False, javascript=True):
        """The page at ``path`` once it is ready, in a tab of its own."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        page.prefer("dark" if dark else "light")
        page.call("Emulation.setScriptExecutionDisabled", value=not javascript)
        page.load(path)
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)

    def close(self) -> None:
        self._socket.close()


class Page:
    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def call(self, method: str, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def load(self, path: Path) -> None:
        self.call("Page.navigate", url=path.as_uri())
        give_up = time.monotonic() + TIMEOUT_S
        while not self.events("Page.loadEventFired"):
            assert time.monotonic() < give_up, "the page did not load"
            self.call("Runtime.evaluate", expression="1")
            time.sleep(0.01)

    def resize(self, width: int, height: int) -> None:
        is_phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )

    def prefer(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def run(self, expression: str):
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        text = {"Enter": "\r"}.get(key)
        more = {"text": text} if text else {}
        self.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key=key,
            code=key,
            windowsVirtualKeyCode=KEYS[key],
            **more,
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def click(self, selector: str) -> None:
        """A real click in the middle of the first element that matches."""
        place = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{place}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        x, y = self.run(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({place}.getBoundingClientRect())")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def events(self, *methods: str) -> list[dict]:
        return [
            event["params"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] in methods
        ]

    @property
    def complaints(self) -> list[dict]:
        """Everything on the console, every uncaught exception, and every line of the browser's log."""
        self.run("1")
        return self.events("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

    @property
    def requests(self) -> list[str]:
        """The address of everything that was asked for beside the page itself."""
        self.run("1")
        sent = self.events("Network.requestWillBeSent")
        return [each["request"]["url"] for each in sent if each["type"] != "Document"]
