package org.archipelago.peer.mapper;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.archipelago.map.BlockMap;
import org.archipelago.map.MapReply;
import org.archipelago.map.VolumeHeader;
import org.archipelago.peer.mapper.VolumeState.Lease;
import org.archipelago.posix.Errno;
import org.archipelago.xseg.Request;

/** Writes a mapper's answers to MAPR and MAPW, from the map in memory, without allocating. One reactor's. */
final class Answer implements BlockMap.Parts {
    /** What is read while the answer grows; others may write to a request's data. */
    private final ByteBuffer to = ByteBuffer.allocateDirect(MapReply.SIZE).order(ByteOrder.LITTLE_ENDIAN);
    private VolumeState volume;
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
        covered = 0;
        MapReply.clear(to, 0, volume.header().size());
        boolean more = true;
        while (more && covered < request.length()) {
            aim(request);
            int unit = from >>> BlockMap.UNIT_SHIFT;
            int units = ((end - 1) >>> BlockMap.UNIT_SHIFT) + 1 - unit;
            more = volume.map.locate(block, unit, units, this);
        }
        MapReply.copy(to, request.data());
        request.complete(covered);
    }

    /** Sets block, and from and end in it, to what is not covered yet. */
    private void aim(Request request) {
        long at = request.offset() + covered;
        block = (int) (at >>> VolumeHeader.BLOCK_SHIFT);
        from = (int) (at & (volume.header().blockSize() - 1));
        end = (int) Math.min(volume.header().blockSize(), from + request.length() - covered);
    }

    @Override
    public boolean part(int layer, int unit, int count) {
        int first = Math.max(from, unit << BlockMap.UNIT_SHIFT);
        int last = Math.min(end, (unit + count) << BlockMap.UNIT_SHIFT);
        int object = layer < 0 ? 0 : MapReply.object(to, volume.map.layerAt(layer), layer, block);
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
        covered = 0;
        MapReply.clear(to, volume.lease == Lease.SHARED ? MapReply.WRITE_THROUGH : 0,
            volume.header().size());
        boolean more = true;
        while (more && covered < request.length()) {
            aim(request);
            int own = volume.map.own();
            int object = MapReply.object(to, volume.map.layerAt(own), own, block);
            more = object >= 0 && MapReply.extent(to, object, writeFlags(), from, end - from);
            covered += more ? end - from : 0;
        }
        MapReply.copy(to, request.data());
        request.complete(covered);
    }

    private int writeFlags() {
        BlockMap map = volume.map;
        int unit = from >>> BlockMap.UNIT_SHIFT;
        int units = ((end - 1) >>> BlockMap.UNIT_SHIFT) + 1 - unit;
        if (map.isOwn(block, unit, units)) {
            return 0;
        }
        return commitFlags(map, unit, units) | (map.hasOwn(block) ? 0 : MapReply.MAKE);
    }

    private int commitFlags(BlockMap map, int unit, int units) {
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

    /** Whether a request's range lies in the volume. */
    static boolean inRange(VolumeState volume, Request request) {
        long offset = request.offset();
        long length = request.length();
        return offset >= 0 && length > 0 && length <= volume.header().size() && offset <= volume.header().size() - length;
    }
}
