"""Files that were sent to be delivered to an HTTP API (`service/delivery/`), in the background.

`shelf` keeps them on the disk, `intake` takes one in, `carrying_out` delivers those that wait.
"""
