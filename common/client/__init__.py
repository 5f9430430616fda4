"""For notebooks and scripts: the running engine as data frames, and data frames as recordings."""

from common.client.live import Live, attach
from common.client.saving import save_recording

__all__ = ["Live", "attach", "save_recording"]
