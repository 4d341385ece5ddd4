package org.archipelago.config;

/**
 * One line of the {@link Schema}.
 *
 * @param kind the values it takes
 * @param fallback the default; None for a setting that is mandatory, or whose absence means something
 * @param help what it is for, in a sentence or two
 */
public record Setting(String name, ValueKind kind, Literal fallback, boolean isMandatory, String help) {
    static Setting of(String name, ValueKind kind, Literal fallback, String help) {
        return new Setting(name, kind, fallback, false, help);
    }

    static Setting mandatory(String name, ValueKind kind, String help) {
        return new Setting(name, kind, new Literal.Nothing(Position.NONE), true, help);
    }

    static Setting optional(String name, ValueKind kind, String help) {
        return new Setting(name, kind, new Literal.Nothing(Position.NONE), false, help);
    }

    /** The values it takes, as messages say them. */
    public String allowed() {
        return kind.allowed();
    }

    /** In the file's syntax; {@code None} for none. */
    public String defaultValue() {
        return fallback.toString();
    }
}
