package org.archipelago.peer.mapper;

import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Optional;
import org.archipelago.map.BlockMap;
import org.archipelago.map.MapLog;
import org.archipelago.map.MapReply;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.Peer;
import org.archipelago.peer.host.Host;
import org.archipelago.peer.host.Reactor;
import org.archipelago.peer.host.RequestPool;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Op;
import org.archipelago.xseg.Request;
import org.archipelago.xseg.Target;
import org.archipelago.xseg.TargetTable;

/**
 * Owns the maps of the volumes that belong to its reactor. Where bytes lie, and what a write makes its
 * volume's own, is answered on the reactor from memory; what has to wait for the store is done by a
 * {@link ControlThread}, which then holds the volume while requests for it queue here.
 */
public final class Mapper implements Peer {
    private static final System.Logger LOG = System.getLogger(Mapper.class.getName());
    /** Volumes that are kept in memory though nobody has them open. */
    private static final int MAX_UNOPENED = 256;

    private final Host host;
    private final Reactor reactor;
    private final int blockermPort;
    private final ControlThread control;
    private final RequestPool pool;
    private final TargetTable<Slot> volumes;
    private final Answer answer = new Answer();
    private final Slot absent = new Slot(Target.of("-"));

    /** A volume's place here: its map when it is in memory, and who waits for it. */
    private final class Slot {
        final Target name;
        final ArrayDeque<Request> waiting = new ArrayDeque<>();
        Optional<VolumeState> state = Optional.empty();
        Optional<LogWriter> log = Optional.empty();
        boolean busy;

        Slot(Target name) {
            this.name = name;
        }
    }

    /** @param blockermPort port of the blocker that stores maps and locks */
    public Mapper(Host host, Reactor reactor, MapperControl control, int blockermPort) {
        this.host = host;
        this.reactor = reactor;
        this.blockermPort = blockermPort;
        this.control = control.thread(reactor);
        this.pool = host.pool(reactor, "mapper", control.requests(), LogWriter.BUFFER);
        this.volumes = new TargetTable<>(absent);
    }

    @Override
    public void accept(Request request) {
        switch (request.op()) {
            case Op.MAPR, Op.MAPW, Op.COMMIT, Op.FLUSH, Op.SYNC -> map(request);
            case Op.PING -> request.complete(0);
            case Op.OPEN, Op.CLOSE, Op.SNAPSHOT, Op.RESIZE, Op.DELETE, Op.RENAME, Op.SETINFO -> hold(request);
            case Op.INFO, Op.CREATE, Op.LIST, Op.STATUS, Op.LOCK, Op.UNLOCK -> control.run(request);
            default -> request.complete(Errno.EOPNOTSUPP);
        }
    }

    // --- data operations

    private void map(Request request) {
        Slot slot = volumes.find(request);
        if (slot == absent) {
            slot = slot(request);
        }
        if (slot.busy) {
            slot.waiting.add(request);
        } else if (slot.state.isEmpty()) {
            reload(slot, request);
        } else {
            VolumeState volume = slot.state.get();
            if (volume.lease == Lease.EXCLUSIVE || volume.header.readOnly()) {
                serve(slot, volume, request);
            } else {
                validate(slot, volume, request);
            }
        }
    }

    private Slot slot(Request request) {
        Target name = Target.of(request.target());
        Slot slot = volumes.find(name);
        if (slot == absent) {
            slot = new Slot(name);
            volumes.put(name, slot);
        }
        return slot;
    }

    private void serve(Slot slot, VolumeState volume, Request request) {
        switch (request.op()) {
            case Op.MAPR -> answer.read(volume, request);
            case Op.MAPW -> {
                if (volume.header.readOnly()) {
                    request.complete(Errno.EROFS);
                } else if (volume.lease == Lease.NONE) {
                    open(slot, request);
                } else {
                    answer.write(volume, request);
                }
            }
            case Op.COMMIT -> {
                if (inRange(volume, request) && volume.lease != Lease.NONE) {
                    log(slot, volume).commit(request);
                } else {
                    request.complete(Errno.EINVAL);
                }
            }
            case Op.SYNC -> request.complete(volume.records);
            case Op.FLUSH -> {
                if (volume.lease == Lease.NONE) {
                    request.complete(0);
                } else {
                    log(slot, volume).flush(request);
                }
            }
            default -> request.complete(Errno.EOPNOTSUPP);
        }
    }

