package org.archipelago.peer.volume;

import static org.archipelago.peer.volume.Lab.BLOCK;
import static org.archipelago.peer.volume.Lab.UNIT;
import static org.archipelago.peer.volume.Lab.bytes;
import static org.archipelago.peer.volume.Lab.ok;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.volume.Weather.Effect;
import org.archipelago.peer.volume.Weather.Fate;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Random operations on volumes and snapshots by two nodes, with collections on both at random moments, and a node killed at random
 * steps: all volumes read right, always; and in the end nothing is left but what they need.
 */
@Timeout(600)
class GarbageModelTest {
    private static final int ROUNDS = Integer.getInteger("archipelago.rounds", 2);
    private static final int STEPS = 60;
    private static final int BLOCKS = 3;
    private static final int[] UNITS = {0, 5, 1023};

    /** What a volume or snapshot holds: contents of some units, by number. */
    private static final class Model {
        final Map<Long, Integer> units = new TreeMap<>();
        boolean snapshot;

        Model copy(boolean asSnapshot) {
            Model copy = new Model();
            copy.units.putAll(units);
            copy.snapshot = asSnapshot;
            return copy;
        }
    }

    private final long seed = Long.getLong("archipelago.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final Map<String, Model> volumes = new HashMap<>();
    private Lab lab;
    private Node one;
    private Node two;
    private Weather ones;
    private int names;
    private int written;

    @Test
    void everythingThatIsNamedStays_andNothingElse() throws Exception {
        System.out.println("GarbageModelTest: -Darchipelago.seed=" + seed);
        for (int round = 0; round < ROUNDS; round++) {
            volumes.clear();
            try (Lab fresh = new Lab()) {
                lab = fresh;
                startOne();
                lab.weather = new Weather();
                two = lab.node("n2");
                for (int life = 0; life < 3; life++) {
                    live();
                    killOne();
                }
                settle(round);
            }
        }
    }

    private void startOne() {
        lab.weather = new Weather();
        ones = lab.weather;
        one = lab.node("n1");
        ones.rule(request -> {
            synchronized (random) {
                return random.nextInt(6) == 0 ? new Fate(0, Effect.WHOLE, random.nextInt(200_000), random.nextInt(200_000)) : Fate.FINE;
            }
        });
    }

    private int pick(int bound) {
        synchronized (random) {
            return random.nextInt(bound);
        }
    }

    /** Operations on node one, collections on both beside them. */
    private void live() throws Exception {
        List<CompletableFuture<Void>> collections = List.of(collecting(one), collecting(two));
        for (int step = 0; step < STEPS; step++) {
            operate();
            collections.stream().filter(CompletableFuture::isCompletedExceptionally).forEach(CompletableFuture::join);
        }
        for (CompletableFuture<Void> collection : collections) {
            collection.get(60, TimeUnit.SECONDS);
        }
    }

    private CompletableFuture<Void> collecting(Node node) {
        return CompletableFuture.runAsync(() -> {
            for (int i = 0; i < 6; i++) {
                Lab.gc(node, pick(4) == 0);
            }
        });
    }

    private Optional<String> some(boolean snapshot) {
        List<String> those = new ArrayList<>(new TreeSet<>(volumes.keySet()));
        those.removeIf(name -> volumes.get(name).snapshot != snapshot);
        return those.isEmpty() ? Optional.empty() : Optional.of(those.get(pick(those.size())));
    }

    private void operate() {
        int what = pick(100);
        Optional<String> volume = some(false);
        Optional<String> snapshot = some(true);
        if (volume.isEmpty() || what < 4) {
            String name = "v" + names++;
            ok(one.json(Op.CREATE, name, Lab.size(BLOCKS * BLOCK)));
            volumes.put(name, new Model());
        } else if (what < 45) {
            long unit = pick(BLOCKS) * 1024L + UNITS[pick(UNITS.length)];
            int number = ++written;
            ok(one.write(volume.get(), unit * UNIT, bytes(UNIT, number), 0));
            volumes.get(volume.get()).units.put(unit, number);
        } else if (what < 60) {
            String name = "s" + names++;
            ok(one.json(Op.SNAPSHOT, volume.get(), "{\"name\": \"" + name + "\"}"));
            volumes.put(name, volumes.get(volume.get()).copy(true));
        } else if (what < 70 && snapshot.isPresent()) {
            String name = "c" + names++;
            ok(one.json(Op.CREATE, name, "{\"origin\": \"" + snapshot.get() + "\"}"));
            volumes.put(name, volumes.get(snapshot.get()).copy(false));
        } else if (what < 80 && snapshot.isPresent()) {
            ok(one.call(Op.DELETE, snapshot.get()));
            volumes.remove(snapshot.get());
        } else if (what < 85) {
            ok(one.call(Op.DELETE, volume.get()));
            volumes.remove(volume.get());
        } else if (what < 90) {
            String from = snapshot.orElse(volume.get());
            String to = "r" + names++;
            ok(one.json(Op.RENAME, from, "{\"to\": \"" + to + "\"}"));
            volumes.put(to, volumes.remove(from));
        } else if (what < 93) {
            ok(one.call(Op.CLOSE, volume.get()));
        } else if (what < 95 && snapshot.isPresent()) {
            hash(snapshot.get());
        } else {
            checkOne(volume.get());
        }
    }

    private void hash(String snapshot) {
        String run = UUID.randomUUID().toString();
        Reply reply;
        do {
            reply = one.caller.call(Call.of(Node.MAPPER, Op.HASH, snapshot).data(("{\"run\": \"" + run + "\"}").getBytes(StandardCharsets.UTF_8)));
        } while (reply.status() == 0 && !reply.message().contains("\"done\":true"));
        assertThat(reply.status()).as("seed " + seed + ": " + reply.message()).isIn(0, Errno.EBUSY);
    }

    private void checkOne(String name) {
        Model model = volumes.get(name);
        for (int block = 0; block < BLOCKS; block++) {
            for (int in : UNITS) {
                long unit = block * 1024L + in;
                Reply reply = one.read(name, unit * UNIT, UNIT);
                ok(reply);
                int number = model.units.getOrDefault(unit, 0);
                assertThat(reply.data()).as("seed " + seed + ", " + name + " unit " + unit)
                    .isEqualTo(number == 0 ? new byte[UNIT] : bytes(UNIT, number));
            }
        }
    }

    /** In the middle of an operation that may or may not take place, and of a collection. */
    private void killOne() throws Exception {
        AtomicInteger left = new AtomicInteger(pick(60));
        Weather weather = ones;
        weather.rule(request -> left.getAndDecrement() <= 0 ? Fate.held() : Fate.FINE);
        Node victim = one;
        Optional<String> snapshot = some(true);
        Optional<String> volume = some(false);
        String extra = "x" + names++;
        Thread collection = new Thread(() -> Lab.gc(victim), "collection");
        Thread operation = new Thread(() -> {
            snapshot.ifPresent(of -> victim.json(Op.CREATE, extra, "{\"origin\": \"" + of + "\"}"));
            volume.ifPresent(of -> victim.json(Op.SNAPSHOT, of, "{\"name\": \"" + extra + "s\"}"));
            victim.call(Op.DELETE, extra);
        }, "operation");
        for (Thread thread : List.of(collection, operation)) {
            thread.setDaemon(true);
            thread.setUncaughtExceptionHandler((of, killed) -> { });
            thread.start();
        }
        for (int i = 0; i < 3000 && weather.held() == 0 && (collection.isAlive() || operation.isAlive()); i++) {
            Thread.sleep(1);
        }
        Thread.sleep(2);
        lab.weather = ones;
        lab.kill(one);
        startOne();
        adopt(snapshot, extra);
        adopt(volume, extra + "s");
        for (String name : new TreeSet<>(volumes.keySet())) {
            checkOne(name);
        }
    }

    /** What was being made is there as a whole, or not at all. */
    private void adopt(Optional<String> of, String name) {
        if (of.isPresent() && one.call(Op.INFO, name).status() == 0) {
            volumes.put(name, volumes.get(of.get()).copy(name.endsWith("s")));
        }
    }

    /** Afterwards: what there is is what is named. */
    private void settle(int round) {
        ones.fair();
        for (String name : new TreeSet<>(volumes.keySet())) {
            checkOne(name);
            if (!volumes.get(name).snapshot) {
                for (int i = 0; i < 3; i++) { // what a killed write left in the present epoch is of a former one then
                    ok(one.json(Op.SNAPSHOT, name, "{\"name\": \"last\"}"));
                    ok(one.call(Op.DELETE, "last"));
                }
                ok(one.call(Op.CLOSE, name));
            }
        }
        Lab.gc(one);
        Lab.gc(two);
        JsonObject last = Lab.gc(one);
        String when = "seed " + seed + ", round " + round + ": " + last;
        assertThat(last.getAsJsonArray("damage")).as(when).isEmpty();
        for (String name : new TreeSet<>(volumes.keySet())) {
            checkOne(name);
        }
        Set<String> named = new TreeSet<>();
        for (String name : volumes.keySet()) {
            named.add("vol-" + name);
            String header = new String(contents("vol-" + name), StandardCharsets.UTF_8);
            named.add("id-" + field(header, "id"));
            named.add(field(header, "log"));
            named.add(field(header, "checkpoint"));
            named.add(field(header, "checkpoint") + ".2");
            data(header, named);
        }
        named.removeIf(object -> object.startsWith("-"));
        assertThat(new TreeSet<>(lab.objects(""))).as(when).isEqualTo(named);
    }

    private static String field(String header, String key) {
        Matcher m = Pattern.compile("(?m)^" + key + " (.*)$").matcher(header);
        return m.find() ? m.group(1) : "";
    }

    private void data(String header, Set<String> named) {
        String checkpoint = field(header, "checkpoint");
        if (!checkpoint.equals("-")) {
            named.addAll(CheckpointNames.of(checkpoint, contents(checkpoint), lab.store));
        }
    }

    private byte[] contents(String object) {
        MemoryStore.Content content = lab.store.find(object).orElseThrow(() -> new AssertionError("seed " + seed + ": no " + object));
        return lab.store.read(content, 0, (int) lab.store.size(content));
    }
}
