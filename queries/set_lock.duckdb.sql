-- From here on no statement changes a setting of the engine.
SET lock_configuration = true
