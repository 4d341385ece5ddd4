package org.archipelago.ext.daemon;

import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;

/** Undoes, last first, what a start that failed had done; what succeeded is dismissed. */
final class Unwinding implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Unwinding.class.getName());

    private final Deque<AutoCloseable> steps = new ArrayDeque<>();

    <T extends AutoCloseable> T add(T step) {
        steps.push(step);
        return step;
    }

    void dismiss() {
        steps.clear();
    }

    @Override
    public void close() {
        while (!steps.isEmpty()) {
            try {
                steps.pop().close();
            } catch (Exception e) {
                LOG.log(Level.WARNING, "undoing a start", e);
            }
        }
    }
}