    private LogWriter log(Slot slot, VolumeState volume) {
        if (slot.log.isEmpty()) {
            slot.log = Optional.of(new LogWriter(host, reactor, blockermPort, volume, pool.take(), pool.take()));
        }
        return slot.log.get();
    }

    private static boolean inRange(VolumeState volume, Request request) {
        long offset = request.offset();
        long length = request.length();
        return offset >= 0 && length > 0 && length <= volume.header.size() && offset <= volume.header.size() - length;
    }

    /** Another node may write the volume: looks whether its log has grown before using the map. */
    private void validate(Slot slot, VolumeState volume, Request request) {
        if (pool.isEmpty()) {
            request.complete(Errno.EAGAIN);
            return;
        }
        Request look = pool.take();
        look.op(Op.READ).target(volume.logObject).range(MapLog.position(volume.records), MapLog.RECORD)
            .onCompletion(done -> {
                boolean grown = done.status() != 0 || MapLog.valid(done.data(), 0, volume.logCrc, volume.records);
                pool.release(look);
                if (slot.busy || slot.state.filter(state -> state == volume).isEmpty()) {
                    map(request);
                } else if (grown) {
                    reload(slot, request);
                } else {
                    serve(slot, volume, request);
                }
            });
        host.submit(look, reactor, blockermPort);
    }

    // --- what waits for the store

    private void reload(Slot slot, Request request) {
        makeRoom();
        borrow(slot, request, store -> store.resume(slot.name.toString()));
    }

    private void open(Slot slot, Request request) {
        borrow(slot, request, store -> store.open(slot.name.toString()));
    }

    private interface Fetch {
        VolumeState from(VolumeStore store);
    }

    /** Fetches the volume's map, then serves the request and those that came meanwhile. */
    private void borrow(Slot slot, Request request, Fetch fetch) {
        begin(slot);
        control.execute(store -> {
            try {
                VolumeState fetched = fetch.from(store);
                return () -> {
                    end(slot, Optional.of(fetched));
                    serve(slot, fetched, request);
                    drain(slot);
                };
            } catch (Failure e) {
                LOG.log(e.errno() == Errno.ENOENT ? Level.DEBUG : Level.WARNING, "{0} {1}: {2}",
                    Op.name(request.op()), slot.name, e.getMessage());
                return () -> {
                    end(slot, Optional.empty());
                    request.complete(e.errno());
                    drain(slot);
                };
            }
        }, () -> {
            end(slot, Optional.empty());
            request.complete(Errno.EAGAIN);
            drain(slot);
        });
    }

    /** A control operation that changes the volume: the control thread holds it meanwhile. */
    private void hold(Request request) {
        Slot slot = slot(request);
        if (slot.busy || slot.log.filter(log -> !log.isIdle()).isPresent()) {
            slot.waiting.add(request);
            if (!slot.busy) {
                reactor.schedule(1_000_000, () -> drain(slot));
            }
            return;
        }
        Optional<VolumeState> held = slot.state;
        begin(slot);
        control.execute(request, held, after -> {
            end(slot, after);
            drain(slot);
        });
    }

    private void begin(Slot slot) {
        slot.busy = true;
        slot.log.ifPresent(log -> log.release(pool::release));
        slot.log = Optional.empty();
        slot.state = Optional.empty();
    }

    private void end(Slot slot, Optional<VolumeState> state) {
        slot.busy = false;
        slot.state = state;
        if (state.isEmpty() && slot.waiting.isEmpty()) {
            volumes.remove(slot.name);
        }
    }

    private void drain(Slot slot) {
        for (int left = slot.waiting.size(); left > 0 && !slot.busy; left--) {
            accept(slot.waiting.poll());
        }
        if (slot.state.isEmpty() && !slot.busy && slot.waiting.isEmpty() && volumes.find(slot.name) == slot) {
            volumes.remove(slot.name);
        }
    }

