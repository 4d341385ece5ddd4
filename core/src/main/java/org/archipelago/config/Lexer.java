package org.archipelago.config;

import java.util.List;
import java.util.regex.Pattern;

/**
 * Cuts the text of a configuration file into the tokens of Python's literals. Newlines inside brackets are
 * left out, as in Python. Lines end in a bare newline: the caller has made them so.
 */
final class Lexer {
    enum Kind { NAME, NUMBER, STRING, SIGN, NEWLINE, END }

    /** NAME and SIGN: as written; NUMBER: in decimal; STRING: its contents. */
    record Token(Kind kind, String text, Position at) {
        boolean is(String sign) {
            return kind == Kind.SIGN && text.equals(sign);
        }

        String described() {
            return switch (kind) {
                case NAME, SIGN -> "'" + text + "'";
                case NUMBER -> text;
                case STRING -> "a string";
                case NEWLINE -> "the end of the line";
                case END -> "the end of the file";
            };
        }
    }

    private static final int LONGEST_NAME = 64;
    private static final Pattern WHOLE = Pattern.compile("[0-9][0-9_]*|0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+");
    private static final List<String> UNKNOWN_SIGNS =
            List.of("//=", "**", "==", "+=", "-=", "*=", "/=", "<<", ">>", "->", ":=", "!=", "<=", ">=");
    private static final String SIGNS = "[](){},:=+-*";
    private static final String SIMPLE_ESCAPES = "\\'\"abfnrtv";
    private static final String SIMPLE_ESCAPED = "\\'\"\u0007\b\f\n\r\t\u000b";

    private final String text;
    private int next;
    private int line = 1;
    private int lineStart;
    private int depth;

    Lexer(String text) {
        this.text = text;
    }

    Token next() throws SyntaxException {
        skipBlanks();
        Position at = here();
        if (next == text.length()) {
            return new Token(Kind.END, "", at);
        }
        char c = text.charAt(next);
        if (c == '\n') {
            newline();
            return new Token(Kind.NEWLINE, "", at);
        }
        if (isNameStart(c)) {
            return name(at);
        }
        if (isDigit(c)) {
            return number(at);
        }
        return c == '\'' || c == '"' ? string(at) : sign(at);
    }

    /** After an error in an assignment that began on line before: goes on at a later line that begins with a name. */
    void recover(int before) {
        depth = 0;
        if (line > before && lineStart < text.length() && isNameStart(text.charAt(lineStart))) {
            next = lineStart;
            return;
        }
        while (next < text.length()) {
            if (text.charAt(next) != '\n') {
                next++;
                continue;
            }
            newline();
            if (next < text.length() && isNameStart(text.charAt(next))) {
                return;
            }
        }
    }

    private Position here() {
        return new Position(line, next - lineStart + 1);
    }

    private boolean at(String what) {
        return text.startsWith(what, next);
    }

    private void newline() {
        next++;
        line++;
        lineStart = next;
    }

    private void skipBlanks() throws SyntaxException {
        while (next < text.length()) {
            char c = text.charAt(next);
            if (c == '#') {
                int end = text.indexOf('\n', next);
                next = end < 0 ? text.length() : end;
            } else if (c == '\n' && depth > 0) {
                newline();
            } else if (at("\\\n")) {
                next++;
                newline();
            } else if (c == ' ' || c == '\t' || c == '\f') {
                next++;
            } else {
                return;
            }
        }
    }

    private String word() {
        int end = next;
        while (end < text.length() && (isNameStart(text.charAt(end)) || isDigit(text.charAt(end)))) {
            end++;
        }
        String word = text.substring(next, end);
        next = end;
        return word;
    }

    private Token name(Position at) throws SyntaxException {
        String name = word();
        if (name.length() > LONGEST_NAME) {
            throw new SyntaxException(at, "a name of " + name.length() + " characters",
                    "names of at most " + LONGEST_NAME);
        }
        if (at("'") || at("\"")) {
            throw new SyntaxException(at, "the string has the prefix '" + name + "'", "a plain string, 'text'");
        }
        return new Token(Kind.NAME, name, at);
    }

