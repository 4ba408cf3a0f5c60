"""``python -m naturalistic`` is the command ``naturalistic``."""

import sys

from naturalistic.cli import main

if __name__ == "__main__":
    sys.exit(main())
