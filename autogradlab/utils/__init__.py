"""`torch.utils`: checkpointing."""

from . import checkpoint as checkpoint
