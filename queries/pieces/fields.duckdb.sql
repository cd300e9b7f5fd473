-- DuckDB's own form of some fields.

-- member: What a JSON object has under a key, as JSON text.
json_extract(<document>, {path:String})

-- value: The same; a whole number beyond 64 bits is a text, as it is for ClickHouse.
coalesce(
    CASE
        WHEN length(CAST(<reached> AS VARCHAR)) > 18
            AND regexp_full_match(CAST(<reached> AS VARCHAR), '-?[0-9]+')
            AND TRY_CAST(CAST(<reached> AS VARCHAR) AS UBIGINT) IS NULL
            AND TRY_CAST(CAST(<reached> AS VARCHAR) AS BIGINT) IS NULL
        THEN concat('"', CAST(<reached> AS VARCHAR), '"')
        ELSE CAST(<reached> AS VARCHAR)
    END,
    ''
)

-- unquoted: The text of a JSON text.
(<json> ->> '$')

-- parsed: The number of a JSON text.
TRY_CAST(<json> AS DOUBLE)
