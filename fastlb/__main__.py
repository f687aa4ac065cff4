"""``python -m fastlb`` is ``fastlb``."""

import sys

from fastlb.cli import main

if __name__ == "__main__":
    sys.exit(main())
