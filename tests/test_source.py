"""The source itself: linters, import directions, what the data plane must not contain, and sizes."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fastlb import _engine

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "fastlb"
PXI = sorted((ROOT / "src").glob("*.pxi"))
SCRIPTS = Path(sysconfig.get_path("scripts"))

FILE_LINES, FILE_WARN = 400, 250
FUNCTION_LINES, FUNCTION_WARN = 60, 30

# Who may import whom: a module may import modules of lines below its own, and those of its own package.
# A module that stands in no line fails the test: decide where it belongs.
LAYERS = """
__main__
cli
invocation
about demo client explain keywords options
launch
master
startup daemon succession preview
banner reload status
service
metrics_http liveness
metrics_app
monitor_http
doors
crew exporter render
roster
children
assignment stats worker
kernelsplice
health listeners
logs ports sockets privileges steering
difference
balance holders arrivals inherit source silentdrop seccomp limits loading settings shm spelling
tables
admin plan
rules
bpf config
control heartbeat backoff notify pidfile places process reaper linux host signing
"""


def run_tool(*command: str) -> None:
    """A linter's verdict is the test's; its findings are the message."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def tool(name: str) -> str:
    """The tool beside this Python, else in PATH. Skips when it is not there: pip install 'fastlb[lint]'."""
    found = shutil.which(name, path=str(SCRIPTS)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install -e '.[test,lint]'")
    return found


linter = pytest.mark.skipif(_engine.BUILD != "release", reason="the source is the same for every build: once is enough")


@linter
@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")], ids=" ".join)
def test_ruff(arguments: tuple[str, ...]) -> None:
    run_tool(tool("ruff"), *arguments, ".")


@linter
def test_types() -> None:
    run_tool(tool("mypy"))


@linter
def test_stub_is_what_the_engine_offers() -> None:
    pytest.importorskip("mypy", reason="pip install -e '.[test,lint]'")
    run_tool(sys.executable, "-m", "mypy.stubtest", "fastlb._engine")


@linter
def test_cython_style(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(SCRIPTS), prepend=":")  # it calls pycodestyle by name
    run_tool(tool("cython-lint"), "src")


# ---- Python: who imports whom ------------------------------------------------------------------------------------


def module_name(path: Path) -> str:
    """``config.lexer`` for fastlb/config/lexer.py, ``config`` for fastlb/config/__init__.py."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 10))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports absolute"
            base = node.module or ""
            yield from (f"{base}.{alias.name}" for alias in node.names)


def project_imports(path: Path) -> set[str]:
    """Modules of this project that a file imports, as keys of MODULES (``from fastlb.shm import Numbering``: shm)."""
    found = set()
    for name in imports_of(path):
        inner = name.removeprefix("fastlb.") if name.startswith("fastlb.") else None
        while inner and inner not in MODULES:
            inner = inner.rpartition(".")[0]
        if inner:
            found.add(inner)
    return found


def layer_of(module: str) -> int:
    lines = LAYERS.split("\n")
    for name in (module, module.partition(".")[0]):
        if found := [number for number, line in enumerate(lines) if name in line.split()]:
            return found[0]
    pytest.fail(f"fastlb.{module} stands in no line of LAYERS")


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__"])
def test_imports_go_down(module: str) -> None:
    package = module.partition(".")[0]
    for imported in project_imports(MODULES[module]) - {"__init__"}:
        if imported.partition(".")[0] != package:
            assert layer_of(imported) > layer_of(module), (
                f"fastlb.{module} imports fastlb.{imported}, which is not below it"
            )


def test_no_import_cycles() -> None:
    """Also inside a package, where the layers do not say."""
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"import cycle: {' -> '.join([*path, module])}"
        if module not in done:
            for imported in project_imports(MODULES[module]):
                visit(imported, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_a_worker_needs_the_standard_library_alone() -> None:
    """setproctitle excepted, which names the process: a worker must not carry a web server's memory and threads."""
    seen, todo = set(), ["worker"]
    while todo:
        module = todo.pop()
        seen.add(module)
        todo += [name for name in project_imports(MODULES[module]) if name not in seen]
        foreign = {name.partition(".")[0] for name in imports_of(MODULES[module])} - sys.stdlib_module_names
        assert foreign <= {"fastlb", "setproctitle"}, f"fastlb.{module} imports {sorted(foreign)}"
    assert not seen & {"master", "exporter", "metrics_http", "config", "cli"}


def test_every_package_is_installed() -> None:
    listed = re.search(r"^packages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.S | re.M)
    assert listed
    present = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert set(re.findall(r'"([\w.]+)"', listed[1])) == present


# ---- Cython: nothing of Python in the data plane -----------------------------------------------------------------


def load_guard() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nogil_guard", ROOT / "tools/nogil_guard.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["nogil_guard"] = module
    spec.loader.exec_module(module)
    return module


GUARD = load_guard()
FORBIDDEN = re.compile(r"^\s*(raise|assert|try|with gil|print)\b|\bwith gil\b")


@pytest.mark.parametrize("source", PXI, ids=lambda path: path.name)
def test_data_plane_source(source: Path) -> None:
    lines = [] if source.name in GUARD.PYTHON_SIDE else source.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        assert not FORBIDDEN.search(line.partition("#")[0]), f"{source.name}:{number}: {line.strip()}"
    assert list(GUARD.wrong_headers(source)) == []


def test_generated_data_plane() -> None:
    """No function of a .pxi file reaches into Python, in the C that this build was compiled from."""
    generated = ROOT / f"build/cython-{_engine.BUILD}/src/engine.c"
    if not generated.exists():
        pytest.skip(f"{generated.relative_to(ROOT)} is not there: the engine was not built in this tree")
    count, problems = GUARD.findings(generated, ROOT / "src")
    assert problems == []
    assert count > 50


CLEAN = "cdef int helper(int n) noexcept nogil:\n    return n + 1\n"
OFFENCES = {
    "not noexcept": "cdef void helper(int n) nogil:\n    pass\n",
    "exception value": "cdef int helper(int n) except -1 nogil:\n    return n\n",
    "raise": "cdef int helper(int n) noexcept nogil:\n    if n > 3:\n        raise ValueError\n    return n\n",
    "assert": "cdef int helper(int n) noexcept nogil:\n    assert n > 3\n    return n\n",
    "with gil": "cdef int helper(int n) noexcept nogil:\n    with gil:\n        return len(str(n))\n",
}


def guard_says(folder: Path, pxi: str) -> tuple[int, list[str]]:
    """The guard's findings for a data plane that consists of ``pxi`` and one caller."""
    pytest.importorskip("Cython", reason="pip install -e '.[lint]'")
    (folder / "relay.pxi").write_text(pxi + "\ncdef int caller(int n) noexcept nogil:\n    helper(n)\n    return n\n")
    (folder / "probe.pyx").write_text('include "relay.pxi"\n\ndef run(int n):\n    with nogil:\n        caller(n)\n')
    command = [sys.executable, "-m", "cython", "-3", "-X", "cdivision=True", "probe.pyx", "-o", "probe.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return GUARD.findings(folder / "probe.c", folder)


def test_guard_accepts_a_clean_data_plane(tmp_path: Path) -> None:
    assert guard_says(tmp_path, CLEAN) == (2, [])


@pytest.mark.parametrize("offence", OFFENCES)
def test_guard_finds(offence: str, tmp_path: Path) -> None:
    assert guard_says(tmp_path, OFFENCES[offence])[1] != []


# ---- sizes -------------------------------------------------------------------------------------------------------


def python_functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def cython_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Functions at the left margin, from their header to the last line indented below it."""
    for match in re.finditer(r"^(?:cdef|def)\b[^\n]*?\b(\w+)\((?:.*\n)(?:[ \t)].*\n|\n)*", path.read_text(), re.M):
        yield match[1], len(match[0].rstrip().splitlines())


def test_sizes() -> None:
    """A file is one idea and a function fits on a screen. Between the two limits: a warning, and a reason needed."""
    too_long, longish = [], []
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "src").glob("*.p*")]:
        count = len(path.read_text().splitlines())
        sizes = [("", count, FILE_WARN, FILE_LINES)]
        functions = python_functions(path) if path.suffix == ".py" else cython_functions(path)
        sizes += [(f" {name}()", lines, FUNCTION_WARN, FUNCTION_LINES) for name, lines in functions]
        for name, lines, warn, limit in sizes:
            where = f"{path.relative_to(ROOT)}{name}: {lines} lines"
            too_long += [where] if lines > limit else []
            longish += [where] if warn < lines <= limit else []
    if longish:
        warnings.warn("longer than usual:\n" + "\n".join(longish), stacklevel=1)
    assert too_long == []
