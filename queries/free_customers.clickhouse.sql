-- Have the engine take deleted versions of customers off the disk, by and by.
ALTER TABLE customers APPLY DELETED MASK SETTINGS mutations_sync = 0
