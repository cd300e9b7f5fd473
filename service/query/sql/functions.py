"""The functions of the SQL that users write, and what each is called by the engines.

sqlglot would pass on functions that it does not know, and translate others only nearly. So a call
is taken apart and made anew, by this table, for the engine that is asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

Arguments = Sequence[exp.Expr]
Build = Callable[..., exp.Expr]


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its name, the parts of its node that are its arguments, its form in engines."""

    name: str
    parts: tuple[str, ...]
    forms: Mapping[str, Build]
    about: str
    ignored: frozenset[str] = field(default=frozenset())
    """Parts that the parser sets itself."""
    constant: tuple[str, ...] = ()
    """Arguments that have to be constants."""


def call(name: str) -> Build:
    """Makes calls of the function of this name."""
    return lambda *arguments: exp.Anonymous(this=name, expressions=list(arguments))


def _same(name: str) -> Mapping[str, Build]:
    return {"duckdb": call(name), "clickhouse": call(name)}


def _named(duckdb: str, clickhouse: str) -> Mapping[str, Build]:
    return {"duckdb": call(duckdb), "clickhouse": call(clickhouse)}


def _looking(name: str) -> Mapping[str, Build]:
    """At another row: NULL where there is none, on ClickHouse as well."""
    return {
        "duckdb": call(name),
        "clickhouse": lambda value: call(name)(call("toNullable")(value)),
    }


def _quantile(values: exp.Expr, share: exp.Expr | None = None) -> exp.Expr:
    return exp.ParameterizedAgg(
        this="quantileExactInclusive",
        expressions=[share or exp.Literal.number("0.5")],
        params=[values],
    )


def _truncated(moment: exp.Expr, unit: exp.Expr) -> exp.Expr:
    """The beginning of a time's unit, as the same kind of time as it was."""
    cut = call("dateTrunc")(exp.Literal.string(unit.name.lower()), moment, _UTC)
    return call("toDateTime64")(cut, exp.Literal.number(3), _UTC)


def _extracted(part: exp.Expr, moment: exp.Expr) -> exp.Expr:
    name, *more = EXTRACTED[part.name.upper()]
    return call(name)(moment, *(exp.Literal.number(n) for n in more))


def _between(until: exp.Expr, since: exp.Expr, unit: exp.Expr) -> tuple[exp.Expr, ...]:
    return exp.Literal.string(unit.name.lower()), since, until


_UTC = exp.Literal.string("UTC")
EXTRACTED: Mapping[str, tuple[str, *tuple[int, ...]]] = {
    "YEAR": ("toYear",),
    "QUARTER": ("toQuarter",),
    "MONTH": ("toMonth",),
    "WEEK": ("toISOWeek",),
    "DAY": ("toDayOfMonth",),
    "DAYOFWEEK": ("toDayOfWeek", 2),
    "DOW": ("toDayOfWeek", 2),
    "ISODOW": ("toDayOfWeek",),
    "DOY": ("toDayOfYear",),
    "DAYOFYEAR": ("toDayOfYear",),
    "HOUR": ("toHour",),
    "MINUTE": ("toMinute",),
    "SECOND": ("toSecond",),
}
"""The parts of a time that `extract` takes, with ClickHouse's functions and their modes."""

