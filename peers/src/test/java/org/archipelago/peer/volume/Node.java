package org.archipelago.peer.volume;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.archipelago.peer.Peer;
import org.archipelago.peer.blocker.FileStore;
import org.archipelago.peer.composer.Composer;
import org.archipelago.peer.dummy.Dummy;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.mapper.Mapper;
import org.archipelago.peer.mapper.MapperControl;
import org.archipelago.peer.mapper.NodeIdentity;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;

/** The peers of one node in a segment of their own, over a store's folders. */
public final class Node implements AutoCloseable {
    public static final int COMPOSER = 500;
    private static final int MAPPER_LATE = 60;
    public static final int BLOCKERB = 1000;
    public static final int MAPPER = 1001;
    public static final int BLOCKERM = 1002;
    public static final int DUMMY = 502;
    static final int OPERATIONS = 32;
    static final int MAPPER_REQUESTS = 64;
    public static final String BOOT = "0123456789abcdef0123456789abcdef";

    public static final SegmentParameters PARAMETERS = new SegmentParameters(1024, 256, 8192, 0600, 48 << 20);

    private static final long WAIT_MILLIS = Long.getLong("archipelago.wait", 20_000);

    final Segment segment;
    public final Host host;
    public final Caller caller;
    private final Blockers blockers;
    private final MapperControl control;

    /** Where a node's objects are. */
    interface Blockers extends AutoCloseable {
        Peer blocks(Host host, Reactor reactor);

        Peer maps(Host host, Reactor reactor);

        @Override
        void close();
    }

    public Node(String daemon, Path store, int reactors) throws java.io.IOException {
        this(daemon, BOOT, store, reactors);
    }

    public Node(String daemon, String boot, Path store, int reactors) throws java.io.IOException {
        this(daemon, boot, store, reactors, Segment.anonymous(PARAMETERS));
    }

    /** In a segment that other processes may join; it is closed with the node. */
    public Node(String daemon, String boot, Path store, int reactors, Segment segment) throws java.io.IOException {
        this(daemon, boot, reactors, segment, inFiles(store, reactors));
    }

    /** Over objects in memory, data and maps in one; weather: what may happen on the way to them. */
    Node(String daemon, String boot, MemoryStore store, Weather weather, int reactors) {
        this(daemon, boot, reactors, Segment.anonymous(PARAMETERS), inMemory(store, weather));
    }

    Node(String daemon, String boot, int reactors, Segment segment, Blockers blockers) {
        this.segment = segment;
        this.blockers = blockers;
        host = new Host("test", segment, reactors, 20_000);
        caller = new Caller(host, "test", WAIT_MILLIS);
        host.serve(BLOCKERB, "blockerb", reactor -> blockers.blocks(host, reactor));
        host.serve(BLOCKERM, "blockerm", reactor -> blockers.maps(host, reactor));
        control = new MapperControl(new Caller(host, "mapper", WAIT_MILLIS), BLOCKERB, BLOCKERM,
            new NodeIdentity(daemon, daemon + ".test", boot), MAPPER_REQUESTS, upgradesOriginal, longLog);
        host.serve(MAPPER, "mapperd", reactor -> new Mapper(host, reactor, control, BLOCKERM));
        Weather onTheWayToMaps = mapperWeather;
        host.serve(MAPPER_LATE, "mapperdlater", reactor -> onTheWayToMaps.over(host, reactor, forward(host, reactor, MAPPER)));
        host.serve(COMPOSER, "vlmcd", reactor -> new Composer(host, reactor, mapperWeather == NO ? MAPPER : MAPPER_LATE, BLOCKERB, OPERATIONS));
        host.serve(COMPOSER + 1, "vlmcd restarted", reactor -> new Composer(host, reactor, MAPPER, BLOCKERB, OPERATIONS));
        host.serve(DUMMY, "dummy", reactor -> new Dummy());
        host.start();
    }

    /** Whether the next node upgrades volumes of the original. */
    static boolean upgradesOriginal;

    /** Records after which a log is long. */
    static long longLog = 1 << 16;

    static final Weather NO = new Weather();
    /** What delays requests between composer and mapper, as processes of their own may. */
    static Weather mapperWeather = NO;

    /** What stands behind a weather: the mapper of that reactor. */
    private static Peer forward(Host host, Reactor reactor, int port) {
        return request -> host.submit(request, reactor, port);
    }

    static Blockers inFiles(Path store, int reactors) throws java.io.IOException {
        FileStore blocks = FileStore.open("blockerb", Files.createDirectories(store.resolve("blocks")), 4, 64, false);
        FileStore maps = FileStore.open("blockerm", Files.createDirectories(store.resolve("maps")), 4, 64, false);
        return new Blockers() {
            @Override
            public Peer blocks(Host host, Reactor reactor) {
                return blocks.blocker(reactor, host.segment(), reactors);
            }

            @Override
            public Peer maps(Host host, Reactor reactor) {
                return maps.blocker(reactor, host.segment(), reactors);
            }

            @Override
            public void close() {
                blocks.close();
                maps.close();
            }
        };
    }

    static Blockers behind(Weather weather, Blockers blockers) {
        return new Blockers() {
            @Override
            public Peer blocks(Host host, Reactor reactor) {
                return weather.over(host, reactor, blockers.blocks(host, reactor));
            }

            @Override
            public Peer maps(Host host, Reactor reactor) {
                return weather.over(host, reactor, blockers.maps(host, reactor));
            }

            @Override
            public void close() {
                blockers.close();
            }
        };
    }

    private static Blockers inMemory(MemoryStore store, Weather weather) {
        Map<String, MemoryStore.Content> open = new ConcurrentHashMap<>();
        if (MemoryBlocker.syncsAtItsStart) {
            store.sync();
        }
        return new Blockers() {
            @Override
            public Peer blocks(Host host, Reactor reactor) {
                return weather.over(host, reactor, new MemoryBlocker(store, open));
            }

            @Override
            public Peer maps(Host host, Reactor reactor) {
                return weather.over(host, reactor, new MemoryBlocker(store, open));
            }

            @Override
            public void close() { }
        };
    }

    public Reply call(int op, String volume) {
        return caller.call(Call.of(COMPOSER, op, volume));
    }

    public Reply call(int op, int flags, String volume) {
        return caller.call(Call.of(COMPOSER, op, volume).flags(flags));
    }

    public Reply json(int op, String volume, String argument) {
        return caller.call(Call.of(COMPOSER, op, volume).data(argument.getBytes(StandardCharsets.UTF_8)));
    }

    public Reply resize(String volume, long size) {
        return caller.call(Call.of(COMPOSER, Op.RESIZE, volume).range(0, size));
    }

    public JsonObject info(String volume) {
        return JsonParser.parseString(call(Op.INFO, volume).message()).getAsJsonObject();
    }

    public Reply write(String volume, long offset, byte[] bytes, int flags) {
        return caller.call(Call.of(COMPOSER, Op.WRITE, volume).flags(flags).data(bytes).range(offset, bytes.length));
    }

    public Reply read(String volume, long offset, int length) {
        return caller.call(Call.of(COMPOSER, Op.READ, volume).range(offset, length));
    }

    public Reply zero(String volume, long offset, long length, int flags) {
        return caller.call(Call.of(COMPOSER, Op.ZERO, volume).flags(flags).range(offset, length));
    }

    /** As {@link #close}, but nothing is brought to its end; the weather must have ended. */
    void kill() {
        host.close();
        segment.close();
    }

    @Override
    public void close() {
        control.close();
        host.close();
        blockers.close();
        segment.close();
    }
}
