"""Delivers rows to an HTTP API, each one once: no row lost, none created twice.

In the order in which a row meets them: `config_file` and `config` say what is wanted, `shaping`
makes a request of a row (`columns`, `cleaning`), `sending` sends one request until its outcome is
known (`authentication`, `gate`, `pace`, `answers`), `journal` keeps what became of it, `run` is the
whole way, `report` tells it. `job` makes a job of a file and a configuration; `uploads/` does jobs
that came over HTTP, in the background.
"""
