"""What every Tickflag process shares: the segment, the update protocol, messages, settings. Knows no service."""
