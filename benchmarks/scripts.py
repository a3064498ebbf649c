"""How fast scripts are read, stored and compared, and how much memory that takes.

    python benchmarks/scripts.py [--rows 100000] [--epub-mb 5] [--versions 20000] [--json]

A sheet of 100,000 rows from the file to the commit (in a real Postgres, whose own memory does not count), an EPUB of
5 MB of text, and the difference of two versions of a script of 20,000 lines. Each runs in a process of its own; memory
is that process's peak (VmHWM). Times are by the clock, and for the sheet of the processor as well, which is what
tells on a machine that does other things. A peer of the same run reads the same rows with the csv module, or the same
XHTML with lxml, and does nothing with them: machines differ, the ratio less.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VOCABULARY = """
    the river house candle seven winter paper lantern north harbour stone garden letter window story morning silver
    quiet bridge answer shadow market teacher mountain ocean simple yellow brother music travel little never always
"""
WORDS = VOCABULARY.split()
NAMES = ("MARA", "Old Tom", "The Fox", "Ines", "Guard", "Captain Roy", "Lena")


def sentence(luck: random.Random, words: int) -> str:
    """A sentence of that many words."""
    return " ".join(luck.choice(WORDS) for _ in range(words)).capitalize() + "."


def make_sheet(path: Path, rows: int) -> None:
    """A dubbing sheet: cue, reel, character, times, original and translation."""
    luck = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(("Cue", "Reel", "Character", "In", "Out", "Original", "Translation", "Lip notes"))
        for number in range(rows):
            start = number * 3
            sheet.writerow((
                f"C{number:06}",
                f"R{number // 500 + 1}",
                luck.choice(NAMES),
                f"{start // 3600:02}:{start // 60 % 60:02}:{start % 60:02}.{number % 1000:03}",
                f"{(start + 2) // 3600:02}:{(start + 2) // 60 % 60:02}:{(start + 2) % 60:02}.500",
                sentence(luck, 6),
                sentence(luck, luck.randint(3, 14)),
                "labial" if number % 7 == 0 else "",
            ))  # fmt: skip


def make_epub(path: Path, megabytes: float) -> None:
    """An EPUB 3 of that much XHTML, 60 chapters."""
    luck = random.Random(2)
    chapters = 60
    share = int(megabytes * 1_000_000 / chapters)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        book.writestr(
            "META-INF/container.xml",
            '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="b.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        )
        items = "".join(
            f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(chapters)
        )
        spine = "".join(f'<itemref idref="c{n}"/>' for n in range(chapters))
        links = "".join(f'<li><a href="c{n}.xhtml">Chapter {n + 1}</a></li>' for n in range(chapters))
        book.writestr(
            "b.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A Long Book</dc:title><dc:language>en</dc:language>'
            '<dc:identifier id="i">x</dc:identifier></metadata><manifest><item id="n" href="nav.xhtml" properties="nav"'
            f' media-type="application/xhtml+xml"/>{items}</manifest><spine>{spine}</spine></package>',
        )
        head = (
            '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head>'
        )
        book.writestr("nav.xhtml", f'{head}<body><nav epub:type="toc"><ol>{links}</ol></nav></body></html>')
        for number in range(chapters):
            body = [f"<h1>Chapter {number + 1}</h1>"]
            size = 0
            while size < share:
                body.append("<p>" + " ".join(sentence(luck, luck.randint(5, 20)) for _ in range(5)) + "</p>")
                size += len(body[-1])
            book.writestr(f"c{number}.xhtml", f"{head}<body>{''.join(body)}</body></html>")


class Stages:
    """Time by the clock and of the processor, stage by stage."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def end(self, name: str) -> None:
        """Note what passed since the stage before."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.found |= {f"{name}_seconds": wall - self._wall, f"{name}_cpu_seconds": cpu - self._cpu}
        self._wall, self._cpu = wall, cpu


def child_sheet(path: Path, url: str) -> dict[str, Any]:
    """Read, cast, plan and commit a sheet; the processor time is this process's, the server has its own."""
    from db.queries import imports, voices
    from db.session import make_engine
    from scheduler.local.order import Order, plan, read

    database = make_engine(url, pool_size=1)
    order = Order(source=path, engine="draft", out=str(path.parent / "out"))
    stages = Stages()
    document = read(order)
    stages.end("parsed")
    with database.begin() as conn:
        made = plan(order, document, voices.list_voices(conn, "draft"), None)
        stages.end("planned")
        result = imports.import_script(conn, made)
    stages.end("committed")
    database.dispose()
    found = stages.found
    seconds = sum(found[f"{name}_seconds"] for name in ("parsed", "planned", "committed"))
    cpu = sum(found[f"{name}_cpu_seconds"] for name in ("parsed", "planned", "committed"))
    per_thousand = 1_000_000 * cpu / max(result.lines, 1)
    return {"lines": result.lines, "seconds": seconds, "cpu_seconds": cpu, "cpu_ms_per_1000": per_thousand, **found}


