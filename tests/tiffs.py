"""TIFFs, tag by tag."""

import struct


def tiff(pixels, tags, order="<"):
    """A TIFF of one strip, made without the code under test; tags are whole numbers."""
    data = pixels.tobytes()
    tags = {256: pixels.shape[1], 257: pixels.shape[0], 273: 8, 279: len(data), **tags}
    entries = b"".join(
        struct.pack(order + "HHI", tag, 4, 1) + struct.pack(order + "I", value)
        for tag, value in sorted(tags.items())
    )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    end = 8 + len(data)
    return (
        mark + struct.pack(order + "I", end) + data
        + struct.pack(order + "H", len(tags)) + entries + bytes(4)
    )  # fmt: skip
