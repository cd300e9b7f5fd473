"""Headrace: events in through NATS JetStream, kept in a columnar engine, answered a second later.

The files stand in the order in which data meets them; `docs/architecture.md` has the drawing.
"""

__version__ = "0.1.0"
