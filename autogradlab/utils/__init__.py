"""`torch.utils`: checkpointing, and loading data."""

from . import checkpoint as checkpoint
from . import data as data
