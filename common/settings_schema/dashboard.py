"""The block of the dashboard."""

from pydantic import Field

from tickflag.common.settings_schema.block import Block


class DashboardBlock(Block):
    enabled: bool = True
    """Whether the dashboard is served; without it the process idles."""
    host: str = "127.0.0.1"
    """Address at which it is served. Any other than loopback needs `tls_cert` and `tls_key`."""
    port: int = Field(8_087, ge=0, le=65_535)
    """Port of the dashboard, or the next free one where it is taken; 0 switches it off."""
    hosts: list[str] = Field([])
    """Further names by which browsers reach it, as that of a proxy."""
    open_reading: bool = True
    """Whether matches, signals, states and figures are open to readers on loopback without the token."""
    token_file: str = ""
    """File of the token; else `dashboard.token` in the state folder."""
    tls_cert: str = ""
    """File of the certificate, PEM, with its chain."""
    tls_key: str = ""
    """File of the certificate's private key, PEM."""
    sample_ms: float = Field(250.0, ge=50, le=60_000)
    """Time between two looks at the engine while anybody looks."""
