package org.archipelago.ext.table;

import java.util.function.Function;

/**
 * A column that a table can show.
 *
 * @param name as -o and JSON write it; the heading is the same in capitals
 * @param right aligned, for numbers
 * @param help what it tells, in a few words
 */
public record Column<T>(String name, boolean right, String help, Function<T, Value> value) {
    public static <T> Column<T> left(String name, String help, Function<T, Value> value) {
        return new Column<>(name, false, help, value);
    }

    public static <T> Column<T> right(String name, String help, Function<T, Value> value) {
        return new Column<>(name, true, help, value);
    }

    String heading() {
        return name.toUpperCase(java.util.Locale.ROOT);
    }
}
