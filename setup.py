"""Build of the compiled engine. FASTLB_BUILD chooses release (default), debug, asan or coverage."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

BUILD = os.environ.get("FASTLB_BUILD", "release")

COMPILE = {
    "release": ["-O2", "-DNDEBUG"],
    "debug": ["-O1", "-g", "-UNDEBUG", "-DFASTLB_DEBUG=1"],
    "asan": [
        "-O1",
        "-g",
        "-UNDEBUG",
        "-DFASTLB_DEBUG=1",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
        "-fno-omit-frame-pointer",
    ],
    "coverage": ["-O0", "-g", "-UNDEBUG", "-DFASTLB_DEBUG=1", "-DCYTHON_TRACE_NOGIL=1"],
}
LINK = {"asan": ["-fsanitize=address,undefined"]}
HARDENING = ["-fstack-protector-strong", "-Wall", "-Wno-unused-function", "-Wno-sign-compare"]

engine = Extension(
    "fastlb._engine",
    ["src/engine.pyx"],
    depends=[str(path) for path in sorted(Path("src").iterdir())],
    include_dirs=["src"],
    extra_compile_args=["-std=gnu11", *HARDENING, *COMPILE[BUILD]],
    extra_link_args=["-Wl,-z,relro,-z,now", *LINK.get(BUILD, [])],
)

setup(
    ext_modules=cythonize(
        [engine],
        build_dir=None if BUILD == "coverage" else f"build/cython-{BUILD}",
        compiler_directives={
            "language_level": 3,
            "cdivision": True,
            "auto_pickle": False,
            "autotestdict": False,
            "linetrace": BUILD == "coverage",
        },
    )
)
