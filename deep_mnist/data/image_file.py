"""Decode one untrusted image file: capped in bytes and pixels, whole or not at all."""

from __future__ import annotations

import io
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deep_mnist.data.array_errors import kind_by_first_bytes, short
from deep_mnist.data.raw import DEEPER, ImageDecodeError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF")  # what Keras reads too; each decoder more is one more to trust
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 1 << 24  # 4096 x 4096: beyond it an image is no example of a classifier, but a bomb
PLAIN_MODES = ("L", "RGB", "RGBA")


def decode_file(path: Path) -> np.ndarray | ImageDecodeError:
    """Return a file's pixels, or why there are none; see `decode_image`."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return ImageDecodeError("no regular file")
        if status.st_size > MAX_FILE_BYTES:
            return ImageDecodeError(f"{status.st_size} bytes, more than {MAX_FILE_BYTES}")
        return decode_image(path.read_bytes())
    except OSError as error:
        return ImageDecodeError(error.strerror or str(error))


def decode_image(content: bytes) -> np.ndarray | ImageDecodeError:
    """Return the pixels of a PNG, JPEG, BMP or GIF (its first frame), or why there are none.

    Returns:
        uint8 (rows, columns) of a grey or black-and-white image, (rows, columns, 3) of RGB, CMYK or a palette,
        (rows, columns, 4) of RGB with transparency; 0..255. A grey palette is grey.
    """
    if len(content) > MAX_FILE_BYTES:
        return ImageDecodeError(f"{len(content)} bytes, more than {MAX_FILE_BYTES}")
    from PIL import Image, UnidentifiedImageError  # arrays are judged without it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limit is higher than ours
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return _pixels(image)
    except ImageDecodeError as error:
        return error
    except Image.DecompressionBombError:
        return ImageDecodeError(f"far more than {MAX_PIXELS} pixels: a decompression bomb")
    except UnidentifiedImageError:
        return ImageDecodeError(f"not decodable as PNG, JPEG, BMP or GIF: {kind_by_first_bytes(content[:512])}")
    except Exception as error:  # decoders fail in every way on damaged bytes; each means that there is no image
        return ImageDecodeError(short(f"{error}") or type(error).__name__)


def _pixels(image: Image.Image) -> np.ndarray:
    columns, rows = image.size
    if rows * columns > MAX_PIXELS:
        raise ImageDecodeError(f"{rows} x {columns} pixels, more than {MAX_PIXELS} in all: a decompression bomb")
    image.load()
    return np.asarray(_plain(image))


def _plain(image: Image.Image) -> Image.Image:
    """Return the image in one of PLAIN_MODES, without a change of any visible pixel."""
    if image.mode in PLAIN_MODES:
        return image
    if image.mode == "P":
        clear = "transparency" in image.info
        colours = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
        grey = bool((colours == colours[:, :1]).all())
        return image.convert("RGBA" if clear else "L" if grey else "RGB")
    target = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "LA": "RGBA", "PA": "RGBA"}.get(image.mode)
    if target is None:
        raise ImageDecodeError(f"mode {image.mode}, {DEEPER}")
    return image.convert(target)
