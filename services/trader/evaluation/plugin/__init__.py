"""The plugin: a trader's code found, loaded, checked and called.

In: a file or an entry point with settings. Out: a `Plugin` to ask, or a PluginError that names what is wrong.
"""
