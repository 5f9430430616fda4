"""Commands on settings and keys.

In: files and folders of the user. Out: the settings in force and their origins; key files.
"""
