package org.archipelago.ext;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Whoever called a command: where its output goes, what it brought, and what runs with its rights. */
public interface Console {
    /**
     * Which of its descriptors are terminals, and how wide they are.
     *
     * @param columns at least 20
     */
    record Terminal(boolean in, boolean out, boolean err, int columns) {
        public static final Terminal NONE = new Terminal(false, false, false, 80);
    }

    /** How a verb ended: the program's exit status, or one of {@link Verb}'s. */
    record VerbResult(int status, String output) {}

    /** VOL_*, EXTP_*, ARCHIPELAGO_* and a few more. */
    Map<String, String> environment();

    Path directory();

    Terminal terminal();

    void out(String text);

    void err(String text);

    /** Runs one of the fixed verbs ({@link Verb}) with the caller's rights and waits for its end. */
    VerbResult verb(List<String> words);

    /** Nobody waits for the result any more. */
    boolean gone();

    default void outLine(String text) {
        out(text + "\n");
    }

    default void errLine(String text) {
        err(text + "\n");
    }

    /** Throws where nobody waits for the result, so that the command undoes its work. */
    default void checkPresent() {
        if (gone()) {
            throw new Failure(ExitCode.FAILED, "the caller has gone");
        }
    }
}
