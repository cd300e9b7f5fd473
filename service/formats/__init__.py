"""Tables in the form that is asked for: one room for rows and columns on their way to a file.

`choice` knows which forms there are, `columns` makes tables of rows, `encoders` writes them down.
`csv_rows` is the way in: it reads a CSV file of any size, row by row, with a cursor.
"""
