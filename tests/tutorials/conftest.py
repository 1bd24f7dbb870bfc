"""The programs are run by the test beside them, not imported as modules with doctests."""

collect_ignore_glob = ["programs/*"]