    /** Forgets a map that nobody has open when there are many. */
    private void makeRoom() {
        if (volumes.size() <= MAX_UNOPENED) {
            return;
        }
        for (Slot slot : volumes.values()) {
            boolean unused = slot.state.filter(state -> state.lease == Lease.NONE).isPresent();
            if (unused && !slot.busy && slot.waiting.isEmpty() && slot.log.isEmpty()) {
                volumes.remove(slot.name);
                return;
            }
        }
    }

    /** Writes answers to MAPR and MAPW, without allocating. */
    private static final class Answer implements BlockMap.Parts {
        private VolumeState volume;
        private ByteBuffer to;
        private int block;
        private int from;
        private int end;
        private long covered;

        void read(VolumeState ofVolume, Request request) {
            if (!inRange(ofVolume, request) || request.dataLength() < MapReply.SIZE) {
                request.complete(Errno.EINVAL);
                return;
            }
            volume = ofVolume;
            to = request.data();
            covered = 0;
            MapReply.clear(to, 0, volume.header.size());
            boolean more = true;
            while (more && covered < request.length()) {
                aim(request);
                int unit = from >>> BlockMap.UNIT_SHIFT;
                int units = ((end - 1) >>> BlockMap.UNIT_SHIFT) + 1 - unit;
                more = volume.map.locate(block, unit, units, this);
            }
            request.complete(covered);
        }

        /** Sets block, and from and end in it, to what is not covered yet. */
        private void aim(Request request) {
            long at = request.offset() + covered;
            block = (int) (at >>> VolumeHeader.BLOCK_SHIFT);
            from = (int) (at & (volume.header.blockSize() - 1));
            end = (int) Math.min(volume.header.blockSize(), from + request.length() - covered);
        }

        @Override
        public boolean part(int layer, int unit, int count) {
            int first = Math.max(from, unit << BlockMap.UNIT_SHIFT);
            int last = Math.min(end, (unit + count) << BlockMap.UNIT_SHIFT);
            int object = layer < 0 ? 0 : MapReply.object(to, volume.prefix(layer), block);
            if (object < 0 || !MapReply.extent(to, object, layer < 0 ? MapReply.ZERO : 0, first, last - first)) {
                return false;
            }
            covered += last - first;
            return true;
        }

        void write(VolumeState ofVolume, Request request) {
            if (!inRange(ofVolume, request) || request.dataLength() < MapReply.SIZE) {
                request.complete(Errno.EINVAL);
                return;
            }
            volume = ofVolume;
            to = request.data();
            covered = 0;
            MapReply.clear(to, volume.lease == Lease.SHARED ? MapReply.WRITE_THROUGH : 0,
                volume.header.size());
            boolean more = true;
            while (more && covered < request.length()) {
                aim(request);
                int object = MapReply.object(to, volume.prefix(volume.map.own()), block);
                more = object >= 0 && MapReply.extent(to, object, writeFlags(), from, end - from);
                covered += more ? end - from : 0;
            }
            request.complete(covered);
        }

        private int writeFlags() {
            BlockMap map = volume.map;
            int unit = from >>> BlockMap.UNIT_SHIFT;
            int units = ((end - 1) >>> BlockMap.UNIT_SHIFT) + 1 - unit;
            if (map.isOwn(block, unit, units)) {
                return 0;
            }
            if (map.isZeroBelow(block)) {
                return MapReply.COMMIT | MapReply.ZERO | (volume.unclean ? MapReply.FLATTEN : 0);
            }
            if (map.depth(block) >= BlockMap.MAX_DEPTH) {
                return MapReply.COMMIT | MapReply.FLATTEN;
            }
            boolean head = (from & (BlockMap.UNIT - 1)) != 0 && !map.isOwn(block, unit, 1);
            boolean tail = (end & (BlockMap.UNIT - 1)) != 0 && !map.isOwn(block, unit + units - 1, 1);
            return MapReply.COMMIT | (head || tail ? MapReply.FILL : 0);
        }
    }
}
