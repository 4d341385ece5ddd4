package org.archipelago.peer.mapper;

import com.google.gson.JsonObject;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import org.archipelago.posix.Errno;

/** Begins collections: one at a time in this process, the newest. Thread-safe. */
final class Collector {
    /** Of the heap, for marks; 1,000,000 neighbouring blocks take one MiB of it. */
    private static final long MARKS_BYTES = 8 << 20;

    private final Collection.Context context;
    private Optional<Collection> present = Optional.empty();

    /** @param helpers threads that remove objects */
    Collector(ObjectStore maps, ObjectStore blocks, VolumeStore store, Leases leases, Hashers hashers, NodeIdentity me,
            ExecutorService helpers) {
        Marks marks = new Marks(Long.getLong("archipelago.gc.marks", MARKS_BYTES));
        this.context = new Collection.Context(maps, blocks, store, leases, hashers, me, helpers, marks, new Ids(), new Object());
    }

    /** {@code {"dryRun": bool, "rate": objects a second or 0}}; a run that is under way here ends. */
    LongRuns.Run begin(JsonObject argument) {
        boolean dryRun = argument.has("dryRun") && argument.get("dryRun").getAsBoolean();
        long rate = argument.has("rate") ? argument.get("rate").getAsLong() : 0;
        if (rate < 0) {
            throw new Failure(Errno.EINVAL, "a rate of " + rate + " objects a second cannot be kept");
        }
        synchronized (context.lock()) {
            present.ifPresent(Collection::displace);
            present = Optional.empty();
            context.hashers().endCollection();
            Collection begun = new Collection(context, dryRun, rate);
            present = Optional.of(begun);
            return begun;
        }
    }
}
