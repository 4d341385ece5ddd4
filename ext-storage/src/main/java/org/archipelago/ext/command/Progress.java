package org.archipelago.ext.command;

import org.archipelago.ext.Console;

/** One line on the caller's terminal that says how far a command is; nothing where standard error is none. */
public final class Progress implements AutoCloseable {
    private final Console console;
    private final boolean shown;
    private int width;

    public Progress(Console console) {
        this.console = console;
        this.shown = console.terminal().err();
    }

    /** In place of what the line said before. */
    public void say(String text) {
        if (shown) {
            String line = text.substring(0, Math.min(text.length(), console.terminal().columns() - 1));
            console.err("\r" + line + " ".repeat(Math.max(0, width - line.length())));
            width = line.length();
        }
    }

    /** How much of something is done, in per cent. */
    public void say(String what, long done, long of) {
        say(what + " " + (of == 0 ? 100 : 100 * done / of) + " %");
    }

    /** Clears the line. */
    @Override
    public void close() {
        if (width > 0) {
            console.err("\r" + " ".repeat(width) + "\r");
        }
    }
}
