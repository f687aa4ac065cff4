"""The programs in C beside this file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.daemons import find_program


def compiled(name: str, folder: Path) -> Path:
    """``name``.c as a program in ``folder``; RuntimeError without a compiler."""
    compiler = find_program("cc") or find_program("gcc")
    if compiler is None:
        raise RuntimeError(f"a C compiler is needed for {name}.c: apt install gcc")
    program = folder / name
    if not program.exists():
        source = Path(__file__).with_name(f"{name}.c")
        command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)]
        subprocess.run(command, check=True, capture_output=True, text=True)
    return program
