"""Tickflag's processes. They share `common` and import none of one another; `replay` and `testing` compose cores."""
