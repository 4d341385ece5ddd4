package org.archipelago.ext.table;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.stream.Collectors;
import org.archipelago.ext.text.Sizes;
import org.archipelago.ext.text.Text;

/** What stands in a cell: knows how it looks to people and to programs. */
public sealed interface Value {
    /** Nothing is known, or there is nothing. */
    record None() implements Value {}

    record Word(String text) implements Value {}

    record Number(long number) implements Value {}

    /** Bytes. */
    record Size(long bytes) implements Value {}

    /** Seconds since 1970. */
    record Time(long seconds) implements Value {}

    /** A span of seconds. */
    record Span(long seconds) implements Value {}

    record Flag(boolean set) implements Value {}

    /** Names and what belongs to them. */
    record Pairs(java.util.SortedMap<String, String> pairs) implements Value {}

    Value NONE = new None();

    /** An empty text is no value. */
    static Value of(String text) {
        return text.isEmpty() ? NONE : new Word(text);
    }

    static Value of(long number) {
        return new Number(number);
    }

    static Value of(boolean set) {
        return new Flag(set);
    }

    static Value size(long bytes) {
        return new Size(bytes);
    }

    /** 0 is no time. */
    static Value time(long seconds) {
        return seconds == 0 ? NONE : new Time(seconds);
    }

    static Value span(long seconds) {
        return new Span(seconds);
    }

    /** @param exact sizes as bytes */
    default String show(boolean exact) {
        if (this instanceof Word w) {
            return Text.printable(w.text);
        } else if (this instanceof Number n) {
            return Long.toString(n.number);
        } else if (this instanceof Size s) {
            return exact ? Long.toString(s.bytes) : Sizes.format(s.bytes);
        } else if (this instanceof Time t) {
            return Text.time(t.seconds);
        } else if (this instanceof Span s) {
            return exact ? Long.toString(s.seconds) : Text.duration(s.seconds);
        } else if (this instanceof Flag f) {
            return f.set ? "yes" : "no";
        } else if (this instanceof Pairs p) {
            return p.pairs.entrySet().stream().map(e -> Text.printable(e.getKey() + "=" + e.getValue())).collect(Collectors.joining(" "));
        }
        return "";
    }

    /** Sizes are bytes, times and spans are seconds. */
    default JsonElement json() {
        if (this instanceof Word w) {
            return new JsonPrimitive(w.text);
        } else if (this instanceof Number n) {
            return new JsonPrimitive(n.number);
        } else if (this instanceof Size s) {
            return new JsonPrimitive(s.bytes);
        } else if (this instanceof Time t) {
            return new JsonPrimitive(t.seconds);
        } else if (this instanceof Span s) {
            return new JsonPrimitive(s.seconds);
        } else if (this instanceof Flag f) {
            return new JsonPrimitive(f.set);
        } else if (this instanceof Pairs p) {
            JsonObject object = new JsonObject();
            p.pairs.forEach(object::addProperty);
            return object;
        }
        return JsonNull.INSTANCE;
    }
}
