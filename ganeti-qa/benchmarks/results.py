"""Values by (group, case, who), the tables made of them, and what they must hold."""
import os
import platform
import re
import statistics

LOWER = "at most"
HIGHER = "at least"


def shown(value):
    return "%.0f" % value if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def aligned(rows):
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) if column < 1 else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


class Results:
    def __init__(self):
        self.values = {}
        self.units = {}
        self.columns = {}
        self.required = []

    def group(self, group, names, ratios=()):
        """Who is measured, in the order of the columns, and which pairs are divided by one another."""
        self.columns[group] = (names, list(ratios))

    def add(self, group, case, name, unit, value):
        self.values.setdefault((group, case), {}).setdefault(name, []).append(value)
        self.units[group, case] = unit

    def require(self, group, case, name, limit, against=None, sense=HIGHER):
        """What must hold of a median, or of its ratio to that of `against`."""
        self.required.append((group, case, name, against, sense, limit))

    def median(self, group, case, name):
        values = self.values.get((group, case), {}).get(name)
        return statistics.median(values) if values else None

    def ratio(self, group, case, name, against):
        ours, theirs = (self.median(group, case, who) for who in (name, against))
        return ours / theirs if ours is not None and theirs else None

    def judged(self):
        """(work, unit, value, sense, limit, whether it holds) of each requirement that was measured."""
        found = []
        for group, case, name, against, sense, limit in self.required:
            value = self.ratio(group, case, name, against) if against else self.median(group, case, name)
            if value is not None:
                work = "%s: %s" % (case, "%s to %s" % (name, against) if against else name)
                found.append((work, "" if against else self.units[group, case], value, sense, limit,
                              value >= limit if sense == HIGHER else value <= limit))
        return found

    def of_group(self, group):
        cases = [case for g, case in self.values if g == group]
        names, ratios = self.columns[group]
        names = [name for name in names if any(name in self.values[group, case] for case in cases)]
        ratios = [pair for pair in ratios if set(pair) <= set(names)]
        spread = len(names) == 1
        rows = [[group, "unit", *names, *("%s / %s" % pair for pair in ratios), *(["least", "most"] if spread else [])]]
        for case in cases:
            values = self.values[group, case]
            medians = [self.median(group, case, name) for name in names]
            divided = [self.ratio(group, case, *pair) for pair in ratios]
            rows.append([case, self.units[group, case], *("" if m is None else shown(m) for m in medians),
                         *("" if d is None else "%.2f" % d for d in divided)])
            if spread:
                rows[-1] += [shown(min(values[names[0]])), shown(max(values[names[0]]))]
        return aligned(rows)

    def table(self):
        lines = []
        for group in self.columns:
            if any(g == group for g, _ in self.values):
                lines += [*self.of_group(group), ""]
        judged = self.judged()
        if judged:
            lines += aligned([["must hold", "unit", "figure", "", "limit", ""]] + [
                [work, unit, shown(value), sense, shown(limit), "" if holds else "NOT MET"] for work, unit, value, sense, limit, holds in judged])
            lines += ["", "%d of %d hold" % (sum(row[-1] for row in judged), len(judged)), ""]
        return "\n".join(lines)

    def document(self, options):
        with open("/proc/cpuinfo") as f:
            model = re.search(r"(?m)^model name\s*:\s*(.*)", f.read())
        return {
            "machine": {"cpus": os.cpu_count(), "model": model.group(1) if model else "", "kernel": platform.release(),
                        "load": os.getloadavg()},
            "rounds": options.rounds, "seconds": options.seconds, "size": options.size,
            "results": [{"group": group, "case": case, "unit": self.units[group, case],
                         "median": {name: statistics.median(v) for name, v in values.items()}, "values": values}
                        for (group, case), values in self.values.items()],
            "required": [dict(zip(("work", "unit", "figure", "sense", "limit", "holds"), row)) for row in self.judged()],
        }
