package org.archipelago.config;

import java.nio.file.Path;

/**
 * One thing that is wrong, or worth a warning, in a configuration or on the host that it is for.
 * {@code toString} tells it on one line:
 *
 * <pre>
 * FILE:LINE: SETTING = VALUE: problem; allowed: ...
 * FILE:LINE: warning: SETTING = VALUE: problem; allowed: ...
 * FILE:LINE:COLUMN: problem; allowed: ...                      (syntax)
 * </pre>
 *
 * @param line from 1; 0 where no line says it (a setting that is missing, a default)
 * @param column from 1 for syntax, else 0
 * @param setting {@code NAME}, or {@code role.name}; empty for syntax and for the file as a whole
 * @param value as the file writes it, shortened; empty where there is none
 * @param problem what is wrong
 * @param allowed what may stand there, or what to do; never empty
 */
public record Finding(Severity severity, Path file, int line, int column, String setting, String value,
        String problem, String allowed) {
    /** An error forbids the start, a warning does not. */
    public enum Severity { ERROR, WARNING }

    private static final int LONGEST_VALUE = 60;

    public boolean isError() {
        return severity == Severity.ERROR;
    }

    @Override
    public String toString() {
        String place = file + (line > 0 ? ":" + line : "") + (column > 0 ? ":" + column : "") + ": ";
        String subject = setting + (value.isEmpty() ? "" : " = " + value) + (setting.isEmpty() ? "" : ": ");
        String text = place + (isError() ? "" : "warning: ") + subject + problem + "; allowed: " + allowed;
        return text.replaceAll("\\p{Cntrl}", "?");
    }

    static String shorten(String text) {
        return text.length() <= LONGEST_VALUE ? text : text.substring(0, LONGEST_VALUE - 3) + "...";
    }
}
