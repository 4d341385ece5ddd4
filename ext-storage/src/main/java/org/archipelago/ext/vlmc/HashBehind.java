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
 * Makes an image of a volume that is being written, in the order of its blocks and each of them once: hashes behind the writer, on a
 * thread of its own, while what was written is in the page cache, and has it flushed, so that the disk works meanwhile. In the end the
 * volume's objects become the image's. For one thread; nothing of it stays when it is closed before its end.
 */
final class HashBehind implements AutoCloseable {
    private static final String FOLLOW = "follow";
    private static final long PAUSE_MILLIS = 200;

    private final Volumes volumes;
    private final String volume;
    private final JsonObject argument = new JsonObject();
    private final CountDownLatch written = new CountDownLatch(1);
    private final FutureTask<JsonObject> work = new FutureTask<>(this::work);
    private final Thread thread = new Thread(work, "hash-behind");
    private volatile boolean givenUp;
    private volatile JsonObject last = new JsonObject();

    /** @param image name of the snapshot to make */
    HashBehind(Volumes volumes, String volume, String image) {
        this.volumes = volumes;
        this.volume = volume;
        argument.addProperty("into", image);
        argument.addProperty(FOLLOW, true);
        thread.setDaemon(true);
        thread.start();
    }

    private JsonObject work() {
        return volumes.longRun(Op.HASH, volume, argument, this::stepped);
    }

    private void stepped(JsonObject step) {
        last = step;
        if (argument.has(FOLLOW) && isWritten()) {
            argument.remove(FOLLOW);
        } else if (argument.has(FOLLOW)) {
            volumes.flush(volume);
        }
        if (givenUp) {
            throw new CancellationException(); // after the look whether all is written: what is given up is not
        }
    }

    private boolean isWritten() {
        try {
            return written.await(PAUSE_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            throw new CancellationException();
        }
    }

    /** All is written, and the volume closed: returns when there is the image. eachLook: told now and then how far it is; may throw. */
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
