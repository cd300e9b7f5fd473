"""How ClickHouse is asked what users write in SQL: the settings, and whose mistake an error is."""

from clickhouse_connect.driver.exceptions import Error

from service.storage.clickhouse_errors import translated
from service.storage.sandbox import LARGEST_ANSWER, mistake

CONSULTING = {
    "max_execution_time": "60",
    "max_memory_usage": "500000000",
    "max_result_rows": "20000",
    "max_result_bytes": str(LARGEST_ANSWER),
    "result_overflow_mode": "throw",
    # As DuckDB has it, whose dialect users write.
    "join_use_nulls": "1",
    "aggregate_functions_null_for_empty": "1",
    "union_default_mode": "DISTINCT",
    "intersect_default_mode": "DISTINCT",
    "except_default_mode": "DISTINCT",
    "prefer_column_name_to_alias": "1",
    "enable_extended_results_for_datetime_functions": "1",
    "allow_ddl": "0",
    # All rows of a tenant are on one shard; of two distributed tables one is sent there.
    "distributed_product_mode": "global",
}

_MISTAKES = {
    *(1, 6, 8, 10, 20, 27, 35, 36, 38, 41, 42, 43, 44, 46, 47, 48, 50, 53, 60, 62, 63, 69, 70),
    72,
    *(131, 153, 168, 179, 184, 207, 215, 258, 321, 349, 352, 386, 403, 407, 427, 456, 630, 691),
}
"""Unknown names, types that do not fit, values out of range: codes as in its ErrorCodes.cpp."""


def mistake_or(error: Exception) -> Exception:
    """The user's mistake that an error tells of, or what it says of the engine."""
    if isinstance(error, Error) and error.code in _MISTAKES:
        return mistake(str(error))
    return translated(error, reading=True)
