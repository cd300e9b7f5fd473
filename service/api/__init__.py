"""HTTP in, HTTP out: decode, call one function, encode. No rules of its own."""
