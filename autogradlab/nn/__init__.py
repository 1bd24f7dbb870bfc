"""Neural networks, under torch's own names."""

from . import functional
