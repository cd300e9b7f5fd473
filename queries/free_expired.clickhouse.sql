-- Have the engine take deleted events off the disk, by and by: until then they are only hidden.
ALTER TABLE events APPLY DELETED MASK SETTINGS mutations_sync = 0
