"""The answers to questions about journeys the slow way: one user, one event after the other."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction

from service.events import Event
from tests.queries.naive import _iso, _ms, edges
from tests.queries.naive_query import _digits, _typed, holds, value

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
    return [e for e in events if all(holds(e, f) for f in asked.get("filters", []))]


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
