"""Debug builds fill what they free with 0xA5 (src/debug.h): a run of it in any output is freed memory (S2)."""

RUN = b"\xa5" * 8
AS_NUMBER = str(int.from_bytes(RUN, "little"))  # what a counter reads that lies in freed memory


def checked(data: bytes) -> bytes:
    """``data``, which holds no freed memory."""
    assert RUN not in data, f"freed memory in the output, {data.index(RUN)} bytes into {len(data)}"
    return data
