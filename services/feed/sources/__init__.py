"""Where the market comes from. A source is one class; packages add their own as entry points in `tickflag.sources`."""
