"""Tickflag's processes. They share `common` and never import one another; `services.replay` alone composes them."""
