"""Doors for clients that were made for Segment and for PostHog (docs/api-dropins.md)."""
