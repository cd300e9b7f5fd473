-- DuckDB's own form of some fields.

-- member: What a JSON object has under a key, as JSON text.
json_extract(<document>, {path:String})

-- value: The JSON text at the end of a path; '' for nothing.
coalesce(CAST(<reached> AS VARCHAR), '')

-- too_long: Whether a JSON text is a whole number beyond 64 bits.
(strlen(<json>) > 18 AND regexp_full_match(<json>, '-?[0-9]+')
    AND TRY_CAST(<json> AS UBIGINT) IS NULL AND TRY_CAST(<json> AS BIGINT) IS NULL)

-- unquoted: The text of a JSON text.
(<json> ->> '$')

-- parsed: The number of a JSON text.
TRY_CAST(<json> AS DOUBLE)
