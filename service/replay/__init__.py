"""Sends recorded events to a service and checks that what it counts is what was sent."""

from service.replay.report import Report
from service.replay.run import ReplayOptions, replay, replay_recordings

__all__ = ["ReplayOptions", "Report", "replay", "replay_recordings"]
