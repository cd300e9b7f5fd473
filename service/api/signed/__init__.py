"""The signed face: partners push customers and events, each request signed."""
