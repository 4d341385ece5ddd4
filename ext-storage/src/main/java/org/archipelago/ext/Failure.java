package org.archipelago.ext;

/** Why a command ended without success: an exit code, and one or two lines for people. */
public final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final ExitCode code;

    /** @param message what failed, on what, why, who holds it, what to do next */
    public Failure(ExitCode code, String message) {
        super(message);
        this.code = code;
    }

    public Failure(ExitCode code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    public static Failure usage(String message) {
        return new Failure(ExitCode.USAGE, message);
    }

    public ExitCode code() {
        return code;
    }
}