def child_epub(path: Path) -> dict[str, Any]:
    """Read an EPUB."""
    from scheduler.scripts.registry import read_script

    began = time.perf_counter()
    document = read_script(path)
    return {"lines": document.line_count, "seconds": time.perf_counter() - began}


def child_diff(count: int) -> dict[str, Any]:
    """Compare two versions: a tenth of the lines changed, some moved, some added, and short answers that repeat."""
    from scheduler.diffing import NewLine, OldLine, diff
    from scheduler.scripts.keys import LineKeys

    luck = random.Random(3)
    texts = [sentence(luck, luck.randint(4, 14)) if luck.random() > 0.2 else "Yes." for _ in range(count)]
    changed = [text if luck.random() > 0.1 else sentence(luck, 8) for text in texts]
    block = changed[count // 4 : count // 4 + 200]
    del changed[count // 4 : count // 4 + 200]
    changed[count // 2 : count // 2] = [*block, *(sentence(luck, 9) for _ in range(100))]

    def version(made: type[NewLine], said: list[str]) -> list[NewLine]:
        keys = LineKeys()
        return [
            made(keys.of_text(f"s{at // 100}", text), f"s{at // 100}", text, text, "narrator", "v@1", "en", 350)
            for at, text in enumerate(said)
        ]

    old, new = version(OldLine, texts), version(NewLine, changed)
    began = time.perf_counter()
    found = diff(old, new)  # type: ignore[arg-type]  # made as OldLine above
    seconds = time.perf_counter() - began
    return {
        "lines": count,
        "seconds": seconds,
        "counts": {status.value: count for status, count in found.counts.items()},
    }


def peak_mb() -> float:
    """Most memory this process ever had resident, in megabytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def peer(work: Callable[[], object]) -> float:
    """Seconds of a piece of work."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def read_rows(path: Path) -> int:
    """All rows of a CSV, as the standard library reads them."""
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.reader(file))


def parse_pages(path: Path) -> int:
    """All XHTML of an EPUB, as lxml parses it."""
    from lxml import etree

    with zipfile.ZipFile(path) as book:
        pages = [book.read(name) for name in book.namelist() if name.endswith(".xhtml")]
    return sum(len(etree.fromstring(page)) for page in pages)


def run_child(*arguments: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode != 0:
        raise SystemExit(f"{arguments[0]} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, in one run."""
    sys.path.insert(0, str(ROOT))
    from db import migrate
    from db.server import EmbeddedPostgres
    from db.session import make_engine
    from scheduler.local.voices import register_builtin_voices

    with tempfile.TemporaryDirectory(prefix="vf-scripts-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        sheet, book = folder / "sheet.csv", folder / "book.epub"
        make_sheet(sheet, options.rows)
        make_epub(book, options.epub_mb)
        server = EmbeddedPostgres(folder / "postgres")
        try:
            url = server.start()
            migrate.upgrade(url)
            engine = make_engine(url, pool_size=1)
            with engine.begin() as conn:
                register_builtin_voices(conn)
            engine.dispose()
            result = {"sheet": run_child("sheet", str(sheet), url)}
        finally:
            server.remove()
        result["epub"] = run_child("epub", str(book))
        result["diff"] = run_child("diff", str(options.versions))
        result["sheet"]["peer_csv_seconds"] = peer(lambda: read_rows(sheet))
        result["epub"]["peer_lxml_seconds"] = peer(lambda: parse_pages(book))
    return result


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the sheet")
    parser.add_argument("--epub-mb", type=float, default=5.0, help="megabytes of XHTML in the EPUB")
    parser.add_argument("--versions", type=int, default=20_000, help="lines of each of the two versions")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, *arguments = options.child
        if what == "sheet":
            found = child_sheet(Path(arguments[0]), arguments[1])
        elif what == "epub":
            found = child_epub(Path(arguments[0]))
        else:
            found = child_diff(int(arguments[0]))
        print(json.dumps(found | {"peak_mb": round(peak_mb(), 1)}))
        return
    result = measure(options)
    if options.json:
        print(json.dumps(result))
        return
    for name, values in result.items():
        print(name, ", ".join(f"{key} {value:.2f}" if isinstance(value, float) else f"{key} {value}"
                              for key, value in values.items()))  # fmt: skip


if __name__ == "__main__":
    main()
