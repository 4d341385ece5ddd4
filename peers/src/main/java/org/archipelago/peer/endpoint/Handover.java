package org.archipelago.peer.endpoint;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.archipelago.peer.host.Reactor;
import org.archipelago.posix.Errno;

/** Work that another thread has done on a reactor, and waits for. */
final class Handover {
    private static final long WAIT_MILLIS = 10_000;

    private Handover() {}

    /**
     * Runs something on a reactor, once or, where the wait is over before it begins, not at all.
     *
     * @throws EndpointException ETIMEDOUT after 10 s
     */
    static <T> T run(Reactor reactor, String what, Supplier<T> work) {
        if (reactor.isCurrent()) {
            return work.get();
        }
        CompletableFuture<T> result = new CompletableFuture<>();
        AtomicBoolean claimed = new AtomicBoolean();
        reactor.execute(() -> {
            if (claimed.compareAndSet(false, true)) {
                try {
                    result.complete(work.get());
                } catch (RuntimeException e) {
                    result.completeExceptionally(e);
                }
            }
        });
        if (!isDone(result) && claimed.compareAndSet(false, true)) {
            throw new EndpointException(Errno.ETIMEDOUT, "cannot " + what + ": its reactor has been busy for "
                + WAIT_MILLIS / 1000 + " s");
        }
        return await(result, what);
    }

    /**
     * What something brings that a reactor began and goes on with.
     *
     * @throws EndpointException ETIMEDOUT after 10 s
     */
    static <T> T await(CompletableFuture<T> result, String what) {
        if (!isDone(result)) {
            throw new EndpointException(Errno.ETIMEDOUT, "cannot " + what + ": its reactor has not finished it within "
                + WAIT_MILLIS / 1000 + " s");
        }
        return result.join();
    }

    /** Waits, whatever interrupts it. */
    private static boolean isDone(CompletableFuture<?> result) {
        boolean interrupted = false;
        long end = System.nanoTime() + WAIT_MILLIS * 1_000_000;
        while (!result.isDone() && System.nanoTime() - end < 0) {
            try {
                result.get(end - System.nanoTime(), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
            } catch (TimeoutException | ExecutionException e) {
                break;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return result.isDone();
    }
}
