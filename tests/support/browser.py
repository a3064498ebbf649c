"""A real Chromium, driven over its DevTools protocol with the websocket client that Tornado brings."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from tornado.websocket import WebSocketClientConnection, websocket_connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


class NoBrowser(Exception):
    """No Chromium on this machine."""


@dataclass
class Page:
    """One tab."""

    connection: WebSocketClientConnection
    loop: asyncio.AbstractEventLoop
    _ids: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a DevTools method and return its result."""
        return self.loop.run_until_complete(asyncio.wait_for(self._call(method, params), 30))

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._ids += 1
        number = self._ids
        await self.connection.write_message(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            text = await self.connection.read_message()
            if text is None:
                raise ConnectionError("the browser went away")
            message = json.loads(text)
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return dict(message["result"])
            self.events.append(message)

    def open(self, url: str) -> None:
        """Load a page and wait until it is complete."""
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def eval(self, expression: str) -> Any:
        """Value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = 20.0) -> None:
        """Poll until the expression is true."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(RuntimeError):  # the page may be between two documents
                if self.eval(expression):
                    return
            if time.monotonic() > deadline:
                raise AssertionError(f"the page never came to: {expression}\n{self.eval('document.body.innerText')}")
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """Click the middle of an element with a real mouse event."""
        point = self.eval(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block:'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], button="left", clickCount=1)

    def screenshot(self, path: Path) -> NDArray[np.uint8]:
        """Save the visible page as PNG and return its pixels: uint8, shape (height, width, 3), RGB."""
        size = self.eval("[innerWidth, innerHeight]")
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        path.write_bytes(data)
        raw = subprocess.run(
            [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
            capture_output=True,
            check=True,
        ).stdout
        return np.frombuffer(raw, np.uint8).reshape(size[1], size[0], 3)

    def box(self, selector: str) -> tuple[int, int, int, int]:
        """x, y, width and height of an element in whole pixels."""
        found = self.eval(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [r.x, r.y, r.width, r.height]; })()"
        )
        x, y, width, height = (round(value) for value in found)
        return x, y, width, height


def find_chromium() -> str:
    """The browser's program. Raises NoBrowser."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise NoBrowser("no Chromium: apt-get install --no-install-recommends chromium")


@contextlib.contextmanager
def browser(width: int = 1280, height: int = 1000) -> Iterator[Page]:
    """Start Chromium with a new profile and hand out its tab; ends it afterwards."""
    program = find_chromium()
    with tempfile.TemporaryDirectory(prefix="vf-chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": profile},
        )
        loop = asyncio.new_event_loop()
        try:
            page = loop.run_until_complete(asyncio.wait_for(_connect(Path(profile), loop), 60))
            page.call("Page.enable")
            page.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
            )
            yield page
            loop.run_until_complete(asyncio.wait_for(_leave(page.connection), 20))
        finally:
            process.terminate()
            process.wait(20)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


async def _connect(profile: Path, loop: asyncio.AbstractEventLoop) -> Page:
    port_file = profile / "DevToolsActivePort"
    while not (port_file.exists() and port_file.read_text().count("\n") >= 1):
        await asyncio.sleep(0.1)
    port, path = port_file.read_text().split("\n")[:2]
    root = Page(await websocket_connect(f"ws://127.0.0.1:{port}{path}", max_message_size=1 << 28), loop)
    target = (await root._call("Target.getTargets", {}))["targetInfos"]
    tab = next(info["targetId"] for info in target if info["type"] == "page")
    await _leave(root.connection)
    return Page(await websocket_connect(f"ws://127.0.0.1:{port}/devtools/page/{tab}", max_message_size=1 << 28), loop)


async def _leave(connection: WebSocketClientConnection) -> None:
    """Close a connection and wait until it is closed."""
    connection.close()
    while await connection.read_message() is not None:
        pass
