"""Label sets that carry their own text: a server's are escaped once, not for each of its samples."""

from __future__ import annotations


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class Labels(dict[str, str]):
    """A dict, as prometheus_client wants it; ``text`` is what stands between the braces."""

    __slots__ = ("text",)

    def __init__(self, **labels: str) -> None:
        super().__init__(labels)
        self.text = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())

    def plus(self, name: str, value: str) -> Labels:
        """These and one more, whose value needs no escape."""
        more = Labels.__new__(Labels)
        more.update(self)
        more[name] = value
        more.text = f'{self.text},{name}="{value}"' if self.text else f'{name}="{value}"'
        return more
