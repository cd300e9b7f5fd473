"""The log between the door and the store: one protocol, NATS JetStream behind it."""
