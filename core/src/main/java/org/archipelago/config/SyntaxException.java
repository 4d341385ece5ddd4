package org.archipelago.config;

/** The text is no list of assignments of literals; tells one place. */
final class SyntaxException extends Exception {
    private static final long serialVersionUID = 1L;

    private final int line;
    private final int column;
    private final String allowed;

    SyntaxException(Position at, String problem, String allowed) {
        super(problem, null, false, false);
        this.line = at.line();
        this.column = at.column();
        this.allowed = allowed;
    }

    Position at() {
        return new Position(line, column);
    }

    String allowed() {
        return allowed;
    }
}
