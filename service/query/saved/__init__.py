"""Questions that have a name: `definition` is what is kept of one and how its parameters are filled
in, `shelf` answers it.
"""
