"""Questions about what users do one after the other, in the words of the query language.

`words` has the forms of their documents, `asked` what all of them share; each of the others is one
question: it is read, becomes statements, and what the store gives becomes its document.
"""
