"""Animations: every frame, whole, in order, with its time."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image as Pillow

from cnntool.errors import InputError
from cnntool.files.image import Frame, Image, Metadata
from cnntool.files.images import open_image, probe_image, save_image


def animation(count=4, channels=3, alpha=False, durations=None, loop=0, seed=0):
    """Frames of few colours, so that GIF is exact; the second and third are equal."""
    random = np.random.default_rng(seed)
    frames = []
    for index in range(count):
        if index == 2:
            pixels, mask = frames[1].pixels, frames[1].alpha
        else:
            colors = random.integers(0, 256, (200, channels)).astype(np.uint8)
            pixels = colors[random.integers(0, 200, (20, 30))]
            mask = (random.integers(0, 2, (20, 30)) * 255).astype(np.uint8) if alpha else None
        frames.append(Frame(pixels, mask, durations[index] if durations else 40))
    return Image(tuple(frames), 255.0, "GIF", Metadata(loop=loop))


def saved(image, format):
    buffer = io.BytesIO()
    save_image(image, buffer, format=format)
    return buffer.getvalue()


def assert_same_frames(back, image):
    assert len(back.frames) == len(image.frames)
    for before, after in zip(image.frames, back.frames, strict=True):
        if before.alpha is None:
            np.testing.assert_array_equal(after.pixels, before.pixels)
            assert after.alpha is None
        else:
            seen = before.alpha > 0
            np.testing.assert_array_equal(after.alpha, before.alpha)
            np.testing.assert_array_equal(after.pixels[seen], before.pixels[seen])


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("format", ["GIF", "PNG"])
def test_every_frame_comes_back_in_order_with_its_time(format, alpha):
    image = animation(alpha=alpha, durations=[50, 70, 20, 1000], loop=3)
    data = saved(image, format)
    back = open_image(data)
    assert_same_frames(back, image)
    assert [frame.duration for frame in back.frames] == [50, 70, 20, 1000]
    assert back.metadata.loop == 3
    info = probe_image(data)
    assert (info.frames, info.channels, info.alpha) == (4, 3, alpha)


@pytest.mark.parametrize("format", ["GIF", "PNG"])
def test_pillow_sees_the_same_frames(format):
    image = animation(durations=[50, 70, 20, 1000])
    picture = Pillow.open(io.BytesIO(saved(image, format)))
    assert picture.n_frames == 4
    for index, frame in enumerate(image.frames):
        picture.seek(index)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), frame.pixels)
        assert picture.info["duration"] == frame.duration


def test_grey_animations_stay_grey_in_gif_and_png():
    image = animation(channels=1)
    for format in ("GIF", "PNG"):
        assert_same_frames(open_image(saved(image, format), gray=True), image)


def test_16_bit_grey_animation():
    frames = [Frame(f.pixels.astype(np.uint16) * 257, None, 40) for f in animation(3, 1).frames]
    image = Image(tuple(frames), 65535.0, "PNG")
    assert_same_frames(open_image(saved(image, "PNG")), image)


@pytest.mark.parametrize("alpha", [False, True])
def test_webp_keeps_every_frame_its_time_and_alpha(alpha):
    frames = []
    for shade, duration in ((10, 50), (200, 70), (200, 20), (90, 1000)):
        pixels = np.full((21, 31, 3), shade, np.uint8)
        mask = np.where(np.arange(31) < shade // 10, 255, 0).astype(np.uint8)
        frames.append(Frame(pixels, np.tile(mask, (21, 1)) if alpha else None, duration))
    back = open_image(saved(Image(tuple(frames), 255.0, "GIF", Metadata(loop=3)), "WEBP"))
    assert back.metadata.loop == 3
    for before, after in zip(frames, back.frames, strict=True):
        assert after.duration == before.duration
        if alpha:
            np.testing.assert_array_equal(after.alpha, before.alpha)
        seen = before.alpha > 0 if alpha else slice(None)
        assert np.abs(after.pixels[seen].astype(int) - before.pixels[seen]).max() < 4


def test_gif_rounds_times_to_10_ms_and_keeps_their_sum():
    back = open_image(saved(animation(durations=[15, 15, 33, 37]), "GIF"))
    times = [frame.duration for frame in back.frames]
    assert all(time % 10 == 0 for time in times)
    assert sum(times) == 100
    assert np.abs(np.array(times) - [15, 15, 33, 37]).max() <= 10


def test_a_gif_that_does_not_say_plays_once():
    for format in ("GIF", "PNG"):
        back = open_image(saved(animation(loop=None), format))
        assert back.metadata.loop in (None, 1)


def test_gif_loops_count_repeats_and_we_count_plays():
    frames = [Pillow.new("L", (4, 4), shade) for shade in (10, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], loop=2, duration=50)
    image = open_image(buffer.getvalue())
    assert image.metadata.loop == 3
    assert Pillow.open(io.BytesIO(saved(image, "GIF"))).info["loop"] == 2
    assert Pillow.open(io.BytesIO(saved(image, "PNG"))).info["loop"] == 3


@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_gif_frames_are_composed_as_they_are_shown(disposal):
    frames = []
    for place in range(3):
        pixels = np.zeros((8, 24, 4), np.uint8)
        pixels[:, 8 * place : 8 * place + 8] = (200, 50 * place, 10, 255)
        frames.append(Pillow.fromarray(pixels))
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], disposal=disposal, duration=50
    )
    image = open_image(buffer.getvalue())
    for index, frame in enumerate(image.frames):
        for place in range(3):
            alpha = frame.alpha[:, 8 * place : 8 * place + 8]
            shown = place == index or (disposal < 2 and place < index)
            assert (alpha == 255 * shown).all()
    again = open_image(saved(image, "GIF"))
    assert_same_frames(again, image)


def test_many_colours_are_quantized_closely():
    y, x = np.mgrid[:128, :128]
    pixels = np.stack([2 * x, 2 * y, x + y], axis=2).astype(np.uint8)
    back = open_image(saved(Image((Frame(pixels),), 255.0, "PNG"), "GIF"))
    assert np.abs(back.frames[0].pixels.astype(int) - pixels).mean() < 8


def test_alpha_becomes_all_or_nothing_in_gif():
    pixels = np.full((1, 4, 3), 90, np.uint8)
    alpha = np.array([[0, 127, 128, 255]], np.uint8)
    back = open_image(saved(Image((Frame(pixels, alpha),), 255.0, "PNG"), "GIF"))
    np.testing.assert_array_equal(back.frames[0].alpha, [[0, 0, 255, 255]])


def test_the_default_image_of_an_apng_is_no_frame():
    frames = [Pillow.new("RGB", (5, 4), (shade, 0, 0)) for shade in (1, 100, 200)]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "PNG", save_all=True, append_images=frames[1:], default_image=True, duration=50
    )
    image = open_image(buffer.getvalue())
    assert [frame.pixels[0, 0, 0] for frame in image.frames] == [100, 200]


def test_apng_with_offsets_and_blending_is_composed():
    base = np.full((10, 10, 4), 255, np.uint8)
    patch = base.copy()
    patch[2:5, 2:5] = (255, 0, 0, 255)
    buffer = io.BytesIO()
    Pillow.fromarray(base).save(
        buffer, "PNG", save_all=True, append_images=[Pillow.fromarray(patch)], duration=50, blend=1
    )
    image = open_image(buffer.getvalue())
    np.testing.assert_array_equal(image.frames[1].pixels, patch[..., :3])


def test_pixels_of_all_frames_count_towards_the_limit():
    for format in ("GIF", "PNG", "WEBP", "TIFF"):
        data = saved(animation(4), format)
        count = len(open_image(data).frames)
        assert open_image(data, max_pixels=600 * count)
        with pytest.raises(InputError, match=rf"x {count} frames.*--max-pixels"):
            open_image(data, max_pixels=600 * count - 1)


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.permutations(("GIF", "PNG", "WEBP", "TIFF"), 2))
)
def test_animations_pass_between_formats(source, target):
    image = open_image(saved(animation(3, loop=2, durations=[50, 70, 90], seed=2), source))
    back = open_image(saved(image, target))
    assert len(back.frames) == len(image.frames)
    if "TIFF" not in (source, target):
        assert back.metadata.loop == 2
        assert sum(frame.duration for frame in back.frames) == 210
