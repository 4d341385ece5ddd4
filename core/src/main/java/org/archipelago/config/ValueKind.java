package org.archipelago.config;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** What values a setting takes. */
sealed interface ValueKind {
    /** What is wrong with the value; empty if nothing is. */
    Optional<String> problem(Literal value);

    /** The range or the words, to follow "allowed:". */
    String allowed();

    /** @param unit such as MiB, or empty */
    record Range(long least, long most, String unit, boolean powerOfTwo) implements ValueKind {
        @Override
        public Optional<String> problem(Literal value) {
            if (!(value instanceof Literal.Whole number)) {
                return wrong(value, "a whole number");
            }
            if (number.value() < least || number.value() > most) {
                return Optional.of("out of range");
            }
            return powerOfTwo && Long.bitCount(number.value()) != 1 ? Optional.of("not a power of two")
                    : Optional.empty();
        }

        @Override
        public String allowed() {
            String range = (powerOfTwo ? "powers of two from " : "") + least + " to " + most;
            return least == most ? "only " + least : range + (unit.isEmpty() ? "" : " " + unit);
        }
    }

    /** @param gone words that were once taken, each with what became of it */
    record Word(List<String> words, Map<String, String> gone) implements ValueKind {
        @Override
        public Optional<String> problem(Literal value) {
            if (!(value instanceof Literal.Text text)) {
                return wrong(value, "a string");
            }
            return words.contains(text.value()) ? Optional.empty()
                    : Optional.of(gone.getOrDefault(text.value(), "not a value of this setting"));
        }

        @Override
        public String allowed() {
            String list = words.stream().map(Literal::quote).collect(Collectors.joining(", "));
            return words.size() == 1 ? "only " + list : list;
        }
    }

    /** A string that matches as a whole. */
    record Line(Pattern pattern, String allowed) implements ValueKind {
        @Override
        public Optional<String> problem(Literal value) {
            if (!(value instanceof Literal.Text text)) {
                return wrong(value, "a string");
            }
            return pattern.matcher(text.value()).matches() ? Optional.empty() : Optional.of("not of the right form");
        }
    }

    /** A path, absolute or not; whether it exists is not asked. */
    record Folder(String allowed) implements ValueKind {
        private static final int LONGEST = 4000;

        @Override
        public Optional<String> problem(Literal value) {
            if (!(value instanceof Literal.Text text)) {
                return wrong(value, "a string");
            }
            String path = text.value();
            if (path.isBlank() || path.length() > LONGEST || path.chars().anyMatch(Character::isISOControl)) {
                return Optional.of(path.isBlank() ? "empty" : "not a path");
            }
            try {
                return Path.of(path).toString().isEmpty() ? Optional.of("empty") : Optional.empty();
            } catch (InvalidPathException e) {
                return Optional.of("not a path in this locale's encoding");
            }
        }
    }

    record Flag() implements ValueKind {
        @Override
        public Optional<String> problem(Literal value) {
            return value instanceof Literal.Truth ? Optional.empty() : wrong(value, "True or False");
        }

        @Override
        public String allowed() {
            return "True or False";
        }
    }

    /** The list of (name, type) of the roles; its items are checked where the roles are read. */
    record RoleList() implements ValueKind {
        @Override
        public Optional<String> problem(Literal value) {
            if (!(value instanceof Literal.Sequence roles)) {
                return wrong(value, "a list");
            }
            return roles.items().isEmpty() ? Optional.of("empty") : Optional.empty();
        }

        @Override
        public String allowed() {
            return "[('name', 'type'), ...], with the types " + RoleType.known();
        }
    }

    private static Optional<String> wrong(Literal value, String due) {
        return Optional.of(value.kind() + " where " + due + " is due");
    }
}
