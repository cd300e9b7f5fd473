"""Events out of a store in pieces, and into a service by the road that every event takes."""
