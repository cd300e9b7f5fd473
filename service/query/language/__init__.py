"""The query language: one small document that asks for metrics of events, by what, of which.

`words` is its grammar, `fields` and `metrics` are its vocabulary, `reading` makes a `question` of a
document, `planning` statements of a question, `answer` a document of what the store gave.
"""
