package org.archipelago.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Collects what is found in one file, up to a bound. */
final class Findings {
    /** More than these are counted, not kept. */
    static final int MOST = 100;

    private final Path file;
    private final List<Finding> kept = new ArrayList<>();
    private int dropped;
    private boolean failed;

    Findings(Path file) {
        this.file = file;
    }

    void error(Position at, String setting, String value, String problem, String allowed) {
        failed = true;
        add(new Finding(Finding.Severity.ERROR, file, at.line(), 0, setting, value, problem, allowed));
    }

    void warning(Position at, String setting, String value, String problem, String allowed) {
        add(new Finding(Finding.Severity.WARNING, file, at.line(), 0, setting, value, problem, allowed));
    }

    void syntax(SyntaxException e) {
        failed = true;
        Position at = e.at();
        add(new Finding(Finding.Severity.ERROR, file, at.line(), at.column(), "", "", e.getMessage(), e.allowed()));
    }

    boolean full() {
        return kept.size() >= MOST;
    }

    /** Throws ConfigurationException if there is an error. */
    void throwErrors() throws ConfigurationException {
        if (failed) {
            throw new ConfigurationException(sorted());
        }
    }

    /** In the order of the file. */
    List<Finding> sorted() {
        List<Finding> all = new ArrayList<>(kept);
        all.sort(Comparator.comparingInt(Finding::line).thenComparingInt(Finding::column));
        if (dropped > 0) {
            all.add(new Finding(failed ? Finding.Severity.ERROR : Finding.Severity.WARNING, file, 0, 0, "", "",
                    dropped + " more findings are not shown", "correcting these " + MOST + " first"));
        }
        return List.copyOf(all);
    }

    private void add(Finding finding) {
        if (full()) {
            dropped++;
        } else {
            kept.add(finding);
        }
    }
}
