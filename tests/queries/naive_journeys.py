"""The answers to questions about journeys the slow way: one user, one event after the other."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from service.events import Event
from tests.queries.naive import _iso, _ms, edges
from tests.queries.naive_query import _digits, _typed, beside_customers, holds, value

Found = Sequence[Event]
Span = tuple[int, int]
"""From, up to before, in ms."""


def by_user(events: Found) -> dict[str, list[Event]]:
    """The events of each user, in order of time."""
    found = defaultdict(list)
    for event in sorted(events, key=lambda e: e.timestamp):
        if event.user_id:
            found[event.user_id].append(event)
    return found


def is_meant(event: Event, step: dict) -> bool:
    """Whether an event is what a step means."""
    kind = step.get("event", event.event_type)
    return kind == event.event_type and all(holds(event, f) for f in step.get("filters", []))


def percentile(values: Iterable[int], percent: int) -> Fraction | None:
    """Between the two nearest where it falls between them."""
    found = sorted(map(Fraction, values))
    if not found:
        return None
    place = Fraction(percent, 100) * (len(found) - 1)
    low, high = found[int(place)], found[min(int(place) + 1, len(found) - 1)]
    return low + (high - low) * (place - int(place))


def passing(events: Found, asked: dict) -> list[Event]:
    """Those that the filters let through, with what is known of their users."""
    known = beside_customers(events)
    return [e for e in known if all(holds(e, f) for f in asked.get("filters", []))]


class Funnel:
    """A funnel over some events; `window` and `length` (of a bucket, or 0) in ms."""

    def __init__(self, events: Found, asked: dict, window: int, length: int) -> None:
        self.users = by_user(passing(events, asked))
        self.asked, self.window, self.length = asked, window, length
        self.grouped = [d for d in asked.get("dimensions", []) if d != "time"]

    def answer(self, time: Span, compare: Span | None) -> dict:
        groups = self.groups(time)
        rows = [row for group in groups for row in self.rows(group, time, compare)]
        answer = {"rows": rows}
        if self.asked.get("totals"):
            answer["totals"] = {"steps": self.steps(time)}
            if compare:
                answer["totals"]["compare"] = {"steps": self.steps(compare)}
        return answer

    def groups(self, time: Span) -> list[tuple]:
        """Those in which the most users begin."""
        begun = defaultdict(set)
        for user, events in self.users.items():
            for event in events:
                if time[0] <= _ms(event.timestamp) < time[1] and self.is_step(event, 0):
                    begun[self.key(event)].add(user)
        if not self.grouped:
            return [()]
        ranked = sorted(begun, key=lambda k: (-len(begun[k]), k))
        return ranked[: self.asked.get("limit", 100)]

    def rows(self, group: tuple, time: Span, compare: Span | None) -> list[dict]:
        named = dict(zip(self.grouped, (k[1] for k in group), strict=True))
        if not self.length:
            row = {"dimensions": named, "steps": self.steps(time, group)}
            if compare:
                row["compare"] = {"steps": self.steps(compare, group)}
            return [row]
        then = self.buckets(compare) if compare else []
        rows = []
        for n, (start, end) in enumerate(self.buckets(time)):
            shown = {"time": _iso(start), **named}
            steps = self.steps((max(start, time[0]), end), group)
            row = {"dimensions": {d: shown[d] for d in self.asked["dimensions"]}, "steps": steps}
            if n < len(then):
                first, last = then[n]
                steps = self.steps((max(first, compare[0]), last), group)
                row["compare"] = {"steps": steps, "time": _iso(first)}
            rows.append(row)
        return rows

    def buckets(self, time: Span) -> list[Span]:
        starts = list(edges(*time, self.length, self.asked.get("tz", "UTC")))
        return list(zip(starts, [*starts[1:], time[1]], strict=True))

    def key(self, event: Event) -> tuple:
        return tuple(_typed(value(event, name)) for name in self.grouped)

    def is_step(self, event: Event, number: int) -> bool:
        return is_meant(event, self.asked["steps"][number])

    def steps(self, begins: Span, group: tuple | None = None) -> list[dict]:
        """What is shown of those whose runs begin in a time, and in a group."""
        runs = [run for run in (self.best(u, begins, group) for u in self.users) if run]
        users = [sum(len(run) > n for run in runs) for n in range(len(self.asked["steps"]))]
        shown = []
        for n, step in enumerate(self.asked["steps"]):
            name = step.get("name") or step.get("event") or f"step {n + 1}"
            one = {"name": name, "users": users[n], "share": _share(users[n], users[0])}
            one["shareOfPrevious"] = _share(users[n], users[max(n - 1, 0)])
            if n:
                took = [run for run in runs if len(run) > n]
                one["secondsFromFirst"] = self.times(run[n] - run[0] for run in took)
                one["secondsFromPrevious"] = self.times(run[n] - run[n - 1] for run in took)
            shown.append(one)
        return shown

    def times(self, took: Iterable[int]) -> dict:
        all_of = list(took)
        percents = self.asked.get("percentiles", [50, 90, 95])
        of = {p: percentile(all_of, p) for p in percents}
        return {f"p{p}": None if v is None else _digits(v / 1000) for p, v in of.items()}

    def best(self, user: str, begins: Span, group: tuple | None) -> list[int]:
        """When the steps of his deepest run were taken, of equally deep ones the first."""
        runs = [
            self.run(user, _ms(event.timestamp))
            for event in self.users[user]
            if begins[0] <= _ms(event.timestamp) < begins[1] and self.is_step(event, 0)
            if not group or self.key(event) == group
        ]
        return max(runs, key=lambda run: (len(run), -run[0]), default=[])

    def run(self, user: str, begun: int) -> list[int]:
        """When each step was first taken after the one before."""
        times = [begun]
        for n in range(1, len(self.asked["steps"])):
            later = (
                _ms(event.timestamp)
                for event in self.users[user]
                if times[-1] < _ms(event.timestamp) <= begun + self.window
                and self.is_step(event, n)
            )
            if (following := next(later, None)) is None:
                return times
            times.append(following)
        return times


def _share(part: int, whole: int) -> float | None:
    return _digits(Fraction(part, whole)) if whole else None


class Sessions:
    """Sessions of some events; `gap` and `length` (of a bucket, or 0) in ms."""

    def __init__(self, events: Found, asked: dict, gap: int, length: int) -> None:
        self.events, self.asked = passing(events, asked), asked
        self.gap, self.length = gap, length
        self.grouped = [d for d in asked.get("dimensions", []) if d != "time"]

    def answer(self, time: Span, compare: Span | None) -> dict:
        now, then = self.sessions(time), self.sessions(compare) if compare else None
        answer = {
            "rows": [
                row
                for group in self.groups(now)
                for row in self.rows(group, now, then, time, compare)
            ]
        }
        if self.asked.get("totals"):
            answer["totals"] = {"metrics": self.metrics(now)}
            if compare:
                answer["totals"]["compare"] = {"metrics": self.metrics(then)}
        return answer

    def sessions(self, time: Span) -> list[list[Event]]:
        """The events of each, by time; of equal moments in the order in which they came."""
        found = defaultdict(list)
        for event in sorted(self.events, key=lambda e: e.timestamp):
            by_id = self.asked.get("by") == "sessionId" and event.session_id
            who = ("session", event.session_id) if by_id else ("user", event.user_id)
            if who[1] and time[0] <= _ms(event.timestamp) < time[1]:
                sittings = found[who]
                last = _ms(sittings[-1][-1].timestamp) if sittings else None
                if last is None or (not by_id and _ms(event.timestamp) - last > self.gap):
                    sittings.append([])
                sittings[-1].append(event)
        return [sitting for sittings in found.values() for sitting in sittings]

    def key(self, session: list[Event]) -> tuple:
        return tuple(_typed(value(session[0], name)) for name in self.grouped)

    def groups(self, found: list[list[Event]]) -> list[tuple]:
        sizes = Counter(self.key(session) for session in found)
        if not self.grouped:
            return [()]
        return sorted(sizes, key=lambda k: (-sizes[k], k))[: self.asked.get("limit", 100)]

    def rows(self, group, now, then, time, compare) -> list[dict]:
        named = dict(zip(self.grouped, (k[1] for k in group), strict=True))
        now = [s for s in now if self.key(s) == group]
        then = [s for s in then or [] if self.key(s) == group]
        if not self.length:
            row = {"dimensions": named, "metrics": self.metrics(now)}
            return [row | ({"compare": {"metrics": self.metrics(then)}} if compare else {})]
        tz, rows = self.asked.get("tz", "UTC"), []
        others = list(edges(*compare, self.length, tz)) if compare else []
        starts = list(edges(*time, self.length, tz))
        for n, start in enumerate(starts):
            shown = {"time": _iso(start), **named}
            row = {"dimensions": {d: shown[d] for d in self.asked["dimensions"]}}
            row["metrics"] = self.metrics(_begun(now, starts, n))
            if n < len(others):
                metrics = self.metrics(_begun(then, others, n))
                row["compare"] = {"metrics": metrics, "time": _iso(others[n])}
            rows.append(row)
        return rows

    def metrics(self, found: list[list[Event]]) -> dict:
        lasted = [_ms(s[-1].timestamp) - _ms(s[0].timestamp) for s in found]
        count, events = len(found), sum(map(len, found))
        bounces = sum(len(s) == 1 for s in found)
        of = {p: percentile(lasted, p) for p in self.asked.get("percentiles", [50, 90, 95])}
        shown = {f"p{p}": None if v is None else _digits(v / 1000) for p, v in of.items()}
        return {
            "sessions": count,
            "users": len({s[0].user_id for s in found} - {""}),
            "events": events,
            "bounces": bounces,
            "bounceRate": _share(bounces, count),
            "eventsPerSession": _share(events, count),
            "seconds": {"mean": _share(sum(lasted), 1000 * count), **shown},
        }


def _begun(sessions: list[list[Event]], starts: list[int], number: int) -> list[list[Event]]:
    """Those that began in a bucket."""
    end = [*starts, float("inf")][number + 1]
    return [s for s in sessions if starts[number] <= _ms(s[0].timestamp) < end]


def naive_retention(events: Found, asked: dict, time: Span, periods: list[int]) -> dict:
    """`periods` are where they begin, in ms."""
    users = by_user(passing(events, asked))
    back = asked.get("return", asked["start"])
    bounds = list(zip(periods, [*periods[1:], time[1]], strict=True))
    began: list[dict[str, int]] = [{} for _ in periods]
    returns: list[dict[str, int]] = [{} for _ in periods]
    for user, found in users.items():
        ever = [_ms(e.timestamp) for e in found if is_meant(e, asked["start"])]
        if asked.get("kind", "first") == "first":
            ever = ever[:1]
        for n, (start, end) in enumerate(bounds):
            inside = range(max(start, time[0]), end)
            if begun := [at for at in ever if at in inside]:
                began[n][user] = begun[0]
            back_at = [_ms(e.timestamp) for e in found if is_meant(e, back)]
            if came := [at for at in back_at if at in inside]:
                returns[n][user] = came[-1]
    cohorts = []
    for n, start in enumerate(periods):
        came = [
            sum(returns[later].get(user, at) > at for user, at in began[n].items())
            for later in range(n, len(periods))
        ]
        shares = [_share(c, len(began[n])) for c in came]
        one = {"time": _iso(start), "users": len(began[n]), "returned": came, "shares": shares}
        cohorts.append(one)
    ages = range(len(periods))
    of = [sum(c["users"] for c in cohorts if len(c["returned"]) > age) for age in ages]
    came = [sum(c["returned"][age] for c in cohorts if len(c["returned"]) > age) for age in ages]
    shares = [_share(c, n) for c, n in zip(came, of, strict=True)]
    return {"cohorts": cohorts, "totals": {"users": of, "returned": came, "shares": shares}}


def calendar_periods(time: Span, period: str, zone: str) -> list[int]:
    """Where the days, weeks or months begin that hold a range, minute by minute of the clock."""
    if period != "month":
        return list(edges(*time, {"day": 1, "week": 7}[period] * 86_400_000, zone))
    clock, found, at = ZoneInfo(zone), [], time[0] - 32 * 86_400_000
    month = None
    while at < time[1]:
        now = datetime.fromtimestamp(at / 1000, clock)
        if month not in {None, (now.year, now.month)}:
            found.append(at)
        month = (now.year, now.month)
        at += 15 * 60_000 - at % (15 * 60_000)
    return [
        at for at, after in zip(found, [*found[1:], time[1] + 1], strict=True) if after > time[0]
    ]


def naive_paths(events: Found, asked: dict, time: Span, gap: int) -> dict:
    """The ways that journeys take, `gap` in ms."""
    step, back = asked.get("from") or asked.get("to") or {}, "to" in asked
    inside = [e for e in passing(events, asked) if time[0] <= _ms(e.timestamp) < time[1]]
    taken, takers = Counter(), defaultdict(set)
    for user, found in by_user(inside).items():
        for journey in _journeys(found, gap):
            journey = journey[::-1] if back else journey
            meant = [n for n, event in enumerate(journey) if is_meant(event, step)]
            if meant:
                nodes = [_typed(value(e, asked["of"])) for e in journey[meant[0] :]]
                if asked.get("collapse"):
                    nodes = [n for i, n in enumerate(nodes) if not i or n != nodes[i - 1]]
                way = tuple(nodes[: asked["depth"]])
                taken[way] += 1
                takers[way].add(user)
    absent, everyone = (9,), sum(taken.values())
    ranked = sorted(taken, key=lambda w: (-taken[w], [*w, *[absent] * (asked["depth"] - len(w))]))
    shown = ranked[: asked["limit"]]
    paths = [
        {
            "steps": [node[1] for node in (way[::-1] if back else way)],
            "journeys": taken[way],
            "users": len(takers[way]),
            "share": _share(taken[way], everyone),
        }
        for way in shown
    ]
    others = {
        "paths": len(ranked) - len(shown),
        "journeys": everyone - sum(taken[w] for w in shown),
    }
    return {"paths": paths, "other": others}


def _journeys(found: list[Event], gap: int) -> list[list[Event]]:
    journeys: list[list[Event]] = []
    for event in found:
        if not journeys or _ms(event.timestamp) - _ms(journeys[-1][-1].timestamp) > gap:
            journeys.append([])
        journeys[-1].append(event)
    return journeys
