"""For notebooks and scripts: the running engine as data frames, and data frames as recordings."""

from common.client.saving import save_recording

__all__ = ["save_recording"]
