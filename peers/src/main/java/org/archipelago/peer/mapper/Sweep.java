package org.archipelago.peer.mapper;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;

/**
 * Walks through one store and removes what is garbage, several at once. Waits for the store; one thread at a time.
 */
final class Sweep {
    /** Tells what is garbage, by its name. */
    interface Rule {
        boolean isGarbage(String name);
    }

    /** How an object is removed; false: it was gone. */
    interface Removal {
        boolean remove(String name);
    }

    private static final int AT_ONCE = 64;

    private final Walk walk;
    private final Rule rule;
    private final Removal removal;
    private final ExecutorService helpers;
    private final List<String> names = new ArrayList<>();
    private final List<Long> sizes = new ArrayList<>();
    private long scanned;
    private long removed;
    private long bytes;

    /** @param helpers threads that remove; nothing but the first errors of theirs is told */
    Sweep(Walk walk, Rule rule, Removal removal, ExecutorService helpers) {
        this.walk = walk;
        this.rule = rule;
        this.removal = removal;
        this.helpers = helpers;
    }

    /** Where another sweep can go on. */
    String cursor() {
        return walk.cursor();
    }

    long scanned() {
        return scanned;
    }

    long removed() {
        return removed;
    }

    /** Of the store, that came free. */
    long bytes() {
        return bytes;
    }

    /** Works for a time, and looks at so many objects at most; true: all have been looked at. */
    boolean step(long until, long most) {
        long end = scanned + most;
        while (System.nanoTime() < until && scanned < end && !walk.isOver()) {
            if (!walk.advance()) {
                continue;
            }
            scanned++;
            if (rule.isGarbage(walk.name())) {
                names.add(walk.name());
                sizes.add(walk.size());
            }
            if (names.size() >= AT_ONCE) {
                remove();
            }
        }
        remove();
        return walk.isOver();
    }

    private void remove() {
        List<Callable<Boolean>> tasks = new ArrayList<>();
        names.forEach(name -> tasks.add(() -> removal.remove(name)));
        try {
            List<Future<Boolean>> done = helpers.invokeAll(tasks);
            for (int i = 0; i < done.size(); i++) {
                if (done.get(i).get()) {
                    removed++;
                    bytes += sizes.get(i);
                }
            }
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Failure failure ? failure : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            names.clear();
            sizes.clear();
        }
    }
}
