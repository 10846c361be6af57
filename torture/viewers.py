"""Browsers that come all at once: each loads a page and what belongs to it, and then polls."""

import asyncio
import re
import time

from served import Served

from torture.load import POLL

PAGE = "/dashboard/server/"
LIMIT_S = 60.0
AGAIN_S = 0.5  # until a page is loaded again that did not come


def files_of(server: Served) -> list[str]:
    """Return what a browser asks for to show the dashboard: its scripts and styles, its figures, its samples."""
    page = server.ask(PAGE).body.decode()
    static = re.findall(r'(?:src|href)="\.\./\.\./(static/[^"]+\.(?:js|css))"', page)
    [document] = re.findall(r'data-document="([^"]+)"', page)
    return [
        PAGE,
        *(f"/{one}" for one in static),
        f"/{document.replace('$theme', 'dark')}",
        "/feeds/server/window.json",
        POLL,
    ]


async def come(port: int, count: int, paths: list[str]) -> list[float]:
    """Have so many come now; returns after how many seconds each had everything, of those who had it in a minute."""
    took = await asyncio.gather(*(_come(port, paths) for _ in range(count)))
    return sorted(one for one in took if one < LIMIT_S)


async def _come(port: int, paths: list[str]) -> float:
    started = time.monotonic()
    while time.monotonic() - started < LIMIT_S:
        try:
            async with asyncio.timeout(LIMIT_S):
                if await _load(port, paths):
                    return time.monotonic() - started
        except (OSError, EOFError):
            pass
        await asyncio.sleep(AGAIN_S)
    return LIMIT_S


async def _load(port: int, paths: list[str]) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        return all([await _ask(reader, writer, path) == 200 for path in paths])
    finally:
        writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head[9:12])