_THIS = ("this",)
_TWO = ("this", "expression")
_SOME = ("this", "expressions")
FUNCTIONS: Mapping[type[exp.Expr], Function] = {
    # Aggregates
    exp.Count: Function(
        "count",
        _THIS,
        _same("count"),
        "`count(*)`, `count(x)`, `count(DISTINCT x)`",
        frozenset({"big_int"}),
    ),
    exp.CountIf: Function("count_if", _THIS, _named("count_if", "countIf"), "rows where it holds"),
    exp.Sum: Function("sum", _THIS, _same("sum"), ""),
    exp.Avg: Function("avg", _THIS, _same("avg"), ""),
    exp.Min: Function("min", _THIS, _same("min"), ""),
    exp.Max: Function("max", _THIS, _same("max"), ""),
    exp.Median: Function(
        "median", _THIS, {"duckdb": call("median"), "clickhouse": _quantile}, "exact, interpolated"
    ),
    exp.PercentileCont: Function(
        "quantile_cont",
        _TWO,
        {"duckdb": call("quantile_cont"), "clickhouse": _quantile},
        "`quantile_cont(x, 0.95)`, exact, interpolated",
        constant=("expression",),
    ),
    exp.Stddev: Function("stddev", _THIS, _named("stddev_samp", "stddevSamp"), "of the sample"),
    exp.Variance: Function("variance", _THIS, _named("var_samp", "varSamp"), "of the sample"),
    exp.ArgMax: Function("arg_max", _TWO, _named("arg_max", "argMax"), "`arg_max(x, greatest)`"),
    exp.ArgMin: Function("arg_min", _TWO, _named("arg_min", "argMin"), "`arg_min(x, least)`"),
    # Windows
    exp.RowNumber: Function("row_number", (), _same("row_number"), "with `OVER`"),
    exp.Rank: Function("rank", (), _same("rank"), "with `OVER`"),
    exp.DenseRank: Function("dense_rank", (), _same("dense_rank"), "with `OVER`"),
    exp.Lag: Function("lag", _THIS, _looking("lag"), "the row before, with `OVER`"),
    exp.Lead: Function("lead", _THIS, _looking("lead"), "the row after, with `OVER`"),
    exp.FirstValue: Function("first_value", _THIS, _same("first_value"), "with `OVER`"),
    exp.LastValue: Function("last_value", _THIS, _same("last_value"), "with `OVER`"),
    # Texts
    exp.Lower: Function("lower", _THIS, _named("lower", "lowerUTF8"), ""),
    exp.Upper: Function("upper", _THIS, _named("upper", "upperUTF8"), ""),
    exp.Length: Function("length", _THIS, _named("length", "lengthUTF8"), "in characters"),
    exp.Trim: Function("trim", _THIS, _named("trim", "trimBoth"), "of spaces"),
    exp.Substring: Function(
        "substring",
        ("this", "start", "length"),
        _named("substring", "substringUTF8"),
        "from 1",
        constant=("start", "length"),
    ),
    exp.Replace: Function(
        "replace", ("this", "expression", "replacement"), _named("replace", "replaceAll"), ""
    ),
    exp.StartsWith: Function("starts_with", _TWO, _named("starts_with", "startsWith"), ""),
    exp.StrPosition: Function(
        "strpos", ("this", "substr"), _named("strpos", "positionUTF8"), "from 1; 0: not in it"
    ),
    exp.RegexpLike: Function(
        "regexp_matches",
        _TWO,
        _named("regexp_matches", "match"),
        "RE2, of a part; also written `x ~ 'a+'`",
        constant=("expression",),
    ),
    # Numbers
    exp.Abs: Function("abs", _THIS, _same("abs"), ""),
    exp.Round: Function(
        "round",
        ("this", "decimals"),
        _same("round"),
        "halves go either way",
        constant=("decimals",),
    ),
    exp.Floor: Function("floor", _THIS, _same("floor"), ""),
    exp.Ceil: Function("ceil", _THIS, _same("ceil"), ""),
    exp.Sqrt: Function("sqrt", _THIS, _same("sqrt"), ""),
    exp.Ln: Function("ln", _THIS, _named("ln", "log"), ""),
    exp.Exp: Function("exp", _THIS, _same("exp"), ""),
    exp.Greatest: Function("greatest", _SOME, _same("greatest"), "", frozenset({"ignore_nulls"})),
    exp.Least: Function("least", _SOME, _same("least"), "", frozenset({"ignore_nulls"})),
    # Whatever is there
    exp.Coalesce: Function("coalesce", _SOME, _same("coalesce"), "the first that is not NULL"),
    exp.Nullif: Function("nullif", _TWO, _same("nullif"), "NULL if both are equal"),
    # Times
    exp.TimestampTrunc: Function(
        "date_trunc",
        ("this", "unit"),
        {
            "duckdb": lambda moment, unit: call("date_trunc")(
                exp.Literal.string(unit.name.lower()), moment
            ),
            "clickhouse": _truncated,
        },
        "`date_trunc('day', timestamp)`, of UTC; weeks begin on Monday",
        frozenset({"input_type_preserved"}),
    ),
    exp.Extract: Function(
        "extract",
        _TWO,
        {
            "duckdb": lambda part, moment: exp.Extract(this=part, expression=moment),
            "clickhouse": _extracted,
        },
        "`extract(hour FROM timestamp)`: " + ", ".join(sorted(map(str.lower, EXTRACTED))),
    ),
    exp.DateDiff: Function(
        "date_diff",
        ("this", "expression", "unit"),
        {
            "duckdb": lambda *given: call("date_diff")(*_between(*given)),
            "clickhouse": lambda *given: call("dateDiff")(*_between(*given)),
        },
        "`date_diff('day', from, to)`: how many of its beginnings lie between",
        frozenset({"date_part_boundary", "big_int"}),
    ),
    exp.CurrentTimestamp: Function(
        "now", (), {}, "when the query came", frozenset({"this", "sysdate"})
    ),
}
"""Each by the node that the parser makes of it."""
NAMES = sorted(function.name for function in FUNCTIONS.values())
