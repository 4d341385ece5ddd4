package org.archipelago.ext.vlmc;

import java.util.List;
import org.archipelago.ext.command.CommonOptions;
import org.archipelago.ext.command.Program;

/** The program vlmc: everything about volumes. */
public final class Vlmc {
    static final String VOLUMES = "Volumes and snapshots";
    static final String HOST = "On this host";
    static final String WRITERS = "Who may write a volume";
    static final String IMAGES = "Images";
    static final String STORE = "The store";

    public static final Program PROGRAM = new Program("vlmc", "command",
        "Volumes of Archipelago: makes, shows, snapshots, maps and removes them. A volume can be written; a snapshot never changes and "
            + "is what new volumes can start from.",
        """
            Names     1 to 80 of A-Z a-z 0-9 . _ + : @ - and not beginning with . - or @
            Sizes     a number of MiB, or one with a unit: 512M, 10G, 1.5T (powers of 1024)

            Examples
              vlmc import debian.qcow2 debian     an image becomes a snapshot
              vlmc create web1 --snap debian      a volume that starts as that snapshot
              vlmc create data1 --size 20G        a blank volume
              vlmc map web1                       a device of this host shows it
              vlmc list                           what there is
            """,
        List.of(ListVolumes.SPEC, Info.SPEC, DiskUsage.SPEC, Create.SPEC, Snapshot.SPEC, Resize.SPEC, Rename.SPEC, Remove.SPEC,
            MapInfo.SPEC, Check.SPEC, VerifyVolume.SPEC,
            MapVolume.SPEC, Unmap.SPEC, ShowMapped.SPEC,
            Open.SPEC, Close.SPEC, Lock.SPEC, Unlock.SPEC,
            Import.SPEC, Export.SPEC, Hash.SPEC,
            Gc.SPEC),
        CommonOptions::new);

    private Vlmc() {}
}
