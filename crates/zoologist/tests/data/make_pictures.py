"""Writes the pictures of tests/pictures_agree_with_pillow.rs, each with what Pillow makes of it.

Beside `name.ext` stands `name.ext.ppm`: `ImageOps.exif_transpose(Image.open(file)).convert("RGB")`. In `resized/`
stands what becomes of `rgb.png` by each filter. All pixels are synthetic. Written with Pillow 13.0.0 and numpy 2.4.6:

    python make_pictures.py
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FOLDER = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 29, 19
rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
random = np.random.default_rng(0)


def colours(levels: int) -> np.ndarray:
    """Smooth waves, a hard edge and a little noise: height x width x 4, each in 0..levels."""
    waves = [0.5 + 0.5 * np.sin(columns / (5 + k) + rows / (9 - k) + k) for k in range(4)]
    waves[0][rows > 12] *= 0.3
    waves[1][(columns - 17) ** 2 + (rows - 9) ** 2 < 30] = 1
    noisy = np.stack(waves, axis=2) * 0.94 + random.random((HEIGHT, WIDTH, 4)) * 0.06
    return np.round(noisy * levels)


eight = colours(255).astype(np.uint8)
sixteen = colours(65535).astype(np.uint16)
rgb, rgba, grey = Image.fromarray(eight[..., :3]), Image.fromarray(eight), Image.fromarray(eight[..., 0])
grey_alpha = Image.merge("LA", (grey, grey.transpose(0)))
palette = rgb.quantize(40)
cmyk = Image.merge("CMYK", [Image.fromarray(eight[..., k]) for k in range(4)])


def write(name: str, data: bytes) -> None:
    (FOLDER / name).write_bytes(data)
    ImageOps.exif_transpose(Image.open(FOLDER / name)).convert("RGB").save(FOLDER / f"{name}.ppm")


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def png(kind: int, depth: int, lines: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of these raw scan lines: for the kinds that Pillow can't write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, 0)
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def without_segment(jpeg: bytes, marker: int) -> bytes:
    at = jpeg.index(bytes([0xFF, marker]))
    (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
    return jpeg[:at] + jpeg[at + 2 + length :]


def with_adobe_transform(jpeg: bytes, transform: int) -> bytes:
    at = jpeg.index(b"Adobe") + 11
    return jpeg[:at] + bytes([transform]) + jpeg[at + 1 :]


def jpegs() -> None:
    for name, subsampling in [("444", "4:4:4"), ("422", "4:2:2"), ("420", "4:2:0"), ("411", "4:1:1")]:
        write(f"{name}.jpg", encoded(rgb, "JPEG", quality=90, subsampling=subsampling))
    write("progressive.jpg", encoded(rgb, "JPEG", quality=85, progressive=True))
    write("restart.jpg", encoded(rgb, "JPEG", quality=60, restart_marker_blocks=2))
    write("grey.jpg", encoded(grey, "JPEG", quality=90))
    write("rgb_as_it_is.jpg", encoded(rgb, "JPEG", quality=95, keep_rgb=True))
    adobe = encoded(cmyk, "JPEG", quality=95)
    write("cmyk_adobe.jpg", adobe)
    write("cmyk_plain.jpg", without_segment(adobe, 0xEE))
    write("ycck.jpg", with_adobe_transform(adobe, 2))
    write("one_wide.jpg", encoded(rgb.crop((4, 0, 5, HEIGHT)), "JPEG", subsampling="4:4:4"))
    for value in range(1, 9):
        write(f"orientation_{value}.jpg", encoded(rgb, "JPEG", quality=95, exif=orientation(value)))


def pngs() -> None:
    write("rgb.png", encoded(rgb, "PNG"))
    write("rgba.png", encoded(rgba, "PNG"))
    write("grey.png", encoded(grey, "PNG"))
    write("grey_alpha.png", encoded(grey_alpha, "PNG"))
    write("palette.png", encoded(palette, "PNG"))
    write("palette_transparent.png", encoded(palette, "PNG", transparency=bytes(range(0, 240, 6))))
    write("palette_4_bit.png", encoded(rgb.quantize(13), "PNG", bits=4))
    write("one_bit.png", encoded(grey.convert("1"), "PNG"))
    write("grey_transparent.png", encoded(grey, "PNG", transparency=77))
    write("grey_4_bit.png", png(0, 4, eight[:, :(WIDTH + 1) // 2, 0]))
    write("grey_2_bit.png", png(0, 2, eight[:, :(WIDTH + 3) // 4, 1]))
    write("grey_16_bit.png", png(0, 16, sixteen[..., 0].astype(">u2")))
    write("grey_16_bit_dark.png", png(0, 16, (sixteen[..., 0] // 150).astype(">u2")))
    write("grey_alpha_16_bit.png", png(4, 16, sixteen[..., :2].astype(">u2")))
    write("rgb_16_bit.png", png(2, 16, sixteen[..., :3].astype(">u2")))
    write("rgba_16_bit.png", png(6, 16, sixteen.astype(">u2")))
    write("rgb_16_bit_transparent.png", png(2, 16, sixteen[..., :3].astype(">u2"), (b"tRNS", bytes(6))))
    write("animated.png", encoded(rgb, "PNG", save_all=True, append_images=[rgb.transpose(0)]))
    write("orientation_6.png", encoded(rgb, "PNG", exif=orientation(6)))
    write("one_high.png", encoded(rgb.crop((0, 3, WIDTH, 4)), "PNG"))


def webps() -> None:
    write("lossless.webp", encoded(rgb, "WEBP", lossless=True))
    write("lossless_alpha.webp", encoded(rgba, "WEBP", lossless=True, exact=True))
    write("lossy.webp", encoded(rgb, "WEBP", quality=80))
    write("lossy_alpha.webp", encoded(rgba, "WEBP", quality=80))
    write("animated.webp", encoded(rgb, "WEBP", lossless=True, save_all=True, append_images=[rgb.transpose(0)]))
    many = {"save_all": True, "append_images": [rgb.convert("RGBA")]}
    write("animated_alpha.webp", encoded(rgba, "WEBP", lossless=True, exact=True, **many))
    write("orientation_5.webp", encoded(rgb, "WEBP", lossless=True, exif=orientation(5)))


def gifs() -> None:
    write("still.gif", encoded(palette, "GIF"))
    write("grey.gif", encoded(grey, "GIF"))
    write("transparent.gif", encoded(palette, "GIF", transparency=7))
    write("interlaced.gif", encoded(palette, "GIF", interlace=1))
    write("animated.gif", encoded(palette, "GIF", save_all=True, append_images=[palette.transpose(0)]))


def bmps() -> None:
    write("rgb.bmp", encoded(rgb, "BMP"))
    write("palette.bmp", encoded(palette, "BMP"))
    write("grey.bmp", encoded(grey, "BMP"))
    write("one_bit.bmp", encoded(grey.convert("1"), "BMP"))
    write("rgba.bmp", encoded(rgba, "BMP"))
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 16, 0, 0, 2835, 2835, 0, 0)
    padded = np.pad(sixteen[..., 0] & 0x7FFF, ((0, 0), (0, WIDTH % 2))).astype("<u2").tobytes()
    write("rgb_5_bit.bmp", b"BM" + struct.pack("<IHHI", 54 + len(padded), 0, 0, 54) + header + padded)


def tiffs() -> None:
    write("rgb.tif", encoded(rgb, "TIFF"))
    write("rgb_lzw.tif", encoded(rgb, "TIFF", compression="tiff_lzw"))
    write("rgb_deflate.tif", encoded(rgb, "TIFF", compression="tiff_adobe_deflate"))
    write("rgba.tif", encoded(rgba, "TIFF"))
    write("grey.tif", encoded(grey, "TIFF"))
    write("one_bit.tif", encoded(grey.convert("1"), "TIFF"))
    write("cmyk.tif", encoded(cmyk, "TIFF"))
    write("grey_16_bit.tif", encoded(Image.fromarray(sixteen[..., 0]), "TIFF"))
    write("orientation_8.tif", encoded(rgb, "TIFF", exif=orientation(8)))


def resized() -> None:
    for name in ["NEAREST", "BILINEAR", "BICUBIC", "LANCZOS"]:
        keep = lambda case, picture: picture.save(FOLDER / "resized" / f"{name.lower()}_{case}.ppm")
        filter = Image.Resampling[name]
        keep("wider_and_lower", rgb.resize((40, 9), filter))
        keep("narrower_and_higher", rgb.resize((11, 30), filter))
        # Short edge 13, then a centre crop that leaves out 3 columns (offset 1.5, rounded down) and adds 3 rows.
        small = rgb.resize((int(13 * WIDTH / HEIGHT), 13), filter)
        keep("short_edge_13_crop_16", small.crop((1, -2, 17, 14)))


(FOLDER / "resized").mkdir(parents=True, exist_ok=True)
for kind in [jpegs, pngs, webps, gifs, bmps, tiffs, resized]:
    kind()
