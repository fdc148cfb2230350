"""What was measured, as tables and as JSON."""

import json


def of(work, level, contenders, bind):
    """The report of one work. Where `bind` is false no target is judged."""
    medians = {c.label: c.median() for c in contenders}
    return {
        "work": work.name,
        "level": level,
        "tokens": work.tokens,
        "bytes": work.moved,
        "contenders": [line(work, c, medians.get("ours")) for c in contenders],
        "targets": [judge(t, contenders, bind) for t in work.targets],
    }


def line(work, contender, ours):
    """One contender's line."""
    ns = contender.median()
    return {
        "who": contender.label,
        "ms": round(ns / 1e6, 4),
        "least ms": round(min(contender.ns) / 1e6, 4),
        "runs": len(contender.ns),
        "in units of ours": round(ns / ours, 3) if ours else None,
        "ns a token": round(ns / work.tokens, 3),
        "GB/s": round(contender.moved / ns, 2),
    } | contender.about


def judge(target, contenders, bind):
    """A target with what was reached: the fastest of those it is set against, over ours."""
    group = target.streams if target.against == "ceiling" else target.against
    others = [c for c in contenders if c.group == group]
    ours = next((c for c in contenders if c.label == target.ours), None)
    fastest = min(others, key=lambda c: c.median(), default=None)
    reached = fastest.median() / ours.median() if ours and fastest else None
    if reached is None:
        verdict = "absent"
    elif bind:
        verdict = "met" if reached >= target.ratio else "missed"
    else:
        verdict = "no target"
    return {
        "whose": target.ours,
        "against": fastest.label if fastest else group,
        "to reach": target.ratio if bind else None,
        "reached": None if reached is None else round(reached, 3),
        "verdict": verdict,
    }


def shown(x):
    """A cell."""
    return "" if x is None or x == "" or x == [] else f"{x:.4g}" if isinstance(x, float) else str(x)


def rows(columns, lines):
    """A markdown table."""
    head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(head + ["| " + " | ".join(shown(line.get(c)) for c in columns) + " |" for line in lines])


CONTENDERS = (
    "who",
    "ms",
    "in units of ours",
    "ns a token",
    "GB/s",
    "cores busy",
    "use of the tolerance",
    "note",
)


def table(report):
    """All contenders of a work."""
    by_time = sorted(report["contenders"], key=lambda line: line["ms"])
    return f"### {report['work']}\n\n" + rows(CONTENDERS, by_time) + "\n"


def targets(result):
    """One line for each target."""
    lines = [{"work": r["work"]} | t for r in result["reports"] for t in r["targets"]]
    return rows(("work", "whose", "against", "to reach", "reached", "verdict"), lines)


def pairs(about):
    """A row for each."""
    return "\n".join(f"| {name} | {x} |" for name, x in about.items())


def page(result):
    """The whole as a page."""
    m = {name: x for name, x in result["machine"].items() if name != "conditions"}
    m |= result["machine"]["conditions"]
    level = "held to AVX2" if result["level"] == "avx2" else "the best that the CPU has, without targets"
    versions = ", ".join(x if x.startswith(name) else f"{name} {x}" for name, x in result["versions"].items())
    return f"""# Ours against others: {level}, {result["threads"]} threads

Medians of {result["rounds"]} interleaved rounds.

| machine | |
|---|---|
{pairs(m)}
| versions | {versions} |

```console
$ {result["command"]}
```

What is set against ours is the fastest of its kind, of two ways to copy too. Reached is its median over ours.

{targets(result)}

What is missed, and what is known of it: [`speed.md`](speed.md).

## Each work

GB/s is of each input read once and each output written once, without masks. The use of the tolerance shows
that a contender did the same work, and no more.

{chr(10).join(table(report) for report in result["reports"])}"""


def record(result, stem):
    """Both files."""
    stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    stem.with_suffix(".md").write_text(page(result))
