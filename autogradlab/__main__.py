"""`python -m autogradlab grade FOLDER`: what the checkers say of submitted lessons."""

import sys

COMMANDS = "usage: python -m autogradlab grade FOLDER [--help]"

if __name__ == "__main__":
    if sys.argv[1:2] != ["grade"]:
        sys.exit(COMMANDS)
    from autogradlab.lessons.grade import main

    sys.exit(main(sys.argv[2:]))
