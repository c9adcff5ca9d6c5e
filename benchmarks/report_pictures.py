"""Pictures of a report, as a browser shows it on a desk and on a phone, in light and dark.

Each part of the page becomes a file of its own: what the window shows first, the head, and the
sections that are named. Chromium without a window draws them, a phone's with two pixels for one; a
picture larger than wanted is reduced to a palette of colours.

Example, the pictures of the guide to reports:
  S="--preset-size tiny --seeds 3 --set training.validation_share=0.2"
  skeletonagent train utd-mhad --data utd_mhad --out runs/guided $S
  skeletonagent train utd-mhad --data utd_mhad --out runs/unguided $S --chat none
  skeletonagent report runs/guided runs/unguided --out report.html
  python -m benchmarks.report_pictures report.html --out docs/images
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image
from playwright.sync_api import sync_playwright

from skeletonagent.core.files import write_atomically

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TOP, HEAD = "top", "head"
"""Names of what the window shows first, and of what is above the sections."""
PARTS = (TOP, "curves", "classes", "matrix", "player", "record")
HEIGHTS = {1440: 1000, 390: 844}
"""Height of the window by its width, in pixels."""
PHONE = 600
"""Width of the window below which the device has two pixels for one of the page."""


def main(
    report: Annotated[Path, typer.Argument(help="Report that 'skeletonagent report' wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("docs/images"),
    parts: Annotated[str, typer.Option(help="Parts of the page, with commas.")] = ",".join(PARTS),
    widths: Annotated[str, typer.Option(help="Widths of the window in pixels.")] = "1440,390",
    themes: Annotated[str, typer.Option(help="light or dark, or both.")] = "light,dark",
    kilobytes: Annotated[int, typer.Option(min=1, help="Size of a file at most.")] = 150,
    tallest: Annotated[int, typer.Option(min=1, help="Height of a part at most.")] = 1400,
) -> None:
    """Draw the parts and write PART-WIDTH-THEME.png for each."""
    browser_path: Any = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for width in map(int, widths.split(",")):
            for theme in themes.split(","):
                options: Any = {"color_scheme": theme, "reduced_motion": "reduce"}
                options["device_scale_factor"] = 2 if width < PHONE else 1
                size: Any = {"width": width, "height": HEIGHTS.get(width, 1000)}
                context = browser.new_context(viewport=size, **options)
                page = context.new_page()
                page.goto(report.resolve().as_uri())
                page.wait_for_selector("html[data-drawn]")
                for part in parts.split(","):
                    name = f"report-{part}-{width}-{theme}.png"
                    picture = _picture(page, part, width, tallest)
                    with write_atomically(out / name) as file:
                        file.write(reduced_picture(picture, kilobytes))
                    typer.echo(f"{out / name}: {(out / name).stat().st_size / 1000:.0f} kB")
                context.close()
        browser.close()


def _picture(page: Any, part: str, width: int, tallest: int) -> bytes:
    """Return a part of the page as PNG."""
    if part == TOP:
        page.evaluate("scrollTo(0, 0)")
        shown: bytes = page.screenshot()
        return shown
    place = page.locator(".masthead" if part == HEAD else f"#{part}")
    box = place.bounding_box()
    page.evaluate("document.querySelector('nav').style.position = 'static'")
    clip = {"x": 0, "y": box["y"] + page.evaluate("scrollY"), "width": width,
            "height": min(box["height"] + (0 if part == HEAD else 24), tallest)}  # fmt: skip
    picture: bytes = page.screenshot(full_page=True, clip=clip)
    return picture


def reduced_picture(picture: bytes, kilobytes: int) -> bytes:
    """Return a picture as PNG with as many colours as fit, all of them if they do."""
    for colours in (None, 256, 64, 24):
        image = Image.open(io.BytesIO(picture)).convert("RGB")
        if colours:
            image = image.quantize(colours, dither=Image.Dither.NONE)
        small = io.BytesIO()
        image.save(small, "PNG", optimize=True)
        if small.tell() <= 1000 * kilobytes:
            break
    return small.getvalue()


if __name__ == "__main__":
    typer.run(main)
