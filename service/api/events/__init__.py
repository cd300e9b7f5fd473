"""The events face: `/api/v1/events*`, `/api/v1/analytics/metrics` and its keys."""
