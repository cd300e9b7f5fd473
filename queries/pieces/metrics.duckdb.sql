-- DuckDB's own form of some metrics.

-- percentile: Exact, between the two nearest where it falls between them.
quantile_cont(<number>, {level:Float64})
