package org.archipelago.ext.daemon;

import java.nio.file.Path;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Sets up where what is logged goes. The JDK's own configuration file is not looked at. */
public final class Logging {
    private static final String OURS = "org.archipelago";
    /** Kept, since the JDK forgets loggers that nobody holds. */
    private static final Logger ROOT = Logger.getLogger("");
    private static final Logger ALL = Logger.getLogger(OURS);
    private static final Logger DAEMON = Logger.getLogger(OURS + ".ext.daemon");

    private Logging() {}

    /** A daemon logs to a file. */
    public static void toFile(Path file, int level) {
        to(new RotatingLog(file), level(level));
        DAEMON.setLevel(Level.INFO.intValue() < level(level).intValue() ? Level.INFO : level(level));
    }

    /** A command says what goes wrong, and with --debug all. */
    public static void toStderr(boolean debug) {
        to(new StderrLog(), debug ? Level.FINE : Level.SEVERE);
    }

    private static void to(Handler handler, Level level) {
        for (Handler other : ROOT.getHandlers()) {
            ROOT.removeHandler(other);
        }
        handler.setLevel(Level.ALL);
        ROOT.addHandler(handler);
        ROOT.setLevel(Level.WARNING);
        ALL.setLevel(level);
    }

    /** The configuration's 0 to 3. */
    private static Level level(int configured) {
        return switch (configured) {
            case 0 -> Level.SEVERE;
            case 1 -> Level.WARNING;
            case 2 -> Level.INFO;
            default -> Level.FINE;
        };
    }
}
