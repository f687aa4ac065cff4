"""The ways in which bytes can be moved. A test that asks for the fixture ``mover`` runs once with each of them."""

from dataclasses import dataclass, field

from .launch import BASE


@dataclass(frozen=True)
class Mover:
    """One way: what selects it in the configuration's defaults and in the environment of fastlb."""

    name: str
    option: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def base(self, workers: int = 2) -> str:
        """The first lines of a configuration that moves bytes so."""
        return f"{BASE.replace('nbthread 2', f'nbthread {workers}')}    {self.option}\n"

    def listener(self, port: int, *servers: object, workers: int = 2, more: str = "") -> str:
        """A whole configuration: one ``listen lb`` on ``port``; servers are s1, s2, … in order."""
        lines = "\n        ".join(f"server s{number} {one}" for number, one in enumerate(servers, 1))
        return f"""{self.base(workers)}
    listen lb
        bind 127.0.0.1:{port}
        {more}
        {lines}
    """


def _forced(name: str, wish: str) -> Mover:
    """Debug builds let themselves be told at every step (src/debug.h)."""
    return Mover(name, environment={"FASTLB_DEBUG_MOVER": wish})


OWN_CHOICE = (Mover("own choice"),)
KERNEL = (Mover("kernel", option="option kernel-splice"),)
RANDOM = (_forced("random", "20261126"),)
FORCED = (_forced("copy", "copy"), _forced("splice", "splice"))


def available(build: str) -> tuple[Mover, ...]:
    """What a build of this kind runs with. Sanitizer builds are debug builds, too: the two divide the ways."""
    ways = {"release": OWN_CHOICE + KERNEL, "debug": FORCED, "asan": RANDOM + KERNEL}
    return ways.get(build, FORCED + RANDOM + KERNEL)
