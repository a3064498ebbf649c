"""The Jobs pages in a real browser: what they show is read from pixels and text, what they do from the database."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from broker_fixtures import missing
from browser import NoBrowser, Page, browser, find_chromium
from farm import Farm, farm, sheet, speakable, wait_until
from numpy.typing import NDArray
from rabbitmq import free_port

GREEN, RED = (0x2F, 0x9E, 0x6E), (0xCF, 0x44, 0x36)
AUTH = "night:watch"


@pytest.fixture
def running(tmp_path: Path, database_url: str, broker_url: str) -> Iterator[Farm]:
    with farm(tmp_path / "farm", database_url, broker_url, VOICEFARM_FLOWER_AUTH=AUTH) as made:
        yield made


@pytest.fixture
def page() -> Iterator[Page]:
    try:
        find_chromium()
    except NoBrowser as error:
        missing(str(error))
    with browser() as tab:
        yield tab


@pytest.fixture
def job(running: Farm, tmp_path: Path) -> int:
    """A job with one line that failed for good and one whose failure is over when it is retried."""
    texts = [speakable(number, "{dur=300}") for number in range(10)]
    texts[3] = f"{{once=bad-text:{tmp_path / 'failed-once'}}} <b>unreadable</b> once"
    running.scheduler()
    running.worker()
    running.post()
    number = running.submit(sheet(tmp_path / "story.csv", texts), "--title", "A <Story> & more")
    wait_until(lambda: running.count(number, "failed") == 1 and running.done(number) == 9, "nine lines and a failure")
    return number


def flower(running: Farm) -> str:
    """Start Flower; returns its address."""
    port = free_port()
    running.start("flower", "flower", "--port", str(port))

    def up() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=2):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            return False

    wait_until(up, "Flower to answer", 30)
    return f"http://127.0.0.1:{port}"


def authenticate(page: Page) -> None:
    token = base64.b64encode(AUTH.encode()).decode()
    page.call("Network.enable")
    page.call("Network.setExtraHTTPHeaders", headers={"Authorization": f"Basic {token}"})


def share(pixels: NDArray[np.uint8], box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> float:
    """Part of the middle row of a box that has a colour, 0 … 1."""
    x, y, width, height = box
    row = pixels[y + height // 2, x : x + width].astype(int)
    return float(np.mean(np.all(np.abs(row - np.array(colour)) < 24, axis=1)))


def test_jobs_are_shown_and_a_retry_has_its_effect(running: Farm, job: int, page: Page, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("VF_SCREENSHOTS", tmp_path))
    address = flower(running)
    authenticate(page)

    page.open(f"{address}/jobs")
    assert page.eval("document.querySelector('.app-nav .nav-link.active').textContent.trim()") == "Jobs"
    assert page.eval("document.querySelectorAll('section[data-job]').length") == 1
    card = page.eval("document.querySelector('section[data-job]').innerText")
    assert "A <Story> & more" in card
    assert "9 of 10 lines, 1 failed" in card
    pixels = page.screenshot(pictures / "jobs.png")
    bar = page.box("section[data-job] .farm-bar")
    assert share(pixels, bar, GREEN) == pytest.approx(0.9, abs=0.03)
    assert share(pixels, bar, RED) == pytest.approx(0.1, abs=0.03)

    page.open(f"{address}/jobs/{job}")
    assert page.eval("document.querySelectorAll('#sections tbody tr').length") == 2
    row = page.eval("document.querySelector('#lines-attention tbody tr').innerText")
    assert "<b>unreadable</b> once" in row
    assert "bad_text" in row
    chapter = "#sections tbody tr[data-section='1'] .farm-bar"
    pixels = page.screenshot(pictures / "job.png")
    assert share(pixels, page.box(chapter), GREEN) == pytest.approx(0.8, abs=0.05)
    assert share(pixels, page.box(chapter), RED) == pytest.approx(0.2, abs=0.05)
    assert take_plays(page)

    page.click("#lines-attention button[name='retry']")
    assert running.wait(job).state == "delivered"
    page.wait_for("document.querySelector('#live .state').textContent === 'delivered'")
    page.wait_for("document.querySelectorAll('#files tbody tr').length > 3")
    assert page.eval("document.querySelector('#lines-attention')") is None
    pixels = page.screenshot(pictures / "job-delivered.png")
    assert share(pixels, page.box(".farm-bar"), GREEN) == pytest.approx(1.0, abs=0.02)


def take_plays(page: Page) -> bool:
    """Whether the browser can load the first take of the page, 300 ms long."""
    return bool(
        page.eval(
            "new Promise((resolve) => { const a = document.querySelector('#lines-all audio'); a.preload = 'auto';"
            " a.onloadedmetadata = () => resolve(Math.abs(a.duration - 0.3) < 0.05); a.onerror = () => resolve(false);"
            " a.load(); })"
        )
    )


def test_pause_and_cancel(running: Farm, page: Page, tmp_path: Path) -> None:
    running.scheduler()  # no worker: the lines stay pending
    job = running.submit(sheet(tmp_path / "idle.csv", [speakable(number) for number in range(4)]))
    address = flower(running)
    authenticate(page)
    page.open(f"{address}/jobs")
    page.click("button[name='pause']")
    page.wait_for("document.querySelector('.state').textContent === 'paused'")
    assert running.job(job).production_state == "paused"
    page.click("button[name='resume']")
    page.wait_for("document.querySelector('.state').textContent === 'active'")
    page.eval("window.confirm = () => true")
    page.click("button[name='cancel']")
    page.wait_for("document.querySelector('.state').textContent === 'cancelled'")
    assert running.count(job, "cancelled") == 4


def test_flowers_task_list_reads_production_chapter_line_voice(running: Farm, page: Page, tmp_path: Path) -> None:
    address = flower(running)
    authenticate(page)
    page.open(f"{address}/tasks")
    running.scheduler()
    running.worker()
    running.post()
    script = sheet(tmp_path / "named.csv", [speakable(number, "{dur=100}") for number in range(4)], chapters=1)
    job = running.submit(script, "--title", "Named Tale")
    assert running.wait(job).state == "delivered"
    wait_until(lambda: _tasks_text(page, address), "the tasks in Flower", 30, 1.0)


def _tasks_text(page: Page, address: str) -> bool:
    page.open(f"{address}/tasks?again")
    page.wait_for("document.querySelectorAll('#tasks-table tbody tr').length > 0")
    text = str(page.eval("document.querySelector('#tasks-table').innerText"))
    return re.search(r"Named Tale · 01 Chapter 1 · \d · fake-1", text) is not None


def test_the_pages_are_behind_flowers_login_and_refuse_foreign_posts(running: Farm, job: int) -> None:
    address = flower(running)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/jobs", timeout=10)
    refused.value.close()
    assert refused.value.code == 401
    token = base64.b64encode(AUTH.encode()).decode()
    foreign = urllib.request.Request(
        f"{address}/jobs/{job}/cancel", data=b"from=jobs", headers={"Authorization": f"Basic {token}"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(foreign, timeout=10)
    refused.value.close()
    assert refused.value.code == 403
    assert running.job(job).state == "active"
    with running.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT count(*) FROM event WHERE to_state = 'cancelled'")) == 0


def test_an_open_address_needs_a_password(running: Farm) -> None:
    environment = {key: value for key, value in running.environment.items() if key != "VOICEFARM_FLOWER_AUTH"}
    done = subprocess.run(
        [sys.executable, "-m", "scheduler.cli", "flower", "--address", "0.0.0.0", "--port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "VOICEFARM_FLOWER_AUTH" in done.stderr
