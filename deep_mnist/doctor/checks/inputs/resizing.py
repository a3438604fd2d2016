"""The statement that brings images to another size."""

from __future__ import annotations

Shape = tuple[int, ...]
Required = tuple[int | None, ...]


def resized(name: str, shape: Shape, required: Required, space: list[int], axis: int) -> str:
    """Return the statement that crops, pads, shrinks or enlarges to the required lengths."""
    pairs = [(shape[1 + each], required[each] or shape[1 + each]) for each in space]
    if shape[1 + axis] != required[axis] or any(want == 0 for _, want in pairs):
        return f"Write {name} again with shape (n, {', '.join(map(str, required))})."
    if all(real % want == 0 for real, want in pairs):
        steps = ", ".join(
            "::1" if each == axis else f"::{shape[1 + each] // (required[each] or shape[1 + each])}"
            for each in range(3)
        )
        return f"{name} = {name}[:, {steps}]  # or resize with averaging"
    if all(0 < real - want <= 8 for real, want in pairs):
        cuts = ", ".join(":" if each == axis else _cut(shape[1 + each], required[each] or 0) for each in range(3))
        return f"{name} = {name}[:, {cuts}]"
    if all(0 < want - real <= 8 for real, want in pairs):
        pads = ", ".join("(0, 0)" if each == axis else _pad(shape[1 + each], required[each] or 0) for each in range(3))
        return f"{name} = np.pad({name}, ((0, 0), {pads}))"
    taken = ", ".join(f"np.arange({want}) * {real} // {want}" for real, want in pairs)
    index = "[:, rows][:, :, columns]" if axis == 2 else "[:, :, rows][:, :, :, columns]"
    return f"rows, columns = {taken}; {name} = {name}{index}  # or resize with averaging, or declare this size"


def _cut(real: int, want: int) -> str:
    return f"{(real - want) // 2}:{(real - want) // 2 + want}"


def _pad(real: int, want: int) -> str:
    return f"({(want - real) // 2}, {want - real - (want - real) // 2})"
