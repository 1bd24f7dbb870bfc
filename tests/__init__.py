"""A package, so that none of another project is taken for it."""
