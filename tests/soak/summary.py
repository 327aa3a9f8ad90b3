"""The figures of a run, for people."""

from __future__ import annotations

from tests.soak.fleet import Wear
from tests.soak.run import Outcome

__all__ = ["percentile", "summary"]

MAX_FINDINGS = 30  # that are printed


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of the sorted values lies; 0 if there are none."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def summary(outcome: Outcome) -> str:
    """All of it, a fact a line."""
    records = outcome.records.values()
    live = sorted(shown.latency for record in records for shown in record.shown if shown.kind == "live")
    count = {letter: sum(record.events[letter] for record in records) for letter in "WXALM"}
    shown = sum(len(record.shown) for record in records)
    connections = count["W"] + count["X"]
    lines = [
        f"seed           {outcome.settings.seed}",
        f"took           {outcome.seconds:.0f} s; {len(outcome.records)} clients in all, {len(outcome.died)} processes"
        f" with clients killed, servers {outcome.server_deaths} times, Redis {outcome.bus_deaths} times",
        f"messages       {outcome.kept} kept, {shown} shown, {count['A']} sent again",
        f"refused        {sum(len(record.refused) for record in records)}",
        f"latency        p50 {percentile(live, 0.5) * 1e3:.0f} ms, p99 {percentile(live, 0.99) * 1e3:.0f} ms,"
        f" worst {percentile(live, 1.0) * 1e3:.0f} ms ({len(live)} deliveries without a dark network in the way)",
        f"connections    {connections} welcomes, {count['X']} with early data, {count['L']} losses,"
        f" {count['M']} migrations",
        *(_wear(wear) for wear in outcome.wear),
        *(f"FOUND: {finding}" for finding in outcome.findings[:MAX_FINDINGS]),
    ]
    if (more := len(outcome.findings) - MAX_FINDINGS) > 0:
        lines.append(f"FOUND: … and {more} more")
    lines.append("everything as it should be" if not outcome.findings else f"{len(outcome.findings)} findings")
    return "\n".join(lines)


def _wear(wear: Wear) -> str:
    before, peak, after = wear.before, wear.peak, wear.after
    return (
        f"{wear.name:14} {before.memory:.0f} MB and {before.threads} threads before, {peak.memory:.0f} and"
        f" {peak.threads} at most, {after.memory:.0f} and {after.threads} after"
    )
