"""What all Tickflag processes share: the segment, the update protocol, messages, settings. It knows no service."""
