package org.archipelago.ext.vlmc;

import com.google.gson.JsonObject;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.archipelago.ext.ExitCode;
import org.archipelago.ext.Failure;
import org.archipelago.ext.node.Volumes;
import org.archipelago.xseg.Op;

/**
 * Makes an image of a volume that is being written: hashes behind the writer, on a thread of its own, while what was written is
 * in the page cache, and has it flushed, so that the disk works meanwhile. In the end the volume is closed, and its objects
 * become the image's. For one thread; nothing of it stays when it is closed before its end.
 */
final class HashBehind implements AutoCloseable {
    private static final long PAUSE_MILLIS = 200;

    private final Volumes volumes;
    private final String volume;
    private final JsonObject argument = new JsonObject();
    private final CountDownLatch written = new CountDownLatch(1);
    private final FutureTask<JsonObject> work = new FutureTask<>(this::work);
    private final Thread thread = new Thread(work, "hash-behind");
    /** On its thread: what the step is of is still written; the next step begins after all was. */
    private boolean follows = true;
    private boolean allWritten;
    private volatile boolean givenUp;
    private volatile JsonObject last = new JsonObject();

    /** @param image name of the snapshot to make */
    HashBehind(Volumes volumes, String volume, String image) {
        this.volumes = volumes;
        this.volume = volume;
        argument.addProperty("into", image);
        thread.setDaemon(true);
        thread.start();
    }

    private JsonObject work() {
        return volumes.longRun(Op.HASH, volume, argument, () -> follows, this::stepped);
    }

    private void stepped(JsonObject step) {
        last = step;
        boolean knowsAll = allWritten;
        allWritten = allWritten || isWritten();
        if (givenUp) {
            throw new CancellationException(); // after the look whether all is written: what is given up is not
        }
        if (follows && knowsAll) {
            volumes.close(volume);
            follows = false;
        } else if (!allWritten) {
            volumes.flush(volume);
        }
    }

    private boolean isWritten() {
        try {
            return written.await(PAUSE_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            throw new CancellationException();
        }
    }

    /** All is written: returns when there is the image. eachLook: told now and then how far it is; may throw. */
    void finish(Consumer<JsonObject> eachLook) {
        written.countDown();
        while (true) {
            try {
                work.get(PAUSE_MILLIS, TimeUnit.MILLISECONDS);
                return;
            } catch (TimeoutException e) {
                JsonObject step = last;
                if (step.has("of")) {
                    eachLook.accept(step);
                }
            } catch (ExecutionException e) {
                throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new Failure(ExitCode.FAILED, "interrupted while volume " + volume + " was hashed");
            }
        }
    }

    /** Waits for the step that is under way. */
    @Override
    public void close() {
        givenUp = true;
        written.countDown();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
