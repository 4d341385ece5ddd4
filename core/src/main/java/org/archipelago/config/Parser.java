package org.archipelago.config;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.archipelago.config.Lexer.Kind;
import org.archipelago.config.Lexer.Token;

/**
 * Reads a configuration file as data: assignments of literals, and whole-number sums and products of them.
 * Nothing is ever executed. Depth and number of errors are bounded, so the work is linear in the text.
 *
 * <pre>
 * file    = { NAME "=" sum NEWLINE }
 * sum     = product { ("+" | "-") product }
 * product = signed { ("*" | "//") signed }
 * signed  = { "-" | "+" } atom
 * atom    = NUMBER | STRING { STRING } | True | False | None | "(" sum ")"
 *         | "[" items "]" | "(" items ")" | "{" { sum ":" sum "," } "}"
 * </pre>
 */
final class Parser {
    /** Brackets within brackets. */
    static final int DEEPEST = 64;
    /** Syntax errors that are told at once. */
    static final int MOST_ERRORS = 20;

    private static final String VALUES =
            "a whole number, a string in quotes, True, False, None, [list], (tuple) or {dict}";

    private final Lexer lexer;
    private Token token = new Token(Kind.NEWLINE, "", Position.NONE);
    private final Deque<Token> open = new ArrayDeque<>();

    private Parser(String text) {
        lexer = new Lexer(text);
    }

    /** The assignments in order; adds to errors what is no assignment and goes on behind it. */
    static List<Literal.Entry> parse(String text, List<SyntaxException> errors) {
        Parser parser = new Parser(text);
        List<Literal.Entry> entries = new ArrayList<>();
        while (errors.size() < MOST_ERRORS) {
            int line = Integer.MAX_VALUE;
            try {
                while (parser.token.kind() == Kind.NEWLINE) {
                    parser.advance();
                }
                line = parser.token.at().line();
                if (parser.token.kind() == Kind.END) {
                    break;
                }
                entries.add(parser.assignment());
            } catch (SyntaxException e) {
                errors.add(e);
                parser.lexer.recover(line);
                parser.token = new Token(Kind.NEWLINE, "", Position.NONE);
                parser.open.clear();
            }
        }
        return entries;
    }

    private Literal.Entry assignment() throws SyntaxException {
        Token name = token;
        if (name.kind() != Kind.NAME) {
            throw new SyntaxException(name.at(), name.described() + " cannot begin a line", "NAME = value");
        }
        if (name.at().column() != 1) {
            throw new SyntaxException(name.at(), "'" + name.text() + "' is indented", "NAME = value from column 1 on");
        }
        advance();
        if (!token.is("=")) {
            throw new SyntaxException(token.at(), token.described() + " follows '" + name.text() + "'",
                    "an '=' and a value, since this file is data and is not executed");
        }
        advance();
        Literal value = sum();
        if (token.kind() != Kind.NEWLINE && token.kind() != Kind.END) {
            throw new SyntaxException(token.at(), token.described() + " follows the value of '" + name.text() + "'",
                    "the end of the line");
        }
        return new Literal.Entry(name.text(), name.at(), value);
    }

    private Literal sum() throws SyntaxException {
        Literal left = product();
        while (token.is("+") || token.is("-")) {
            Token sign = token;
            advance();
            left = calculate(left, sign, product());
        }
        return left;
    }

    private Literal product() throws SyntaxException {
        Literal left = signed();
        while (token.is("*") || token.is("//")) {
            Token sign = token;
            advance();
            left = calculate(left, sign, signed());
        }
        return left;
    }

    private Literal signed() throws SyntaxException {
        Token first = token;
        boolean signed = false;
        boolean negative = false;
        while (token.is("-") || token.is("+")) {
            signed = true;
            negative ^= token.is("-");
            advance();
        }
        Literal value = atom();
        return signed ? calculate(new Literal.Whole(0, first.at()),
                new Token(Kind.SIGN, negative ? "-" : "+", first.at()), value) : value;
    }

