"""The README's pictures, of a real Apache in a real Chromium: `make screenshots`."""

import math
import time
from pathlib import Path

import served
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS

HERE = Path(__file__).parent
DAY_S = 86_400
ROOMS = {"kitchen": 21.5, "office": 22.5, "attic": 24.0}
PICTURES = (
    ("front", "", {"width": 1200, "height": 560}, "light"),
    ("rooms", "dashboard/rooms/?span=24h", {"width": 1200, "height": 800}, "dark"),
    ("explore", "explore/?series=room.temperature%7Broom%3D*%7D&span=6h", {"width": 1200, "height": 640}, "light"),
)


def samples(now: int) -> list[str]:
    """Return a day of samples, one every two minutes, as line protocol."""
    lines, energy = [], 0.0
    for at in range(now - DAY_S, now, 120):
        hour = (at % DAY_S) / 3600
        warmth = math.sin((hour - 8) / 24 * math.tau)
        for n, (room, middle) in enumerate(ROOMS.items()):
            ripple = 0.4 * math.sin(at / 900 + n * 2) + 0.15 * math.sin(at / 130 * (n + 1))
            lines.append(
                f"room,room={room} temperature={middle + 1.8 * warmth + ripple:.2f},"
                f"humidity={52 - 5 * warmth + 6 * ripple + 2 * n:.1f} {at}"
            )
        energy += max(0.0, 1.4 - 1.6 * warmth + 0.4 * math.sin(at / 1500)) * 120 / 3600
        lines.append(f"heating energy={energy:.4f} {at}")
    return lines


def take(browser: Browser, url: str) -> None:
    """Save every picture."""
    for name, path, size, theme in PICTURES:
        page = browser.new_page(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
        page.goto(url + path)
        page.wait_for_timeout(5_000)  # some samples of the server's own
        page.screenshot(path=HERE / f"{name}.png")
        page.close()


def main() -> None:
    """Serve, push, and take the pictures."""
    server = served.start(TIDEGAUGE_DASHBOARDS=str(HERE / "dashboards"))
    try:
        body = "\n".join(samples(int(time.time()))).encode()
        headers = {"Authorization": f"Bearer {served.TOKEN}"}
        answer = server.ask("/api/v2/write?precision=s", "POST", body, **headers)
        assert answer.status == 204, answer.body  # noqa: S101
        time.sleep(20)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            take(browser, server.url)
            browser.close()
    finally:
        served.stop(server)


if __name__ == "__main__":
    main()
