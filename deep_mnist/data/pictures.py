"""Decode one picture that nobody vouches for: capped in bytes and pixels, whole or not at all."""

from __future__ import annotations

import io
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deep_mnist.data.array_errors import describe, short
from deep_mnist.data.raw import PictureError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF")  # what Keras reads too; each decoder more is one more to trust
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
MAX_FILE_BYTES = 64 << 20
MAX_PIXELS = 1 << 24  # 4096 x 4096: beyond it a picture is no example of a classifier, but a bomb
PLAIN_MODES = ("L", "RGB", "RGBA")


def decode_file(path: Path) -> np.ndarray | PictureError:
    """Return a file's pixels, or why there are none; see `decode`."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return PictureError("no regular file")
        if status.st_size > MAX_FILE_BYTES:
            return PictureError(f"{status.st_size} bytes, more than {MAX_FILE_BYTES}")
        return decode(path.read_bytes())
    except OSError as error:
        return PictureError(error.strerror or str(error))


def decode(content: bytes) -> np.ndarray | PictureError:
    """Return the pixels of a PNG, JPEG, BMP or GIF (its first frame), or why there are none.

    Returns:
        uint8 (rows, columns) of a grey or black-and-white picture, (rows, columns, 3) of RGB, CMYK or a palette,
        (rows, columns, 4) of RGB with transparency; 0..255. A grey palette is grey.
    """
    if len(content) > MAX_FILE_BYTES:
        return PictureError(f"{len(content)} bytes, more than {MAX_FILE_BYTES}")
    from PIL import Image, UnidentifiedImageError  # arrays are judged without it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limit is higher than ours
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                return _pixels(picture)
    except PictureError as error:
        return error
    except Image.DecompressionBombError:
        return PictureError(f"far more than {MAX_PIXELS} pixels: a decompression bomb")
    except UnidentifiedImageError:
        return PictureError(f"not decodable as PNG, JPEG, BMP or GIF: {describe(content[:512])}")
    except Exception as error:  # decoders fail in every way on damaged bytes; each means that there is no picture
        return PictureError(short(f"{error}") or type(error).__name__)


def _pixels(picture: Image.Image) -> np.ndarray:
    columns, rows = picture.size
    if rows * columns > MAX_PIXELS:
        raise PictureError(f"{rows} x {columns} pixels, more than {MAX_PIXELS} in all: a decompression bomb")
    picture.load()
    return np.asarray(_plain(picture))


def _plain(picture: Image.Image) -> Image.Image:
    """Return the picture in one of PLAIN_MODES, without a change of any visible pixel."""
    if picture.mode in PLAIN_MODES:
        return picture
    if picture.mode == "P":
        clear = "transparency" in picture.info
        colours = np.asarray(picture.getpalette("RGB")).reshape(-1, 3)
        grey = bool((colours == colours[:, :1]).all())
        return picture.convert("RGBA" if clear else "L" if grey else "RGB")
    target = {"1": "L", "CMYK": "RGB", "YCbCr": "RGB", "LA": "RGBA", "PA": "RGBA"}.get(picture.mode)
    if target is None:
        raise PictureError(f"mode {picture.mode}, which does not fit into 8 bits per channel")
    return picture.convert(target)
