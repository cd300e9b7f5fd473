-- DuckDB's own form of some filters.

-- texts: A JSON value that is one of these texts; {long} are those that are whole numbers beyond 64 bits.
(<json> IN list_concat(
    list_transform({values:Array(String)}, lambda x: CAST(to_json(x) AS VARCHAR)),
    {long:Array(String)}
))
