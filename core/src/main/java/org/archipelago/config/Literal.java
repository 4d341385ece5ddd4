package org.archipelago.config;

import java.util.List;
import java.util.stream.Collectors;

/** A value as the file writes it, with its place. {@code toString} gives it back on one line in the file's syntax. */
sealed interface Literal {
    Position at();

    record Whole(long value, Position at) implements Literal {
        @Override
        public String toString() {
            return Long.toString(value);
        }
    }

    record Text(String value, Position at) implements Literal {
        @Override
        public String toString() {
            return quote(value);
        }
    }

    record Truth(boolean value, Position at) implements Literal {
        @Override
        public String toString() {
            return value ? "True" : "False";
        }
    }

    /** Python's None: in this file, a setting that is left out. */
    record Nothing(Position at) implements Literal {
        @Override
        public String toString() {
            return "None";
        }
    }

    /** A list or a tuple. */
    record Sequence(List<Literal> items, boolean tuple, Position at) implements Literal {
        @Override
        public String toString() {
            String inner = items.stream().map(Literal::toString).collect(Collectors.joining(", "));
            return tuple ? "(" + inner + (items.size() == 1 ? ",)" : ")") : "[" + inner + "]";
        }
    }

    /** A dict with strings for keys, in the order of the file; a key may still stand twice. */
    record Dict(List<Entry> entries, Position at) implements Literal {
        @Override
        public String toString() {
            return entries.stream().map(e -> quote(e.key()) + ": " + e.value())
                    .collect(Collectors.joining(", ", "{", "}"));
        }
    }

    /** One assignment, of a dict or of the file. */
    record Entry(String key, Position at, Literal value) {}

    /** What it is, in words, for messages. */
    default String kind() {
        return this instanceof Whole ? "a whole number" : this instanceof Text ? "a string"
                : this instanceof Truth ? "a truth value" : this instanceof Nothing ? "None"
                : this instanceof Dict ? "a dict" : ((Sequence) this).tuple() ? "a tuple" : "a list";
    }

    /** The text as a string literal of printable ASCII, so that it stays on one line. */
    static String quote(String text) {
        StringBuilder out = new StringBuilder("'");
        text.codePoints().forEach(c -> {
            if (c == '\'' || c == '\\') {
                out.append('\\').appendCodePoint(c);
            } else if (c >= ' ' && c < 0x7f) {
                out.appendCodePoint(c);
            } else {
                out.append(c == '\n' ? "\\n" : c == '\t' ? "\\t"
                        : String.format(c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c));
            }
        });
        return out.append("'").toString();
    }
}
