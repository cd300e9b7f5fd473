"""Two clocks that ought to say the same."""

from service.doctor.remark import Part, Remark

_ALLOWED = 1_000
_MOST = 30_000
"""Milliseconds by which clocks may differ, and from where on times are wrong for people."""
_ADVICE = "let every machine follow the same time servers (chrony, systemd-timesyncd)"


def compare(part: Part, theirs: int, before: int, after: int) -> Remark:
    """A clock that was read between two looks at ours; all in ms since 1970 UTC."""
    off = theirs - min(max(theirs, before), after)
    if abs(off) <= _ALLOWED:
        return part.right("clock", "it says what this machine's clock says")
    said = f"it is {abs(off) / 1000:.1f} s {'ahead of' if off > 0 else 'behind'} this machine's"
    say = part.wrong if abs(off) > _MOST else part.doubtful
    return say("clock", said, _ADVICE)
