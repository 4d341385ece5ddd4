package org.archipelago.peer.volume;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.archipelago.peer.blocker.FileStore;
import org.archipelago.peer.composer.Composer;
import org.archipelago.peer.host.Caller;
import org.archipelago.peer.host.Caller.Call;
import org.archipelago.peer.host.Caller.Reply;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.mapper.Mapper;
import org.archipelago.peer.mapper.MapperControl;
import org.archipelago.peer.mapper.NodeIdentity;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Segment;
import org.archipelago.xseg.SegmentParameters;

/** The peers of one node in a segment of their own, over a store's folders. */
public final class Node implements AutoCloseable {
    public static final int COMPOSER = 500;
    static final int BLOCKERB = 1000;
    static final int MAPPER = 1001;
    static final int BLOCKERM = 1002;
    public static final String BOOT = "0123456789abcdef0123456789abcdef";

    public static final SegmentParameters PARAMETERS = new SegmentParameters(1024, 256, 8192, 0600, 48 << 20);

    final Segment segment;
    public final Host host;
    public final Caller caller;
    private final FileStore blocks;
    private final FileStore maps;
    private final MapperControl control;

    public Node(String daemon, Path store, int reactors) throws java.io.IOException {
        this(daemon, BOOT, store, reactors);
    }

    public Node(String daemon, String boot, Path store, int reactors) throws java.io.IOException {
        this(daemon, boot, store, reactors, Segment.anonymous(PARAMETERS));
    }

    /** In a segment that other processes may join; it is closed with the node. */
    public Node(String daemon, String boot, Path store, int reactors, Segment segment) throws java.io.IOException {
        this.segment = segment;
        host = new Host("test", segment, reactors, 20_000);
        caller = new Caller(host, "test", 20_000);
        blocks = FileStore.open("blockerb", Files.createDirectories(store.resolve("blocks")), 4, 64, false);
        maps = FileStore.open("blockerm", Files.createDirectories(store.resolve("maps")), 4, 64, false);
        host.serve(BLOCKERB, "blockerb", reactor -> blocks.blocker(reactor, segment, reactors));
        host.serve(BLOCKERM, "blockerm", reactor -> maps.blocker(reactor, segment, reactors));
        control = new MapperControl(caller, BLOCKERB, BLOCKERM, new NodeIdentity(daemon, daemon + ".test", boot), 64);
        host.serve(MAPPER, "mapperd", reactor -> new Mapper(host, reactor, control, BLOCKERM));
        host.serve(COMPOSER, "vlmcd", reactor -> new Composer(host, reactor, MAPPER, BLOCKERB, 32));
        host.start();
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

    @Override
    public void close() {
        control.close();
        host.close();
        blocks.close();
        maps.close();
        segment.close();
    }
}
