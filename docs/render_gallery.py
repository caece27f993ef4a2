"""Run the commands of the README's gallery and put their results on one sheet, docs/gallery.jpg.

    python docs/render_gallery.py [FOLDER]

The results and the sheet are written to FOLDER (default: the sheet to docs/, the rest nowhere).
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parent.parent
PANELS = [
    ("sample_images/coffee.jpg", ""),
    ("sample_images/coffee.jpg", "--kernel sobel"),
    ("sample_images/coffee.jpg", "--kernel sobel --gray --combine orientation"),
    ("sample_images/cat.jpg", "--kernel gaussian:sigma=4"),
    ("sample_images/cat.jpg", "--kernel motion:length=31,angle=45"),
    ("sample_images/cat.jpg", "--kernel unsharp:sigma=2,amount=3"),
    ("sample_images/test-card.png", "--kernel vertical-line"),
    ("sample_images/test-card.png", "--kernel log:sigma=2 --range stretch"),
    ("sample_images/brick.png", "--kernel emboss --flip"),
]
WIDTH, HEIGHT, CAPTION, GAP = 300, 200, 26, 10


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        panels = [
            (caption(source, options), result(source, options, Path(scratch) / f"{index}.png"))
            for index, (source, options) in enumerate(PANELS)
        ]
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    sheet(panels).save(target / "gallery.jpg", quality=88)


def caption(source: str, options: str) -> str:
    """What to type after ``cnntool convolve``."""
    return f"{Path(source).name} {options}".strip()


def result(source: str, options: str, target: Path) -> Image.Image:
    """The picture that the command makes, cut to the panel's proportions."""
    picture = ROOT / source
    if options:
        command = ["convolve", str(picture), *shlex.split(options), "-q", "-o", str(target)]
        subprocess.run([sys.executable, "-m", "cnntool", *command], check=True)
        picture = target
    with Image.open(picture) as image:
        image = image.convert("RGB")
    factor = max(WIDTH / image.width, HEIGHT / image.height)
    image = image.resize((round(image.width * factor), round(image.height * factor)))
    return image.crop((0, 0, WIDTH, HEIGHT))


def sheet(panels: list[tuple[str, Image.Image]], columns: int = 3) -> Image.Image:
    """Pictures in rows of three, each over the command that made it."""
    rows = -(-len(panels) // columns)
    size = (columns * (WIDTH + GAP) + GAP, rows * (HEIGHT + CAPTION + GAP) + GAP)
    page = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for index, (text, picture) in enumerate(panels):
        left = GAP + index % columns * (WIDTH + GAP)
        top = GAP + index // columns * (HEIGHT + CAPTION + GAP)
        page.paste(picture, (left, top))
        draw.text((left, top + HEIGHT + 5), text, fill="black", font=font)
    return page


if __name__ == "__main__":
    main()
