"""HTTP_SOURCE: records that others post to us.

Delivery: at least once; a request with an `Idempotency-Key` exactly once while the bus remembers
it. A record is on the bus when the request is answered.
"""

import msgspec


class HttpSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is to be told: the pipeline's own address takes the records."""