    private static Literal calculate(Literal left, Token sign, Literal right) throws SyntaxException {
        if (!(left instanceof Literal.Whole a) || !(right instanceof Literal.Whole b)) {
            Literal wrong = left instanceof Literal.Whole ? right : left;
            throw new SyntaxException(sign.at(), "'" + sign.text() + "' with " + wrong.kind(),
                    "+ - * // between whole numbers; strings join when they stand side by side");
        }
        try {
            return new Literal.Whole(switch (sign.text()) {
                case "+" -> Math.addExact(a.value(), b.value());
                case "-" -> Math.subtractExact(a.value(), b.value());
                case "*" -> Math.multiplyExact(a.value(), b.value());
                default -> b.value() == -1 ? Math.negateExact(a.value()) : Math.floorDiv(a.value(), b.value());
            }, a.at());
        } catch (ArithmeticException e) {
            throw new SyntaxException(sign.at(), b.value() == 0 ? "division by zero" : "the result is too large",
                    "whole numbers up to " + Long.MAX_VALUE);
        }
    }

    private Literal atom() throws SyntaxException {
        Token first = token;
        switch (first.kind()) {
            case NUMBER -> {
                advance();
                return new Literal.Whole(Long.parseLong(first.text()), first.at());
            }
            case STRING -> {
                StringBuilder joined = new StringBuilder();
                while (token.kind() == Kind.STRING) {
                    joined.append(token.text());
                    advance();
                }
                return new Literal.Text(joined.toString(), first.at());
            }
            case NAME -> {
                return constant(first);
            }
            default -> {
                if (first.is("[") || first.is("(") || first.is("{")) {
                    return bracket(first);
                }
                throw new SyntaxException(first.at(), first.described() + " where a value is due", VALUES);
            }
        }
    }

    private Literal constant(Token name) throws SyntaxException {
        advance();
        if (token.is("=") && !open.isEmpty()) {
            throw unfinished(name, "its closing bracket before the next setting");
        }
        return switch (name.text()) {
            case "True", "False" -> new Literal.Truth(name.text().equals("True"), name.at());
            case "None" -> new Literal.Nothing(name.at());
            default -> throw new SyntaxException(name.at(), token.is("(")
                    ? "'" + name.text() + "(' is a call, and this file is not executed"
                    : "'" + name.text() + "' is a name where a value is due", VALUES);
        };
    }

    private Literal bracket(Token first) throws SyntaxException {
        if (open.size() == DEEPEST) {
            throw new SyntaxException(first.at(), "brackets are nested deeper than " + DEEPEST,
                    "at most " + DEEPEST + " levels");
        }
        open.push(first);
        advance();
        boolean dict = first.is("{");
        String close = dict ? "}" : first.is("[") ? "]" : ")";
        List<Literal> items = new ArrayList<>();
        List<Literal.Entry> entries = new ArrayList<>();
        boolean comma = true;
        while (!token.is(close)) {
            if (!comma) {
                throw unfinished(token, "',' or '" + close + "'");
            }
            if (token.kind() == Kind.END) {
                throw unfinished(token, "'" + close + "'");
            }
            if (dict) {
                entries.add(entry());
            } else {
                items.add(sum());
            }
            comma = token.is(",");
            if (comma) {
                advance();
            }
        }
        boolean onlyGrouped = close.equals(")") && items.size() == 1 && !comma;
        advance();
        open.pop();
        if (dict) {
            return new Literal.Dict(List.copyOf(entries), first.at());
        }
        return onlyGrouped ? items.get(0) : new Literal.Sequence(List.copyOf(items), close.equals(")"), first.at());
    }

    private Literal.Entry entry() throws SyntaxException {
        Position at = token.at();
        Literal key = sum();
        if (!(key instanceof Literal.Text name)) {
            throw new SyntaxException(at, key.kind() + " as the name of a setting", "a string: {'setting': value}");
        }
        if (!token.is(":")) {
            throw unfinished(token, "':' and a value after '" + Finding.shorten(name.value()) + "'");
        }
        advance();
        return new Literal.Entry(name.value(), at, sum());
    }

    private SyntaxException unfinished(Token found, String allowed) {
        Token bracket = open.element();
        return new SyntaxException(found.at(), found.described() + " inside the '" + bracket.text() + "' of line "
                + bracket.at().line() + ", which is not closed yet", allowed);
    }

    private void advance() throws SyntaxException {
        token = lexer.next();
    }
}
