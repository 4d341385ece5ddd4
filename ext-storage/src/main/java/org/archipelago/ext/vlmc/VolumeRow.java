package org.archipelago.ext.vlmc;

import java.util.List;
import java.util.Optional;
import org.archipelago.ext.node.Mapping;
import org.archipelago.ext.node.Volume;
import org.archipelago.ext.table.Column;
import org.archipelago.ext.table.Table;
import org.archipelago.ext.table.Value;

/** A volume, and how it is mapped on this host: the row of the tables of volumes. */
record VolumeRow(Volume volume, Optional<Mapping> mapping) {
    private static final List<Column<VolumeRow>> COLUMNS = List.of(
        Column.left("name", "its name", r -> Value.of(r.volume.name())),
        Column.left("type", "volume, snapshot, or damaged", r -> Value.of(Mapping.word(r.volume.kind()))),
        Column.right("size", "as a guest sees it", r -> Value.size(r.volume.size())),
        Column.left("origin", "the snapshot that it started as, or the volume that it is a snapshot of",
            r -> Value.of(r.volume.origin())),
        Column.left("holder", "the node that may write it", r -> Value.of(r.volume.lease().map(Volume.Holder::show).orElse(""))),
        Column.left("device", "where it is mapped on this host: a block device, or an NBD socket",
            r -> Value.of(r.mapping.map(Mapping::place).orElse(""))),
        Column.left("lock", "the node whose administrator locked it", r -> Value.of(r.volume.lock().map(Volume.Holder::show).orElse(""))),
        Column.left("created", "when", r -> Value.time(r.volume.created())),
        Column.right("blocksize", "size of a block of its map", r -> Value.size(r.volume.blockSize())),
        Column.left("format", "of its map: native, or that of the original Archipelago", r -> Value.of(r.volume.format())),
        Column.left("id", "stays when it is renamed", r -> Value.of(r.volume.id())),
        Column.left("metadata", "what Ganeti and others noted", r -> new Value.Pairs(r.volume.metadata())),
        Column.left("problem", "why it cannot be used", r -> Value.of(r.volume.problem())));

    static final Table<VolumeRow> LIST = new Table<>("volumes", COLUMNS,
        List.of("name", "type", "size", "origin", "holder", "device"));

    static final Table<VolumeRow> INFO = new Table<>("volume", COLUMNS,
        COLUMNS.stream().map(Column::name).filter(n -> !n.equals("problem")).toList());
}
