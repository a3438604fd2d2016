"""Remove from the packages in /opt/venv what no step reads.   python3 slim.py [folder of packages]"""

from __future__ import annotations

import shutil
import struct
import sys
from pathlib import Path

# Patterns below the folder of packages -> why nothing reads them.
UNREAD = {
    "tensorflow/include": "serves only who compiles operations of their own: 287 MB",
    "{numpy,h5py,scipy}/**/tests": "their own tests: 50 MB",
    "numpy/distutils": "builds extensions",
    "numpy/_core/_simd*": "is there for numpy's tests",
    "kfp/{cli,client,compiler,components,kubeflow_client,local,registry}": "the executor of a step runs kfp.dsl alone",
    "onnxruntime/capi/libonnxruntime.so*": "the same for programs in C; Python's module has its own: 34 MB",
    "simdjson/*.{h,cpp,pyx,pxd}": "its source",
    "onnxruntime/{backend,datasets,quantization,tools,transformers}": "make and convert models; a server runs them",
    # The formats that are read here need none of these: components of Pillow for fonts, colour profiles, AVIF, WebP.
    "PIL/{_avif,_imagingcms,_imagingft,_imagingtk,_webp}.*": "codecs of untrusted files beside",
    "pillow.libs/lib{avif,brotlicommon,brotlidec,freetype,harfbuzz,lcms2,png16,sharpyuv,webp,webpdemux,webpmux}-*": "",
}
# The descriptions of the services that are neither S3 nor give credentials for it: 25 MB.
SERVICES = {"s3", "sts", "sso", "sso-oidc", "signin"}

# ELF, 64 bits, little endian: where the header holds what, and a section's fields.
MAGIC = b"\x7fELF\x02\x01"
SEGMENTS, SECTIONS, COUNTS = 0x20, 0x28, 0x36
SECTION = struct.Struct("<IIQQQQIIQQ")
NAME, TYPE, FLAGS, ADDRESS, OFFSET, SIZE, LINK, INFO, ALIGNMENT, ENTRY = range(10)
SYMBOLS, NO_BITS, LOADED = 2, 8, 2


def expand(pattern: str) -> list[str]:
    """Return the patterns that a pattern with one or no "{a,b}" stands for."""
    before, brace, rest = pattern.partition("{")
    choices, _, after = rest.partition("}")
    return [f"{before}{choice}{after}" for choice in choices.split(",")] if brace else [pattern]


def remove_unread(packages: Path) -> None:
    """Remove what UNREAD and SERVICES say."""
    found = [path for pattern in UNREAD for each in expand(pattern) for path in packages.glob(each)]
    found += [each for each in packages.glob("botocore/data/*") if each.is_dir() and each.name not in SERVICES]
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def strip(path: Path) -> int:
    """Cut symbols and debugging information, which only a debugger reads, off a shared library; return the bytes saved.

    Nothing that a process maps is touched: where the table lies before the end of that, the library stays as it is.
    """
    content = path.read_bytes()
    if content[:6] != MAGIC:
        return 0
    table = struct.unpack_from("<Q", content, SECTIONS)[0]
    _, _, size, count, names = struct.unpack_from("<5H", content, COUNTS)
    sections = [SECTION.unpack_from(content, table + number * size) for number in range(count)]
    symbols = {number for number, each in enumerate(sections) if each[TYPE] == SYMBOLS}
    dropped = symbols | {sections[number][LINK] for number in symbols} | _debugging(content, sections, names)
    mapped = _end_of_segments(content)
    if not dropped or names in dropped or not _at_the_end(sections, dropped, mapped):
        return 0
    made = _without(content, sections, dropped, names, mapped)
    path.write_bytes(made)
    return len(content) - len(made)


def _debugging(content: bytes, sections: list[tuple[int, ...]], names: int) -> set[int]:
    """Return the sections of debugging information, by their names."""
    start = sections[names][OFFSET]
    return {number for number, each in enumerate(sections) if content.startswith(b".debug_", start + each[NAME])}


def _end_of_segments(content: bytes) -> int:
    """Return where in the file ends what a process maps."""
    start = struct.unpack_from("<Q", content, SEGMENTS)[0]
    size, count = struct.unpack_from("<2H", content, COUNTS)
    segments = (struct.unpack_from("<4Q", content, start + number * size + 8) for number in range(count))
    return max(offset + length for offset, _, _, length in segments)


def _at_the_end(sections: list[tuple[int, ...]], dropped: set[int], mapped: int) -> bool:
    """Return whether the sections lie behind what is mapped, and no other is numbered or linked through them."""
    kept = [each for number, each in enumerate(sections) if number not in dropped]
    loaded = max(number for number, each in enumerate(sections) if each[FLAGS] & LOADED)
    behind = all(sections[number][OFFSET] >= mapped for number in dropped)
    return behind and loaded < min(dropped) and not any(each[LINK] > loaded for each in kept)


def _without(content: bytes, sections: list[tuple[int, ...]], dropped: set[int], names: int, mapped: int) -> bytes:
    """Return the file without the sections: what is mapped as it was, the others moved up, a new table of sections."""
    made, headers = bytearray(content[:mapped]), bytearray()
    kept = [number for number in range(len(sections)) if number not in dropped]
    for number in kept:
        fields = list(sections[number])
        if fields[OFFSET] >= mapped and fields[TYPE] not in (0, NO_BITS):
            made += bytes(-len(made) % max(fields[ALIGNMENT], 1))
            start, fields[OFFSET] = fields[OFFSET], len(made)
            made += content[start : start + fields[SIZE]]
        headers += SECTION.pack(*fields)
    made += bytes(-len(made) % 8)
    struct.pack_into("<Q", made, SECTIONS, len(made))
    struct.pack_into("<2H", made, COUNTS + 6, len(kept), kept.index(names))
    return bytes(made + headers)


def main(packages: Path) -> None:
    """Slim a folder of packages and print what that saved."""
    remove_unread(packages)
    libraries = [path for path in packages.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    print(f"symbols: {sum(map(strip, libraries)) / 1e6:.0f} MB less")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else next(Path("/opt/venv/lib").glob("python3*/site-packages")))