    private Token number(Position at) throws SyntaxException {
        int start = next;
        word();
        while (at(".")) {
            next++;
            word();
        }
        String raw = text.substring(start, next);
        boolean based = raw.length() > 1 && Character.isLetter(raw.charAt(1));
        String digits = raw.replace("_", "");
        boolean leadingZero = !based && digits.startsWith("0") && !digits.matches("0+");
        if (!WHOLE.matcher(raw).matches() || raw.contains("__") || raw.endsWith("_") || leadingZero) {
            throw new SyntaxException(at, Finding.shorten(raw) + " is no whole number",
                    "whole numbers such as 17, 0x11, 0o21, 0b10001 or 1_000");
        }
        int radix = !based ? 10 : switch (Character.toLowerCase(raw.charAt(1))) {
            case 'x' -> 16;
            case 'o' -> 8;
            default -> 2;
        };
        try {
            long value = Long.parseLong(based ? digits.substring(2) : digits, radix);
            return new Token(Kind.NUMBER, Long.toString(value), at);
        } catch (NumberFormatException e) {
            throw new SyntaxException(at, Finding.shorten(raw) + " is too large",
                    "whole numbers up to " + Long.MAX_VALUE);
        }
    }

    private Token string(Position at) throws SyntaxException {
        String quote = text.substring(next, next + 1);
        boolean triple = at(quote.repeat(3));
        String end = triple ? quote.repeat(3) : quote;
        next += end.length();
        StringBuilder contents = new StringBuilder();
        while (!at(end)) {
            if (next == text.length() || !triple && at("\n")) {
                throw new SyntaxException(at, triple ? "the string that begins here is never closed"
                        : "the string that begins here is not closed on its line", "a closing " + end);
            }
            char c = text.charAt(next);
            if (c == '\\') {
                escape(contents);
                continue;
            }
            contents.append(c);
            if (c == '\n') {
                newline();
            } else {
                next++;
            }
        }
        next += end.length();
        return new Token(Kind.STRING, contents.toString(), at);
    }

    private void escape(StringBuilder contents) throws SyntaxException {
        Position at = here();
        next++;
        if (next == text.length()) {
            return;
        }
        char c = text.charAt(next);
        int simple = SIMPLE_ESCAPES.indexOf(c);
        if (c == '\n') {
            newline();
        } else if (simple >= 0) {
            contents.append(SIMPLE_ESCAPED.charAt(simple));
            next++;
        } else if (c >= '0' && c <= '7') {
            coded(contents, at, 8, 1, 3);
        } else if (c == 'x' || c == 'u' || c == 'U') {
            next++;
            int digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
            coded(contents, at, 16, digits, digits);
        } else {
            throw badEscape(at);
        }
    }

    private void coded(StringBuilder contents, Position at, int radix, int least, int most) throws SyntaxException {
        int digits = 0;
        long code = 0;
        while (digits < most && next < text.length() && Character.digit(text.charAt(next), radix) >= 0
                && text.charAt(next) < 0x80) {
            code = code * radix + Character.digit(text.charAt(next), radix);
            digits++;
            next++;
        }
        boolean surrogate = code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE;
        if (digits < least || surrogate || code > Character.MAX_CODE_POINT) {
            throw badEscape(at);
        }
        contents.appendCodePoint((int) code);
    }

    private static SyntaxException badEscape(Position at) {
        return new SyntaxException(at, "the backslash begins no escape that is known",
                "\\\\ \\' \\\" \\a \\b \\f \\n \\r \\t \\v \\ooo \\xhh \\uhhhh \\Uhhhhhhhh");
    }

    private Token sign(Position at) throws SyntaxException {
        char c = text.charAt(next);
        String unknown = UNKNOWN_SIGNS.stream().filter(this::at).findFirst().orElse("");
        if (unknown.isEmpty() && (SIGNS.indexOf(c) >= 0 || at("//"))) {
            if ("[({".indexOf(c) >= 0) {
                depth++;
            } else if ("])}".indexOf(c) >= 0) {
                depth = Math.max(0, depth - 1);
            }
            String sign = c == '/' ? "//" : String.valueOf(c);
            next += sign.length();
            return new Token(Kind.SIGN, sign, at);
        }
        if (!unknown.isEmpty() || "/%<>!&|^~@;.?".indexOf(c) >= 0) {
            throw new SyntaxException(at, "'" + (unknown.isEmpty() ? c : unknown) + "' has no meaning here",
                    "one NAME = value a line, and + - * // between whole numbers");
        }
        int code = text.codePointAt(next);
        throw new SyntaxException(at, String.format("the character %s(U+%04X) has no meaning here",
                code > ' ' && code < 0x7f ? "'" + (char) code + "' " : "", code),
                "names, whole numbers, strings in ' or \", [list], (tuple), {dict} and # comments");
    }

    private static boolean isNameStart(int c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_';
    }

    private static boolean isDigit(int c) {
        return c >= '0' && c <= '9';
    }
}
