"""`tickflag doctor`: checks the machine and the engine, and makes a bundle for an investigation.

In: settings, folders, services. Out: diagnoses with remedies; a .tar.gz.
"""
