"""Pipelines: records from a source, mapped, to a target."""
