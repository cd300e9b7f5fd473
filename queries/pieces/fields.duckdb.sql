-- DuckDB's own form of some fields.

-- member: What a JSON object has under a key, as JSON text; '' for nothing. A whole number beyond 64 bits is a text, as ClickHouse has it.
coalesce(
    CASE
        WHEN length(<reached>) > 18 AND regexp_full_match(<reached>, '-?[0-9]+')
            AND TRY_CAST(<reached> AS UBIGINT) IS NULL AND TRY_CAST(<reached> AS BIGINT) IS NULL
        THEN concat('"', <reached>, '"')
        ELSE <reached>
    END,
    ''
)

-- reached: What a JSON object has under a key, as JSON text.
CAST(json_extract(nullif(<document>, ''), {path:String}) AS VARCHAR)

-- unquoted: The text of a JSON text.
(<json> ->> '$')

-- parsed: The number of a JSON text.
TRY_CAST(<json> AS DOUBLE)
