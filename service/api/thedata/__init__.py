"""The thedata face: `/v1/…`, snake_case; a translation, the core is the same for all faces."""
