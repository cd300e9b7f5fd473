"""Pipelines as people make, change, start and stop them: no HTTP here, and no running."""
