"""Tables in the form that is asked for: one room for rows and columns on their way to a file.

`choice` knows which forms there are, `columns` makes tables of rows, `encoders` writes them down.
"""
