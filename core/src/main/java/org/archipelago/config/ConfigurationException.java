package org.archipelago.config;

import java.util.List;
import java.util.stream.Collectors;

/** A configuration that cannot be used. Tells everything that is wrong with it at once. */
public final class ConfigurationException extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient List<Finding> findings;

    ConfigurationException(List<Finding> findings) {
        super(findings.stream().map(Finding::toString).collect(Collectors.joining("\n")));
        this.findings = List.copyOf(findings);
    }

    /** In the order of the file; at least one error, and the warnings. The message has each on a line. */
    public List<Finding> findings() {
        return findings;
    }
}
